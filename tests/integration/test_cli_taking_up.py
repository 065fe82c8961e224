"""retry, fork, show on the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flowscope.cli.application import main


@pytest.fixture
def data(tmp_path: Path) -> Path:
    def one(id: str, type: str, **config: Any) -> dict[str, Any]:
        return {"id": id, "data": {"type": type, "config": config}}

    nodes = [
        one("go", "manual_trigger"),
        one("order", "simulate"),
        one("pay", "simulate", fail="{{ n > 10 }}", retry={"attempts": 2, "delay": 1}),
        one("done", "noop"),
    ]
    edges = [{"source": a, "target": b} for a, b in (("go", "order"), ("order", "pay"), ("pay", "done"))]
    (tmp_path / "flow.json").write_text(json.dumps({"id": "flow", "nodes": nodes, "edges": edges}))
    nodes[2]["data"]["config"]["fail"] = False
    (tmp_path / "repaired.json").write_text(json.dumps({"id": "other", "nodes": nodes, "edges": edges}))
    flags = ["--data", str(tmp_path / "data"), "--execution-id", "one", "-q", "--input", '{"n": 21}']
    assert main(["run", str(tmp_path / "flow.json"), *flags]) == 1
    return tmp_path / "data"


def said(capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
    told = capsys.readouterr()
    return told.out, told.err


def test_retry_and_fork_and_the_tree_of_them(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """T-01 T-03 T-04."""
    at = ["--data", str(data)]
    said(capsys)
    assert main(["retry", "one", "--dry-run", "--json", *at]) == 0
    planned = json.loads(said(capsys)[0])
    assert {node["nodeId"]: node["fate"] for node in planned["nodes"]} == {
        "go": "kept", "order": "kept", "pay": "again", "done": "first",
    }  # fmt: skip
    assert main(["retry", "one", "--json", *at]) == 1
    assert json.loads(said(capsys)[0])["nodes"]["order"]["status"] == "success"
    repaired = str(data.parent / "repaired.json")
    assert main(["fork", "one", "--workflow", repaired, *at]) == 0
    out, _ = said(capsys)
    assert "order  kept" in out
    assert main(["fork", "one", "--from", "order", *at]) == 2
    out, err = said(capsys)
    assert "! order: it succeeded" in out
    assert "--yes" in err
    assert main(["fork", "one", "--from", "order", "--input", '{"n": 1}', "--yes", "--json", *at]) == 0
    forked = json.loads(said(capsys)[0])
    assert forked["output"] == {"n": 1}
    assert main(["show", "one", *at]) == 0
    out, _ = said(capsys)
    assert "critical path: 3 nodes" in out
    assert "attempt 2" in out
    assert "fork from order" in out
    assert out.count("├──") + out.count("└──") == 3
    assert main(["show", forked["executionId"], *at]) == 0
    assert "taken up from one" in said(capsys)[0]


def test_what_is_not_there_is_said(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = ["--data", str(data)]
    said(capsys)
    for command, words in (
        (["retry", "nobody"], "not found"),
        (["fork", "one", "--from", "nobody"], "no node 'nobody'"),
        (["fork", "one", "--input", "{"], "--input"),
        (["fork", "one", "--workflow", "nowhere.json"], "nowhere.json"),
        (["show", "nobody"], "not found"),
    ):
        assert main([*command, *at]) == 2, command
        assert words in said(capsys)[1], command
