"""HTML, XML and YAML, the bombs among them."""

from __future__ import annotations

from typing import Any

import pytest

from flowscope.errors import NodeError
from unit.nodes.bench import Bench

PAGE = """<html><head><title> Shop </title><script>alert(1)</script></head><body>
<h1>Prices <b>today</b></h1><a href="/a">A</a><a href="/b?x=1&amp;y=2">B</a><a>C</a>
<ul><li class="x">1</li><li>2</li></ul></body></html>"""


async def extract(select: Any, html: Any = PAGE) -> Any:
    return (await Bench().run("html_extract", {"html": html, "select": select}, {}))["result"]


async def test_selecting() -> None:
    assert await extract({"title": "title", "h": "h1", "none": ".nothing"}) == {
        "title": "Shop", "h": "Prices today", "none": None,
    }  # fmt: skip
    links = {"selector": "a", "take": "attribute", "attribute": "href", "all": True}
    assert await extract({"links": links}) == {"links": ["/a", "/b?x=1&y=2", None]}
    assert await extract({"x": {"selector": "li", "all": True}}) == {"x": ["1", "2"]}
    assert await extract({"x": {"selector": "li.x", "take": "html"}}) == {"x": '<li class="x">1</li>'}
    assert await extract({"x": {"selector": "p", "all": True}}) == {"x": []}
    assert await extract({"x": "b"}, "<b>un<i>closed") == {"x": "un closed"}


@pytest.mark.parametrize(
    "html", ["", "\0", "<" * 10_000, "<a>" * 20_000, "&#x110000;", "<!doctype", "<table><td>" * 2_000]
)
async def test_any_page_is_read(html: str) -> None:
    assert await extract({"x": "nothing"}, html) == {"x": None}


@pytest.mark.parametrize(
    ("select", "html", "says"),
    [
        ({"x": "li["}, PAGE, "select.x: 'li\\[' is not a CSS selector"),
        ({"x": {"selector": "a", "take": "attribute"}}, PAGE, "attribute names one"),
        ({}, PAGE, "at least 1 item"),
        ({"x": "a"}, "x" * (10 * 1024 * 1024 + 1), "html: more than 10,485,760 characters"),
        ({"x": "a"}, None, "html: Input should be a valid string"),
    ],
)
async def test_what_html_extract_refuses(select: Any, html: Any, says: str) -> None:
    with pytest.raises(NodeError, match=says):
        await extract(select, html)


async def xml(value: Any, **more: Any) -> Any:
    return (await Bench().run("xml", {"value": value, **more}, {}))["result"]


ORDERS = '<?xml version="1.0"?><orders at="2026"><order id="1">A</order><order id="2"/><note>x<b/>y</note><e/></orders>'


async def test_reading_xml() -> None:
    assert await xml(ORDERS) == {
        "orders": {
            "@at": "2026",
            "order": [{"@id": "1", "#text": "A"}, {"@id": "2"}],
            "note": {"b": None, "#text": "xy"},
            "e": None,
        }
    }
    assert await xml("<a><b>1</b></a>", lists=["b"]) == {"a": {"b": ["1"]}}
    assert await xml('<s:a xmlns:s="urn:x" s:k="1"><s:b>&lt;&amp;</s:b></s:a>') == {"a": {"@k": "1", "b": "<&"}}
    assert await xml("<a>" * 64 + "</a>" * 64)


async def test_writing_xml() -> None:
    value = {"orders": {"@at": 2026, "order": [{"@id": 1, "#text": "<A>"}, "B"], "open": True, "none": None}}
    text = await xml(value, operation="build")
    assert text == (
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<orders at="2026"><order id="1">&lt;A&gt;</order><order>B</order><open>true</open><none /></orders>'
    )
    assert await xml({"a": {"b": 1}}, operation="build", indent=2) == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<a>\n  <b>1</b>\n</a>'
    )
    assert (await xml(await xml({"a": {"b": ["1", "2"]}}, operation="build"))) == {"a": {"b": ["1", "2"]}}


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
XML_BOMBS = (
    f'<!DOCTYPE l [<!ENTITY l0 "lol">{LAUGHS}]><l>&l9;</l>',
    f'<!DOCTYPE l [<!ENTITY a "{"x" * 100_000}">]><l>{"&a;" * 1_000}</l>',
    '<!DOCTYPE l [<!ENTITY f SYSTEM "file:///etc/passwd">]><l>&f;</l>',
    '<!DOCTYPE l [<!ENTITY % p SYSTEM "http://127.0.0.1/x.dtd"> %p;]><l/>',
    '<!DOCTYPE l SYSTEM "http://127.0.0.1/x.dtd"><l/>',
    "<!DOCTYPE html><l/>",
)


@pytest.mark.parametrize("text", XML_BOMBS)
async def test_xml_bombs_and_entities_are_refused(text: str) -> None:
    with pytest.raises(NodeError, match="value: it has a DTD or entities, which are refused") as caught:
        await xml(text)
    assert caught.value.code == "XML_DENIED"


@pytest.mark.parametrize(
    ("value", "more", "says"),
    [
        ("<a><b></a>", {}, "value: the text is not XML: mismatched tag"),
        ("", {}, "value: the text is not XML"),
        ("<a>\0</a>", {}, "value: the text is not XML"),
        ('<?xml version="1.0" encoding="nope"?><a/>', {}, "not XML"),
        ({"a": 1}, {}, "value: XML is text"),
        ("<a>" * 65 + "</a>" * 65, {}, "nested deeper than 64 levels"),
        ({"a": 1, "b": 2}, {"operation": "build"}, "one key, the name of the root element"),
        ({"a": [1]}, {"operation": "build"}, "a: there is one root element"),
        ({"a b": 1}, {"operation": "build"}, "'a b' cannot be the name"),
        ({"a": {"@x><y": 1}}, {"operation": "build"}, "cannot be the name of an element or attribute"),
        ({"a": "x\0"}, {"operation": "build"}, "a control character, which XML has not"),
    ],
)
async def test_what_xml_refuses(value: Any, more: Any, says: str) -> None:
    with pytest.raises(NodeError, match=says) as caught:
        await xml(value, **more)
    assert not caught.value.retryable


async def yaml(value: Any, **more: Any) -> Any:
    return (await Bench().run("yaml", {"value": value, **more}, {}))["result"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: 1\nb: [x, 2.5, yes, null]\n", {"a": 1, "b": ["x", 2.5, True, None]}),
        ("at: 2026-01-31\n", {"at": "2026-01-31"}),
        ("1: a\ntrue: b\nnull: c\nno: d\n", {"1": "a", "true": "b", "null": "c", "no": "d"}),
        (
            "base: &b {x: 1}\nuse: {<<: *b, y: 2}\nagain: *b\n",
            {"base": {"x": 1}, "use": {"x": 1, "y": 2}, "again": {"x": 1}},
        ),
        ("text: |\n  a\n  b\n", {"text": "a\nb\n"}),
        ("", None),
        ("just text", "just text"),
    ],
)
async def test_reading_yaml(text: str, value: Any) -> None:
    assert await yaml(text) == value


async def test_writing_yaml() -> None:
    value = {"b": 1, "a": ["ä", None, {"x": True}], "text": "yes", "same": [1], "date": "2026-01-31"}
    text = await yaml(value, operation="build")
    assert text.splitlines()[0] == "b: 1"
    assert await yaml(text) == value
    assert await yaml("x", operation="build") == "x\n"
    assert await yaml("a: 1\n---\n- 2\n", documents=True) == [{"a": 1}, [2]]
    assert await yaml([1, 2], operation="build", documents=True) == "--- 1\n--- 2\n"


_LEVELS = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]\n" for n in range(1, 10))
_MERGES = "".join(f"m{n}: &m{n}\n  <<: [{', '.join([f'*m{n - 1}'] * 10)}]\n" for n in range(1, 10))
YAML_BOMBS = (
    f"l0: &l0 lol\n{_LEVELS}",
    f"m0: &m0 {{x: 1}}\n{_MERGES}",
    "a: &a [*a]\n",
    "a: &a {b: *a}\n",
    "[" * 65 + "]" * 65,
    "[" * 100_000,
    "x" * (1024 * 1024 + 1),
)


@pytest.mark.parametrize("text", YAML_BOMBS, ids=lambda text: text[:20])
async def test_yaml_bombs_are_refused(text: str) -> None:
    with pytest.raises(NodeError, match=r"value: .*(aliases|alias refers|nested|more than|plain YAML)") as caught:
        await yaml(text)
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("!!python/object/apply:os.system ['id']", "not plain YAML: could not determine a constructor"),
        ("!!python/name:os.system", "not plain YAML"),
        ("a: !!binary aGk=", "a bytes at a, which JSON has not"),
        ("!!set {a, b}", "a set, which JSON has not"),
        ("a: [", "not plain YAML: .*line 2"),
        ("? [a]\n: 1", "not plain YAML|a key that is a list"),
        ("a: .inf", "NaN or an infinity at a"),
        ("a: 1\n---\nb: 2", "several documents. Set documents to true"),
    ],
)
async def test_what_yaml_refuses(text: str, says: str) -> None:
    with pytest.raises(NodeError, match=says):
        await yaml(text)
