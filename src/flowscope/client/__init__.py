"""Start and watch executions of a flowscope server from another program.

async with Client("http://127.0.0.1:3001") as client:
    execution_id = await client.start("orders", {"day": "monday"})
    async for update in client.watch(execution_id):
        ...

client.py        Client: start, watch, cancel, pause, resume, signal
watch.py         Watch: one execution until it ends, over as many connections as it takes
feeds.py         the two ways messages come: WebSocket, Server-Sent Events
updates.py       what a watch yields
door.py          HTTP                       address.py   where a server is
event_stream.py  Server-Sent Events         pauses.py    how long to wait before coming back
failures.py      what a client is told when a server cannot be used
"""

from flowscope.client.client import Client
from flowscope.client.failures import KeyRefused, RequestRefused, ServerError, ServerFailed, ServerUnreachable
from flowscope.client.updates import Update
from flowscope.client.watch import Watch
from flowscope.live.protocol import ExecutionSnapshot, ExecutionUpdate, NodeLog, NodeProgress, NodeUpdate

__all__ = [
    "Client",
    "ExecutionSnapshot",
    "ExecutionUpdate",
    "KeyRefused",
    "NodeLog",
    "NodeProgress",
    "NodeUpdate",
    "RequestRefused",
    "ServerError",
    "ServerFailed",
    "ServerUnreachable",
    "Update",
    "Watch",
]
