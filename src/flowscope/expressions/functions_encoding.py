"""Encodings and digests."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from urllib.parse import quote, unquote_to_bytes

from flowscope.errors import ExpressionError
from flowscope.expressions.catalogue import function
from flowscope.expressions.run import Run
from flowscope.expressions.values import JSON, text_weight

_DIGESTS = frozenset({"sha256", "sha512", "sha1", "md5"})


def _bytes(run: Run, text: str) -> bytes:
    run.build(text_weight(text))
    run.touch(4 * len(text))
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ExpressionError("The text holds half a character and cannot be encoded") from None


def _text(name: str, data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ExpressionError(f"{name}(): what comes out is not UTF-8 text") from None


@function("base64Encode", "text")
def base64_encode(run: Run, text: str) -> JSON:
    """Base64."""
    return run.text(base64.b64encode(_bytes(run, text)).decode())


@function("base64Decode", "text")
def base64_decode(run: Run, text: str) -> JSON:
    """The text back; the URL-safe alphabet is taken as well."""
    # The URL-safe alphabet and left-out padding are common enough to be taken as well.
    data = _bytes(run, text.strip()).translate(bytes.maketrans(b"-_", b"+/"))
    try:
        decoded = base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ExpressionError("base64Decode(): this is not base64") from None
    return _text("base64Decode", decoded)


@function("urlEncode", "text")
def url_encode(run: Run, text: str) -> JSON:
    """Safe inside a URL."""
    run.build(3 * text_weight(text))
    return quote(_bytes(run, text), safe="")


@function("urlDecode", "text")
def url_decode(run: Run, text: str) -> JSON:
    """The text back."""
    return _text("urlDecode", unquote_to_bytes(_bytes(run, text.replace("+", " "))))


@function("hash", "text", "text?")
def digest(run: Run, text: str, algorithm: str = "sha256") -> JSON:
    """Hexadecimal; `sha256`, `sha512`, `sha1` or `md5`."""
    _known(algorithm)
    return hashlib.new(algorithm, _bytes(run, text), usedforsecurity=False).hexdigest()


@function("hmac", "text", "text", "text?")
def keyed_digest(run: Run, text: str, key: str, algorithm: str = "sha256") -> JSON:
    """Hexadecimal, keyed."""
    _known(algorithm)
    return hmac.new(_bytes(run, key), _bytes(run, text), algorithm).hexdigest()


def _known(algorithm: str) -> None:
    if algorithm not in _DIGESTS:
        raise ExpressionError(f"The algorithm is one of {', '.join(sorted(_DIGESTS))}")
