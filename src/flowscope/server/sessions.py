"""A browser's session: a key given once becomes a cookie that pages cannot read, and other sites cannot use.

The cookie holds no key, and nothing is kept for it: it is `key id . expiry . signature`, signed with what is stored of the key.
So it outlives a restart of the server, and ends with the key. Its name has the port, for browsers share cookies between the
ports of a host.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import Final

from starlette.datastructures import Headers
from starlette.types import Scope

from flowscope.library import KeyRing
from flowscope.library.keys import ApiKey

SESSION_SECONDS: Final = 30 * 86_400


class Sessions:
    """Makes and reads the cookie."""

    def __init__(self, keys: KeyRing, now: Callable[[], float] = time.time) -> None:
        self._keys = keys
        self._now = now

    def open(self, text: str, key_id: str) -> str:
        """The cookie's value for the key with that text; `KeyNotFound` if it opens nothing."""
        message = f"{key_id}.{int(self._now()) + SESSION_SECONDS}"
        return f"{message}.{self._keys.sign(text, message)}"

    def find(self, scope: Scope) -> ApiKey | None:
        """The key that the request's cookie stands for."""
        value = cookie_of(scope)
        message, _, signature = value.rpartition(".")
        key_id, _, expiry = message.partition(".")
        if not (expiry.isascii() and expiry.isdigit() and len(expiry) < 19) or int(expiry) < self._now():
            return None
        return self._keys.signer(key_id, message, signature)


def cookie_of(scope: Scope) -> str:
    """The value of our cookie in a request, or nothing."""
    headers = Headers(scope=scope)
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(headers.get("cookie", ""))
    except CookieError:
        return ""
    morsel = jar.get(cookie_name(scope))
    return morsel.value if morsel else ""


def cookie_name(scope: Scope) -> str:
    port = Headers(scope=scope).get("host", "").rpartition(":")[2]
    return f"flowscope_session_{port if port.isascii() and port.isdigit() else ''}"


def set_cookie(scope: Scope, value: str) -> str:
    """The header that gives it to the browser; with no value, the one that takes it away."""
    age = SESSION_SECONDS if value else 0
    path = scope.get("root_path", "") or "/"
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    return f"{cookie_name(scope)}={value}; Max-Age={age}; Path={path}; HttpOnly; SameSite=Strict{secure}"
