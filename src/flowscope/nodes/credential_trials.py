"""Trying a credential: connect where it points, log in with it, and go again. The guard is the nodes' own: what the test
reaches, a node reaches."""

from __future__ import annotations

import asyncio
import smtplib
import ssl
from dataclasses import dataclass
from typing import Any, Final

import httpcore
import httpx

from flowscope.errors import NodeError
from flowscope.nodes.addresses import judged
from flowscope.nodes.context import Surroundings
from flowscope.nodes.credentials import (
    Credential,
    HttpCredential,
    OpenAICredential,
    PostgresqlCredential,
    RedisCredential,
    SmtpCredential,
)
from flowscope.nodes.http_transport import GuardedTransport

SECONDS: Final = 15.0
"""For all of a test."""

_LONGEST_MESSAGE = 500


@dataclass(frozen=True, slots=True)
class Trial:
    """How a test went; `message` is for people."""

    ok: bool
    message: str


async def try_credential(credential: Credential, surroundings: Surroundings) -> Trial:
    """Use it once. Whatever goes wrong is the answer."""
    try:
        async with asyncio.timeout(SECONDS):
            return Trial(True, await _try(credential, surroundings))
    except TimeoutError:
        return Trial(False, f"There was no answer within {SECONDS:g} s")
    except ImportError as error:
        return Trial(False, f"{error.name} is not installed: pip install 'flowscope[{credential.type}]'")
    except Exception as error:  # noqa: BLE001 -- each library has its own; that it failed is what was asked for
        said = " ".join(_said(error).split())[:_LONGEST_MESSAGE]
        return Trial(False, said or type(error).__name__)


def _said(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPResponseException):
        text = error.smtp_error
        return f"{error.smtp_code} {text.decode('utf-8', 'replace') if isinstance(text, bytes) else text}"
    return str(error)


async def _try(credential: Credential, surroundings: Surroundings) -> str:
    if isinstance(credential, SmtpCredential):
        address = await _address(credential.host, credential.port, surroundings)
        return await asyncio.to_thread(_smtp, credential, address)
    if isinstance(credential, PostgresqlCredential):
        return await _postgresql(credential, await _address(credential.host, credential.port, surroundings))
    if isinstance(credential, RedisCredential):
        return await _redis(credential, await _address(credential.host, credential.port, surroundings))
    if isinstance(credential, OpenAICredential):
        url = credential.base_url.rstrip("/") + "/models"
        headers = {"Authorization": f"Bearer {credential.api_key}"} if credential.api_key else {}
        return await _http(url, surroundings, headers)
    if isinstance(credential, HttpCredential):
        return await _http(credential.test_url, surroundings, credential.headers())
    raise NodeError(f"There is no test for {credential.type}")


async def _address(host: str, port: int, surroundings: Surroundings) -> str:
    """A judged address of a host; `NodeDenied` for an internal one, unless those are open."""
    return (await judged(host, port, surroundings.allow_private_addresses))[0]


def _smtp(credential: SmtpCredential, address: str) -> str:
    context = ssl.create_default_context()
    plain = credential.security != "tls"
    server = smtplib.SMTP(timeout=SECONDS) if plain else smtplib.SMTP_SSL(timeout=SECONDS, context=context)
    server._host = credential.host  # type: ignore[attr-defined]  # the name to find in the certificate
    with server:
        server.connect(address, credential.port)
        server._host = credential.host  # type: ignore[attr-defined]
        server.ehlo()
        if credential.security == "starttls":
            server.starttls(context=context)
            server.ehlo()
        if credential.username:
            server.login(credential.username, credential.password)
        server.noop()
    who = f"logged in as {credential.username}" if credential.username else "connected, without logging in"
    return f"{credential.host}:{credential.port}: {who}"


async def _postgresql(credential: PostgresqlCredential, address: str) -> str:
    import asyncpg  # type: ignore[import-untyped]

    connection: Any = await asyncpg.connect(
        host=address, port=credential.port, user=credential.username, password=credential.password or None,
        database=credential.database, ssl=credential.tls, timeout=SECONDS,
    )  # fmt: skip
    try:
        return str(await connection.fetchval("SELECT version()"))
    finally:
        await connection.close()


async def _redis(credential: RedisCredential, address: str) -> str:
    import redis.asyncio

    client = redis.asyncio.Redis(
        # A certificate is checked against the name, so under TLS the name is what is connected to.
        host=credential.host if credential.tls else address, port=credential.port, db=credential.database,
        username=credential.username or None, password=credential.password or None, ssl=credential.tls,
    )  # fmt: skip
    try:
        await client.ping()
        return f"{credential.host}:{credential.port}: PONG"
    finally:
        await client.aclose()


async def _http(url: str, surroundings: Surroundings, headers: dict[str, str]) -> str:
    if not url:
        raise NodeError("testUrl is empty: give an address that lets in with this credential, and nobody without")
    transport = GuardedTransport(surroundings.allow_private_addresses)
    async with httpx.AsyncClient(transport=transport, trust_env=False, timeout=SECONDS) as client:
        try:
            response = await client.get(url, headers=headers)
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise NodeError(f"{url}: {error or type(error).__name__}") from None
    answer = f"{url} answered {response.status_code} {response.reason_phrase}"
    if response.status_code >= 400:
        raise NodeError(answer)
    return answer
