"""What expressions mean, as a table."""

from __future__ import annotations

import copy

import pytest

from flowscope.errors import ExpressionError, ExpressionSyntaxError, UnknownName
from flowscope.expressions import JSON, MappingScope, compile_template, evaluate

SCOPE: dict[str, JSON] = {
    "json": {
        "name": "Ann",
        "age": 41,
        "class": "first",
        "from": "here",
        "tags": ["a", "b", "c"],
        "key with space": 1,
        "content-type": "text/html",
        "none": None,
        "0": "zero",
        "nested": {"deep": [{"x": 1}, {"x": 2}]},
        "länge": 5,
    },
    "items": [{"id": 3, "n": "c"}, {"id": 1, "n": "a"}, {"id": 2, "n": "b"}],
    "node-1": {"x": 7, "y-z": 8},
    "7": {"out": "by digit"},
    "count": 4,
    "a": 10,
    "b": 3,
    "empty": [],
    "yes": True,
    "secrets": {"TOKEN": "t"},
}

TABLE: list[tuple[str, JSON]] = [
    # paths
    ("$json.name", "Ann"),
    ("json.name", "Ann"),
    ("json.class", "first"),
    ("json.from + '!'", "here!"),
    ("items.0.id", 3),
    ("items[0].id", 3),
    ("items[-1].n", "b"),
    ("items.0.id + 1", 4),
    ("json.0", "zero"),
    ("json[0]", "zero"),
    ("json['key with space']", 1),
    ('json["key with space"] + 1', 2),
    ("json.länge", 5),
    ("json.tags.length", 3),
    ("json.name.length", 3),
    ("json.nested.deep[1].x", 2),
    ("json[ 'na' + 'me' ]", "Ann"),
    ("7.out", "by digit"),
    ("7.out + ''", "by digit"),
    ("json.name[0]", "A"),
    ("json.tags[1:]", ["b", "c"]),
    ("json.name[::-1]", "nnA"),
    # hyphens
    ("node-1.x", 7),
    ("node-1.y-z", 8),
    ("node-1.x + 1", 8),
    ("json.content-type", "text/html"),
    ("count-1", 3),
    ("a-b", 7),
    ("2*a-b", 17),
    ("json.tags[json.tags.length-1]", "c"),
    ("node-9.x ?? 'none'", "none"),
    ("[x-1 for x in [1, 2]]", [0, 1]),
    # missing
    ("json.none?.x", None),
    ("json.zip?.x.y", None),
    ("json?.zip", None),
    ("nowhere?.x", None),
    ("json?.['zip']", None),
    ("json.zip ?? 'none'", "none"),
    ("nowhere ?? 1", 1),
    ("nowhere.a.b ?? elsewhere ?? 2", 2),
    ("json.none ?? 3", 3),
    ("json.zip ?? 1 + 1", 2),
    ("default(json.zip, 4)", 4),
    ("json.zip?.upper()", None),
    ("json.none?.upper() ?? 'x'", "x"),
    ("0 ?? 1", 0),
    # literals
    ("true", True),
    ("True", True),
    ("null", None),
    ("None", None),
    ("1.5e3", 1500.0),
    ("'a\\nb'", "a\nb"),
    ("'\\u00e9'", "é"),
    ("'\\ud83d\\ude00'", "😀"),
    ("'it\\'s'", "it's"),
    ("'\\d'", "\\d"),
    ("[1, [2], {'a': 3}]", [1, [2], {"a": 3}]),
    ("{a: 1, 'b': 2, ['c' + 'd']: 3}", {"a": 1, "b": 2, "cd": 3}),
    ("'}}'", "}}"),
    ("{'a': {'b': {}}}", {"a": {"b": {}}}),
    # operators
    ("1 + 2 * 3", 7),
    ("(1 + 2) * 3", 9),
    ("7 // 2", 3),
    ("7 % 3", 1),
    ("-7 % 3", 2),
    ("6 / 3", 2.0),
    ("2 ** 10", 1024),
    ("2 ** -1", 0.5),
    ("-2 ** 2", -4),
    ("'a' + 'b'", "ab"),
    ("'ab' * 2", "abab"),
    ("[1] + [2]", [1, 2]),
    ("1 < 2 < 3", True),
    ("1 < 3 < 2", False),
    ("'a' < 'b'", True),
    ("1 == 1.0", True),
    ("1 == true", False),
    ("[1] == [true]", False),
    ("1 == '1'", False),
    ("{'a': 1, 'b': 2} == {'b': 2, 'a': 1.0}", True),
    ("1 === 1", True),
    ("1 !== 2", True),
    ("'a' in json.tags", True),
    ("'name' in json", True),
    ("'nn' in json.name", True),
    ("'z' not in json.tags", True),
    ("yes && count", 4),
    ("empty || 'x'", "x"),
    ("!empty", True),
    ("!yes == false", True),
    ("not yes", False),
    ("false and nowhere", False),
    ("true or nowhere", True),
    ("1 if yes else 2", 1),
    ("yes ? 1 : 2", 1),
    ("empty ? 1 : 2", 2),
    ("count > 9 ? 'a' : count > 3 ? 'b' : 'c'", "b"),
    ("yes ? empty ? 1 : 2 : 3", 2),
    ("[yes ? 1 : 2, !yes ? 1 : 2]", [1, 2]),
    ("{a: yes ? 1 : 2, b: 3}", {"a": 1, "b": 3}),
    ("json.tags.map(x => x == 'a' ? 1 : 0)", [1, 0, 0]),
    ("[x > 1 ? 'y' : 'n' for x in [1, 2] if x ? true : false]", ["n", "y"]),
    ("yes ? json?.zip : 1", None),
    # calls, functions, comprehensions
    ("upper('a')", "A"),
    ("'a'.upper()", "A"),
    ("'a'.starts_with('a')", True),
    ("items.map(x => x.id)", [3, 1, 2]),
    ("items.map((x, i) => [i, x.id])", [[0, 3], [1, 1], [2, 2]]),
    ("items.map(lambda x: x.id)", [3, 1, 2]),
    ("items.map(x => ({k: x.n}))", [{"k": "c"}, {"k": "a"}, {"k": "b"}]),
    ("items.map(x => items.filter(y => y.id > x.id).length())", [0, 2, 1]),
    ("[x.id for x in items if x.id > 1]", [3, 2]),
    ("[x * y for x in [1, 2] for y in [3, 4]]", [3, 4, 6, 8]),
    ("{k: v for k, v in {'a': 1}.entries()}", {"a": 1}),
    ("[k for k in {'a': 1}]", ["a"]),
    ("sum(x.id for x in items)", 6),
    ("[count for count in [1]]", [1]),
    ("items\n  .filter(x => x.id > 1)\n  .pluck('n')", ["c", "b"]),
]


def value_of(source: str) -> JSON:
    return evaluate(compile_template("{{ " + source + " }}"), MappingScope(SCOPE))


@pytest.mark.parametrize(("source", "expected"), TABLE, ids=[source for source, _ in TABLE])
def test_meaning(source: str, expected: JSON) -> None:
    before = copy.deepcopy(SCOPE)
    value = value_of(source)
    assert value == expected
    assert type(value) is type(expected)
    assert before == SCOPE


ERRORS: list[tuple[str, type[ExpressionError], str]] = [
    ("json.nmae", UnknownName, 'Did you mean "name"?'),
    ("jsno.name", UnknownName, 'There is no name "jsno". Did you mean "json"?'),
    ("json.none.x", UnknownName, "in null"),
    ("items[9]", UnknownName, "the list has 3"),
    ("node-9.x", UnknownName, 'There is no name "node-9". Did you mean "node-1"?'),
    ("'a' + 1", ExpressionError, "Cannot add text and a number"),
    ("null + 1", ExpressionError, "Cannot add null and a number"),
    ("true + 1", ExpressionError, "Cannot add a boolean and a number"),
    ("[] - {}", ExpressionError, "Cannot subtract a list and an object"),
    ("1 < 'a'", ExpressionError, "Cannot compare a number and text"),
    ("1 / 0", ExpressionError, "Division by zero"),
    ("1e308 * 10", ExpressionError, "not a finite number"),
    ("upper(1)", ExpressionError, "upper() works on text, not on a number"),
    ("'a'.padStart('x')", ExpressionError, "padStart(): width must be a whole number, not text"),
    ("'a'.upper(1, 2)", ExpressionError, "takes 1 argument"),
    ("uper('a')", ExpressionSyntaxError, "Did you mean upper()?"),
    ("a = 1", ExpressionSyntaxError, "write =="),
    ("a & b", ExpressionSyntaxError, "write &&"),
    ("a is b", ExpressionSyntaxError, "not an expression"),
    ("yes ? 1", ExpressionSyntaxError, 'has no ":"'),
    ("items.map(json)", ExpressionError, "must be a function such as x => x.id, or a key, not an object"),
    ("5[0]", UnknownName, "in a number"),
    ("for", UnknownName, "for"),
]


@pytest.mark.parametrize(("source", "error", "words"), ERRORS, ids=[source for source, _, _ in ERRORS])
def test_errors_say_what_is_wrong(source: str, error: type[ExpressionError], words: str) -> None:
    with pytest.raises(error) as caught:
        value_of(source)
    assert words in str(caught.value)
    assert caught.value.source == source


def test_conditionals_side_by_side_are_not_deep() -> None:
    assert value_of("[" + "yes ? 1 : 2, " * 100 + "]") == [1] * 100


def test_long_chains_are_not_deep() -> None:
    assert value_of("1" + " + 1" * 200) == 201
    assert value_of("nowhere" + " ?? nowhere" * 200 + " ?? 1") == 1


def test_an_error_knows_its_column() -> None:
    with pytest.raises(ExpressionError) as caught:
        value_of("count + (1 / nowhere)")
    assert caught.value.offset == 13
    with pytest.raises(ExpressionSyntaxError) as syntax:
        value_of("count + )")
    assert syntax.value.offset == 8
