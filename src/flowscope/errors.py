"""Every exception flowscope raises on purpose.

    FlowscopeError
    ├── UserError                  the caller's input is at fault; the message says where and what to do
    │   ├── DefinitionInvalid      a workflow cannot be run; holds every problem found
    │   ├── InputInvalid           an input, a setting or an argument
    │   ├── ExpressionError        a {{ … }}
    │   │   ├── ExpressionSyntaxError
    │   │   ├── UnknownName
    │   │   └── BudgetExceeded
    │   ├── WorkflowNotFound
    │   ├── WorkflowExists         the id of a new workflow is taken
    │   ├── VersionConflict        somebody else has saved the workflow meanwhile
    │   ├── KeyNotFound            no API key has that name
    │   ├── SecretNotFound
    │   ├── CredentialNotFound
    │   ├── VariableNotFound
    │   ├── ExecutionNotFound
    │   ├── ExecutionEnded         the execution has ended and takes no more commands
    │   ├── ExecutionActive        the same execution id is already running
    │   ├── ExecutionPruned        it was there, and has been pruned
    │   ├── ExecutionReadOnly      reported or imported: it is only shown here
    │   ├── NothingToRetry         the execution succeeded
    │   ├── ConfirmationNeeded     effects outside would happen again; holds the plan
    │   └── SignalNotAwaited
    ├── NodeError                  a node's work failed; recorded, perhaps retried
    │   ├── ConfigInvalid          a node's config, after its expressions were worked out
    │   ├── NodeTimeout
    │   │   └── WorkerTimeout      longer than a worker may take
    │   ├── NodeLost               the process that ran it died, or was stopped
    │   │   └── WorkerLost         a worker process of the pool
    │   ├── MemoryExceeded         it needed more memory than a worker may take
    │   ├── HandlerUnreachable     a worker process cannot import the handler
    │   └── NodeDenied             refused by a guard: a path, an address, a capability that is off
    └── StoreError                 the journal is at fault
        ├── StoreLocked            another process owns the data directory
        ├── StoreTooNew            written by a newer flowscope
        ├── StoreUnavailable       cannot be read or written: permissions, a full disk
        │   └── SecretUnreadable   sealed with a key that is not here, or changed from outside
        ├── StoreConflict          another owner has appended meanwhile; this one steps back
        └── StoreCorrupt           bytes that do not decode

Facts are attributes; the message is for people.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class FlowscopeError(Exception):
    """The root of the tree."""


class UserError(FlowscopeError):
    """The caller's input is at fault."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a definition.

    `place` is a path such as `nodes[3].data.config.url`; `message` says what is wrong; `remedy` what to do.
    """

    place: str
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        return f"{text}. {self.remedy}" if self.remedy else text


class DefinitionInvalid(UserError):
    """A workflow that cannot be run; `problems` holds all that was found, in document order."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in problems))


class InputInvalid(UserError):
    """An input, a setting or an argument is not what it should be."""


class ExpressionError(UserError):
    """A `{{ … }}` that cannot be worked out. `source` is its text, `offset` a 0-based column in it, or -1."""

    def __init__(self, message: str, *, source: str = "", offset: int = -1) -> None:
        self.source = source
        self.offset = offset
        super().__init__(message)


class ExpressionSyntaxError(ExpressionError):
    """The text is not an expression, or uses a construct that is not allowed."""


class UnknownName(ExpressionError):
    """A name or key that is not there; `suggestion` is the nearest one, or an empty string."""

    def __init__(self, message: str, *, suggestion: str = "", source: str = "", offset: int = -1) -> None:
        self.suggestion = suggestion
        super().__init__(message, source=source, offset=offset)


class BudgetExceeded(ExpressionError):
    """Too many steps, too many bytes, or too deep."""


class WorkflowNotFound(UserError):
    """`version` is the one that was asked for, None for any."""

    def __init__(self, workflow_id: str, version: int | None = None) -> None:
        self.workflow_id = workflow_id
        self.version = version
        super().__init__(f"Workflow {workflow_id} {'' if version is None else f'version {version} '}not found")


class WorkflowExists(UserError):
    def __init__(self, workflow_id: str) -> None:
        self.workflow_id = workflow_id
        super().__init__(f"There is a workflow {workflow_id} already")


class VersionConflict(UserError):
    """`expected` is the version the change was made from, `actual` the newest; told by their tags (`3`, or `3.2`)."""

    def __init__(self, workflow_id: str, expected: str, actual: str) -> None:
        self.workflow_id = workflow_id
        self.expected = int(expected.partition(".")[0])
        self.actual = int(actual.partition(".")[0])
        super().__init__(f"Workflow {workflow_id} is at version {actual} by now, not {expected}")


class KeyNotFound(UserError):
    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"There is no API key named {name!r}")


class SecretNotFound(UserError):
    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"There is no secret named {name!r}")


class CredentialNotFound(UserError):
    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"There is no credential named {name!r}")


class VariableNotFound(UserError):
    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"There is no variable named {name!r}")


class ExecutionNotFound(UserError):
    def __init__(self, execution_id: str) -> None:
        self.execution_id = execution_id
        super().__init__(f"Execution {execution_id} not found")


class ExecutionEnded(UserError):
    def __init__(self, execution_id: str, status: str) -> None:
        self.execution_id = execution_id
        self.status = status
        super().__init__(f"Execution {execution_id} has already ended: {status}")


class ExecutionActive(UserError):
    def __init__(self, execution_id: str) -> None:
        self.execution_id = execution_id
        super().__init__(f"Execution {execution_id} is already running")


class ExecutionPruned(ExecutionNotFound):
    def __init__(self, execution_id: str) -> None:
        super().__init__(execution_id)
        self.args = (f"Execution {execution_id} has been pruned: it was older, or more, than is kept here",)


class ExecutionReadOnly(UserError):
    def __init__(self, execution_id: str, why: str) -> None:
        self.execution_id = execution_id
        super().__init__(f"Execution {execution_id} cannot be taken up: {why}")


class NothingToRetry(UserError):
    def __init__(self, execution_id: str) -> None:
        self.execution_id = execution_id
        super().__init__(
            f"Execution {execution_id} succeeded: there is nothing to retry. To run parts of it again, fork it"
        )


class ConfirmationNeeded(UserError):
    """`nodes` are those whose effects outside would happen again, `plan` says what else would be done."""

    def __init__(self, execution_id: str, nodes: list[str], plan: Any) -> None:
        self.execution_id = execution_id
        self.nodes = tuple(nodes)
        self.plan = plan
        names = ", ".join(nodes[:5]) + (", …" if len(nodes) > 5 else "")
        super().__init__(f"These nodes would act outside once more: {names}. Confirm them, or leave it")


class SignalNotAwaited(UserError):
    def __init__(self, execution_id: str, signal: str) -> None:
        self.execution_id = execution_id
        self.signal = signal
        super().__init__(f"Execution {execution_id} is not waiting for a signal named {signal!r}")


class NodeError(FlowscopeError):
    """A node's work failed. `retryable` False means that trying again cannot help; `retry_after` (ms) that it cannot help
    sooner."""

    retryable = True
    retry_after = 0.0

    def __init__(self, message: str, *, code: str = "", retryable: bool | None = None, retry_after: float = 0) -> None:
        self.code = code
        self.retry_after = retry_after
        if retryable is not None:
            self.retryable = retryable
        super().__init__(message)


class ConfigInvalid(NodeError):
    """A node's config is wrong; `problems` name each place below `data.config`."""

    retryable = False

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(str(problem) for problem in problems))


class NodeTimeout(NodeError):
    """The node took longer than its time-out."""


class NodeLost(NodeError):
    """The process that ran the node died, or was stopped, before it answered."""


class WorkerTimeout(NodeTimeout):
    """The task took longer than a worker may. It may be run again `chances` times, beside the node's own retries."""

    def __init__(self, message: str, *, chances: int = 0) -> None:
        self.chances = chances
        super().__init__(message)


class WorkerLost(NodeLost):
    """The worker process died. The task may be run again `chances` times, beside the node's own retries."""

    def __init__(self, message: str, *, chances: int = 0) -> None:
        self.chances = chances
        super().__init__(message)


class MemoryExceeded(NodeError):
    """The node needed more memory than a worker process may take."""

    retryable = False


class HandlerUnreachable(NodeError):
    """A worker process cannot import the node's handler."""

    retryable = False


class NodeDenied(NodeError):
    """A guard refused: a path outside the roots, an internal address, a capability that is switched off."""

    retryable = False


class StoreError(FlowscopeError):
    """The journal is at fault."""


class StoreLocked(StoreError):
    """Another process owns the data directory."""


class StoreTooNew(StoreError):
    """The store was written by a newer flowscope."""


class StoreUnavailable(StoreError):
    """The store cannot be read or written."""


class SecretUnreadable(StoreUnavailable):
    """A secret was sealed with a key that is not here, or was changed from outside."""


class StoreConflict(StoreError):
    """Another owner has appended to this execution: drop memory and step back."""

    def __init__(self, execution_id: str, message: str) -> None:
        self.execution_id = execution_id
        super().__init__(message)


class StoreCorrupt(StoreError):
    """Stored bytes do not decode. `detail` says where."""

    def __init__(self, message: str, *, detail: Any = None) -> None:
        self.detail = detail
        super().__init__(message)
