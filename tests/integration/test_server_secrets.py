"""Secrets, credentials and variables over HTTP and from the command line; credentials tried against real servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from compatibility.live_server import Client, node, serving
from flowscope.library import KeySettings, LibraryDatabase, Vault
from flowscope.library.sealing import new_key
from flowscope.nodes.context import Surroundings
from flowscope.nodes.credentials import SmtpCredential
from integration.model_server import KEY, model_server
from integration.test_http_request import Server, served

VALUE = "s3cr3t-Value-77"
OPENED = Surroundings(allow_private_addresses=True)


def opened(**more: Any) -> dict[str, Any]:
    return {"surroundings": replace(OPENED, **more), "sealing": KeySettings(given=(new_key(),))}


async def put(client: Client, path: str, **body: Any) -> int:
    return (await client.put(path, json=body)).status_code


async def test_a_secret_goes_in_and_never_comes_out() -> None:
    """S-06"""
    async with serving(**opened(secrets={"given": "from outside"})) as client:
        assert await put(client, "/api/secrets/token", value=VALUE) == 201
        assert await put(client, "/api/secrets/token", value=VALUE) == 200
        listed = await client.get("/api/secrets")
        assert [(one["name"], one["source"]) for one in listed.json()["secrets"]] == [
            ("given", "environment"),
            ("token", "library"),
        ]
        for path in ("/api/secrets", "/api/secrets/token", "/openapi.json"):
            assert VALUE not in (await client.get(path)).text
        assert (await client.delete("/api/secrets/token")).status_code == 204
        gone = await client.delete("/api/secrets/token")
        assert (gone.status_code, gone.json()["code"]) == (404, "SECRET_NOT_FOUND")
        assert gone.json()["error"] == "There is no secret named 'token'"


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"value": "abc"}, "A secret is 4 to 65,536 characters"),
        ({"value": ["sk-very-secret"]}, "body.value: Input should be a valid string"),
        ({"secret": "sk-very-secret"}, "body.value: Field required"),
    ],
)
async def test_what_is_refused_is_not_repeated(body: dict[str, Any], error: str) -> None:
    async with serving(**opened()) as client:
        response = await client.put("/api/secrets/token", json=body)
        assert response.status_code == 422 and response.json()["error"].startswith(error)
        assert "sk-very-secret" not in response.text


async def test_a_new_value_is_the_next_attempts() -> None:
    """S-03: the node tells how long what it read is, which is not the value."""
    async with serving(**opened()) as client:
        await client.stored(node("a", "set", fields={"n": "{{ len(secrets.token) }}", "region": "{{ vars.region }}"}))
        for value, region in (("four", "eu"), ("sixsix", {"name": "us"})):
            await put(client, "/api/secrets/token", value=value)
            await put(client, "/api/variables/region", value=region)
            answer = (await client.execute()).json()
            assert answer["output"] == {"n": len(value), "region": region}
        assert (await client.get("/api/variables")).json() == {"variables": {"region": {"name": "us"}}}
        assert (await client.delete("/api/variables/region")).status_code == 204
        assert (await client.delete("/api/variables/region")).json()["code"] == "VARIABLE_NOT_FOUND"
        failed = await client.execute()
        assert 'There is no key "region"' in failed.json()["error"]


async def test_what_is_kept_of_an_ended_run_for_viewers_has_no_secret_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowscope.live.ended.LEAST_EVENTS", 1)
    async with serving(**opened(secrets={"given": VALUE})) as client:
        fail = node("fail", "stop_and_error", errorMessage="said {{ secrets.given }}")
        await client.stored(node("go", "manual_trigger"), fail)
        execution_id = (await client.execute()).json()["executionId"]
        stream = f"/api/executions/{execution_id}/stream?untilEnd=true"
        first, again = [(await client.get(stream)).text for _ in range(2)]
        assert "said" in first and VALUE not in first
        assert [line for line in again.splitlines() if "SNAPSHOT" in line] == [
            line for line in first.splitlines() if "SNAPSHOT" in line
        ]


async def test_who_may() -> None:
    """Secrets and credentials are the admins'; variables are the editors', and everybody may read them."""
    async with serving(**opened()) as client:
        headers = {
            scope: {"x-api-key": client.services.keys.create(scope, scope).text}
            for scope in ("viewer", "editor", "admin")
        }
        for path in ("/api/secrets", "/api/credentials"):
            assert [(await client.get(path, headers=headers[scope])).status_code for scope in headers] == [
                403,
                403,
                200,
            ]
        for path in ("/api/secrets/a", "/api/credentials/a/test"):
            assert (await client.post(path, headers=headers["editor"])).status_code == 403
        for scope, status in (("viewer", 403), ("editor", 201)):
            put = await client.put("/api/variables/a", json={"value": 1}, headers=headers[scope])
            assert put.status_code == status
        assert (await client.get("/api/variables", headers=headers["viewer"])).status_code == 200


async def test_a_credential_shows_what_is_no_secret() -> None:
    """S-06"""
    async with serving(**opened()) as client:
        fields = {"host": "mail.example.com", "username": "ann", "password": VALUE}
        assert await put(client, "/api/credentials/mail", type="smtp", fields=fields) == 201
        listed = await client.get("/api/credentials")
        [one] = listed.json()["credentials"]
        assert one["fields"] == {"host": "mail.example.com", "port": 587, "security": "starttls", "username": "ann"}
        assert one["secretFieldsSet"] == ["password"] and VALUE not in listed.text
        types = {one["type"]: one["schema"] for one in (await client.get("/api/credential-types")).json()["types"]}
        assert types["smtp"]["properties"]["password"]["writeOnly"] is True
        bad = await client.put("/api/credentials/mail", json={"type": "smtp", "fields": {"hots": VALUE}})
        assert bad.status_code == 422 and VALUE not in bad.text
        assert "hots is no field of it. It has: host, port, security, username, password" in bad.json()["error"]
        assert (await client.post("/api/credentials/none/test")).json()["code"] == "CREDENTIAL_NOT_FOUND"


@pytest.mark.parametrize("type", ["http_basic", "http_bearer", "http_header"])
async def test_a_request_goes_out_with_a_credential_that_nobody_sees(echo: Server, type: str) -> None:
    """S-04: not though the other side says everything over again, in its headers and its body."""
    fields = {
        "http_basic": {"username": "ann", "password": VALUE},
        "http_bearer": {"token": VALUE},
        "http_header": {"name": "X-Key", "value": VALUE},
    }[type]
    async with serving(**opened()) as client:
        assert await put(client, "/api/credentials/shop", type=type, fields=fields) == 201
        await client.stored(
            node("ask", "http_request", url=echo.url("/echo"), credential="shop", failOnStatus=False),
            node("say", "log_output", message="{{ json }}"),
        )
        answer = (await client.execute()).json()
        sent = echo.asked[0][2]
        secret = sent["X-Key"] if type == "http_header" else sent["Authorization"].partition(" ")[2]
        assert (b64decode(secret).decode() if type == "http_basic" else secret).endswith(VALUE)
        place = f"/api/executions/{answer['executionId']}"
        texts = [str(answer)] + [
            (await client.get(f"{place}{path}")).text
            for path in ("", "/events", "/logs", "/output", "/nodes/ask/input", "/nodes/ask/output")
        ]
        assert "200" in texts[-1]
        for text in texts:
            assert VALUE not in text and secret not in text
        tried = (await client.post("/api/credentials/shop/test")).json()
        assert tried["message"].startswith("testUrl is empty")


@pytest.fixture
def echo() -> Iterator[Server]:
    class Echo(Server):
        def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
            sent = self.asked[-1][2]
            body = json.dumps(sent).encode()
            return 200, {"Content-Type": "application/json", "X-Said": sent.get("Authorization", "none")}, body

    yield from served(Echo())


async def test_who_names_a_secret_or_a_credential_is_told() -> None:
    async with serving(**opened(secrets={"given": VALUE})) as client:
        for name in ("token", "tok"):
            await put(client, f"/api/secrets/{name}", value=VALUE)
        await put(client, "/api/credentials/shop", type="http_bearer", fields={"token": VALUE})
        fields = {"a": "{{ secrets.token }}", "b": "{{ secrets['given'] }}", "c": "{{ credentials.shop.testUrl }}"}
        await client.stored(node("a", "set", fields=fields), id="one", name="One")
        await client.stored(node("a", "http_request", url="http://a.example", credential="shop"), id="two")
        hook = node("a", "webhook", path="x", auth="header", secret="token")
        await client.stored(hook, id="three")
        secrets = (await client.get("/api/secrets")).json()["secrets"]
        used = {one["name"]: {user["workflowId"] for user in one["usedBy"]} for one in secrets}
        assert used == {"given": {"one"}, "tok": set(), "token": {"one", "three"}}
        [shop] = (await client.get("/api/credentials")).json()["credentials"]
        assert {user["workflowId"]: user["workflowName"] for user in shop["usedBy"]} == {"one": "One", "two": ""}
        await client.delete("/api/workflows/one")
        [shop] = (await client.get("/api/credentials")).json()["credentials"]
        assert [user["workflowId"] for user in shop["usedBy"]] == ["two"]


# --- tests of credentials ---


class _Mailbox:
    def __call__(self, server: Any, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
        wanted = LoginPassword(b"ann", VALUE.encode())
        return AuthResult(success=data == wanted, handled=False)


class _AnyPort(Controller):
    """Takes a free port, and then knows which."""

    def _trigger_server(self) -> None:
        server: Any = self.server
        self.port = server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


@pytest.fixture
def mail() -> Iterator[Controller]:
    controller = _AnyPort(object(), "127.0.0.1", 0, authenticator=_Mailbox(), auth_require_tls=False)
    controller.start()
    yield controller
    controller.stop()


async def tried(client: Client, type: str, **fields: Any) -> dict[str, Any]:
    assert await put(client, "/api/credentials/one", type=type, fields=fields) in (200, 201)
    answer: dict[str, Any] = (await client.post("/api/credentials/one/test")).json()
    return answer


async def test_a_mail_server_is_logged_in_to(mail: Controller) -> None:
    port = mail.port
    place = {"host": "127.0.0.1", "port": port, "security": "none"}
    async with serving(**opened()) as client:
        good = await tried(client, "smtp", **place, username="ann", password=VALUE)
        assert good["ok"] and good["message"] == f"127.0.0.1:{port}: logged in as ann"
        bad = await tried(client, "smtp", **place, username="ann", password="wrong-password")
        assert not bad["ok"] and bad["message"].startswith("535 ")
        assert "wrong-password" not in str(bad)


async def test_a_models_server_is_asked_what_it_has() -> None:
    with model_server() as server:
        async with serving(**opened()) as client:
            good = await tried(client, "openai", baseUrl=server.url, apiKey=KEY)
            assert good["ok"] and good["message"] == f"{server.url}/models answered 200 OK"
            bad = await tried(client, "openai", baseUrl=server.url, apiKey="sk-wrong-key")
            assert not bad["ok"] and bad["message"].endswith("answered 401 Unauthorized")
            bearer = await tried(client, "http_bearer", token=KEY, testUrl=f"{server.url}/models")
            assert bearer["ok"]
            missing = await tried(client, "http_basic", username="ann", password=VALUE)
            assert missing["message"].startswith("testUrl is empty: give an address")


async def test_nobody_there_and_not_allowed() -> None:
    async with serving(**opened()) as client:
        assert not (await tried(client, "redis", host="127.0.0.1", port=1))["ok"]
        assert not (await tried(client, "postgresql", host="127.0.0.1", port=1, database="d", username="u"))["ok"]
    async with serving(sealing=KeySettings(given=(new_key(),))) as client:
        answer = await tried(client, "redis", host="127.0.0.1", port=1)
        assert answer["message"].startswith("host: 127.0.0.1 is not on the public internet")


# --- the command line ---


def command(data: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_CONFIG_HOME": str(data.parent / "config")}
    return subprocess.run(
        [str(Path(sys.executable).with_name("flowscope")), *arguments, "--data", str(data)],
        input=stdin, capture_output=True, text=True, env=environment, check=False, timeout=60,
    )  # fmt: skip


def test_the_command_line(tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = command(data, "secrets", "set", "token", stdin=f"{VALUE}\n")
    assert made.returncode == 0, made.stderr
    assert f"sealed with the key in {tmp_path}/config/flowscope/" in made.stderr
    assert VALUE not in made.stdout + made.stderr
    assert command(data, "secrets", "list").stdout.split()[-1] == "token"
    assert "1 value sealed anew" in command(data, "secrets", "rotate").stderr
    again = command(data, "secrets", "remove", "tokens")
    assert again.returncode != 0 and "There is no secret named 'tokens'" in again.stderr
    assert command(data, "variables", "set", "limit", '{"a": 1}').returncode == 0
    assert command(data, "variables", "list").stdout == 'limit = {"a":1}\n'


def test_credentials_from_the_command_line(tmp_path: Path) -> None:
    """S-06"""
    data = tmp_path / "data"
    assert "There are no credentials" in command(data, "credentials", "list").stderr
    made = command(data, "credentials", "set", "mail", "smtp", "host=mail.example.com", "port=25", stdin=f"{VALUE}\n")
    assert made.returncode == 0 and "'mail' is kept" in made.stderr
    listed = command(data, "credentials", "list")
    assert listed.stdout.split()[-2:] == ["smtp", "mail"]
    assert VALUE not in made.stdout + made.stderr + listed.stdout
    assert "'mail' is changed" in command(data, "credentials", "set", "mail", "smtp", "host=other.example.com").stderr
    for arguments, complaint in (
        (("mail", "smtp", "port=much"), "port: Input should be a valid integer"),
        (("mail", "smtp", "host"), "'host' is no FIELD=VALUE"),
        (("mail", "pigeon"), "There is no credential type 'pigeon'. They are: smtp, "),
        (("mail", "smtp", f"password={VALUE}"), "password is a secret, and others can see the command line"),
    ):
        refused = command(data, "credentials", "set", *arguments)
        assert refused.returncode == 2 and complaint in refused.stderr and VALUE not in refused.stderr
    database = LibraryDatabase(data)
    database.start()
    place = next((tmp_path / "config" / "flowscope").iterdir())
    kept = Vault(database, KeySettings(file=place)).credential("mail")
    database.stop()
    assert isinstance(kept, SmtpCredential)
    assert (kept.host, kept.port, kept.password) == ("other.example.com", 587, VALUE)
    assert command(data, "credentials", "remove", "mail").returncode == 0
    assert "There is no credential named 'mail'" in command(data, "credentials", "remove", "mail").stderr
