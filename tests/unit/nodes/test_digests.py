from __future__ import annotations

import re
from typing import Any

import pytest

from flowscope.errors import NodeError
from unit.nodes.bench import REGISTRY, Bench


async def crypto(**config: Any) -> Any:
    return (await Bench().run("crypto", config, {"a": 1}))["result"]


async def test_hashes() -> None:
    assert await crypto(value="abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert await crypto(value="abc", algorithm="md5") == "900150983cd24fb0d6963f7d28e17f72"
    assert await crypto(value="abc", algorithm="sha1", encoding="base64") == "qZk+NkcGgWq6PiVxeFDCbJzQ2J0="
    assert await crypto(value="abc", algorithm="sha1", encoding="base64url") == "qZk-NkcGgWq6PiVxeFDCbJzQ2J0"
    assert await crypto() == await crypto(value='{"a":1}')
    for algorithm in ("sha384", "sha512", "sha3_256", "blake2b"):
        assert len(await crypto(value="", algorithm=algorithm)) >= 64


async def test_signatures() -> None:
    """RFC 4231, the second case."""
    known = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    signed = {"operation": "hmac", "key": "Jefe", "value": "what do ya want for nothing?"}
    assert await crypto(**signed) == known
    assert await crypto(**signed, expected=f" {known}\n") is True
    assert await crypto(**signed, expected=known.replace("5", "6")) is False


async def test_identifiers() -> None:
    assert re.fullmatch(
        r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", await crypto(operation="uuid")
    )
    made = [await crypto(operation="uuid", version="7") for _ in range(20)]
    assert len(set(made)) == 20
    assert [each[:13] for each in made] == sorted(each[:13] for each in made)
    assert all(re.fullmatch(r"[0-9a-f-]{14}7[0-9a-f]{3}-[89ab][0-9a-f-]+", each) for each in made)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"operation": "hmac"}, "hmac needs a key"),
        ({"operation": "hash", "key": "x"}, "hmac takes a key, and nothing else does"),
        ({"algorithm": "crc32"}, "algorithm: "),
    ],
)
async def test_errors(config: Any, says: str) -> None:
    with pytest.raises(NodeError, match=says):
        await crypto(**config)


def test_the_key_is_marked_as_a_secret() -> None:
    crypto_type = REGISTRY.find("crypto")
    assert crypto_type is not None
    field = crypto_type.schema()["properties"]["key"]
    assert (field["format"], field["writeOnly"]) == ("password", True)
