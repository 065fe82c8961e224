"""`http_request` against a real server, on this machine."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import ssl
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from flowscope.errors import ConfigInvalid, InputInvalid, NodeDenied, NodeError
from flowscope.nodes import http_transport
from flowscope.nodes.credentials import (
    HttpBasicCredential,
    HttpBearerCredential,
    HttpCredential,
    HttpHeaderCredential,
    SmtpCredential,
    parse_credential,
)
from unit.nodes.bench import Bench

# Of the name shop.test, signed by itself, for a hundred years; made for this file.
CERTIFICATE = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg9agb7f3LwZloGt30
KP/Fwc6s9HBZwZoTc3R1O/RIbA6hRANCAARtAQnXrRhbs+lPTPiSlULVD5NpGLae
ZBr29+3rxmKX2fG3UyXzZ3x9qbqu87N9ykMsp3RpuUy+drKdY/5KME5L
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBlTCCATugAwIBAgIUFoN3RnYdOYhgRafC2y9d0S9GnbUwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJc2hvcC50ZXN0MCAXDTI2MTEyMzEyNTY1MloYDzIxMjYxMDMw
MTI1NjUyWjAUMRIwEAYDVQQDDAlzaG9wLnRlc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAARtAQnXrRhbs+lPTPiSlULVD5NpGLaeZBr29+3rxmKX2fG3UyXzZ3x9
qbqu87N9ykMsp3RpuUy+drKdY/5KME5Lo2kwZzAdBgNVHQ4EFgQUtcaVuZypAJJJ
AiJT24amdf+GjjswHwYDVR0jBBgwFoAUtcaVuZypAJJJAiJT24amdf+GjjswDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglzaG9wLnRlc3QwCgYIKoZIzj0EAwID
SAAwRQIhAKg6QBP2UtvB+N/QvqDy/uNXjDHHC6pTPZJNqi0toPR3AiBdvSPzB4LD
4nDQjOWWi0xVhj+338kyrdvFithyXX2tHw==
-----END CERTIFICATE-----
"""

PLAIN = "text/plain; charset=utf-8"


class Handler(BaseHTTPRequestHandler):
    """Answers by the path, and keeps what was asked."""

    server: Server

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.server.asked.append((self.command, self.path, dict(self.headers.items()), self.rfile.read(length)))
        status, headers, body = self.server.answer(self.path)
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if "Content-Length" not in headers:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_GET

    def log_message(self, format: str, *arguments: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("0.0.0.0", 0), Handler)
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        return self.answers.get(path.partition("?")[0], (404, {"Content-Type": PLAIN}, b"nothing here"))

    def url(self, path: str, host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.server_port}{path}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has read enough hangs up."""


def served(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    yield from served(Server())


@pytest.fixture
def bench() -> Bench:
    return Bench(allow_private_addresses=True, secrets={"KEY": "hunter2"})


async def get(bench: Bench, url: str, **config: Any) -> Any:
    return await bench.run("http_request", {"url": url, **config}, {})


async def test_the_output(bench: Bench, server: Server) -> None:
    server.answers["/a"] = (200, {"Content-Type": "application/json", "X-A": "1"}, b'{"n": 1}')
    output = await bench.run("http_request", {"url": "{{ base }}/a?x=1", "query": {"y": [1, True], "z": None}},
                             {"base": server.url("")})  # fmt: skip
    assert output["base"] == server.url("")
    assert (output["status"], output["statusText"], output["data"]) == (200, "OK", {"n": 1})
    assert output["headers"]["x-a"] == "1"
    assert output["url"] == server.url("/a?x=1&y=1&y=true")
    assert server.asked[0][1] == "/a?x=1&y=1&y=true"


async def test_a_body_and_headers(bench: Bench, server: Server) -> None:
    server.answers["/a"] = (201, {}, b"")
    output = await get(
        bench, server.url("/a"), method="post", body={"n": [1, "é"]}, headers={"X-N": 1, "X-T": True, "X-0": None}
    )
    assert (output["status"], output["data"]) == (201, None)
    method, _, headers, body = server.asked[0]
    assert (method, json.loads(body)) == ("POST", {"n": [1, "é"]})
    assert headers["Content-Type"] == "application/json"
    assert (headers["X-N"], headers["X-T"], "X-0" in headers) == ("1", "true", False)
    assert headers["Idempotency-Key"] == "e1:n1"
    await get(bench, server.url("/a"), method="PUT", body="x", headers={"content-type": "a/b", "idempotency-key": "k"})
    headers = {name.lower(): value for name, value in server.asked[1][2].items()}
    assert (headers["content-type"], headers["idempotency-key"]) == ("a/b", "k")
    await get(bench, server.url("/a"))
    assert "Idempotency-Key" not in server.asked[2][2]


@pytest.mark.parametrize(
    ("headers", "body", "form", "data"),
    [
        ({"Content-Type": "application/problem+json"}, b"[1]", "auto", [1]),
        ({"Content-Type": "application/json"}, b"{oops", "auto", "{oops"),
        ({"Content-Type": "application/json"}, b"NaN", "auto", "NaN"),
        ({"Content-Type": "text/html; charset=ISO-8859-1"}, b"\xe9", "auto", "é"),
        ({"Content-Type": "text/plain; charset=zlib_codec"}, b"x", "auto", "x"),
        ({"Content-Type": "image/png"}, b"\x89PNG", "auto", "iVBORw=="),
        ({}, b"a\0b", "auto", "YQBi"),
        ({}, b"", "auto", None),
        ({}, b"[1]", "json", [1]),
        ({"Content-Type": "application/json"}, b"[1]", "text", "[1]"),
        ({}, b"\xff", "base64", "/w=="),
        ({"Content-Encoding": "gzip"}, gzip.compress(b"hi", mtime=0), "auto", "hi"),
        (
            {"Content-Encoding": "gzip"},
            gzip.compress(b"hi ", mtime=0) + gzip.compress(b"you", mtime=0) + b"\0\0",
            "auto",
            "hi you",
        ),
        ({"Content-Encoding": "deflate"}, zlib.compress(b"hi"), "auto", "hi"),
        ({"Content-Encoding": "deflate"}, zlib.compress(b"hi")[2:-4], "auto", "hi"),
    ],
)
async def test_data(bench: Bench, server: Server, headers: dict[str, str], body: bytes, form: str, data: Any) -> None:
    server.answers["/a"] = (200, headers, body)
    assert (await get(bench, server.url("/a"), responseFormat=form))["data"] == data


@pytest.mark.parametrize(
    ("status", "retryable"),
    [
        (400, False),
        (401, False),
        (404, False),
        (408, True),
        (425, True),
        (429, True),
        (500, True),
        (503, True),
        (599, True),
    ],
)
async def test_bad_statuses_are_failures(bench: Bench, server: Server, status: int, retryable: bool) -> None:
    server.answers["/a"] = (status, {"Content-Type": PLAIN}, b"you said  hunter2 " + b"x" * 5_000)
    with pytest.raises(
        NodeError, match=rf"^GET http://127\.0\.0\.1:\d+/a answered {status} .*: you said •••"
    ) as caught:
        await get(bench, server.url("/a?key=hunter2"))
    assert (caught.value.code, caught.value.retryable) == (f"HTTP_{status}", retryable)
    assert "hunter2" not in str(caught.value) and len(str(caught.value)) < 500


async def test_bad_statuses_may_be_answers(bench: Bench, server: Server) -> None:
    output = await get(bench, server.url("/none"), failOnStatus=False)
    assert (output["status"], output["data"]) == (404, "nothing here")


async def test_redirects(bench: Bench, server: Server) -> None:
    server.answers["/1"] = (302, {"Location": "/2", "Set-Cookie": "s=1"}, b"")
    server.answers["/2"] = (307, {"Location": server.url("/3")}, b"")
    server.answers["/3"] = (200, {}, b"there")
    output = await get(bench, server.url("/1"), headers={"Authorization": "Bearer x"})
    assert (output["data"], output["url"]) == ("there", server.url("/3"))
    assert server.asked[2][2]["Authorization"] == "Bearer x"
    output = await get(bench, server.url("/1"), followRedirects=False)
    assert (output["status"], output["headers"]["location"]) == (302, "/2")


async def test_a_post_becomes_a_get_or_keeps_its_body(bench: Bench, server: Server) -> None:
    server.answers |= {"/303": (303, {"Location": "/a"}, b""), "/308": (308, {"Location": "/a"}, b"")}
    server.answers["/a"] = (200, {}, b"")
    for start in ("/303", "/308"):
        await get(bench, server.url(start), method="POST", body="hello")
    assert [(method, body) for method, path, _, body in server.asked if path == "/a"] == [
        ("GET", b""),
        ("POST", b"hello"),
    ]


async def test_redirects_have_an_end(bench: Bench, server: Server) -> None:
    server.answers["/1"] = (302, {"Location": "/1"}, b"")
    with pytest.raises(NodeDenied, match="more than 5 redirects"):
        await get(bench, server.url("/1"))
    assert len(server.asked) == 6


async def test_secrets_do_not_follow_to_another_origin(bench: Bench, server: Server) -> None:
    server.answers["/1"] = (302, {"Location": server.url("/2", host="localhost"), "Set-Cookie": "s=1"}, b"")
    server.answers["/2"] = (200, {}, b"")
    given = {"Authorization": "Bearer x", "Cookie": "a=b", "X-Api-Key": "k", "Accept": "text/csv"}
    await get(bench, server.url("/1"), headers=given)
    headers = {name.lower(): value for name, value in server.asked[1][2].items()}
    assert not {"authorization", "cookie", "x-api-key"} & headers.keys()
    assert headers["accept"] == "text/csv"
    assert headers["host"].startswith("localhost:")


KEPT: dict[str, HttpCredential] = {
    "basic": HttpBasicCredential(username="ann", password="pä ss:wörd"),
    "bearer": HttpBearerCredential(token="t0ken"),
    "header": HttpHeaderCredential(name="X-Shop-Key", value="k-4711"),
}


@pytest.mark.parametrize(
    ("name", "header", "value"),
    [
        ("basic", "authorization", "Basic YW5uOnDDpCBzczp3w7ZyZA=="),
        ("bearer", "authorization", "Bearer t0ken"),
        ("header", "x-shop-key", "k-4711"),
    ],
)
async def test_a_kept_credential_lets_in(server: Server, name: str, header: str, value: str) -> None:
    server.answers["/1"] = (302, {"Location": "/2"}, b"")
    server.answers["/2"] = (302, {"Location": server.url("/3", host="localhost")}, b"")
    server.answers["/3"] = (200, {}, b"")
    bench = Bench(allow_private_addresses=True, credentials=KEPT)
    await get(bench, server.url("/1"), credential=name, headers={header: "written here"})
    sent = [{name.lower(): value for name, value in asked[2].items()}.get(header) for asked in server.asked]
    assert sent == [value, value, None], "not to another origin"


async def test_a_credential_that_is_not_there_and_one_that_is_said(server: Server) -> None:
    server.answers["/no"] = (403, {"Content-Type": PLAIN}, b"you said k-4711")
    bench = Bench(allow_private_addresses=True, credentials={**KEPT, "mail": SmtpCredential(host="example.com")})
    with pytest.raises(NodeError) as failed:
        await get(bench, server.url("/no"), credential="header")
    assert "answered 403" in str(failed.value) and "k-4711" not in str(failed.value)
    for name in ("nobody", "mail"):
        with pytest.raises(NodeDenied, match=f"no http credential named '{name}'. There are: basic, bearer, header"):
            await get(bench, server.url("/no"), credential=name)
    assert len(server.asked) == 1


@pytest.mark.parametrize(("name", "value"), [("Host", "a"), ("a b", "a"), ("X", "a\r\nY: b"), ("X", "ä"), ("X", "")])
def test_what_no_header_can_be_is_not_kept(name: str, value: str) -> None:
    with pytest.raises(InputInvalid):
        parse_credential("http_header", {"name": name, "value": value})


@pytest.mark.parametrize("place", ["http://127.0.0.2:{port}/secret", "//127.0.0.2:{port}/secret", "http://[::1]:{port}/",
                                   "http://0x7f000002:{port}/", "http://169.254.169.254/latest/meta-data"])  # fmt: skip
async def test_a_redirect_is_judged_like_the_first_request(
    server: Server, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """127.0.0.1 stands for a public server here."""
    monkeypatch.setattr("flowscope.nodes.addresses.is_public", lambda address: address == "127.0.0.1")
    server.answers["/1"] = (302, {"Location": place.format(port=server.server_port)}, b"")
    server.answers["/secret"] = (200, {}, b"secret")
    with pytest.raises(NodeDenied, match="not on the public internet"):
        await get(Bench(), server.url("/1"))
    assert [path for _, path, _, _ in server.asked] == ["/1"]


@pytest.mark.parametrize(
    "place", ["file:///etc/passwd", "gopher://127.0.0.1/", "http://user:hunter2@127.0.0.1/", "http://"]
)
async def test_a_redirect_to_what_is_no_web_address(bench: Bench, server: Server, place: str) -> None:
    server.answers["/1"] = (302, {"Location": place}, b"")
    with pytest.raises(NodeError) as caught:
        await get(bench, server.url("/1"))
    assert "hunter2" not in str(caught.value)
    assert len(server.asked) == 1


async def test_a_name_is_looked_up_once_and_kept(bench: Bench, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second look-up could have another answer."""
    looked_up: list[Any] = []

    def look_up(host: Any, *arguments: Any, **keywords: Any) -> list[Any]:
        looked_up.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.server_port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    server.answers["/a"] = (200, {}, b"here")
    assert (await get(bench, server.url("/a", host="shop.test")))["data"] == "here"
    assert server.asked[0][2]["Host"] == f"shop.test:{server.server_port}"
    assert looked_up == ["shop.test"]


async def test_tls_is_about_the_name_and_not_the_address(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = tmp_path / "shop.pem"
    pem.write_text(CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    asked_for: list[str | None] = []
    context.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    server = Server()
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.answers["/a"] = (200, {}, b"safe")
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    http_transport._tls.cache_clear()
    answers = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", server.server_port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **keywords: answers)
    for _ in served(server):
        assert (await get(bench, server.url("/a", "shop.test", "https")))["data"] == "safe"
        with pytest.raises(NodeError, match="certificate verify failed"):
            await get(bench, server.url("/a", "evil.test", "https"))
    http_transport._tls.cache_clear()
    assert asked_for == ["shop.test", "evil.test"]


async def test_a_large_answer_is_not_read_to_its_end(bench: Bench, server: Server) -> None:
    server.answers["/a"] = (200, {}, b"x" * 1_000)
    assert len((await get(bench, server.url("/a"), maxBytes=1_000))["data"]) == 1_000
    with pytest.raises(NodeError, match="larger than maxBytes, 999") as caught:
        await get(bench, server.url("/a"), maxBytes=999)
    assert (caught.value.code, caught.value.retryable) == ("RESPONSE_TOO_LARGE", False)


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
async def test_a_bomb_is_not_unpacked(bench: Bench, server: Server, encoding: str) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31 if encoding == "gzip" else 15)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(256)) + packer.flush()
    server.answers["/a"] = (200, {"Content-Encoding": encoding}, bomb)
    with pytest.raises(NodeError, match="larger than maxBytes"):
        await get(bench, server.url("/a"))


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "x" * 100])
async def test_packings_that_were_not_asked_for(bench: Bench, server: Server, encoding: str) -> None:
    server.answers["/a"] = (200, {"Content-Encoding": encoding}, b"x")
    with pytest.raises(NodeError, match="not asked for"):
        await get(bench, server.url("/a"))
    assert server.asked[0][2]["Accept-Encoding"] == "gzip, deflate"


async def test_garbled_answers(bench: Bench, server: Server) -> None:
    server.answers |= {"/gzip": (200, {"Content-Encoding": "gzip"}, b"\xff\xfe!"), "/json": (200, {}, b"{")}
    with pytest.raises(NodeError, match="garbled"):
        await get(bench, server.url("/gzip"))
    with pytest.raises(NodeError, match="not JSON"):
        await get(bench, server.url("/json"), responseFormat="json")


async def test_a_connection_that_breaks_may_be_tried_again(bench: Bench, server: Server) -> None:
    server.answers["/a"] = (200, {"Content-Length": "100"}, b"only this")
    with pytest.raises(NodeError, match=r"^GET http://127.*/a: ") as caught:
        await get(bench, server.url("/a?key=hunter2"))
    assert (caught.value.code, caught.value.retryable) == ("UNREACHABLE", True)


async def test_nobody_there(bench: Bench) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(NodeError, match="GET http://127") as caught:
            await get(bench, f"http://127.0.0.1:{unused.getsockname()[1]}/?key=hunter2")
    assert (caught.value.code, caught.value.retryable) == ("UNREACHABLE", True)
    assert "hunter2" not in str(caught.value)


async def test_cancelling_closes_the_connection(bench: Bench) -> None:
    arrived, gone = asyncio.Event(), asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        arrived.set()
        while await reader.read(1_000):
            pass
        gone.set()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        request = asyncio.create_task(get(bench, f"http://127.0.0.1:{port}/"))
        await arrived.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        await gone.wait()


async def test_the_environments_proxy_is_not_used(
    bench: Bench, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    server.answers["/a"] = (200, {}, b"direct")
    assert (await get(bench, server.url("/a")))["data"] == "direct"


@pytest.mark.parametrize(
    "headers",
    [{"X": "a\r\nY: b"}, {"X": "a\nb"}, {"X Y": "a"}, {"": "a"}, {"Host": "a"}, {"Transfer-Encoding": "chunked"}],
)
async def test_headers_that_are_refused(bench: Bench, headers: dict[str, str]) -> None:
    with pytest.raises(ConfigInvalid, match="headers"):
        await get(bench, "http://127.0.0.1/", headers=headers)
