"""The body of an HTTP response: bounded while it is read and while it is unpacked, then made a JSON value."""

from __future__ import annotations

import base64
import zlib
from collections.abc import AsyncIterator, Mapping
from typing import Literal, TypeAlias

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes import json_text

ResponseFormat: TypeAlias = Literal["auto", "json", "text", "base64"]

ACCEPTED_ENCODINGS = "gzip, deflate"
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS


async def collect(chunks: AsyncIterator[bytes], encoding: str, limit: int) -> bytes:
    """The unpacked body, of at most `limit` bytes: it is never unpacked further than that, whatever it claims
    to be."""
    unpack = _unpacker(encoding)
    body = bytearray()
    async for chunk in chunks:
        body += unpack(chunk, limit + 1 - len(body))
        if len(body) > limit:
            raise NodeError(
                f"The answer is larger than maxBytes, {limit:,}", code="RESPONSE_TOO_LARGE", retryable=False
            )
    return bytes(body)


class _Inflate:
    """gzip (of one member or several), zlib, or a bare deflate stream, no further than asked."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._begun = False
        self._ended = False

    def __call__(self, chunk: bytes, room: int) -> bytes:
        unpacked = b""
        while chunk and len(unpacked) < room:
            unpacked += self._some(chunk, room - len(unpacked))
            chunk = self._stream.unused_data
            if self._stream.eof:
                self._ended, self._stream = True, zlib.decompressobj(_GZIP_OR_ZLIB)
        return unpacked

    def _some(self, chunk: bytes, room: int) -> bytes:
        begun, self._begun = self._begun, True
        try:
            return self._stream.decompress(chunk, room)
        except zlib.error:
            if self._ended:
                return b""  # what follows the last member is padding
            if begun:
                raise _garbled() from None
        self._stream = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            return self._stream.decompress(chunk, room)
        except zlib.error:
            raise _garbled() from None


class _Plain:
    def __call__(self, chunk: bytes, room: int) -> bytes:
        return chunk


def _unpacker(encoding: str) -> _Inflate | _Plain:
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return _Plain()
    if name in ("gzip", "x-gzip", "deflate"):
        return _Inflate()
    raise NodeError(
        f"The answer is packed as {name[:40]!r}, which was not asked for", code="BAD_RESPONSE", retryable=False
    )


def decoded(body: bytes, headers: Mapping[str, str], form: ResponseFormat) -> JSON:
    """The body as the value of `data`. `auto` goes by the content type and never fails: JSON, text, else
    base64."""
    kind, charset = _content_type(headers.get("content-type", ""))
    if form == "base64":
        return base64.b64encode(body).decode()
    if form == "json":
        return json_text.parse(body, "responseFormat")
    if form == "text":
        return body.decode(charset, "replace")
    if not body:
        return None
    if kind == "application/json" or kind.endswith("+json"):
        try:
            return json_text.parse(body, "data")
        except NodeError:
            return body.decode(charset, "replace")
    try:
        text = body.decode(charset)
    except UnicodeDecodeError:
        return base64.b64encode(body).decode()
    return base64.b64encode(body).decode() if "\0" in text else text


def _content_type(value: str) -> tuple[str, str]:
    kind, _, parameters = value.partition(";")
    charset = "utf-8"
    for parameter in parameters.split(";"):
        name, _, given = parameter.partition("=")
        if name.strip().lower() == "charset":
            charset = given.strip().strip('"').lower()
    return kind.strip().lower(), charset if charset in _CHARSETS else "utf-8"


# Not every codec Python knows is a character set, and some unpack.
_CHARSETS = frozenset({
    "utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "iso-8859-15", "latin-1", "windows-1252", "windows-1251",
    "utf-16", "utf-16le", "utf-16be", "shift_jis", "euc-jp", "euc-kr", "gb2312", "gbk", "gb18030", "big5", "koi8-r",
})  # fmt: skip


def _garbled() -> NodeError:
    return NodeError("The answer cannot be unpacked: it is garbled", code="BAD_RESPONSE")
