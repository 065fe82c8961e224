"""Paths into JSON values: `user.address.0.street`. A step is an object's key or a list's index."""

from __future__ import annotations

import json

from flowscope.definition.workflow import JSON


def read(value: JSON, path: str) -> JSON:
    """What stands at `path`, null where nothing does. A key that itself contains the dots wins; an empty
    path is `value`."""
    if not path:
        return value
    if isinstance(value, dict) and path in value:
        return value[path]
    for step in path.split("."):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and len(step) < 10 and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def put(target: dict[str, JSON], path: str, value: JSON) -> None:
    """Set `path` in `target`. The objects on the way are copied or made, so that what `target` was copied
    from stays as it is; whatever else stood in the way is replaced."""
    *parents, last = path.split(".")
    for step in parents:
        below = target.get(step)
        target[step] = dict(below) if isinstance(below, dict) else {}
        target = target[step]
    target[last] = value


def expression(path: str) -> str:
    """The template that reads `path` in a node's input and is null where nothing stands there."""
    steps = path.removeprefix("$json.").split(".")
    return "{{ json" + "".join(f"?.[{json.dumps(step, ensure_ascii=False)}]" for step in steps) + " }}"


def merged(value: JSON, fields: dict[str, JSON]) -> dict[str, JSON]:
    """`value` with `fields` added; a list becomes `{items}` and a lone value `{value}`, as where branches
    meet."""
    if isinstance(value, dict):
        return {**value, **fields}
    if value is None:
        return dict(fields)
    return {"items" if isinstance(value, list) else "value": value, **fields}
