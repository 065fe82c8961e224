"""Waiting for somebody who decides."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Literal

from pydantic import Field

from flowscope.definition.workflow import JSON
from flowscope.errors import InputInvalid
from flowscope.nodes.answer import Extend, Wait
from flowscope.nodes.context import NodeContext
from flowscope.nodes.durations import milliseconds
from flowscope.nodes.sdk import NodeConfig, node

APPROVED, REJECTED = "approved", "rejected"

_WORDS = {
    "approved": APPROVED, "approve": APPROVED, "yes": APPROVED, True: APPROVED,
    "rejected": REJECTED, "reject": REJECTED, "no": REJECTED, False: REJECTED,
}  # fmt: skip


class ApprovalConfig(NodeConfig):
    title: str = Field("", max_length=200, description="What is to be decided, in few words; else the node's label")
    message: str = Field(
        "", max_length=10_000, description="What whoever decides should know; shown as text, in lines as written"
    )
    wait_for: str | float | None = Field(
        None, description='How long to wait: milliseconds, or "10m", "2h", "3d"; for ever where it is left out'
    )
    otherwise: Literal["fail", "approve", "reject"] = Field(
        "fail", description="What happens when nobody has decided by then"
    )


@node(
    "approval",
    title="Approval",
    category="flow",
    icon="user-check",
    effects="pure",
    handles=(APPROVED, REJECTED),
    example={
        "title": "Pay {{ amount }} to {{ payee }}?",
        "message": "Invoice {{ number }}, due on {{ due }}",
        "waitFor": "2d",
        "otherwise": "reject",
    },
)
def approval(config: ApprovalConfig, context: NodeContext) -> Wait:
    """Waits until somebody decides, on a page or over HTTP, and goes on by `approved` or `rejected`. The output is the
    input with `{decision, approved, by, comment, decidedAt, timedOut}` over it."""
    until = context.now + milliseconds(config.wait_for, "waitFor") if config.wait_for is not None else 0.0
    otherwise = None
    if until and config.otherwise != "fail":
        handle = _WORDS[config.otherwise]
        otherwise = Extend(ruling(handle, at=until, comment="Nobody decided in time", timed_out=True), handle)
    return Wait(
        until=until,
        signal="apr-" + secrets.token_urlsafe(16),
        kind="approval",
        detail=f"approval: {config.title or context.node_name}",
        choices=(APPROVED, REJECTED),
        extends=True,
        otherwise=otherwise,
    )


def ruling(handle: str, *, at: float, by: str = "", comment: str = "", timed_out: bool = False) -> dict[str, JSON]:
    """What an approval adds to its input; `at` is epoch milliseconds."""
    return {
        "decision": handle,
        "approved": handle == APPROVED,
        "by": by,
        "comment": comment,
        "decidedAt": datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "timedOut": timed_out,
    }


def verdict(said: JSON, *, at: float) -> tuple[str, dict[str, JSON]]:
    """A decision as people send it (`true`, `"approved"`, `{"approved": true, "by": …, "comment": …}`, `{"decision": …}`): the
    handle, and what it adds to the input. `InputInvalid` for anything else."""
    facts = said if isinstance(said, dict) else {"decision": said}
    word = facts.get("decision", facts.get("approved"))
    handle = _WORDS.get(word.lower() if isinstance(word, str) else word) if isinstance(word, str | bool) else None
    if handle is None:
        raise InputInvalid('A decision is "approved" or "rejected": send {"decision": "approved"}')
    by, comment = facts.get("by") or "", facts.get("comment") or ""
    if not isinstance(by, str) or not isinstance(comment, str):
        raise InputInvalid("by and comment must be texts")
    return handle, ruling(handle, at=at, by=by[:200], comment=comment[:10_000])
