"""What goes wrong, as HTTP: one table from error to status and code, and one shape for the body.

    {"error": "a sentence for people", "code": "WORKFLOW_NOT_FOUND", "details": {…}}

The old system's clients read `error`, so it is there in every body; where the contract gives a body of its own, the route
that the contract names sends exactly that one.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from flowscope import errors
from flowscope.definition.workflow import JSON

_encode = msgspec.json.Encoder().encode


class Refusal(errors.UserError, HTTPException):
    """A request that is refused for what it is as a request: `status` and `code` say why.

    It is an `HTTPException` too, because the framework hides every other exception that comes up while it reads a body.
    """

    def __init__(
        self, status: int, code: str, message: str, *, details: JSON = None, headers: dict[str, str] | None = None
    ) -> None:
        HTTPException.__init__(self, status, message, headers)
        self.status = status
        self.code = code
        self.details = details

    def __str__(self) -> str:
        return str(self.detail)


class Verdict(NamedTuple):
    status: int
    code: str


TABLE: Final[dict[type[errors.FlowscopeError], Verdict]] = {
    errors.DefinitionInvalid: Verdict(422, "WORKFLOW_INVALID"),
    errors.InputInvalid: Verdict(422, "INPUT_INVALID"),
    errors.ExpressionError: Verdict(422, "EXPRESSION_INVALID"),
    errors.WorkflowNotFound: Verdict(404, "WORKFLOW_NOT_FOUND"),
    errors.WorkflowExists: Verdict(409, "WORKFLOW_EXISTS"),
    errors.VersionConflict: Verdict(412, "VERSION_CONFLICT"),
    errors.KeyNotFound: Verdict(404, "KEY_NOT_FOUND"),
    errors.SecretNotFound: Verdict(404, "SECRET_NOT_FOUND"),
    errors.CredentialNotFound: Verdict(404, "CREDENTIAL_NOT_FOUND"),
    errors.VariableNotFound: Verdict(404, "VARIABLE_NOT_FOUND"),
    errors.ExecutionNotFound: Verdict(404, "EXECUTION_NOT_FOUND"),
    errors.ExecutionEnded: Verdict(409, "EXECUTION_ENDED"),
    errors.ExecutionActive: Verdict(409, "RUN_ALREADY_ACTIVE"),
    errors.ExecutionPruned: Verdict(410, "EXECUTION_PRUNED"),
    errors.ExecutionReadOnly: Verdict(409, "EXECUTION_READ_ONLY"),
    errors.NothingToRetry: Verdict(409, "NOTHING_TO_RETRY"),
    errors.ConfirmationNeeded: Verdict(409, "CONFIRMATION_NEEDED"),
    errors.SignalNotAwaited: Verdict(409, "SIGNAL_NOT_AWAITED"),
    errors.UserError: Verdict(400, "BAD_REQUEST"),
    errors.NodeError: Verdict(422, "NODE_FAILED"),
    errors.StoreUnavailable: Verdict(503, "STORE_UNAVAILABLE"),
    errors.SecretUnreadable: Verdict(503, "SECRET_UNREADABLE"),
    errors.StoreLocked: Verdict(503, "STORE_LOCKED"),
    errors.StoreConflict: Verdict(503, "STORE_CONFLICT"),
    errors.FlowscopeError: Verdict(500, "INTERNAL_ERROR"),
}
"""By the nearest class in the error's ancestry."""

INTERNAL: Final = "Internal error"


class JsonResponse(Response):
    """JSON written by msgspec."""

    media_type = "application/json"

    def __init__(self, content: object, status_code: int = 200, headers: dict[str, str] | None = None) -> None:
        super().__init__(_encode(content), status_code, headers)


def verdict_of(error: errors.FlowscopeError) -> Verdict:
    """The status and code of an error."""
    if isinstance(error, Refusal):
        return Verdict(error.status, error.code)
    return next(TABLE[kind] for kind in type(error).__mro__ if kind in TABLE)


def body_of(error: errors.FlowscopeError) -> dict[str, JSON]:
    """The problem's body. What is our own fault is not told in detail."""
    verdict = verdict_of(error)
    message = str(error) if verdict.status < 500 or verdict.status == 503 else INTERNAL
    if isinstance(error, errors.DefinitionInvalid):
        count = len(error.problems)
        message = str(error.problems[0]) if count == 1 else f"The workflow has {count} problems: {error.problems[0]}; …"
    body: dict[str, JSON] = {"error": message, "code": verdict.code}
    details = _details(error)
    if details:
        body["details"] = details
    return body


def _details(error: errors.FlowscopeError) -> JSON:
    if isinstance(error, Refusal):
        return error.details
    if isinstance(error, errors.DefinitionInvalid | errors.ConfigInvalid):
        return {"problems": [problem_object(problem) for problem in error.problems]}
    if isinstance(error, errors.ConfirmationNeeded):
        return {
            "executionId": error.execution_id,
            "confirm": list(error.nodes),
            "plan": msgspec.to_builtins(error.plan),
        }
    facts = ("workflow_id", "execution_id", "status", "signal", "expected", "actual")
    names = {"workflow_id": "workflowId", "execution_id": "executionId"}
    return {names.get(fact, fact): getattr(error, fact) for fact in facts if hasattr(error, fact)}


def problem_object(problem: errors.Problem) -> dict[str, str]:
    """One thing wrong with a definition."""
    return {"place": problem.place, "message": problem.message, "remedy": problem.remedy}


def response_to(error: errors.FlowscopeError) -> JsonResponse:
    """The whole answer to an error."""
    verdict = verdict_of(error)
    headers = dict(error.headers or {}) if isinstance(error, Refusal) else {}
    if verdict.status == 503:
        headers.setdefault("Retry-After", "2")
    return JsonResponse(body_of(error), verdict.status, headers)


# --- handlers for the application ---


async def on_error(request: Request, error: Exception) -> Response:
    """For any `FlowscopeError` a route raises."""
    assert isinstance(error, errors.FlowscopeError)
    if verdict_of(error).status == 500:
        raise error  # the outermost layer writes it to the log
    return response_to(error)


async def on_http_exception(request: Request, error: Exception) -> Response:
    """For what the router itself refuses: no such route, no such method."""
    assert isinstance(error, HTTPException)
    code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(error.status_code, "BAD_REQUEST")
    message = {404: "There is nothing at this address", 405: "This address does not take that method"}
    body = {"error": message.get(error.status_code, str(error.detail)), "code": code}
    return JsonResponse(body, error.status_code, dict(error.headers or {}))


async def on_invalid_request(request: Request, error: Exception) -> Response:
    """For a query or a body that is not of the documented form."""
    assert isinstance(error, RequestValidationError)
    problems = [
        {"place": ".".join(str(part) for part in fault["loc"]), "message": str(fault["msg"]), "remedy": ""}
        for fault in error.errors()
    ]
    first = problems[0] if problems else {"place": "body", "message": "cannot be read"}
    body: dict[str, Any] = {"error": f"{first['place']}: {first['message']}", "code": "INPUT_INVALID"}
    return JsonResponse(body | {"details": {"problems": problems}}, 422)
