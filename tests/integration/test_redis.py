"""The node against a real Redis server."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis.asyncio

from acceptance.servers import certificate, free_port, redis_server
from flowscope.errors import NodeDenied, NodeError
from flowscope.nodes import pools
from flowscope.nodes.credentials import RedisCredential
from unit.nodes.bench import Bench

PASSWORD = "redis-s3cr3t"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with redis_server(PASSWORD) as running:
        yield running


class Cache:
    def __init__(self, port: int) -> None:
        self.port = port
        cache = RedisCredential(host="127.0.0.1", port=port, password=PASSWORD)
        self.bench = Bench(allow_private_addresses=True, credentials={"cache": cache})

    async def do(self, operation: str, key: str = "k", **more: Any) -> Any:
        config = {"credential": "cache", "operation": operation, "key": key, **more}
        return (await self.bench.run("redis", config, {"kept": 1}))["result"]


@pytest.fixture
async def cache(port: int) -> AsyncIterator[Cache]:
    cache = Cache(port)
    async with redis.asyncio.Redis(port=port, password=PASSWORD) as client:
        await client.flushall()
    yield cache
    await pools.close()


async def test_keys(cache: Cache) -> None:
    assert await cache.do("get") is None
    assert await cache.do("set", value="a") is True
    assert await cache.do("get") == "a"
    assert await cache.do("set", value="b", onlyIfAbsent=True) is False
    assert await cache.do("set", value={"a": [1, None]}) is True
    assert await cache.do("get") == '{"a":[1,null]}'
    assert await cache.do("get", **{"as": "json"}) == {"a": [1, None]}
    assert await cache.do("delete") == 1
    assert await cache.do("delete") == 0


async def test_counting(cache: Cache) -> None:
    assert [await cache.do("increment") for _ in range(3)] == [1, 2, 3]
    assert await cache.do("increment", amount=-5) == -2


async def test_keys_that_go_away(cache: Cache) -> None:
    assert await cache.do("expire", ttl=100) is False
    await cache.do("set", value="a", ttl=100)
    async with redis.asyncio.Redis(port=cache.port, password=PASSWORD) as client:
        assert 90 < await client.ttl("k") <= 100
        assert await cache.do("expire", ttl=1000) is True
        assert 900 < await client.ttl("k") <= 1000


async def test_lists(cache: Cache) -> None:
    assert await cache.do("push", value="b") == 1
    assert await cache.do("push", value={"n": 1}) == 2
    assert await cache.do("push", value="a", end="left") == 3
    assert await cache.do("range") == ["a", "b", '{"n":1}']
    assert await cache.do("range", start=-1, **{"as": "json"}) == [{"n": 1}]
    assert await cache.do("pop", end="left") == "a"
    assert await cache.do("pop", **{"as": "json"}) == {"n": 1}
    assert [await cache.do("pop"), await cache.do("pop")] == ["b", None]


async def test_hashes(cache: Cache) -> None:
    assert await cache.do("hash_set", field="x", value=1) == 1
    assert await cache.do("hash_set", field="x", value=2) == 0
    assert await cache.do("hash_set", field="y", value="z") == 1
    assert await cache.do("hash_get", field="x", **{"as": "json"}) == 2
    assert await cache.do("hash_get", field="nope") is None
    assert await cache.do("hash_get_all") == {"x": "2", "y": "z"}


async def test_messages(cache: Cache) -> None:
    assert await cache.do("publish", key="news", value="nobody hears") == 0
    async with redis.asyncio.Redis(port=cache.port, password=PASSWORD) as client, client.pubsub() as listener:
        await listener.subscribe("news")
        await listener.get_message(timeout=30)
        assert await cache.do("publish", key="news", value={"n": 1}) == 1
        heard = await listener.get_message(ignore_subscribe_messages=True, timeout=30)
    assert heard is not None and heard["data"] == b'{"n":1}'


@pytest.mark.parametrize("value", ["\r\nFLUSHALL\r\n", "*1\r\n$8\r\nFLUSHALL\r\n", "", " ", "\0", "ä" * 10_000])
async def test_a_value_is_a_value(cache: Cache, value: str) -> None:
    await cache.do("set", key="other", value="there")
    await cache.do("set", key=value or "k", value=value)
    assert await cache.do("get", key=value or "k") == value
    assert await cache.do("get", key="other") == "there"


async def test_errors(cache: Cache) -> None:
    await cache.do("push", value="a")
    with pytest.raises(NodeError, match="get k: WRONGTYPE") as caught:
        await cache.do("get")
    assert not caught.value.retryable
    await cache.do("set", key="t", value="x")
    with pytest.raises(NodeError, match="increment t: value is not an integer"):
        await cache.do("increment", key="t")
    with pytest.raises(NodeError, match="key: t: the text is not JSON"):
        await cache.do("get", key="t", **{"as": "json"})
    async with redis.asyncio.Redis(port=cache.port, password=PASSWORD) as client:
        await client.set("bytes", b"\xff\xfe")
    with pytest.raises(NodeError, match="'bytes' holds bytes that are no text in UTF-8"):
        await cache.do("get", key="bytes")


async def _carried(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.close()


async def test_encryption(cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Through an end of TLS before the server; its certificate is for localhost, and for nobody else."""
    context, authority = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))

    async def tunnel(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside, out = await asyncio.open_connection("127.0.0.1", cache.port)
        await asyncio.gather(_carried(reader, out), _carried(inside, writer))

    server = await asyncio.start_server(tunnel, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    secure = {"host": "localhost", "port": port, "password": PASSWORD, "tls": True}
    config = {"connection": secure, "operation": "set", "key": "k", "value": "safe"}
    assert (await cache.bench.run("redis", config, {}))["result"] is True
    assert await cache.do("get") == "safe"
    with pytest.raises(NodeError, match=r"127\.0\.0\.1:\d+: .*certificate"):
        await cache.bench.run("redis", {**config, "connection": {**secure, "host": "127.0.0.1"}}, {})
    await pools.close()
    server.close()
    await server.wait_closed()


async def test_who_may_not_in(cache: Cache) -> None:
    wrong = {"host": "127.0.0.1", "port": cache.port, "password": "wr0ng"}
    with pytest.raises(NodeError, match=r"127\.0\.0\.1: it does not let us in") as caught:
        await cache.bench.run("redis", {"connection": wrong, "key": "k"}, {})
    assert "wr0ng" not in str(caught.value)


async def test_nobody_is_there(cache: Cache) -> None:
    nobody = {"host": "127.0.0.1", "port": free_port()}
    with pytest.raises(NodeError, match=r"127\.0\.0\.1:\d+: ") as caught:
        await cache.bench.run("redis", {"connection": nobody, "key": "k"}, {})
    assert caught.value.retryable


async def test_internal_servers_are_closed_unless_they_are_opened(port: int) -> None:
    with pytest.raises(NodeDenied, match=r"host: 127\.0\.0\.1 is not on the public internet"):
        await Bench().run("redis", {"connection": {"host": "127.0.0.1", "port": port}, "key": "k"}, {})


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"key": "k"}, "give credential, or connection"),
        ({"credential": "x", "key": "k", "operation": "expire"}, "expire needs ttl"),
        ({"credential": "x", "key": "k", "operation": "hash_get"}, "hash_get needs field"),
        ({"credential": "x", "key": "k", "operation": "set"}, "set needs value"),
        ({"credential": "x", "key": "", "operation": "get"}, "key: "),
        ({"credential": "x", "key": "k", "operation": "FLUSHALL"}, "operation: "),
        ({"credential": "x", "key": "k"}, "there is no redis credential named 'x'. There are: cache"),
    ],
)
async def test_configs(cache: Cache, config: Any, says: str) -> None:
    with pytest.raises(NodeError, match=says):
        await cache.bench.run("redis", config, {})
