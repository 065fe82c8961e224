"""Every function, by family."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from flowscope.errors import ExpressionError
from flowscope.expressions import JSON, MappingScope, compile_template, evaluate, function_names

SCOPE: dict[str, JSON] = {
    "p": [{"n": "b", "v": 2}, {"n": "a", "v": 1}, {"n": "c", "v": 2}],
    "o": {"a": 1, "b": {"c": [5]}, "x.y": 6},
    "d": "2026-01-31T10:20:30.456Z",
}

TABLE: list[tuple[str, JSON]] = [
    # text
    ("'aB'.upper()", "AB"), ("'aB'.lower()", "ab"), ("'a b'.title()", "A B"), ("'aB c'.capitalize()", "AB c"),
    ("' a '.trim()", "a"), ("' a '.trimStart()", "a "), ("' a '.trimEnd()", " a"),
    ("'a,b'.split(',')", ["a", "b"]), ("' a  b '.split()", ["a", "b"]), ("'a\\nb'.lines()", ["a", "b"]),
    ("'aaa'.replace('a', 'b')", "bbb"), ("'aaa'.replace('a', 'b', 1)", "baa"),
    ("'abc'.startsWith('ab')", True), ("'abc'.endsWith('bc')", True), ("'abc'.includes('b')", True),
    ("'abc'.contains('z')", False), ("'abc'.indexOf('c')", 2), ("'abc'.indexOf('z')", -1), ("'aba'.count('a')", 2),
    ("'abcd'.slice(1, 3)", "bc"), ("'abcd'.slice(-2)", "cd"), ("'7'.padStart(3, '0')", "007"),
    ("'7'.padEnd(3)", "7  "), ("'ab'.repeat(2)", "abab"), ("'abc'.reverse()", "cba"),
    ("'abcdef'.truncate(4)", "abc…"), ("'abc'.truncate(3)", "abc"), ("'abc'.length()", 3), ("len('abc')", 3),
    # patterns
    ("'a1'.regexTest('\\d')", True), ("'a1b22'.regexMatch('[a-z](\\d+)')", ["a1", "1"]), ("'a'.regexMatch('x')", None),
    ("'a1b22'.regexMatchAll('\\d+')", [["1"], ["22"]]), ("'ab'.regexReplace('(a)(b)', '$2$1$$')", "ba$"),
    ("'abc'.regexReplace('', '-')", "-a-b-c-"), ("'éa'.regexReplace('a', 'x')", "éx"),
    # lists
    ("[1, 2].length()", 2), ("[1, 2].first()", 1), ("[].first()", None), ("[1, 2].last()", 2),
    ("[1, 2].map(x => x * 2)", [2, 4]), ("p.map('n')", ["b", "a", "c"]), ("p.pluck('v')", [2, 1, 2]),
    ("[1, 2, 3].filter(x => x > 1)", [2, 3]), ("[1, 2].find(x => x > 1)", 2), ("[1].find(x => x > 1)", None),
    ("[0, 1].any()", True), ("[1, 2].any(x => x > 2)", False), ("[1, 0].all()", False), ("[1].every(x => x > 0)", True),
    ("[1, 2, 3].count(x => x > 1)", 2), ("[3, 1, 2].sort()", [1, 2, 3]), ("['b', 'a'].sort('desc')", ["b", "a"]),
    ("[2, null, 1].sort()", [1, 2, None]), ("p.sortBy('n').pluck('n')", ["a", "b", "c"]),
    ("p.sortBy(x => x.v, 'desc').pluck('n')", ["b", "c", "a"]),
    ("p.groupBy('v').keys()", ["2", "1"]), ("p.groupBy(x => x.v)['1']", [{"n": "a", "v": 1}]),
    ("p.keyBy('n').c.v", 2), ("[1, 1.0, true, '1', [1], [1.0]].unique()", [1, True, "1", [1]]),
    ("p.unique('v').pluck('n')", ["b", "a"]), ("[[1, [2]], 3].flatten()", [1, [2], 3]), ("[[1, [2]]].flatten(2)", [1, 2]),
    ("[1, 2].reverse()", [2, 1]), ("[1, 2, 3].slice(1)", [2, 3]), ("[1, 2, 3].chunk(2)", [[1, 2], [3]]),
    ("[1].concat([2], [3])", [1, 2, 3]), ("[1, 'a', null, true].join('-')", "1-a--true"),
    ("[1, 2].includes(2)", True), ("[[1]].indexOf([1])", 0), ("[1, 2].sum()", 3), ("p.sum('v')", 5), ("[].sum()", 0),
    ("[1, 2].avg()", 1.5), ("[].avg()", None), ("[2, 1].min()", 1), ("['a', 'b'].max()", "b"), ("[].max()", None),
    ("range(3)", [0, 1, 2]), ("range(1, 3)", [1, 2]), ("range(3, 0, -2)", [3, 1]), ("range(-1)", []),
    # objects
    ("o.length()", 3), ("o.keys()", ["a", "b", "x.y"]), ("{a: 1}.values()", [1]), ("{a: 1}.entries()", [["a", 1]]),
    ("fromEntries([['a', 1]])", {"a": 1}), ("o.has('a')", True), ("has(o, 'z')", False), ("o.get('b.c.0')", 5),
    ("o.get('b.z', 9)", 9), ("o.get('x.y')", 6), ("p.get('[0].n')", None), ("p.get('0.n')", "b"),
    ("{a: 1}.merge({b: 2}, {a: 3})", {"a": 3, "b": 2}), ("o.pick('a', 'zz')", {"a": 1}), ("{a: 1, b: 2}.omit('a')", {"b": 2}),
    ("{a: 1}.mapValues(x => x + 1)", {"a": 2}),
    # numbers
    ("round(2.5)", 3), ("round(-2.5)", -3), ("round(2.675, 2)", 2.68), ("round(1234, -2)", 1200), ("toFixed(2, 2)", "2.00"),
    ("2.345.toFixed(2)", "2.35"), ("floor(-1.5)", -2), ("ceil(1.2)", 2), ("abs(-3)", 3), ("sqrt(9)", 3.0),
    ("min(3, 1, 2)", 1), ("max(3, 1.5)", 3), ("clamp(9, 0, 5)", 5),
    # any value
    ("type(1)", "number"), ("type(null)", "null"), ("type([])", "list"), ("type({})", "object"), ("type('')", "text"),
    ("type(true)", "boolean"), ("isEmpty('')", True), ("isEmpty(0)", False), ("isEmpty(null)", True), ("isNumber(1)", True),
    ("default(null, 1)", 1), ("coalesce(null, null, 2)", 2), ("str(1.0)", "1"), ("str([1])", "[1]"), ("toNumber(' 1.5 ')", 1.5),
    ("toNumber('12')", 12), ("int('7.9')", 7), ("int(-7.9)", -7), ("float(1)", 1.0), ("bool('no')", False), ("bool('x')", True),
    ("toJson({a: [1, 'é']})", '{"a":[1,"é"]}'), ("toJson([1], 2)", "[\n  1\n]"), ("parseJson('{\"a\": [1, 2.5, null]}')", {"a": [1, 2.5, None]}),
    # dates
    ("now()", "2026-01-01T00:00:00.000Z"), ("toDate('2026-01-31')", "2026-01-31T00:00:00.000Z"), ("toDate(0)", "1970-01-01T00:00:00.000Z"),
    ("d.toDate('Europe/Paris')", "2026-01-31T11:20:30.456+01:00"), ("d.toDate('+05:30')", "2026-01-31T15:50:30.456+05:30"),
    ("d.toMillis()", 1769854830456), ("d.formatDate('%Y/%m/%d %H:%M:%S.%L %a %B %% %j')", "2026/01/31 10:20:30.456 Sat January % 031"),
    ("d.formatDate('%I:%M %p', 'America/New_York')", "05:20 AM"), ("d.addTime(1, 'month')", "2026-02-28T10:20:30.456Z"),
    ("d.addTime(-1, 'years')", "2025-01-31T10:20:30.456Z"), ("d.addTime(1.5, 'hours')", "2026-01-31T11:50:30.456Z"),
    ("d.addTime(4, 'ms')", "2026-01-31T10:20:30.460Z"), ("d.diffTime('2026-01-30T10:20:30.456Z', 'days')", 1.0),
    ("diffTime(5, 2)", 3), ("d.startOf('day')", "2026-01-31T00:00:00.000Z"), ("d.startOf('week')", "2026-01-26T00:00:00.000Z"),
    ("d.startOf('quarter')", "2026-01-01T00:00:00.000Z"), ("d.startOf('minute')", "2026-01-31T10:20:00.000Z"),
    ("d.startOf('hour')", "2026-01-31T10:00:00.000Z"), ("d.startOf('second')", "2026-01-31T10:20:30.000Z"),
    ("d.datePart('weekday')", 6), ("d.datePart('quarter')", 1),
    # encodings
    ("'é'.base64Encode()", "w6k="), ("'w6k'.base64Decode()", "é"), ("'a b/é'.urlEncode()", "a%20b%2F%C3%A9"),
    ("'a+b%2F'.urlDecode()", "a b/"), ("'a'.hash('md5')", "0cc175b9c0f1b6a831c399e269772661"), ("'a'.hash().length()", 64),
    ("'a'.hmac('k', 'sha1').length()", 40),
]  # fmt: skip


@pytest.mark.parametrize(("source", "expected"), TABLE, ids=[source for source, _ in TABLE])
def test_function(source: str, expected: JSON) -> None:
    value = evaluate(compile_template("{{ " + source + " }}"), MappingScope(SCOPE), now=1_767_225_600_000)
    assert value == expected
    assert type(value) is type(expected)


def test_every_function_has_a_test() -> None:
    used = {name for source, _ in TABLE for name in re.findall(r"(\w+)\(", source)}
    assert set(function_names()) <= used


def test_every_function_is_documented_and_every_documented_one_exists() -> None:
    page = (Path(__file__).parents[3] / "docs/expressions.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)\(", page, re.MULTILINE)
    assert sorted(set(rows)) == function_names()


@pytest.mark.parametrize(
    "source",
    [
        "[1, 'a'].sort()", "[{}].sort()", "['a'].sum()", "[1].chunk(0)", "flatten([], 99)", "replace('a', '', 'b')",
        "padStart('a', 3, 'ab')", "round(1, 99)", "sqrt(-1)", "'x'.base64Decode()", "'/w=='.base64Decode()",
        "'%ff'.urlDecode()", "'a'.hash('crc')", "d.addTime(1, 'fortnights')", "d.addTime(0.5, 'months')",
        "toDate('yesterday')", "d.toDate('Mars/Base')", "d.toDate('Europe')", "d.diffTime(0, 'months')",
        "d.formatDate('%Q')", "d.datePart('era')", "now(1)", "upper()", "fromEntries([[1, 2]])", "range(1, 2, 0)",
        "'a'.regexReplace('a', '$1')", "[1].map(x => nowhere)", "[1].map((a, b, c) => 1)", "upper(x => x)",
    ],
)  # fmt: skip
def test_refused(source: str) -> None:
    with pytest.raises(ExpressionError):
        evaluate(compile_template("{{ " + source + " }}"), MappingScope(SCOPE), now=0)


def test_now_needs_a_moment() -> None:
    with pytest.raises(ExpressionError, match="now"):
        evaluate(compile_template("{{ now() }}"), MappingScope({}))
