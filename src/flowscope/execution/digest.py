"""A hash of everything the journal determines."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from flowscope.execution.payload import Fingerprints

if TYPE_CHECKING:
    from flowscope.execution.frame import Expansion, Frame, Suspension, Turn
    from flowscope.execution.state import State


def digest(state: State) -> str:
    """A SHA-256 in hex. Equal digests, equal states; the worklists do not count."""
    prints = Fingerprints()
    facts = [
        state.execution_id, state.seq, state.epoch, state.status, state.paused, state.failing, state.error, state.workflow_id,
        state.workflow_name, state.definition, state.trigger, state.user_id, state.parent_execution_id, state.caller,
        state.deadline, state.started_at, state.ended_at, prints.of(state.input),
        [_frame(frame, prints) for _, frame in sorted(state.frames.items())],
        *([True] if state.fired else []),  # what is newer counts only where it is used: recorded hashes hold
    ]  # fmt: skip
    if state.variables:  # a run without them has the digest it had before there were any
        facts.append([[name, prints.of(value)] for name, value in sorted(state.variables.items())])
    if state.use_worker_pool:
        facts.append("worker pool")
    if state.until:
        facts.append(f"until {state.until}")
    return hashlib.sha256(msgspec.json.encode(facts)).hexdigest()


def _frame(frame: Frame, prints: Fingerprints) -> list[Any]:
    # What came later to the vocabulary counts only where there is some of it: old journals keep their digests.
    later = [
        sorted((frame.adopted or {}).items()),
        [[number, prints.of(given)] for number, given in sorted((frame.replaced or {}).items())],
    ]
    return [
        frame.path, frame.index, frame.busy, frame.left, list(frame.status), list(frame.active), list(frame.waiting),
        list(frame.attempts), list(frame.times), [prints.of(output) for output in frame.outputs],
        sorted((frame.taken or {}).items()), sorted((frame.any_source or {}).items()), sorted((frame.lost or {}).items()),
        [[number, *_suspension(wait, prints)] for number, wait in sorted((frame.suspensions or {}).items())],
        [[number, *_expansion(expansion, prints)] for number, expansion in sorted((frame.expansions or {}).items())],
        *([_turns(frame.turns, prints)] if frame.turns else ()),
        *(later if any(later) else ()),
    ]  # fmt: skip


def _turns(turns: dict[int, list[Turn]], prints: Fingerprints) -> list[Any]:
    return [
        [number, [[prints.of(turn.memo), [prints.of(result) for result in turn.results]] for turn in taken]]
        for number, taken in sorted(turns.items())
    ]


def _suspension(wait: Suspension, prints: Fingerprints) -> list[Any]:
    return [
        wait.kind, wait.until, wait.expires, wait.signal, wait.child, wait.child_definition, wait.detail, prints.of(wait.input),
        *([wait.choices, wait.extends] if wait.choices or wait.extends else []),
        *([prints.of(wait.otherwise), wait.otherwise_handle] if wait.otherwise is not None else []),
    ]  # fmt: skip


def _expansion(expansion: Expansion, prints: Fingerprints) -> list[Any]:
    return [
        expansion.base, expansion.count, expansion.next, expansion.concurrency, expansion.collect_errors, expansion.deadline,
        list(expansion.running), prints.of(expansion.items), prints.of(expansion.last),
        [prints.of(result) for result in expansion.results],
    ]  # fmt: skip
