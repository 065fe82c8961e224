"""An attempt as another process needs it: the handler by name, and what it takes as JSON.

Of the surroundings only what is small and no secret goes along. What is looked up by name (secrets, credentials, variables) is
asked for when the handler wants it, so a process never knows more than its handler has asked for.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec

from flowscope.definition.workflow import JSON
from flowscope.errors import HandlerUnreachable
from flowscope.nodes.context import Body, Surroundings
from flowscope.nodes.credentials import Credential, parse_credential

if TYPE_CHECKING:
    from flowscope.nodes.sdk import NodeType

NONE = msgspec.Raw(b"null")


class HandlerName(msgspec.Struct, frozen=True, gc=False):
    """Where a handler is found: a module and a name in it. `file` is where the main program's module was read from."""

    type: str
    module: str
    name: str
    file: str = ""


class Place(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a `NodeContext` says of where we are."""

    execution_id: str
    workflow_id: str
    node_id: str
    node_name: str
    path: str
    attempt: int
    now: float
    handles: list[str]
    iteration: int
    body: Body = Body()


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """`config` is the node's config with its expressions worked out, not parsed yet."""

    handler: HandlerName
    place: Place
    surroundings: Surroundings
    config: msgspec.Raw = NONE
    input: msgspec.Raw = NONE


class _Sent(msgspec.Struct, frozen=True):
    handler: HandlerName
    place: Place
    surroundings: dict[str, msgspec.Raw]
    config: msgspec.Raw
    input: msgspec.Raw


def encode_job(job: Job) -> tuple[bytes | memoryview, ...]:
    """The job as JSON, in pieces: the input, which may be large, is not copied."""
    known = {name: value for name, value in _fields(job.surroundings) if not isinstance(value, Mapping)}
    small = {"handler": job.handler, "place": job.place, "surroundings": known, "config": job.config}
    head = msgspec.json.encode(small, enc_hook=_plain)
    return head[:-1] + b',"input":', memoryview(job.input), b"}"


def decode_job(data: bytes, ask: Ask) -> Job:
    """The job again; what it did not bring along is asked for."""
    sent = msgspec.json.decode(data, type=_Sent)
    fields: dict[str, Any] = {}
    for name, kind in _KINDS.items():
        if name not in sent.surroundings:
            fields[name] = Elsewhere(name, ask)
        else:
            fields[name] = msgspec.json.decode(sent.surroundings[name], type=kind, dec_hook=_path)
    surroundings = Surroundings(**fields)
    return Job(handler=sent.handler, place=sent.place, surroundings=surroundings, config=sent.config, input=sent.input)


# --- what is asked for ---

Ask = Callable[[str, str | None], JSON]
"""For a field of the surroundings and a name in it; without a name, for the names."""


class Elsewhere(Mapping[str, Any]):
    """A mapping of the surroundings that is in another process."""

    def __init__(self, field: str, ask: Ask) -> None:
        self._field = field
        self._ask = ask

    def __getitem__(self, name: str) -> Any:
        answer = self._ask(self._field, name)
        if "credential" in answer:
            return parse_credential(answer["credential"], answer["value"])
        return answer["value"]  # a KeyError where there is no such name

    def __iter__(self) -> Iterator[str]:
        return iter(self._ask(self._field, None)["names"])

    def __len__(self) -> int:
        return len(self._ask(self._field, None)["names"])


def look_up(surroundings: Surroundings, field: str, name: str | None) -> tuple[JSON, frozenset[str]]:
    """The answer for `Elsewhere`, and the secrets in it."""
    mapping = dict(_fields(surroundings))[field]
    if name is None:
        return {"names": list(mapping)}, frozenset()
    value = mapping.get(name)
    if isinstance(value, Credential):
        answer = {"credential": value.type, "value": value.revealed()}
        return answer, frozenset(str(secret) for secret in value.hidden().values())
    if name not in mapping:
        return {}, frozenset()
    return {"value": value}, frozenset({value} if field == "secrets" else ())


def _fields(surroundings: Surroundings) -> list[tuple[str, Any]]:
    return [(field.name, getattr(surroundings, field.name)) for field in dataclasses.fields(surroundings)]


_KINDS = get_type_hints(Surroundings)


def _path(kind: type, value: Any) -> Any:
    return kind(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be sent to another process")


def name_of(node_type: NodeType) -> HandlerName:
    """Where another process finds the handler; `HandlerUnreachable` if it stands inside a function."""
    handler = node_type.handler
    module, name = getattr(handler, "__module__", ""), getattr(handler, "__qualname__", "")
    if not module or not name or "<" in name:
        raise HandlerUnreachable(
            f"The handler of {node_type.type!r} ({module}.{name}) cannot be run in a worker process: it is defined inside a "
            "function. Define it at the top of a module, or run the node with resources: io"
        )
    if module != "__main__":
        return HandlerName(node_type.type, module, name)
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None and spec.name:
        return HandlerName(node_type.type, spec.name, name)
    file = getattr(main, "__file__", None)
    if not file:
        raise HandlerUnreachable(
            f"The handler of {node_type.type!r} cannot be run in a worker process: it was typed in, and is in no file. "
            "Put it into a module, or run the node with resources: io"
        )
    return HandlerName(node_type.type, module, name, str(Path(file).resolve()))
