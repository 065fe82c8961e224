"""What is in a run file: the journal, and beside it what a page needs to show it without knowing how to fold it.

journal    the events as they are, payloads among them, blotted out where they must be
updates    what the live stream would have said, event by event
values     inputs and outputs that no event holds, by number; `payloads` says which node's, and from which event on
timeline   where the time went
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from typing import Any, Final

import msgspec
from msgspec import Raw

from flowscope.definition import decode
from flowscope.definition.drawing import absolute
from flowscope.definition.layout import arrange
from flowscope.definition.plan import Plan, compile_plan
from flowscope.definition.workflow import JSON, Workflow
from flowscope.execution.events import AnyEvent, NodeAdopted, NodeStarted, NodeSucceeded, decode_lines, encode
from flowscope.execution.inputs import gather
from flowscope.execution.payload import Payload
from flowscope.execution.state import State, apply, recorded
from flowscope.execution.timeline import best_timeline
from flowscope.execution.view import WorkflowShape
from flowscope.live.translation import Translator
from flowscope.nodes.registry import Registry
from flowscope.orchestrator.library import missing
from flowscope.orchestrator.payloads import PayloadStore
from flowscope.orchestrator.ports import ExecutionRow, Store
from flowscope.runfile.redaction import Censor

FORMAT: Final = "flowscope-run"
VERSION: Final = 1

MOST_PAYLOADS: Final = 20_000
"""Inputs and derived outputs that are worked out."""

LOG_LINES: Final = 20_000

_PAYLOAD_FIELDS: Final = ("input", "output", "items", "memo", "value", "otherwise")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """`data` False leaves every payload out. `redact` are names of fields to blot out, beside those that promise secrets;
    `secrets` the secrets that are known here."""

    data: bool = True
    redact: tuple[str, ...] = ()
    secrets: frozenset[str] = frozenset()


def content_of(store: Store, registry: Registry, execution_id: str, options: Options, now: float) -> dict[str, JSON]:
    """Everything about one run; blocking. `now` is when it is exported (epoch ms). `ExecutionNotFound`."""
    row = store.row(execution_id)
    if row is None:
        raise missing(store, execution_id)
    censor = Censor(options.secrets, options.redact, data=options.data)
    return _Writer(store, registry, row, censor).content(now)


class _Writer:
    def __init__(self, store: Store, registry: Registry, row: ExecutionRow, censor: Censor) -> None:
        self._store = store
        self._row = row
        self._censor = censor
        self._payloads = PayloadStore(store)
        self._document = store.definition(row.definition) if row.definition else b""
        self._workflow = decode(self._document) if self._document else None
        self._plan = _plan(self._workflow, registry)
        self._values: list[JSON] = []
        self._numbers: dict[bytes, int] = {}

    def content(self, now: float) -> dict[str, JSON]:
        events = list(self._events())
        row = self._row
        shape = WorkflowShape.of(self._workflow) if self._workflow else None
        translator = Translator(row.execution_id, shape)
        updates = [[event.seq, event.at, [Raw(one.body) for one in translator.translate(event)]] for event in events]
        journal = [self._event(event) for event in events]
        payloads: list[list[JSON]] = []
        # A journal that does not fit its plan, as that of a quarantined run, is told as far as it goes.
        with suppress(KeyError, ValueError, AssertionError):
            for payload in self._inputs_and_outputs(events):
                payloads.append(payload)
        document = self._censor.document(self._document) if self._document else None
        return {
            "format": FORMAT,
            "version": VERSION,
            "flowscope": version("flowscope"),
            "exportedAt": now,
            "execution": msgspec.to_builtins(row) | {"error": self._censor.text(row.error)},
            "ended": bool(row.ended_at),
            "data": self._censor.data,
            "workflow": document,
            "graph": _graph(self._workflow, translator),
            "journal": journal,
            "updates": updates,
            "payloads": payloads,
            "values": self._values,
            "timeline": msgspec.to_builtins(best_timeline(events, self._plan, now)),
            "log": [self._line(line) for line in self._lines()],
            "blotted": self._censor.blotted,
            "cut": self._censor.cut,
        }

    def _events(self) -> Iterator[AnyEvent]:
        after = 0
        while segments := self._store.read(self._row.execution_id, after):
            for segment in segments:
                yield from decode_lines(segment.lines)
            after = segments[-1].last_seq

    def _event(self, event: AnyEvent) -> dict[str, JSON]:
        """An event with its payloads in it, wherever they were kept."""
        told: dict[str, JSON] = msgspec.json.decode(encode(event))
        for name in _PAYLOAD_FIELDS:
            raw, blob = getattr(event, name, None), getattr(event, f"{name}_blob", None)
            told.pop(f"{name}Blob", None)
            data = recorded(raw, blob) if isinstance(raw, Raw) else None
            if data is not None:
                told[name] = self._censor.value(self._payloads.build(data))
            elif isinstance(raw, Raw):
                told.pop(name, None)
        error = told.get("error")
        if isinstance(error, dict):
            told["error"] = error | {"message": self._censor.text(str(error["message"]))}
        return told

    def _inputs_and_outputs(self, events: list[AnyEvent]) -> Iterator[list[JSON]]:
        """(seq, node id, path, what, number in `values`): what must be worked out, for the page cannot."""
        if self._plan is None or not self._censor.data:
            return
        state, left = State(self._row.execution_id, self._plan), MOST_PAYLOADS
        for event in events:
            apply(state, event)
            state.agenda.clear()
            state.dead.clear()
            state.through.clear()
            if left <= 0 or not isinstance(event, NodeStarted | NodeSucceeded | NodeAdopted):
                continue
            frame = state.frames[event.path]
            number = frame.scope.index[event.node_id]
            if not isinstance(event, NodeSucceeded):
                left -= 1
                yield [event.seq, event.node_id, event.path, "input", self._number(gather(state, frame, number))]
            if not isinstance(event, NodeStarted) and (
                event.passed or recorded(event.output, event.output_blob) is None
            ):
                left -= 1
                output = self._number(frame.outputs[number] or b"null")
                yield [event.seq, event.node_id, event.path, "output", output]

    def _number(self, payload: Payload) -> int:
        data = self._payloads.build(payload)
        number = self._numbers.get(data)
        if number is None:
            number = self._numbers[data] = len(self._values)
            self._values.append(self._censor.value(data))
        return number

    def _lines(self) -> Iterator[Any]:
        after = 0
        while after < LOG_LINES and (lines := self._store.logs(self._row.execution_id, after)):
            yield from lines
            after = lines[-1].offset

    def _line(self, line: Any) -> dict[str, JSON]:
        told: dict[str, JSON] = msgspec.to_builtins(line)
        return told | {"text": self._censor.text(line.text) if self._censor.data else "[left out]"}


def _plan(workflow: Workflow | None, registry: Registry) -> Plan | None:
    """None where a node type is not here: then nothing can be worked out."""
    if workflow is None:
        return None
    try:
        return compile_plan(workflow, registry)
    except LookupError:
        return None


def _graph(workflow: Workflow | None, translator: Translator) -> dict[str, JSON]:
    """Where the nodes are. A run that was only reported has its nodes in a row."""
    if workflow is None:
        entries = [(node.node_id, node.node_name, "") for node in translator.view.nodes.values()]
        return {
            "nodes": [
                {"id": id, "label": label, "type": kind, "x": 260 * place, "y": 0, "width": 216, "height": 84, "parent": None}
                for place, (id, label, kind) in enumerate(entries)
            ],
            "edges": [],
        }  # fmt: skip
    parents = {node.id: node.parent_id for node in workflow.nodes}
    layout = arrange(parents, [(edge.source, edge.target) for edge in workflow.edges])
    boxes = absolute(parents, layout)
    return {
        "nodes": [
            {
                "id": node.id, "label": node.label, "type": node.type, "parent": node.parent_id, "x": boxes[node.id].x,
                "y": boxes[node.id].y, "width": boxes[node.id].width, "height": boxes[node.id].height,
            }
            for node in workflow.nodes
        ],
        "edges": [
            {"source": edge.source, "target": edge.target, "handle": edge.source_handle} for edge in workflow.edges
        ],
    }  # fmt: skip
