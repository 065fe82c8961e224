"""HTML and XML: text that says what its parts are.

An XML document is read without its DTD, so that no entity is ever expanded, neither from a file nor into a billion laughs.
"""

from __future__ import annotations

import re
from typing import Literal
from xml.etree import ElementTree

from defusedxml import ElementTree as Defused
from defusedxml.common import DefusedXmlException
from pydantic import Field, model_validator
from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes import json_path, json_text
from flowscope.nodes.sdk import NodeConfig, node

MOST = 10 * 1024 * 1024
_NAME = re.compile(r"[A-Za-z_][\w.-]*(:[A-Za-z_][\w.-]*)?")
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class Selection(NodeConfig):
    """What to take from the page under one name."""

    selector: str = Field(min_length=1, max_length=1_000, description="A CSS selector, such as `table.prices td`")
    take: Literal["text", "html", "attribute"] = Field("text", description="What of the element")
    attribute: str = Field("", description="With `attribute`, its name, such as `href`")
    all: bool = Field(False, description="Every element as a list, instead of the first; null where there is none")

    @model_validator(mode="after")
    def _named(self) -> Selection:
        if (self.take == "attribute") != bool(self.attribute):
            raise ValueError("attribute names one, with take as attribute")
        return self


class HtmlExtract(NodeConfig):
    html: str = Field(description="The page", json_schema_extra={"format": "code", "contentMediaType": "text/html"})
    select: dict[str, Selection | str] = Field(
        min_length=1, description="What to take, by name: a CSS selector as text, or with more said"
    )
    result_field: str = Field("result", min_length=1, description="The name of the result in the output")


@node(
    "html_extract",
    title="Extract from HTML",
    category="text",
    icon="code-xml",
    effects="pure",
    example={
        "html": "{{ data }}",
        "select": {"title": "h1", "links": {"selector": "a", "take": "attribute", "attribute": "href", "all": True}},
    },
)
def html_extract(config: HtmlExtract, input: JSON) -> JSON:
    """Takes parts of a web page by CSS selectors. The output is the input with `result`, an object by the names in
    `select`; what the page has not is null, or an empty list. Nothing on the page is run or fetched."""
    _bounded(config.html, "html")
    page = LexborHTMLParser(config.html)
    result = {name: _selected(page, name, one) for name, one in config.select.items()}
    return json_path.merged(input, {config.result_field: result})


def _selected(page: LexborHTMLParser, name: str, selection: Selection | str) -> JSON:
    if isinstance(selection, str):
        selection = Selection(selector=selection)
    try:
        found = page.css(selection.selector)
    except (SelectolaxError, ValueError) as error:
        raise _failed(f"select.{name}: {selection.selector!r} is not a CSS selector: {error}", "BAD_SELECTOR") from None
    values = [_taken(each, selection) for each in found]
    return values if selection.all else values[0] if values else None


def _taken(element: LexborNode, selection: Selection) -> JSON:
    if selection.take == "attribute":
        return element.attributes.get(selection.attribute)
    if selection.take == "html":
        return element.html
    return " ".join(element.text(separator=" ").split())


class Xml(NodeConfig):
    operation: Literal["parse", "build"] = Field("parse", description="From text, or to text")
    value: JSON = Field(None, description="The text to parse, or the object to build it of; the input where left out")
    lists: list[str] = Field(
        default_factory=list, description="With `parse`, names of elements that are always lists, even one alone"
    )
    indent: int = Field(0, ge=0, le=8, description="With `build`, spaces a level; 0 is one line")
    result_field: str = Field("result", min_length=1, description="The name of the result in the output")


@node(
    "xml",
    title="XML",
    category="text",
    icon="file-code",
    effects="pure",
    example={"operation": "parse", "value": "{{ data }}", "lists": ["order"]},
)
def xml(config: Xml, input: JSON) -> JSON:
    """Reads XML, or writes it. An element is an object: its attributes are `@name`, its text `#text`, its children
    stand by their names, several of one name as a list; one with nothing but text is that text. The output is the
    input with `result`. A document with a DTD is refused: entities can be bombs, or reach for files."""
    value = config.value if "value" in config.model_fields_set else input
    result = _built(value, config.indent) if config.operation == "build" else _parsed(value, frozenset(config.lists))
    return json_path.merged(input, {config.result_field: result})


def _parsed(text: JSON, lists: frozenset[str]) -> JSON:
    if not isinstance(text, str):
        raise _failed("value: XML is text", "BAD_XML")
    _bounded(text, "value")
    try:
        root = Defused.fromstring(text.encode(), forbid_dtd=True)
    except DefusedXmlException:
        raise _failed(
            "value: it has a DTD or entities, which are refused. Send it without a DOCTYPE", "XML_DENIED"
        ) from None
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise _failed(f"value: the text is not XML: {error}", "BAD_XML") from None
    return {_local(root.tag): _object(root, lists, 1)}


def _object(element: ElementTree.Element, lists: frozenset[str], depth: int) -> JSON:
    if depth > json_text.MAX_DEPTH:
        raise _failed(f"value: nested deeper than {json_text.MAX_DEPTH} levels", "BAD_XML")
    fields: dict[str, JSON] = {f"@{_local(name)}": value for name, value in element.attrib.items()}
    for child in element:
        name, value = _local(child.tag), _object(child, lists, depth + 1)
        if name not in fields:
            fields[name] = [value] if name in lists else value
        elif isinstance(fields[name], list):
            fields[name].append(value)
        else:
            fields[name] = [fields[name], value]
    text = "".join([element.text or "", *(child.tail or "" for child in element)]).strip()
    if not fields:
        return text or None
    return {**fields, "#text": text} if text else fields


def _local(name: str) -> str:
    """Without the namespace, which ElementTree writes in front in braces."""
    return name.rpartition("}")[2]


def _built(value: JSON, indent: int) -> str:
    if not isinstance(value, dict) or len(value) != 1:
        raise _failed("value: give an object with one key, the name of the root element", "BAD_XML")
    ((name, content),) = value.items()
    if isinstance(content, list):
        raise _failed(f"value: {name}: there is one root element, not a list of them", "BAD_XML")
    root = _element(name, content)
    if indent:
        ElementTree.indent(root, " " * indent)
    return '<?xml version="1.0" encoding="UTF-8"?>' + "\n" * bool(indent) + ElementTree.tostring(root, "unicode")


def _element(name: str, content: JSON) -> ElementTree.Element:
    element = ElementTree.Element(_checked(name))
    if not isinstance(content, dict):
        element.text = None if content is None else _text(content)
        return element
    for key, value in content.items():
        if key == "#text":
            element.text = _text(value)
        elif key.startswith("@"):
            element.set(_checked(key[1:]), _text(value))
        else:
            element.extend(_element(key, each) for each in (value if isinstance(value, list) else [value]))
    return element


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise _failed(f"value: {name[:60]!r} cannot be the name of an element or attribute", "BAD_XML")
    return name


def _text(value: JSON) -> str:
    text = value if isinstance(value, str) else json_text.stringify(value)
    if _NOT_IN_XML.search(text):
        raise _failed("value: a text holds a control character, which XML has not", "BAD_XML")
    return text


def _bounded(text: str, field: str) -> None:
    if len(text) > MOST:
        raise _failed(f"{field}: more than {MOST:,} characters", "TOO_LARGE")


def _failed(message: str, code: str) -> NodeError:
    return NodeError(message, code=code, retryable=False)
