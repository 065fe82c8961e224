"""From a workflow's JSON to a `Workflow`: the shape of every part, before anything is asked of the graph.

Reading goes on after a fault. A node or an edge that cannot be read leaves an empty stand-in in its place (its id, type
or ends are empty texts), so that indices still agree with the document and `validate` can report the rest of it.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from itertools import count
from typing import Any

from flowscope.definition.document import DEFAULT, Limits, collector_paused, parse
from flowscope.definition.policy import NO_POLICY, number, split, whole
from flowscope.definition.problems import Problems, name_of, refuse
from flowscope.definition.workflow import JSON, Edge, Node, Pinned, Settings, Workflow

ID_LENGTH = 128

_NO_EDGE = Edge(id="", source="", target="")
_NO_NODE = Node(id="", type="", label="", config={}, policy=NO_POLICY)
_HANDLES = {"output_true": "true", "output_false": "false"}
_FARTHEST = 10_000_000
_MOST_AT_ONCE = 100_000


def decode(document: bytes | str | dict[str, JSON], *, limits: Limits = DEFAULT) -> Workflow:
    """The workflow in a document, whose graph may still be wrong; `DefinitionInvalid` tells all that its shape lacks."""
    with collector_paused():
        workflow, problems = read(document, limits)
    problems.raise_if_any()
    return workflow


def read(document: bytes | str | dict[str, JSON], limits: Limits = DEFAULT) -> tuple[Workflow, Problems]:
    """The workflow as far as it can be read, and what was wrong; raises only where there is nothing to read."""
    value, canonical = parse(document, limits)
    if not isinstance(value, dict):
        raise refuse("", f"must be an object, not {name_of(value)}", "A workflow is a JSON object with nodes and edges")
    problems = Problems()
    nodes = _list(value, "nodes", problems, required=True)
    edges = _list(value, "edges", problems)
    _require_within(limits, len(nodes), len(edges))
    digest = hashlib.sha256(canonical).hexdigest()
    name = _text(value, "name", problems)
    workflow_id = _workflow_id(value, name, digest, problems)
    workflow = Workflow(
        id=workflow_id,
        name=name or workflow_id,
        nodes=tuple([_node(node, f"nodes[{index}]", problems) for index, node in enumerate(nodes)]),
        edges=tuple(_with_ids([_edge(edge, f"edges[{index}]", problems) for index, edge in enumerate(edges)])),
        settings=_settings(value, problems),
        vars=_object(value, "vars", "vars", problems),
        document=canonical,
        hash=digest,
    )
    return workflow, problems


def _require_within(limits: Limits, nodes: int, edges: int) -> None:
    if nodes > limits.nodes:
        raise refuse("nodes", f"are too many: {nodes:,}, the limit is {limits.nodes:,}", "Split the workflow")
    if edges > limits.edges_per_node * max(nodes, 1):
        allowed = f"{limits.edges_per_node} for each node on average"
        raise refuse("edges", f"are too many: {edges:,} for {nodes:,} nodes, the limit is {allowed}")


def _workflow_id(value: dict[str, JSON], name: str, digest: str, problems: Problems) -> str:
    if value.get("id") is not None:
        return _identifier(value["id"], "id", problems)
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()[:ID_LENGTH]).strip("-")
    return slug or f"workflow-{digest[:12]}"


def _node(raw: JSON, place: str, problems: Problems) -> Node:
    if not isinstance(raw, dict):
        problems.add(place, f"must be an object, not {name_of(raw)}")
        return _NO_NODE
    node_id = _identifier(raw.get("id"), place + ".id", problems)
    parent = raw.get("parentId")
    if parent is not None:
        parent = _identifier(parent, place + ".parentId", problems) or None
    position = raw.get("position")
    if position is not None:
        position = _position(position, place + ".position", problems)
    data = raw.get("data")
    if not isinstance(data, dict):
        fault = "is required" if data is None else f"must be an object, not {name_of(data)}"
        problems.add(place + ".data", fault, 'It holds the node\'s type and config: {"type": "set", "config": {}}')
        return Node(node_id, "", node_id, {}, NO_POLICY, parent, position)
    label = _text(data, "label", problems, place + ".data.label")
    node_type = _type(data, place + ".data.type", problems)
    config_place = place + ".data.config"
    policy, config = split(_object(data, "config", config_place, problems), config_place, problems)
    pinned = _pinned(data.get("pinned"), place + ".data.pinned", problems)
    return Node(node_id, node_type, label or node_id, config, policy, parent, position, pinned)


def _pinned(raw: JSON, place: str, problems: Problems) -> Pinned | None:
    if raw is None:
        return None
    if not isinstance(raw, dict) or "output" not in raw or not raw.keys() <= {"output", "handle"}:
        problems.add(place, "must be an object with output, and perhaps handle", 'For example {"output": {"total": 3}}')
        return None
    handle = _handle(raw.get("handle"), "output", place + ".handle", problems)
    return Pinned(raw["output"], _HANDLES.get(handle, handle))


def _type(data: dict[str, JSON], place: str, problems: Problems) -> str:
    if data.get("type") is None:
        problems.add(place, "is required", "It is the node's type; the type beside data only chooses how it is drawn")
        return ""
    return _identifier(data["type"], place, problems)


def _position(raw: JSON, place: str, problems: Problems) -> tuple[float, float] | None:
    if not isinstance(raw, dict):
        problems.add(place, f"must be an object with x and y, not {name_of(raw)}")
        return None
    x = number(raw.get("x"), place + ".x", problems, least=-_FARTHEST, most=_FARTHEST)
    y = number(raw.get("y"), place + ".y", problems, least=-_FARTHEST, most=_FARTHEST)
    return None if x is None or y is None else (x, y)


def _edge(raw: JSON, place: str, problems: Problems) -> Edge:
    if not isinstance(raw, dict):
        problems.add(place, f"must be an object, not {name_of(raw)}")
        return _NO_EDGE
    edge_id = raw.get("id")
    return Edge(
        "" if edge_id is None else _identifier(edge_id, place + ".id", problems),
        _identifier(raw.get("source"), place + ".source", problems),
        _identifier(raw.get("target"), place + ".target", problems),
        _source_handle(raw, place, problems),
        _handle(raw.get("targetHandle"), "input", place + ".targetHandle", problems),
    )


def _source_handle(raw: dict[str, JSON], place: str, problems: Problems) -> str:
    handle = _handle(raw.get("sourceHandle"), "output", place + ".sourceHandle", problems)
    data = raw.get("data")
    inner = data.get("isDefault") if isinstance(data, dict) else None
    for flag, where in ((raw.get("isDefault"), ".isDefault"), (inner, ".data.isDefault")):
        if flag is True:
            return "default"
        if flag is not None and flag is not False:
            problems.add(place + where, f"must be true or false, not {name_of(flag)}")
    return _HANDLES.get(handle, handle)


def _handle(raw: JSON, default: str, place: str, problems: Problems) -> str:
    if raw is None or raw == "":
        return default
    return _identifier(raw, place, problems) or default


def _with_ids(edges: list[Edge]) -> list[Edge]:
    """Edges need no id in the document: one without is named after its ends, apart from any other."""
    taken = {edge.id for edge in edges}
    numbers: defaultdict[str, count[int]] = defaultdict(lambda: count(2))
    named = []
    for edge in edges:
        if not edge.id and edge.source and edge.target:
            edge_id = stem = f"{edge.source}->{edge.target}"
            while edge_id in taken:
                edge_id = f"{stem} ({next(numbers[stem])})"
            taken.add(edge_id)
            edge = Edge(edge_id, edge.source, edge.target, edge.source_handle, edge.target_handle)
        named.append(edge)
    return named


def _settings(value: dict[str, JSON], problems: Problems) -> Settings:
    written = _object(value, "settings", "settings", problems)
    said: dict[str, Any] = {}
    if written.get("timeout") is not None:
        said["timeout"] = number(written["timeout"], "settings.timeout", problems, least=0, unit="milliseconds")
    if written.get("concurrency") is not None:
        said["concurrency"] = whole(
            written["concurrency"], "settings.concurrency", problems, least=0, most=_MOST_AT_ONCE
        )
    if written.get("priority") is not None:
        said["priority"] = whole(written["priority"], "settings.priority", problems, least=-1_000, most=1_000)
    limits = _object(written, "typeConcurrency", "settings.typeConcurrency", problems)
    if limits:
        said["type_concurrency"] = {
            kind: whole(most, f"settings.typeConcurrency.{kind}", problems, least=1, most=_MOST_AT_ONCE) or 1
            for kind, most in limits.items()
        }
    return Settings(**{key: said_value for key, said_value in said.items() if said_value is not None})


def _identifier(value: JSON, place: str, problems: Problems) -> str:
    """An id, or an empty text and a problem. Visible characters only: what cannot be seen cannot be told apart."""
    if type(value) is str and 0 < len(value) <= ID_LENGTH and value.isprintable() and " " not in (value[0], value[-1]):
        return value
    problems.add(place, *_fault_of_identifier(value))
    return ""


def _fault_of_identifier(value: JSON) -> tuple[str, str]:
    if value is None:
        return "is required", ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"must be a text, not {name_of(value)}", "Put it in quotes"
    if not isinstance(value, str):
        return f"must be a text, not {name_of(value)}", ""
    if not value:
        return "is empty", ""
    if len(value) > ID_LENGTH:
        return f"is longer than {ID_LENGTH} characters: {len(value):,}", ""
    if value[0].isspace() or value[-1].isspace():
        return "begins or ends with a space", "Remove the space"
    code = next(ord(char) for char in value if not char.isprintable())
    return f"holds a character that cannot be seen: U+{code:04X}", "Use visible characters"


def _text(value: dict[str, JSON], key: str, problems: Problems, place: str = "") -> str:
    text = value.get(key)
    if text is None or isinstance(text, str):
        return text or ""
    problems.add(place or key, f"must be a text, not {name_of(text)}")
    return ""


def _list(value: dict[str, JSON], key: str, problems: Problems, *, required: bool = False) -> list[JSON]:
    items = value.get(key)
    if isinstance(items, list):
        return items
    if items is not None:
        problems.add(key, f"must be a list, not {name_of(items)}")
    elif required:
        problems.add(key, "are required", "A workflow is a JSON object with nodes and edges")
    return []


def _object(value: dict[str, JSON], key: str, place: str, problems: Problems) -> dict[str, JSON]:
    members = value.get(key)
    if isinstance(members, dict):
        return members
    if members is not None:
        problems.add(place, f"must be an object, not {name_of(members)}")
    return {}
