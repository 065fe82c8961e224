"""The answer to the request that started the run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from flowscope.definition.workflow import JSON
from flowscope.nodes.answer import Extend
from flowscope.nodes.sdk import NodeConfig, node

RESPONSE = "response"
"""The field of the output that holds what is sent."""

_OURS = frozenset({"content-length", "transfer-encoding", "connection", "set-cookie", "content-security-policy"})


class RespondConfig(NodeConfig):
    status: int = Field(200, ge=200, le=599, description="The HTTP status")
    body: JSON = Field(None, description="What is sent: an object or a list as JSON, a text as it is; else the input")
    content_type: Literal["", "application/json", "text/plain", "text/csv", "application/xml"] = Field(
        "", description="What the body is; JSON, or plain text for a text, where it is left out"
    )
    headers: dict[str, str] = Field(default_factory=dict, max_length=50, description="Headers beside it")

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            plain = name.isascii() and all(char.isalnum() or char in "-_" for char in name)
            if not name or not plain or not value.isascii() or not value.isprintable():
                raise ValueError(f"{name[:60]!r} is not a header that can be sent")
            if name.lower() in _OURS or name.lower().startswith("access-control-"):
                raise ValueError(f"the header {name} is the server's own")
        return headers


@node(
    "respond_to_webhook",
    title="Respond to webhook",
    category="flow",
    icon="reply",
    effects="pure",
    example={"status": 201, "body": {"order": "{{ id }}", "state": "accepted"}},
)
def respond_to_webhook(config: RespondConfig, input: JSON) -> Extend:
    """Answers the request that started the run, where its webhook says `respond: by_node`; the first answer counts. The run
    goes on. The output is the input with `response` over it: `{status, headers, body, contentType}`."""
    body = config.body if "body" in config.model_fields_set else input
    return Extend(
        {
            RESPONSE: {
                "status": config.status,
                "contentType": config.content_type or ("text/plain" if isinstance(body, str) else "application/json"),
                "headers": config.headers,
                "body": body,
            }
        }
    )
