"""Every node type has an example in the reference, and it runs as the page says: for real, against real servers."""

from __future__ import annotations

import json
import shutil
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from acceptance.servers import postgresql_server, redis_server, smtp_server
from flowscope import Engine
from flowscope.nodes.builtin import builtin_registry
from flowscope.nodes.context import Surroundings
from flowscope.nodes.credentials import PostgresqlCredential, RedisCredential, SmtpCredential
from unit.nodes.bench import Bench

EXAMPLES = Path(__file__).parents[2] / "docs" / "nodes" / "examples"
SERVED = {"http_request", "chat_model", "embeddings", "ai_agent", "postgresql", "redis", "send_email"}
"""Those whose example talks to a server: it is run with that server, below or in tests/integration."""
TYPES = [node.type for node in builtin_registry(entry_points=False)]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path.resolve()


def example(type_: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((EXAMPLES / f"{type_}.json").read_text("utf-8"))
    return loaded


async def outcome(type_: str, *, more: dict[str, Any] | None = None, **surroundings: Any) -> Any:
    """Run a type's example to its end, with `more` in its input."""
    shown = example(type_)
    if more:
        shown["input"] = {**shown["input"], **more}
    async with Engine(None, surroundings=Surroundings(**surroundings)) as engine:
        run = await engine.start(shown["workflow"], shown.get("input"))
        return await run.result()


@pytest.mark.parametrize("type_", [type_ for type_ in TYPES if type_ not in SERVED])
async def test_the_example_does_what_the_page_says(type_: str, root: Path) -> None:
    if type_ == "javascript":  # its engine is compiled once, which on a busy machine takes longer than the node may
        await Bench(code_nodes=True).run("javascript", {"code": "return 1"}, {})
    output = await outcome(
        type_,
        file_roots=(root,),
        code_nodes=True,
        python_functions=("math.hypot",),
        commands={"sort": shutil.which("sort") or ""},
    )
    shown = example(type_)
    if "output" in shown:
        assert without_size(type_, output) == without_size(type_, shown["output"])


async def test_the_example_of_postgresql() -> None:
    with postgresql_server() as server:
        credentials = {"shop": PostgresqlCredential(**server.connection)}
        output = await outcome("postgresql", allow_private_addresses=True, credentials=credentials)
    assert output == example("postgresql")["output"]


async def test_the_example_of_redis() -> None:
    with redis_server("s3cr3t") as port:
        credentials = {"cache": RedisCredential(host="127.0.0.1", port=port, password="s3cr3t")}
        output = await outcome("redis", allow_private_addresses=True, credentials=credentials)
    assert output == example("redis")["output"]


async def test_the_example_of_send_email(root: Path) -> None:
    with smtp_server() as box:
        credentials = {"mail": SmtpCredential(host="localhost", port=box.port, security="none")}
        output = await outcome("send_email", allow_private_addresses=True, credentials=credentials, file_roots=(root,))
        (letter,) = box.letters
    assert output["result"] == "sent to ada@example.com"
    assert letter.rcpt_tos == ["ada@example.com"]
    assert b"invoices" not in (letter.content or b"") and b"7.txt" in (letter.content or b"")


class Orders(BaseHTTPRequestHandler):
    """What the example of `http_request` asks."""

    def do_GET(self) -> None:
        body = json.dumps({"path": self.path, "total": 120}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing."""


async def test_the_example_of_http_request() -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Orders)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        more = {"base": f"http://127.0.0.1:{server.server_port}"}
        output = await outcome("http_request", more=more, allow_private_addresses=True)
    finally:
        server.shutdown()
        serving.join()
        server.server_close()
    assert output["data"] == {"path": "/orders/7", "total": 120}
    assert output["result"] == "120 kr."


def without_size(type_: str, output: Any) -> Any:
    """What a library makes of the same values differs in size between its versions."""
    made = {"convert_to_file", "extract_from_file", "image_manipulation"}
    return {key: value for key, value in output.items() if key != "size"} if type_ in made else output


@pytest.mark.parametrize("type_", TYPES)
def test_the_example_has_the_node_in_it(type_: str) -> None:
    assert type_ in {node["data"]["type"] for node in example(type_)["workflow"]["nodes"]}


def test_no_example_is_left_of_a_node_that_is_no_more() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.json")} == set(TYPES)
