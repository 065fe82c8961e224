"""Answers that no handler gives: a node's pin, and an earlier result of the same work."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowscope.definition.plan import OUTPUT
from flowscope.execution import machine
from flowscope.execution import status as st
from flowscope.execution.state import Frame
from flowscope.nodes.answer import Assign, Pass
from flowscope.orchestrator.attempt import Attempt
from flowscope.orchestrator.payloads import PayloadStore, encode
from flowscope.orchestrator.ports import Results
from flowscope.orchestrator.program import Binding

if TYPE_CHECKING:
    from flowscope.orchestrator.live_execution import LiveExecution


class Keeper:
    """Without `results` nothing is kept, and everything is worked out."""

    def __init__(self, payloads: PayloadStore, results: Results | None) -> None:
        self._payloads = payloads
        self._results = results

    def pinned(self, live: LiveExecution, frame: Frame, number: int, binding: Binding, now: float) -> bool:
        """Whether the node has answered from its pin. In a run that a trigger started none does: pins are for building."""
        pin = binding.pinned
        if pin is None or live.state.fired:
            return False
        output = self._payloads.keep(encode(pin.output))
        machine.succeed(live.state, frame, number, output, pin.handle, now, live.decision, origin="pinned")
        return True

    def known(self, attempt: Attempt, now: float) -> bool:
        """Whether the node has answered with an earlier result; if not, the attempt remembers what its own is to be kept as."""
        if self._results is None:
            return False
        key = attempt.work(self._payloads)
        found = self._results.find(key, now)
        if found is None:
            attempt.result_key = key
            return False
        handle, data = found
        live, output = attempt.live, self._payloads.keep(data)
        machine.succeed(live.state, attempt.frame, attempt.number, output, handle, now, live.decision, origin="cached")
        return True

    def keep(self, attempt: Attempt, answer: object, now: float) -> None:
        """Keep what the attempt has just answered, without the secrets in it. A wait or a call is no result, and neither is
        what does more, or less, than give an output."""
        if isinstance(answer, Assign | Pass):
            return
        frame, number = attempt.frame, attempt.number
        output = frame.outputs[number]
        if self._results is not None and frame.status[number] == st.SUCCESS and output is not None:
            handle = (frame.taken or {}).get(number, OUTPUT)
            data = self._payloads.build(output)
            self._results.keep(attempt.result_key, handle, data, now + attempt.binding.ttl)
