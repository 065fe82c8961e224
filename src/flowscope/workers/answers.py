"""What a handler answered, on its way from a worker process to the pool.

The engine keeps JSON, so a value stays the bytes it came as: the pool does not decode it.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import msgspec

from flowscope.nodes.answer import Again, Answer, Assign, Call, Collected, Items, Output, Pass, Wait
from flowscope.orchestrator.payloads import encode

VALUE: Final = "value"

_KINDS: Final[dict[str, type]] = {
    kind.__name__: kind for kind in (Again, Assign, Call, Collected, Items, Output, Pass, Wait)
}
_AS_THEY_ARE: Final = frozenset({(Output, "value"), (Call, "input")})


def pack(answer: Answer) -> tuple[str, bytes]:
    """The kind of answer, and its JSON. `NotJSON` if it has none."""
    kind = type(answer)
    if _KINDS.get(kind.__name__) is not kind:
        return VALUE, encode(answer)
    return kind.__name__, encode({field.name: getattr(answer, field.name) for field in dataclasses.fields(kind)})


def unpack(name: str, data: bytes) -> Answer:
    """The answer again. Raises what its class raises, and `LookupError` or `msgspec.MsgspecError` for no answer at all."""
    if name == VALUE:
        return msgspec.Raw(data)
    kind = _KINDS[name]
    fields = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    return kind(**{key: _field(kind, key, raw) for key, raw in fields.items()})


def _field(kind: type, key: str, raw: msgspec.Raw) -> Any:
    if (kind, key) in _AS_THEY_ARE:
        return raw
    if kind is Items and key == "values":
        return list(msgspec.json.decode(raw, type=list[msgspec.Raw]))
    value = msgspec.json.decode(raw)
    return tuple(value) if key == "handle" and isinstance(value, list) else value
