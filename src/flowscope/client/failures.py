"""What a client is told when a server cannot be used, beside the errors that a server and its callers share.

FlowscopeError
├── UserError
│   ├── KeyRefused         no key, a wrong one, or one that may not do that
│   └── RequestRefused     the server refuses what was asked for; `status` and `code` say why
└── ServerError            the server is at fault, or the way to it
    ├── ServerUnreachable
    └── ServerFailed
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from flowscope.errors import (
    DefinitionInvalid,
    ExecutionActive,
    ExecutionEnded,
    ExecutionNotFound,
    FlowscopeError,
    Problem,
    SignalNotAwaited,
    UserError,
    WorkflowNotFound,
)


class KeyRefused(UserError):
    """The server wants a key, or another one."""


class RequestRefused(UserError):
    """The server refuses what was asked for. `status` is HTTP's, `code` the server's word for it."""

    def __init__(self, message: str, *, status: int, code: str = "") -> None:
        self.status = status
        self.code = code
        super().__init__(message)


class ServerError(FlowscopeError):
    """The server is at fault, or the way to it."""


class ServerUnreachable(ServerError):
    """Nothing answers there."""


class ServerFailed(ServerError):
    """The server has a fault, or is overloaded. `status` is HTTP's."""

    def __init__(self, message: str, *, status: int) -> None:
        self.status = status
        super().__init__(message)


Details = Mapping[str, Any]

_SHARED: Final[dict[str, Callable[[Details], FlowscopeError]]] = {
    "EXECUTION_NOT_FOUND": lambda facts: ExecutionNotFound(facts["executionId"]),
    "EXECUTION_ENDED": lambda facts: ExecutionEnded(facts["executionId"], facts["status"]),
    "RUN_ALREADY_ACTIVE": lambda facts: ExecutionActive(facts["executionId"]),
    "SIGNAL_NOT_AWAITED": lambda facts: SignalNotAwaited(facts["executionId"], facts["signal"]),
    "WORKFLOW_NOT_FOUND": lambda facts: WorkflowNotFound(facts["workflowId"]),
}


def unreachable(server: str, reason: object) -> ServerUnreachable:
    """Nothing answers at `server`."""
    return ServerUnreachable(f"Nothing answers at {server}: {reason}. Is `flowscope serve` running there?")


def key_refused(server: str, said: str, *, given: bool) -> KeyRefused:
    """`said` is the server's own sentence, `given` whether there was a key."""
    if given:
        return KeyRefused(f"{server} does not take this key for that: {said}")
    return KeyRefused(f"{server} wants an API key: {said}")


def refusal_of(server: str, status: int, body: object, *, key_given: bool) -> FlowscopeError:
    """The error in an answer of HTTP's 4xx or 5xx. `body` is its JSON, or anything else."""
    problem: Details = body if isinstance(body, dict) else {}
    said = str(problem.get("error") or f"HTTP {status}")
    code = str(problem.get("code", ""))
    if status in (401, 403):
        return key_refused(server, said, given=key_given)
    if status >= 500 or status == 429:
        return ServerFailed(f"{server} cannot do that now: {said}", status=status)
    details = problem.get("details")
    try:
        if code in _SHARED and isinstance(details, dict):
            return _SHARED[code](details)
    except KeyError:
        pass  # another version's server: its sentence is enough
    return RequestRefused(said, status=status, code=code)


def problems_of(found: object) -> DefinitionInvalid:
    """What a server found wrong with a workflow."""
    problems = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    return DefinitionInvalid([Problem(*(str(one.get(part, "")) for part in _PARTS)) for one in problems])


_PARTS: Final = ("place", "message", "remedy")
