"""Reading and writing files below the roots."""

from __future__ import annotations

import base64
import os
from typing import Literal

from pydantic import Field

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes import json_path, json_text
from flowscope.nodes.context import NodeContext
from flowscope.nodes.file_roots import RootedFile, explained
from flowscope.nodes.folders import Pattern, described, folder_of, look
from flowscope.nodes.sdk import NodeConfig, node

MEBIBYTE = 1024 * 1024


class ReadFile(NodeConfig):
    path: str = Field(description="The file, below one of the roots; a relative path is in the first")
    as_: Literal["text", "json", "base64"] = Field("text", alias="as", description="What `content` is to be")
    max_bytes: int = Field(10 * MEBIBYTE, ge=1, le=64 * MEBIBYTE, description="A larger file is refused, not cut off")


@node(
    "read_file",
    title="Read a file",
    category="files",
    icon="file-input",
    effects="external",
    example={"path": "reports/today.json", "as": "json"},
)
def read_file(config: ReadFile, input: JSON, context: NodeContext) -> JSON:
    """Reads a whole file. The output is the input with `path`, `content` and `size` in bytes. CSV files are
    better read by `csv_processor`, which does not hold them in memory."""
    file = RootedFile(config.path, context.surroundings)
    with explained(file), file.read() as stream:
        data = stream.read(config.max_bytes + 1)
    if len(data) > config.max_bytes:
        raise NodeError(
            f"{config.path!r} is larger than maxBytes, {config.max_bytes:,}", code="FILE_TOO_LARGE", retryable=False
        )
    return json_path.merged(input, {"path": config.path, "content": _content(config, data), "size": len(data)})


def _content(config: ReadFile, data: bytes) -> JSON:
    if config.as_ == "base64":
        return base64.b64encode(data).decode()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise NodeError(
            f'{config.path!r} is not text in UTF-8. Read it with "as": "base64"', code="NOT_TEXT", retryable=False
        ) from None
    return json_text.parse(text, config.path) if config.as_ == "json" else text


class ListFiles(NodeConfig):
    folder: str = Field(".", min_length=1, max_length=1_000, description="A folder inside the file roots")
    pattern: Pattern = "*"


@node(
    "list_files",
    title="List files",
    category="files",
    icon="folder-open",
    effects="external",
    example={"folder": "reports", "pattern": "*.json"},
)
def list_files(config: ListFiles, input: JSON, context: NodeContext) -> JSON:
    """Lists the files of a folder that match, by name; 20,000 at most. The output is the input with `files`, each
    `{path, name, size, modifiedAt}` as the other file nodes take them, and `count`. Hidden files and links are left
    out."""
    folder = folder_of(config.folder, context.surroundings)
    seen = look(folder, config.pattern, context.surroundings.private)
    files: list[JSON] = [described(config.folder, path, *stamp) for path, stamp in sorted(seen.items())]
    return json_path.merged(input, {"files": files, "count": len(files)})


class WriteFile(NodeConfig):
    path: str = Field(description="The file, below one of the roots; folders on the way are made")
    content: JSON = Field(description="The text; anything else is written as JSON")
    mode: Literal["overwrite", "append"] = Field(
        "overwrite", description="`overwrite` replaces the file at once, or not at all; `append` adds to its end"
    )
    as_: Literal["text", "base64"] = Field("text", alias="as", description="What `content` is")


@node(
    "write_file",
    title="Write a file",
    category="files",
    icon="file-output",
    effects="external",
    example={"path": "reports/today.md", "content": "# {{ title }}\n", "mode": "overwrite"},
)
def write_file(config: WriteFile, input: JSON, context: NodeContext) -> JSON:
    """Writes a file and waits until the disk has it. The output is the input with `path` and `size`, the bytes
    written. A crash in the middle of an append may have it run again and add its text twice; `onLost` as
    `fail` or `ask` prevents that."""
    file = RootedFile(config.path, context.surroundings)
    data = _data(config)
    with explained(file):
        if config.mode == "overwrite":
            with file.replace() as stream:
                stream.write(data)
        else:
            _append(file, data)
    return json_path.merged(input, {"path": config.path, "size": len(data)})


def _append(file: RootedFile, data: bytes) -> None:
    with file.append() as stream:
        rest = memoryview(data)
        while rest:
            rest = rest[stream.write(rest) :]
        os.fsync(stream.fileno())


def _data(config: WriteFile) -> bytes:
    content = config.content
    if config.as_ == "base64":
        try:
            return base64.b64decode(content, validate=True)
        except (TypeError, ValueError):
            raise NodeError("content is not base64", code="BAD_BASE64", retryable=False) from None
    return (content if isinstance(content, str) else json_text.stringify(content, 2)).encode()
