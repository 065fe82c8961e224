"""YAML, as far as it is JSON.

Only plain data is made of it: no tag makes an object. Before anything is made, the document is measured as if every alias
were written out, so that a few lines that refer to each other cannot become a billion values.
"""

from __future__ import annotations

from functools import cache
from typing import Any, ClassVar, Literal

from pydantic import Field

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes import json_path, json_text
from flowscope.nodes.sdk import NodeConfig, node

MOST_CHARACTERS = 1024 * 1024
MOST_VALUES = 1_000_000
_TEXT, _MERGE = "tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"


@cache
def _loader() -> Any:
    """Dates stay text, as JSON has them. (The library is imported when the first text comes.)"""
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
            first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
            for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }

    return Loader


@cache
def _dumper() -> Any:
    import yaml

    class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
        def ignore_aliases(self, data: Any) -> bool:
            return True

    return Dumper


class Yaml(NodeConfig):
    operation: Literal["parse", "build"] = Field("parse", description="From text, or to text")
    value: JSON = Field(None, description="The text to parse or the value to write; the input where left out")
    documents: bool = Field(
        False, description="The text may hold several documents, separated by `---`: the result is a list of them"
    )
    result_field: str = Field("result", min_length=1, description="The name of the result in the output")


@node(
    "yaml",
    title="YAML",
    category="text",
    icon="file-cog",
    effects="pure",
    example={"operation": "parse", "value": "{{ content }}"},
)
def yaml(config: Yaml, input: JSON) -> JSON:
    """Reads YAML, or writes it. The output is the input with `result`. Dates stay text, keys become text. Tags that
    stand for objects, and aliases that would grow beyond a million values, are refused."""
    value = config.value if "value" in config.model_fields_set else input
    result: JSON = _built(value, config.documents) if config.operation == "build" else _parsed(value, config.documents)
    return json_path.merged(input, {config.result_field: result})


def _parsed(text: JSON, several: bool) -> JSON:
    if not isinstance(text, str):
        raise _failed("YAML is text")
    if len(text) > MOST_CHARACTERS:
        raise _failed(f"more than {MOST_CHARACTERS:,} characters")
    import yaml as pyyaml

    documents: list[JSON] = []
    loader: Any = None
    try:
        _require_shallow(text)
        loader = _loader()(text)
        while loader.check_node():
            composed = loader.get_node()
            _measure(composed)
            documents.append(json_text.plain(loader.construct_document(composed), "value"))
    except (pyyaml.YAMLError, ValueError, TypeError) as error:
        raise _failed(f"the text is not plain YAML: {' '.join(str(error).split())}") from None
    finally:
        if loader is not None:
            loader.dispose()
    if several:
        return documents
    if len(documents) > 1:
        raise _failed("the text holds several documents. Set documents to true for a list of them")
    return documents[0] if documents else None


def _require_shallow(text: str) -> None:
    """Before anything is composed: that is done by recursion, in C, and too deep a text would end the process."""
    import yaml as pyyaml

    depth = 0
    for event in pyyaml.parse(text, _loader()):
        if isinstance(event, pyyaml.CollectionStartEvent):
            depth += 1
            if depth > json_text.MAX_DEPTH:
                raise _failed(f"nested deeper than {json_text.MAX_DEPTH} levels")
        elif isinstance(event, pyyaml.CollectionEndEvent):
            depth -= 1


def _measure(root: Any) -> None:
    """Refuse what is too large, or without end, once its aliases are followed; each node is counted once. Keys become
    the text they are written as."""
    sizes: dict[int, int] = {}
    stack, open_ = [root], set()
    while stack:
        one = stack[-1]
        below = _children(one)
        if id(one) not in open_:
            open_.add(id(one))
            waiting = [child for child in below if id(child) not in sizes]
            if any(id(child) in open_ for child in waiting):
                raise _failed("an alias refers to what it is part of")
        else:
            waiting = [child for child in below if id(child) not in sizes]
        if waiting:
            stack.append(waiting[0])
            continue
        stack.pop()
        sizes[id(one)] = 1 + sum(sizes[id(child)] for child in below)
        if sizes[id(one)] > MOST_VALUES:
            raise _failed(f"its aliases, written out, make more than {MOST_VALUES:,} values")


def _children(one: Any) -> list[Any]:
    if one.id == "mapping":
        for key, _ in one.value:
            if key.id == "scalar" and key.tag != _MERGE:
                key.tag = _TEXT
        return [child for pair in one.value for child in pair]
    return list(one.value) if one.id == "sequence" else []


def _built(value: JSON, several: bool) -> str:
    import yaml as pyyaml

    documents = value if several and isinstance(value, list) else [value]
    dumped: str = pyyaml.dump_all(
        documents, Dumper=_dumper(), sort_keys=False, allow_unicode=True, explicit_start=len(documents) > 1
    )
    return dumped.removesuffix("...\n")


def _failed(said: str) -> NodeError:
    return NodeError(f"value: {said}", code="BAD_YAML", retryable=False)
