"""Drawings show every node once, tell ways apart, and are safe to look at."""

from __future__ import annotations

import xml.etree.ElementTree as xml
from itertools import pairwise
from textwrap import dedent

from flowscope.definition import Workflow, decode
from flowscope.definition.builder import WorkflowBuilder
from flowscope.definition.drawing import as_svg, as_text


def orders() -> Workflow:
    flow = WorkflowBuilder("orders", name="Orders")
    start = flow.add("manual_trigger", id="start")
    fetch = flow.add("http_request", id="fetch", retry=3, timeout=1_500).after(start)
    check = flow.add("if_else", id="check", label="Large?").after(fetch)
    with flow.container("map", id="each").after(check["true"]) as each:
        price = flow.add("math", id="price")
        price >> [flow.add("set", id="x"), flow.add("set", id="y")] >> flow.add("merge", id="line")
    small = flow.add("log_output", id="small", continue_on_error=True).after(check["false"])
    [each, small] >> flow.add("merge", id="join", join="any") >> flow.add("set", id="end", disabled=True)
    flow.add("set", id="alarm").after(fetch["error"])
    return flow.build()


def test_text() -> None:
    assert as_text(orders()) == dedent("""\
        Orders · 12 nodes, 12 edges

        ● start              manual_trigger
        ◆ fetch              http_request  retry 3  timeout 1.5 s
        ├─ ◆ Large? [check]  if_else
        │  ├─ true
        │  │  ▣ each         map
        │  │  ┃  ● price     math
        │  │  ┃  ├─ ● x      set
        │  │  ┃  │  └─ → line
        │  │  ┃  └─ ● y      set
        │  │  ┃     └─ → line
        │  │  ┃  ● line      merge
        │  │  ┗━
        │  │  └─ → join
        │  └─ false
        │     ● small        log_output  goes on after an error
        │     └─ → join
        │  ● join            merge  any join
        │  ● end             set  disabled
        └─ error
           ● alarm           set
        """)


def test_text_of_a_long_chain_is_one_column() -> None:
    flow = WorkflowBuilder("w")
    steps = [flow.add("set") for _ in range(20_000)]
    for before, after in pairwise(steps):
        before >> after
    lines = as_text(flow.build()).splitlines()[2:]
    assert len(lines) == 20_000
    assert all(line.startswith("● ") for line in lines)


def test_text_of_branches_in_branches_stays_readable() -> None:
    flow = WorkflowBuilder("w")
    spine = flow.add("if_else")
    for _ in range(2_000):
        spine["false"] >> flow.add("set")
        following = flow.add("if_else")
        spine["true"] >> following
        spine = following
    text = as_text(flow.build())
    assert text.count("●") + text.count("◆") == 4_001
    assert max(map(len, text.splitlines())) < 160


def test_drafts_can_be_drawn() -> None:
    nodes = [{"id": id, "data": {"type": "set"}} for id in "abcd"]
    nodes.append({"id": "e", "parentId": "gone", "data": {"type": "set"}})
    ends = [("a", "b"), ("b", "c"), ("c", "b"), ("d", "d"), ("a", "x"), ("a", "e")]
    draft = decode({"nodes": nodes, "edges": [{"source": source, "target": target} for source, target in ends]})
    text = as_text(draft)
    assert "Not reached:" in text
    assert all(text.count(f"● {id} ") == 1 for id in "ade")
    assert xml.fromstring(as_svg(draft)).tag.endswith("svg")
    empty = decode({"nodes": []})
    assert as_text(empty).startswith("workflow-")
    assert xml.fromstring(as_svg(empty)).tag.endswith("svg")


def test_labels_cannot_break_a_drawing() -> None:
    flow = WorkflowBuilder("w", name='"><script>alert(1)</script>\0\x1b[31m')
    a = flow.add("set", label="a\n\x1b[2J <b onload='x'> & \u202e")
    a['"><script>'] >> flow.add("set", label="x" * 5_000)
    workflow = flow.build()
    text = as_text(workflow)
    assert "\x1b" not in text
    assert len(text.splitlines()) == 5
    root = xml.fromstring(as_svg(workflow))
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert tags == {"svg", "title", "style", "rect", "g", "path", "circle", "text"}
    assert not any(name.startswith("on") for element in root.iter() for name in element.attrib)


def test_svg_shows_each_node_where_the_layout_says() -> None:
    workflow = orders()
    svg = as_svg(workflow)
    root = xml.fromstring(svg)
    titles = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text") if text.get("class") == "title"]
    assert sorted(map(str, titles)) == sorted(node.label for node in workflow.nodes)
    handles = [text.text for text in root.iter("{http://www.w3.org/2000/svg}text") if text.get("class") == "handle"]
    assert handles == ["true", "false", "error"]
    assert svg.count('class="edge"') == len(workflow.edges)
    assert "prefers-color-scheme:dark" in svg
    assert "http" not in svg.replace("http://www.w3.org/2000/svg", "").replace("http_request", "")
