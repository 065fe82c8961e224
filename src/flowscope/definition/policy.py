"""The policy of a node: the keys of `data.config` that every node type has, taken out and checked.

The checks are strict and nothing is converted: a policy that means something else than it says shows only on the day
when a node fails.
"""

from __future__ import annotations

from collections.abc import Callable

from flowscope.definition.problems import Problems, below, name_of, quoted
from flowscope.definition.workflow import JSON, Policy, Retry

LONGEST = 31_536_000_000
"""The longest delay or time-out in milliseconds: a year."""

NO_POLICY = Policy()

_RETRY = {"attempts": "attempts", "delay": "delay", "factor": "factor", "maxDelay": "max_delay", "jitter": "jitter"}


def split(config: dict[str, JSON], place: str, problems: Problems) -> tuple[Policy, dict[str, JSON]]:
    """The policy in a config, and the rest of it. A key that is null says nothing, as if it were absent."""
    if KEYS.isdisjoint(config):
        return NO_POLICY, config
    said = {}
    for key, (field, read) in _READERS.items():
        value = config.get(key)
        if value is not None:
            checked = read(value, below(place, key), problems)
            if checked is not None:
                said[field] = checked
    return Policy(**said), {key: value for key, value in config.items() if key not in KEYS}


def number(
    value: JSON, place: str, problems: Problems, *, least: float, most: float = LONGEST, unit: str = ""
) -> float | None:
    """A number in a range, or None and a problem. Expressions are refused: a policy holds before there is any data."""
    if type(value) in (int, float) and least <= value <= most:
        return value  # type: ignore[no-any-return]
    bounds = f"a number{' of ' + unit if unit else ''} from {least:,} to {most:,}"
    if isinstance(value, str):
        if "{{" in value:
            problems.add(place, f"must be {bounds}; an expression cannot be used here", "Write the number itself")
        else:
            problems.add(place, f"must be {bounds}, not a text", f"Write it without quotes: {value[:20]}")
    else:
        problems.add(place, f"must be {bounds}, not {name_of(value)}")
    return None


def whole(value: JSON, place: str, problems: Problems, *, least: int, most: int, unit: str = "") -> int | None:
    """As `number`, and whole."""
    if isinstance(value, float) and not value.is_integer():
        problems.add(place, f"must be a whole number, not {name_of(value)}")
        return None
    read = number(value, place, problems, least=least, most=most, unit=unit)
    return None if read is None else int(read)


LONGEST_KEY = 128
"""Characters of a concurrency key."""


def _milliseconds(value: JSON, place: str, problems: Problems) -> float | None:
    return number(value, place, problems, least=0, unit="milliseconds")


def _attempts(value: JSON, place: str, problems: Problems) -> int | None:
    return whole(value, place, problems, least=1, most=100, unit="attempts, the first included,")


def _factor(value: JSON, place: str, problems: Problems) -> float | None:
    return number(value, place, problems, least=1, most=1_000)


def _jitter(value: JSON, place: str, problems: Problems) -> float | None:
    return number(value, place, problems, least=0, most=1)


def _retry(value: JSON, place: str, problems: Problems) -> Retry | None:
    if isinstance(value, int) and not isinstance(value, bool):
        attempts = _attempts(value, place, problems)
        return None if attempts is None else Retry(attempts=attempts)
    if not isinstance(value, dict):
        problems.add(place, f"must be an object or a number of attempts, not {name_of(value)}", _RETRY_REMEDY)
        return None
    for key in value:
        if key not in _RETRY:
            problems.add(below(place, key), "is not a setting of retry", f"It has: {', '.join(_RETRY)}")
    said = {}
    for key, field in _RETRY.items():
        if value.get(key) is not None:
            checked = _RETRY_READERS[key](value[key], below(place, key), problems)
            if checked is not None:
                said[field] = checked
    return Retry(**said)  # type: ignore[arg-type]  # each reader returns its field's type


def _cache(value: JSON, place: str, problems: Problems) -> float | None:
    if not isinstance(value, dict):
        problems.add(place, f"must be an object, not {name_of(value)}", 'For example {"ttl": 60000}')
        return None
    for key in value:
        if key != "ttl":
            problems.add(below(place, key), "is not a setting of cache", "It has: ttl")
    return number(value.get("ttl"), below(place, "ttl"), problems, least=1, unit="milliseconds")


def _flag(value: JSON, place: str, problems: Problems) -> bool | None:
    if isinstance(value, bool):
        return value
    problems.add(place, f"must be true or false, not {name_of(value)}")
    return None


def _one_of(*words: str) -> Callable[[JSON, str, Problems], str | None]:
    def read(value: JSON, place: str, problems: Problems) -> str | None:
        if isinstance(value, str) and value in words:
            return value
        known = ", ".join(map(quoted, words[:-1])) + f" or {quoted(words[-1])}"
        remedy = problems.suggest(value, words) if isinstance(value, str) else ""
        problems.add(place, f"must be {known}, not {name_of(value)}", remedy)
        return None

    return read


def _key(value: JSON, place: str, problems: Problems) -> str | None:
    if isinstance(value, str) and value and value.isprintable() and (len(value) <= LONGEST_KEY or "{{" in value):
        return value
    problems.add(
        place, f"must be a text of 1 to {LONGEST_KEY} visible characters", 'For example "customer {{ json.id }}"'
    )
    return None


def _count(value: JSON, place: str, problems: Problems) -> int | None:
    return whole(value, place, problems, least=1, most=100_000)


_RETRY_REMEDY = 'For example 3, or {"attempts": 3, "delay": 1000}'
_RETRY_READERS: dict[str, Callable[[JSON, str, Problems], float | None]] = {
    "attempts": _attempts,
    "delay": _milliseconds,
    "factor": _factor,
    "maxDelay": _milliseconds,
    "jitter": _jitter,
}
_READERS: dict[str, tuple[str, Callable[[JSON, str, Problems], JSON]]] = {
    "retry": ("retry", _retry),
    "timeout": ("timeout", _milliseconds),
    "continueOnError": ("continue_on_error", _flag),
    "join": ("join", _one_of("all", "any")),
    "onLost": ("on_lost", _one_of("rerun", "fail", "ask")),
    "resources": ("resources", _one_of("io", "cpu")),
    "disabled": ("disabled", _flag),
    "cache": ("cache", _cache),
    "concurrencyKey": ("concurrency_key", _key),
    "concurrencyLimit": ("concurrency_limit", _count),
}
KEYS = frozenset(_READERS)
"""The config keys that belong to the engine, whatever the node's type."""
