"""One server over HTTP: requests, and what is wrong with their answers as errors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
import msgspec

from flowscope.client.address import Address
from flowscope.client.failures import ServerFailed, refusal_of, unreachable

PATIENCE: Final = httpx.Timeout(30.0, connect=10.0)
"""For one request. Runs are started with an early answer, so that none takes as long as a run."""


class Interrupted(Exception):
    """A connection has failed, or could not be made, and may be made again. Never leaves this package."""


class NotThere(Interrupted):
    """What answers there does not have what was asked for: another kind of server, or something in between."""


class Door:
    """`reached`: something has answered there, so that what fails later is likely to pass."""

    def __init__(self, address: Address, api_key: str | None, silence: float) -> None:
        self.address = address
        self.silence = silence
        self.reached = False
        self.has_key = bool(api_key)
        self._http = httpx.AsyncClient(
            base_url=address.url,
            headers={"authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=PATIENCE,
            trust_env=not address.is_loopback,
        )

    async def close(self) -> None:
        await self._http.aclose()

    async def ask(self, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> Any:
        """One request; its JSON. Raises what the server refuses it with, and `Interrupted` if the answer did not come."""
        content = None if body is None else msgspec.json.encode(body)
        given = {"content-type": "application/json", **(headers or {})} if body is not None else headers
        async with self._errors():
            answer = await self._http.request(method, path, content=content, headers=given)
        self.raise_for(answer.status_code, answer.content)
        return _decoded(answer.content)

    @asynccontextmanager
    async def stream(self, path: str, headers: dict[str, str]) -> AsyncIterator[AsyncIterator[bytes]]:
        """An answer that comes bit by bit, and has none for more than `silence` seconds only if it is dead."""
        timeout = httpx.Timeout(min(10.0, self.silence), read=self.silence)
        async with self._errors(), self._http.stream("GET", path, headers=headers, timeout=timeout) as answer:
            self.reached = True
            if answer.is_error:
                self.raise_for(answer.status_code, await answer.aread())
            yield answer.aiter_bytes()

    def raise_for(self, status: int, content: bytes) -> None:
        """If it is an answer that says no."""
        self.reached = True
        if status >= 400:
            raise refusal_of(self.address.url, status, _decoded(content), key_given=self.has_key)

    @asynccontextmanager
    async def _errors(self) -> AsyncIterator[None]:
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            if not self.reached:
                raise unreachable(self.address.url, _why(error)) from None
            raise Interrupted(_why(error)) from None
        except httpx.TransportError as error:
            raise Interrupted(_why(error)) from None
        except httpx.InvalidURL as error:
            raise ServerFailed(f"{self.address.url} cannot be asked: {error}", status=0) from None


def _why(error: Exception) -> str:
    """The reason in few words; httpx hides that of the system one or two exceptions further down."""
    deepest: BaseException = error
    while (below := deepest.__cause__ or deepest.__context__) is not None:
        deepest = below
    if isinstance(deepest, ConnectionRefusedError):
        return "connection refused"
    return str(error) or type(error).__name__


def _decoded(content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except msgspec.DecodeError:
        return None
