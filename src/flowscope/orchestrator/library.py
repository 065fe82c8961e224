"""Workflow versions bound to this catalogue, and what the journal says of executions."""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from flowscope.definition import decode
from flowscope.definition.plan import Plan
from flowscope.definition.workflow import Workflow
from flowscope.errors import ExecutionNotFound, ExecutionPruned, StoreCorrupt
from flowscope.execution.events import AnyEvent, decode_lines
from flowscope.execution.state import State, fold
from flowscope.nodes.registry import Registry
from flowscope.orchestrator.ports import Segment, Store
from flowscope.orchestrator.program import Program

PROGRAMS = 256
"""Versions kept bound."""


class Library:
    """Reads; changes nothing."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._registry = registry
        self._programs: OrderedDict[str, Program] = OrderedDict()

    def program(self, workflow: Workflow) -> Program:
        """The workflow bound to this catalogue, worked out once a version; `LookupError` names a missing node type."""
        found = self._programs.get(workflow.hash)
        if found is None:
            found = self._programs[workflow.hash] = Program(workflow, self._registry)
            while len(self._programs) > PROGRAMS:
                self._programs.popitem(last=False)
        else:
            self._programs.move_to_end(workflow.hash)
        return found

    def stored_program(self, definition: str) -> Program:
        """The same for a definition in the store, by its hash."""
        found = self._programs.get(definition)
        return found or self.program(decode(self._store.definition(definition)))

    def history(self, execution_id: str, after: int = 0) -> list[AnyEvent]:
        """The durable events with `seq > after`; `StoreCorrupt` for bytes that are no events."""
        events: list[AnyEvent] = []
        while True:
            segments = self._store.read(execution_id, after)
            if not segments:
                return events
            for segment in segments:
                events += [event for event in _decoded(segment) if event.seq > after]
            after = segments[-1].last_seq

    def replay(self, execution_id: str, definition: str) -> State:
        """An execution's state by folding its journal; `StoreCorrupt` where its events do not fit each other."""
        return self.folded(execution_id, self.stored_program(definition).plan)

    def folded(self, execution_id: str, plan: Plan) -> State:
        """The same with the plan at hand; touches nothing that belongs to the event loop."""
        events = self.history(execution_id)
        try:
            return fold(execution_id, plan, iter(events))
        except Exception as error:
            message = f"The journal of execution {execution_id} cannot be folded: {error!r}"
            raise StoreCorrupt(message, detail=repr(error)) from error


def missing(store: Store, execution_id: str) -> ExecutionNotFound:
    """The error for an execution that is not in the store: it may have been."""
    return ExecutionPruned(execution_id) if store.pruned(execution_id) else ExecutionNotFound(execution_id)


def _decoded(segment: Segment) -> list[AnyEvent]:
    try:
        return decode_lines(segment.lines)
    except msgspec.MsgspecError as error:
        message = (
            f"The journal of execution {segment.execution_id} holds no events after {segment.first_seq - 1}: {error}"
        )
        raise StoreCorrupt(message, detail=str(error)) from error
