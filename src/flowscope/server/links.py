"""Links that stand for one question to one person: signed, so that nobody can make one up, nor one of another.

What is signed is the execution and the id of what waits there. That id is in the journal, which every viewer may read; the
signature is not.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from urllib.parse import quote

LONGEST: int = 2_000


class Links:
    """Makes links and opens them. `key` is asked for once."""

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._ask = key
        self._key = b""

    def token(self, execution_id: str, signal: str) -> str:
        """The part of an address that says what it is for, and that it is ours."""
        data = f"{execution_id}\n{signal}".encode()
        return f"{_text(data)}.{_text(self._sign(data))}"

    def open(self, token: str) -> tuple[str, str] | None:
        """The execution and the id that a token is for; None for one that is not ours."""
        head, _, tail = token[:LONGEST].partition(".")
        data, given = _bytes(head), _bytes(tail)
        if not data or not hmac.compare_digest(self._sign(data), given):
            return None
        execution_id, _, signal = data.decode("utf-8", "replace").rpartition("\n")
        return execution_id, signal

    def approval(self, execution_id: str, signal: str) -> str:
        """The address of the page on which that approval is decided."""
        return f"/approve/{self.token(execution_id, signal)}"

    def form(self, workflow_id: str, node_id: str, execution_id: str, signal: str) -> str:
        """The address of that form's page."""
        return f"{form_address(workflow_id, node_id)}?form={self.token(execution_id, signal)}"

    def _sign(self, data: bytes) -> bytes:
        if not self._key:
            self._key = self._ask()
        return hmac.new(self._key, b"link\n" + data, hashlib.sha256).digest()


def form_address(workflow_id: str, node_id: str) -> str:
    """Where a form's page is."""
    return f"/api/form-trigger/{quote(workflow_id, safe='')}/{quote(node_id, safe='')}"


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return b""
