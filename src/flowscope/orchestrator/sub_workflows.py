"""Sub-workflows: a node that calls another workflow waits for an execution of its own.

The child's id follows from the caller's, so that asking again, after a crash, finds the same child.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowscope.definition import decode, load
from flowscope.definition.workflow import Workflow
from flowscope.errors import NodeError, StoreCorrupt, WorkflowNotFound
from flowscope.execution.events import Caller, ErrorInfo
from flowscope.execution.instructions import StartChild
from flowscope.execution.state import Frame, State, key_of, output_of
from flowscope.execution.stimuli import Fail, Start, Succeed
from flowscope.nodes.answer import Call
from flowscope.orchestrator.ports import UNENDED, ExecutionRow

if TYPE_CHECKING:
    from flowscope.orchestrator.live_execution import LiveExecution
    from flowscope.orchestrator.workflow_orchestrator import WorkflowOrchestrator

DEEPEST = 32
"""Sub-workflows within each other."""


class SubWorkflows:
    """Starts children, waits for those that exist, and tells callers how they ended."""

    def __init__(self, orchestrator: WorkflowOrchestrator) -> None:
        self._orchestrator = orchestrator

    def called(self, state: State, frame: Frame, number: int, call: Call) -> tuple[Workflow, str]:
        """The workflow a call means and its execution's id; `WorkflowNotFound`, `DefinitionInvalid`."""
        orchestrator = self._orchestrator
        if call.document is not None:
            workflow = load(call.document, orchestrator.registry)
        elif call.workflow_id == state.workflow_id:
            # Its own version, which may not have reached the store yet: it runs ahead of the disk.
            workflow = state.plan.workflow
        else:
            stored = orchestrator.store.latest_definition(call.workflow_id)
            if stored is None:
                raise WorkflowNotFound(call.workflow_id)
            workflow = decode(stored[1])
        if state.execution_id.count(":") >= DEEPEST:
            raise NodeError(f"Sub-workflows are more than {DEEPEST} deep: does one call itself?", retryable=False)
        orchestrator.define(workflow)
        node_id = frame.scope.ids[number]
        path = key_of(frame)
        key = f"{path}.{node_id}" if path else node_id
        # The same child on every re-execution of this call; a new one when a failed child is tried again.
        again = frame.attempts[number] - (frame.lost or {}).get(number, 0)
        return workflow, f"{state.execution_id}:{key}" + (f"#{again}" if again > 1 else "")

    async def start(self, live: LiveExecution, instruction: StartChild) -> None:
        """Idempotent: a child that exists is waited for, one that has ended answers."""
        orchestrator = self._orchestrator
        await live.wait_for(live.state.seq)
        child = instruction.child
        waiting = _waiting(live.state, instruction.node_id, instruction.path, child)
        if live.gone is not None or orchestrator.holds(child) or waiting is None:
            return
        row = orchestrator.store.row(child)
        if row is None:
            caller = Caller(live.state.execution_id, instruction.node_id, instruction.path)
            program = orchestrator.library.stored_program(instruction.definition)
            data = orchestrator.payloads.build(instruction.input)
            begin = Start(
                input=orchestrator.payloads.keep(data),
                trigger=program.plan.call_trigger,
                caller=caller,
                fired=live.state.fired,
                use_worker_pool=live.state.use_worker_pool,
            )
            orchestrator.admit(program.plan.workflow, child, begin)
        elif row.status in UNENDED:
            await orchestrator.take_up(child)
        else:
            try:
                self.tell_caller(orchestrator.library.replay(child, row.definition))
            except StoreCorrupt:
                self.quarantined(row)

    async def cancel(self, child: str) -> None:
        if self._orchestrator.holds(child):
            await self._orchestrator.cancel(child, "its caller was cancelled")

    def tell_caller(self, state: State) -> None:
        """A child has ended: answer the node that waits for it, if it still does."""
        caller = state.caller
        live = self._orchestrator.live(caller.execution_id) if caller else None
        if caller is None or live is None:
            if caller is not None:
                # It asks for its children when it is awake, and so comes to hear of it.
                self._orchestrator.passivation.wake_soon(caller.execution_id)
            return
        waiting = _waiting(live.state, caller.node_id, caller.path, state.execution_id)
        if waiting is None:
            return
        frame, number = waiting
        attempt = frame.attempts[number]
        payloads = self._orchestrator.payloads
        if state.status == "success":
            output = payloads.keep(payloads.build(output_of(state)))
            answer = Succeed(node_id=caller.node_id, path=caller.path, attempt=attempt, output=output)
            self._orchestrator.tell(live, answer)
            return
        error = state.error or ErrorInfo("Cancelled", "it was cancelled", retryable=False)
        message = f"Sub-workflow {state.execution_id}: {error.message}"
        info = ErrorInfo(error.type, message, error.code, detail=error.node_id)
        self._orchestrator.tell(live, Fail(node_id=caller.node_id, path=caller.path, attempt=attempt, error=info))

    def quarantined(self, row: ExecutionRow) -> None:
        """A child was ended without being understood: only its row tells whose it was."""
        live = self._orchestrator.live(row.caller_execution_id)
        if live is None:
            self._orchestrator.passivation.wake_soon(row.caller_execution_id)
        for frame in list(live.state.frames.values()) if live else ():
            for number, wait in list((frame.suspensions or {}).items()):
                if live and wait.child == row.execution_id:
                    message = f"Sub-workflow {row.execution_id}: {row.error}"
                    error = ErrorInfo("Quarantined", message, retryable=False)
                    node_id, attempt = frame.scope.ids[number], frame.attempts[number]
                    self._orchestrator.tell(live, Fail(node_id=node_id, path=frame.path, attempt=attempt, error=error))


def _waiting(state: State, node_id: str, path: str, child: str) -> tuple[Frame, int] | None:
    """The node, if it still waits for that child."""
    frame = state.frames.get(path)
    number = frame.scope.index.get(node_id) if frame else None
    wait = (frame.suspensions or {}).get(number) if frame and number is not None else None
    return (frame, number) if frame and number is not None and wait and wait.child == child else None
