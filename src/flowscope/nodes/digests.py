"""Hashes, signatures and identifiers."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import time
import uuid
from collections.abc import Callable
from typing import Literal

from pydantic import Field, model_validator

from flowscope.definition.workflow import JSON
from flowscope.nodes import json_path, json_text
from flowscope.nodes.sdk import NodeConfig, Secret, node

_ENCODED: dict[str, Callable[[bytes], str]] = {
    "hex": bytes.hex,
    "base64": lambda data: base64.b64encode(data).decode(),
    "base64url": lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="),
}


class Crypto(NodeConfig):
    operation: Literal["hash", "hmac", "uuid"] = Field(
        "hash", description="A hash of a value, a signature with a key, or a new identifier"
    )
    value: JSON = Field(
        None, description="What to hash or sign: text as UTF-8, anything else as JSON; the input by default"
    )
    algorithm: Literal["sha256", "sha384", "sha512", "sha3_256", "blake2b", "sha1", "md5"] = Field(
        "sha256", description="The hash; `sha1` and `md5` only where somebody else asks for them"
    )
    key: Secret = Field("", description="With `hmac`, the key: {{ secrets.name }}")
    encoding: Literal["hex", "base64", "base64url"] = Field("hex", description="How the result is written")
    expected: str | None = Field(
        None,
        description="With `hash` and `hmac`, what it should be: the result is true or false, compared in constant time",
    )
    version: Literal["4", "7"] = Field(
        "4", description="With `uuid`: 4 is random, 7 begins with the time and so sorts by it"
    )
    result_field: str = Field("result", min_length=1, description="The name of the result in the output")

    @model_validator(mode="after")
    def _keyed(self) -> Crypto:
        if (self.operation == "hmac") != bool(self.key):
            raise ValueError("hmac takes a key, and nothing else does" if self.key else "hmac needs a key")
        return self


@node(
    "crypto",
    title="Hash, sign, identify",
    category="data",
    icon="fingerprint",
    effects="pure",
    example={"operation": "hmac", "value": "{{ json.body }}", "key": "{{ secrets.shop_hook }}"},
)
def crypto(config: Crypto, input: JSON) -> JSON:
    """Makes a hash, a signature (HMAC) or a UUID. The output is the input with `result`: text, or with `expected` true
    or false. This is no way to store passwords."""
    if config.operation == "uuid":
        return json_path.merged(input, {config.result_field: _uuid(config.version)})
    value = config.value if "value" in config.model_fields_set else input
    data = (value if isinstance(value, str) else json_text.stringify(value)).encode()
    if config.operation == "hmac":
        made = hmac.digest(config.key.encode(), data, config.algorithm)
    else:
        made = hashlib.new(config.algorithm, data, usedforsecurity=False).digest()
    result: JSON = _ENCODED[config.encoding](made)
    if config.expected is not None:
        result = hmac.compare_digest(str(result).encode(), config.expected.strip().encode())
    return json_path.merged(input, {config.result_field: result})


def _uuid(version: str) -> str:
    if version == "4":
        return str(uuid.uuid4())
    value = (time.time_ns() // 1_000_000 << 80) | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | (7 << 76)
    return str(uuid.UUID(int=value & ~(3 << 62) | (2 << 62)))
