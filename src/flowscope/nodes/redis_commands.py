"""Redis: keys, lists, hashes, messages. One command, of a closed list, with its values as they are."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator
from typing import Any, Literal

from pydantic import Field, model_validator

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes import json_path, json_text, pools
from flowscope.nodes.addresses import judged
from flowscope.nodes.context import NodeContext
from flowscope.nodes.credentials import RedisCredential, names_one
from flowscope.nodes.extras import installed
from flowscope.nodes.sdk import NodeConfig, node

CONNECT_SECONDS = 10
CONNECTIONS = 20
LARGEST = 64 * 1024 * 1024
_VALUED = frozenset({"set", "push", "hash_set", "publish"})


class Redis(NodeConfig):
    credential: str = Field(
        "", description="The name of a kept credential of the type redis: where, and as whom",
        json_schema_extra=names_one(RedisCredential),
    )  # fmt: skip
    connection: RedisCredential | None = Field(
        None, description="Or where, and as whom, said here; the password is {{ secrets.name }}"
    )
    operation: Literal[
        "get", "set", "delete", "increment", "expire", "push", "pop", "range", "hash_get", "hash_set", "hash_get_all", "publish"
    ] = Field("get", description="What to do with the key")  # fmt: skip
    key: str = Field(min_length=1, description="The key; with `publish`, the channel")
    value: JSON = Field(
        None, description="With `set`, `push`, `hash_set`, `publish`: text as it is, anything else as JSON"
    )
    field: str = Field("", description="With `hash_get` and `hash_set`, the field of the hash")
    amount: int = Field(1, ge=-(2**62), le=2**62, description="With `increment`, by how much; it may be negative")
    ttl: int | None = Field(None, ge=1, description="With `set` and `expire`: seconds after which the key is gone")
    only_if_absent: bool = Field(False, description="With `set`: leave a key that is there; the result is then false")
    end: Literal["left", "right"] = Field("right", description="With `push` and `pop`, which end of the list")
    start: int = Field(0, description="With `range`, the first element; negative counts from the end")
    stop: int = Field(-1, description="With `range`, the last element, itself included")
    as_: Literal["text", "json"] = Field("text", alias="as", description="How values that are read are taken")
    result_field: str = Field("result", min_length=1, description="The name of the result in the output")

    @model_validator(mode="after")
    def _whole(self) -> Redis:
        if bool(self.credential) == (self.connection is not None):
            raise ValueError("give credential, or connection")
        if self.operation == "expire" and self.ttl is None:
            raise ValueError("expire needs ttl")
        if self.operation in ("hash_get", "hash_set") and not self.field:
            raise ValueError(f"{self.operation} needs field")
        if self.operation in _VALUED and "value" not in self.model_fields_set:
            raise ValueError(f"{self.operation} needs value")
        return self


@node(
    "redis",
    title="Redis",
    category="database",
    icon="layers",
    effects="external",
    timeout=10_000,
    example={
        "credential": "cache",
        "operation": "set",
        "key": "order:{{ json.id }}",
        "value": "{{ json }}",
        "ttl": 3600,
    },
)
async def redis(config: Redis, input: JSON, context: NodeContext) -> JSON:
    """Does one thing with a key of a Redis server. The output is the input with `result`: what was read (null where
    there is nothing), the new number of `increment`, the new length of `push`, how many keys were deleted or heard
    a message, or whether it was done. `increment` and `push` are not undone: a crash at the wrong moment
    may have them run twice, and `onLost` as `fail` or `ask` prevents that. Needs `flowscope[redis]`."""
    server = config.connection or context.credential(config.credential, RedisCredential)
    async with _explained(server, config):
        addresses = await judged(server.host, server.port, context.surroundings.allow_private_addresses)
        client = await pools.shared(("redis", server, tuple(addresses)), lambda: _client(server, addresses))
        result = await _done(client.redis, config)
    return json_path.merged(input, {config.result_field: result})


class _Client:
    """A client and its pool of connections."""

    def __init__(self, redis: Any) -> None:
        self.redis = redis

    async def close(self) -> None:
        await self.redis.aclose()
        await self.redis.connection_pool.disconnect()


async def _client(server: RedisCredential, addresses: list[str]) -> _Client:
    """Connected to the first address that answers."""
    with installed("redis"):
        import redis.asyncio as library
        from redis.asyncio.connection import BlockingConnectionPool, Connection
    certain = ssl.create_default_context() if server.tls else None

    class Judged(Connection):
        """To an address; a certificate is checked against the name."""

        def _connection_arguments(self) -> Any:
            arguments = dict(super()._connection_arguments())
            return {**arguments, "ssl": certain, "server_hostname": server.host} if certain else arguments

    failure: Exception = OSError("it has no address")
    for address in addresses:
        pool = BlockingConnectionPool(
            connection_class=Judged, host=address, port=server.port, db=server.database, username=server.username or None,
            password=server.password or None, socket_connect_timeout=CONNECT_SECONDS, max_connections=CONNECTIONS,
            timeout=None,
        )  # fmt: skip
        client = _Client(library.Redis(connection_pool=pool))
        try:
            await client.redis.ping()
            return client
        except (library.ConnectionError, library.TimeoutError, OSError) as error:
            failure = error
            await client.close()
        except BaseException:
            await client.close()
            raise
    raise failure


async def _done(client: Any, config: Redis) -> JSON:
    key, value = config.key, _written(config.value)
    match config.operation:
        case "get":
            return _read(await client.get(key), config)
        case "set":
            return bool(await client.set(key, value, ex=config.ttl, nx=config.only_if_absent))
        case "delete":
            return int(await client.delete(key))
        case "increment":
            return int(await client.incrby(key, config.amount))
        case "expire":
            return bool(await client.expire(key, config.ttl))
        case "push":
            return int(await (client.lpush if config.end == "left" else client.rpush)(key, value))
        case "pop":
            return _read(await (client.lpop if config.end == "left" else client.rpop)(key), config)
        case "range":
            return [_read(each, config) for each in await client.lrange(key, config.start, config.stop)]
        case "hash_get":
            return _read(await client.hget(key, config.field), config)
        case "hash_set":
            return int(await client.hset(key, config.field, value))
        case "hash_get_all":
            found = await client.hgetall(key)
            return {name.decode("utf-8", "replace"): _read(each, config) for name, each in found.items()}
        case "publish":
            return int(await client.publish(key, value))


def _written(value: JSON) -> str:
    return value if isinstance(value, str) else json_text.stringify(value)


def _read(value: bytes | None, config: Redis) -> JSON:
    if value is None:
        return None
    if len(value) > LARGEST:
        raise _failed(f"key: {config.key!r} holds more than 64 MiB", "TOO_LARGE")
    try:
        text = value.decode()
    except UnicodeDecodeError:
        raise _failed(f"key: {config.key!r} holds bytes that are no text in UTF-8", "NOT_TEXT") from None
    return json_text.parse(text, f"key: {config.key}") if config.as_ == "json" else text


@contextlib.asynccontextmanager
async def _explained(server: RedisCredential, config: Redis) -> AsyncIterator[None]:
    with installed("redis"):
        import redis.exceptions as library
    try:
        yield
    except library.AuthenticationError as error:
        raise _failed(f"{server.host}: it does not let us in: {error}", "REDIS_DENIED") from None
    except (library.ConnectionError, library.TimeoutError, OSError) as error:
        raise NodeError(f"{server.host}:{server.port}: {error}", code="UNREACHABLE") from None
    except library.ResponseError as error:
        busy = str(error).startswith(("LOADING", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN"))
        raise NodeError(f"{config.operation} {config.key}: {error}", code="REDIS_ERROR", retryable=busy) from None


def _failed(message: str, code: str) -> NodeError:
    return NodeError(message, code=code, retryable=False)
