"""The command line as people and scripts use it: real processes, their exit codes and what they print."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import sqlite3
import subprocess
import sys
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from flowscope.cli import main
from flowscope.cli.result import print_json
from flowscope.journal.database import DATABASE_FILE

FLOWSCOPE = str(Path(sys.executable).with_name("flowscope"))

TIMEOUT = 120


def flowscope(*arguments: str, cwd: Path, input: bytes = b"") -> subprocess.CompletedProcess[str]:
    """One command in that directory, to its end."""
    done = subprocess.run([FLOWSCOPE, *arguments], cwd=cwd, input=input, capture_output=True, timeout=TIMEOUT)
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def node(id: str, type: str = "noop", parent: str = "", **config: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"id": id, "data": {"type": type, "label": id.title(), "config": config}}
    return found | ({"parentId": parent} if parent else {})


def edge(source: str, target: str, **more: Any) -> dict[str, Any]:
    return {"id": f"{source}-{target}", "source": source, "target": target, **more}


def workflow(*nodes: dict[str, Any], edges: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Nodes in a row, unless edges are given."""
    if edges is None:
        top = [node["id"] for node in nodes if "parentId" not in node]
        edges = [edge(*pair) for pair in pairwise(top)]
    return {"id": "w", "name": "Some work", "nodes": list(nodes), "edges": edges}


def write(directory: Path, document: object, name: str = "w.json") -> str:
    text = document if isinstance(document, str) else json.dumps(document)
    (directory / name).write_text(text)
    return name


GREET = workflow(node("start", "manual_trigger"), node("greet", "set", fields={"greeting": "Hello {{ $json.name }}"}))
FAILS = workflow(node("a"), node("b", "stop_and_error", errorMessage="no luck"), node("c"))
LONG = workflow(node("a"), node("b", "wait", signal="go"), node("c"))
MAP = workflow(
    node("make", "set", fields={"rows": "{{ range(5) }}"}),
    node("each", "map", items="{{ $json.rows }}", onItemError="collect"),
    node("work", "noop", parent="each"),
)


def assert_plain_error(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """One clear error on stderr, nothing on stdout, no traceback."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("Error: "), done.stderr
    assert done.stderr.count("Error: ") == 1, done.stderr
    assert done.stdout == ""
    for word in words:
        assert word in done.stderr


# --- run ---


def test_run_tells_a_line_for_each_node_and_then_the_result(tmp_path: Path) -> None:
    done = flowscope("run", write(tmp_path, GREET), "--input", '{"name": "Ada"}', cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines, result = done.stdout.split("\n\n")
    assert lines.startswith("Running Some work · 2 nodes · ")
    assert "✓ Greet" in lines
    assert "✓ success in" in lines
    assert json.loads(result) == {"name": "Ada", "greeting": "Hello Ada"}


def test_run_json_is_one_object(tmp_path: Path) -> None:
    done = flowscope("run", write(tmp_path, GREET), "--input", '{"name": "Ada"}', "--json", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert set(found) == {"executionId", "workflowId", "status", "output", "error", "durationMs", "nodes"}
    assert (found["workflowId"], found["status"], found["error"]) == ("w", "success", None)
    assert found["output"] == {"name": "Ada", "greeting": "Hello Ada"}
    assert found["durationMs"] >= 0
    assert set(found["nodes"]) == {"start", "greet"}
    greet = found["nodes"]["greet"]
    assert set(greet) == {"status", "attempts", "durationMs", "error"}
    assert (greet["status"], greet["attempts"], greet["error"]) == ("success", 1, None)


def test_run_quiet_is_the_result(tmp_path: Path) -> None:
    done = flowscope("run", write(tmp_path, GREET), "--input", '{"name": "Ada"}', "--quiet", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {"name": "Ada", "greeting": "Hello Ada"}


def test_the_input_may_come_from_a_file_or_stdin(tmp_path: Path) -> None:
    file = write(tmp_path, GREET)
    write(tmp_path, {"name": "Bea"}, "in.json")
    done = flowscope("run", file, "--input", "@in.json", "--quiet", cwd=tmp_path)
    assert json.loads(done.stdout)["greeting"] == "Hello Bea"
    done = flowscope("run", file, "--input", "-", "--quiet", cwd=tmp_path, input=b'{"name": "Cleo"}')
    assert json.loads(done.stdout)["greeting"] == "Hello Cleo"


def test_a_run_that_fails_says_why_and_exits_with_1(tmp_path: Path) -> None:
    file = write(tmp_path, FAILS)
    done = flowscope("run", file, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "Error: The run failed at 'B' (b): no luck\n"
    assert "✗ B" in done.stdout
    done = flowscope("run", file, "--json", cwd=tmp_path)
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert (found["status"], found["output"], found["error"]["message"]) == ("failed", None, "no luck")
    assert {name: found["nodes"][name]["status"] for name in found["nodes"]} == {
        "a": "success", "b": "error", "c": "skipped",
    }  # fmt: skip
    assert found["nodes"]["b"]["error"]["nodeId"] == "b"


def test_retries_and_iterations_are_told(tmp_path: Path) -> None:
    flaky = workflow(node("a", "simulate", fail=[1], retry={"attempts": 3, "delay": 1}))
    done = flowscope("run", write(tmp_path, flaky), cwd=tmp_path)
    assert "attempt 1/3 failed: Simulated failure of attempt 1; trying again in" in done.stdout
    assert "A  attempt 2/3" in done.stdout
    done = flowscope("run", write(tmp_path, MAP), cwd=tmp_path)
    assert "5/5" in done.stdout
    done = flowscope("run", "w.json", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["nodes"]["work"]["status"] == "success"


def test_many_nodes_are_told_in_sums(tmp_path: Path) -> None:
    done = flowscope("run", write(tmp_path, workflow(*(node(f"n{number}") for number in range(500)))), cwd=tmp_path)
    assert done.returncode == 0
    assert "500 success" in done.stdout
    assert len(done.stdout.splitlines()) < 20


def test_everything_is_in_the_data_directory(tmp_path: Path) -> None:
    file = write(tmp_path, GREET)
    flowscope("run", file, "--input", '{"name": "Ada"}', "--data", "elsewhere", cwd=tmp_path)
    assert (tmp_path / "elsewhere" / DATABASE_FILE).exists()
    assert not (tmp_path / ".flowscope").exists()


def on_a_terminal(*arguments: str, cwd: Path) -> tuple[int, str]:
    """One command on a terminal of 80 columns; its exit code, and all that it wrote there."""
    parent, child = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80", "LINES": "24"}
    process = subprocess.Popen(
        [FLOWSCOPE, *arguments], cwd=cwd, stdin=child, stdout=child, stderr=child, env=environment, close_fds=True
    )
    os.close(child)
    written = bytearray()
    with os.fdopen(parent, "rb", buffering=0) as terminal, suppress(OSError):  # Linux says EIO when all have left
        while data := terminal.read(65_536):
            written += data
    return process.wait(TIMEOUT), written.decode()


def test_a_terminal_shows_a_tree_and_gets_its_cursor_back(tmp_path: Path) -> None:
    lists = workflow(node("make", "set", fields={"rows": "{{ range(5000) }}"}), node("bad", "simulate", fail=True))
    code, text = on_a_terminal("run", write(tmp_path, lists), cwd=tmp_path)
    assert code == 1
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is hidden while the tree is drawn"
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
    for words in (
        "✓ Make",
        "success",
        "✗ Bad",
        "Simulated failure of attempt 1",
        "✗ failed",
        "Error: The run failed at",
    ):
        assert words in plain


def test_a_terminal_shows_no_more_of_a_result_than_anybody_reads(tmp_path: Path) -> None:
    lists = workflow(node("make", "set", fields={"rows": "{{ range(5000) }}", "more": "{{ [{'a': range(99)}] * 30 }}"}))
    code, text = on_a_terminal("run", write(tmp_path, lists), cwd=tmp_path)
    assert code == 0
    assert "more lines; --json prints all of it" in text
    assert len(text.splitlines()) < 80


def test_an_output_without_icons_is_no_fault(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [FLOWSCOPE, "run", write(tmp_path, MAP)], cwd=tmp_path, env=environment, capture_output=True, timeout=TIMEOUT
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"? success in" in done.stdout


def test_a_result_in_a_pipe_is_whole(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    value = {"long": list(range(200)), "deep": [{"a": ["é", None, 1.5]}] * 9, "empty": [[], {}], "text": "x" * 500}
    print_json(value)
    printed = capfdbinary.readouterr().out
    assert json.loads(printed) == value
    assert max(len(line) for line in printed.splitlines()) < 520


# --- interruption and resuming ---


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_the_run_to_be_resumed(tmp_path: Path, number: signal.Signals) -> None:
    file = write(tmp_path, LONG)
    process = subprocess.Popen(
        [FLOWSCOPE, "run", file, "--execution-id", "x1"], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    for line in process.stdout:
        if b"waiting for the signal 'go'" in line:
            break
    process.send_signal(number)
    _, stderr = process.communicate(timeout=TIMEOUT)
    assert process.returncode == 130
    assert stderr.decode() == "Interrupted. Go on with: flowscope resume x1\n"
    listed = json.loads(flowscope("executions", "--json", cwd=tmp_path).stdout)
    assert [(row["executionId"], row["endedAt"]) for row in listed] == [("x1", None)]


def test_resume_answers_what_a_run_waits_for(tmp_path: Path) -> None:
    file = write(tmp_path, workflow(node("ask", "wait", signal="approved")))
    process = subprocess.Popen([FLOWSCOPE, "run", file, "--execution-id", "x1"], cwd=tmp_path, stdout=subprocess.PIPE)
    assert process.stdout is not None
    for line in process.stdout:
        if b"waiting for the signal 'approved'" in line:
            break
    process.kill()
    process.wait()
    process.stdout.close()
    bad = flowscope("resume", "x1", "--signal", "approved={", cwd=tmp_path)
    assert (bad.returncode, bad.stdout) == (2, "") and bad.stderr.startswith("Error: --signal ")
    unknown = flowscope("resume", "x1", "--signal", "refused", cwd=tmp_path)
    assert unknown.returncode == 2 and "not waiting for a signal named 'refused'" in unknown.stderr
    done = flowscope("resume", "x1", "--signal", 'approved={"by": "Ann"}', "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["output"] == {"by": "Ann"}


def test_resume_goes_on_and_shows_an_end_again(tmp_path: Path) -> None:
    file = write(tmp_path, workflow(node("a"), node("b", "simulate", sleep=2), node("c")))
    process = subprocess.Popen([FLOWSCOPE, "run", file, "--execution-id", "x1"], cwd=tmp_path, stdout=subprocess.PIPE)
    assert process.stdout is not None
    for line in process.stdout:
        if b"B" in line:
            break
    process.kill()
    process.wait()
    process.stdout.close()
    done = flowscope("resume", "x1", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["executionId"], found["status"]) == ("x1", "success")
    assert {name: found["nodes"][name]["attempts"] for name in found["nodes"]} == {"a": 1, "b": 2, "c": 1}
    again = flowscope("resume", "x1", "--json", cwd=tmp_path)
    assert again.returncode == 0
    assert again.stderr == "Execution x1 had already ended: success\n"
    assert json.loads(again.stdout)["output"] == found["output"]


def test_resume_of_a_failed_run_fails_again(tmp_path: Path) -> None:
    flowscope("run", write(tmp_path, FAILS), "--execution-id", "x1", cwd=tmp_path)
    done = flowscope("resume", "x1", cwd=tmp_path)
    assert done.returncode == 1
    assert "no luck" in done.stderr


def test_an_id_cannot_be_used_twice(tmp_path: Path) -> None:
    file = write(tmp_path, GREET)
    flowscope("run", file, "--input", '{"name": "Ada"}', "--execution-id", "x1", cwd=tmp_path)
    assert_plain_error(flowscope("run", file, "--execution-id", "x1", cwd=tmp_path), 2, "already ended")


# --- reading ---


def test_events_are_ndjson(tmp_path: Path) -> None:
    flowscope("run", write(tmp_path, FAILS), "--execution-id", "x1", cwd=tmp_path)
    done = flowscope("events", "x1", cwd=tmp_path)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [event["seq"] for event in found] == list(range(1, len(found) + 1))
    assert (found[0]["type"], found[-1]["type"]) == ("ExecutionStarted", "ExecutionFailed")
    assert all(isinstance(event["at"], float) for event in found)
    assert {event["nodeId"] for event in found if event["type"].startswith("Node")} == {"a", "b", "c"}
    done = flowscope("events", "x1", "--after", "3", cwd=tmp_path)
    assert [json.loads(line) for line in done.stdout.splitlines()] == found[3:]
    assert flowscope("events", "x1", "--follow", cwd=tmp_path).stdout.splitlines()[3:] == done.stdout.splitlines()


def test_events_can_be_followed_while_another_process_runs(tmp_path: Path) -> None:
    file = write(tmp_path, workflow(node("a"), node("b", "simulate", sleep=2)))
    with subprocess.Popen(
        [FLOWSCOPE, "run", file, "--execution-id", "x1"], cwd=tmp_path, stdout=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        run.stdout.readline()
        done = flowscope("events", "x1", "--follow", cwd=tmp_path)
        run.communicate(timeout=TIMEOUT)
    assert json.loads(done.stdout.splitlines()[-1])["type"] == "ExecutionSucceeded"


def test_executions_newest_first(tmp_path: Path) -> None:
    flowscope("run", write(tmp_path, FAILS), "--execution-id", "x1", cwd=tmp_path)
    flowscope("run", write(tmp_path, MAP), "--execution-id", "x2", cwd=tmp_path)
    listed = json.loads(flowscope("executions", "--json", cwd=tmp_path).stdout)
    assert [(row["executionId"], row["workflowId"], row["status"]) for row in listed] == [
        ("x2", "w", "success"), ("x1", "w", "failed"),
    ]  # fmt: skip
    assert listed[0]["startedAt"].endswith("Z")
    assert listed[1]["error"] == "no luck"
    failed = json.loads(flowscope("executions", "--json", "--status", "failed", cwd=tmp_path).stdout)
    assert [row["executionId"] for row in failed] == ["x1"]
    table = flowscope("executions", cwd=tmp_path).stdout
    assert "✗ failed" in table and "x2" in table


def test_runs_that_others_called_are_listed_when_asked_for(tmp_path: Path) -> None:
    flowscope("run", write(tmp_path, GREET), "--input", '{"name": "Ada"}', "--execution-id", "x1", cwd=tmp_path)
    calls = workflow(node("call", "execute_workflow", workflowId="w", input={"name": "Bo"})) | {"id": "caller"}
    assert flowscope("run", write(tmp_path, calls), "--execution-id", "x2", cwd=tmp_path).returncode == 0
    listed = json.loads(flowscope("executions", "--json", cwd=tmp_path).stdout)
    assert [row["executionId"] for row in listed] == ["x2", "x1"]
    listed = json.loads(flowscope("executions", "--json", "--all", cwd=tmp_path).stdout)
    assert [(row["workflowId"], row["parentExecutionId"]) for row in listed] == [
        ("w", "x2"), ("caller", None), ("w", None),
    ]  # fmt: skip


def test_validate_names_all_problems(tmp_path: Path) -> None:
    done = flowscope("validate", write(tmp_path, GREET), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "✓ Some work: 2 nodes, 1 edge\n")
    bad = workflow(node("a", "nop"), node("a"), edges=[edge("a", "z")])
    done = flowscope("validate", write(tmp_path, bad), cwd=tmp_path)
    assert_plain_error(done, 2, "has 3 problems", "nodes[0].data.type", "noop", "nodes[1].id", "edges[0].target")


def test_nodes_is_the_catalogue(tmp_path: Path) -> None:
    found = json.loads(flowscope("nodes", "--json", cwd=tmp_path).stdout)
    by_type = {kind["type"]: kind for kind in found}
    assert by_type["set"]["schema"]["properties"]["fields"]
    assert by_type["simulate"]["effects"] == "external"
    for kind in found:
        assert all(kind[fact] for fact in ("title", "category", "icon", "description")), kind["type"]
        assert isinstance(kind["example"], dict)
        for model in (kind["schema"], *kind["schema"].get("$defs", {}).values()):
            for name, field in model.get("properties", {}).items():
                assert field.get("description"), f"{kind['type']}.{name}"
                assert {"type", "enum", "const", "$ref", "anyOf", "oneOf", "allOf"} & field.keys(), (
                    f"{kind['type']}.{name}"
                )
    assert "set" in flowscope("nodes", cwd=tmp_path).stdout


def test_show_draws(tmp_path: Path) -> None:
    done = flowscope("show", write(tmp_path, MAP), "--svg", "w.svg", cwd=tmp_path)
    assert done.returncode == 0
    assert "[each]" in done.stdout
    assert (tmp_path / "w.svg").read_text().startswith("<svg")
    assert_plain_error_only(flowscope("show", "w.json", "--svg", "none/w.svg", cwd=tmp_path), 2, "Cannot write")


def assert_plain_error_only(done: subprocess.CompletedProcess[str], code: int, word: str) -> None:
    assert done.returncode == code
    assert done.stderr.startswith("Error: ") and word in done.stderr


def test_version_and_help(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert flowscope("--version", cwd=tmp_path).stdout.startswith("flowscope ")
    for command in ("run", "resume", "events", "executions", "validate", "nodes", "show"):
        assert main([command, "--help"]) == 0
        assert f"flowscope {command}" in capsys.readouterr().out


def test_a_reader_that_leaves_is_no_fault(tmp_path: Path) -> None:
    file = write(tmp_path, workflow(*(node(f"n{number}") for number in range(3_000))))
    flowscope("run", file, "--execution-id", "x1", "--quiet", cwd=tmp_path)
    for arguments in (("events", "x1"), ("run", file), ("nodes", "--json")):
        with subprocess.Popen(
            [FLOWSCOPE, *arguments], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        ) as process:
            assert process.stdout is not None and process.stderr is not None
            process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == b""
            assert process.wait(TIMEOUT) == 0


# --- what is not right ---

ONE = '{"id": "w", "nodes": [%s], "edges": []}'

BAD = {
    "a cycle": (workflow(node("a"), node("b"), edges=[edge("a", "b"), edge("b", "a")]), ["closes a cycle", "a -> b"]),
    "a dangling edge": (workflow(node("a"), edges=[edge("a", "z")]), ["edges[0].target", '"z"']),
    "a duplicate id": (workflow(node("a"), node("a"), edges=[]), ["nodes[1].id", "already"]),
    "an unknown type": (workflow(node("a", "nop")), ["nodes[0].data.type", "noop"]),
    "a bad config": (workflow(node("a", "wait", duration=[])), ["nodes[0].data.config"]),
    "malformed JSON": ('{"id": "w", "nodes": [}', ["line 1, column 23"]),
    "JSON too deep": ('{"a":' * 1_000 + "1" + "}" * 1_000, ["deep"]),
    "NaN": (ONE % '{"id": "a", "data": {"type": "noop", "config": {"n": NaN}}}', ["NaN"]),
    "a NUL in an id": (ONE % '{"id": "a\\u0000b", "data": {"type": "noop"}}', ["nodes[0].id"]),
    "nothing": ("", ["JSON"]),
    "a list": ("[]", ["object"]),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_definition_is_one_clear_error(tmp_path: Path, name: str) -> None:
    document, words = BAD[name]
    assert_plain_error(flowscope("run", write(tmp_path, document), cwd=tmp_path), 2, *words)
    assert not (tmp_path / ".flowscope").exists(), "nothing was begun"


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "w.json").open("wb") as file:
        file.truncate(200 * 1024 * 1024)
    assert_plain_error(flowscope("run", "w.json", cwd=tmp_path), 2, "200 MiB", "64 MiB")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert_plain_error(flowscope("run", "none.json", cwd=tmp_path), 2, "none.json", "No such file")
    assert_plain_error(flowscope("run", ".", cwd=tmp_path), 2, "directory")


@pytest.mark.parametrize(
    ("argument", "word"),
    [
        ('{"a": tru}', "line 1, column 7"),
        ("{", "--input is not JSON"),
        ('{"a": NaN}', "NaN"),
        ("[" * 100_000, "deep"),
        ("@none.json", "No such file"),
    ],
)
def test_a_bad_input_is_one_clear_error(tmp_path: Path, argument: str, word: str) -> None:
    assert_plain_error(flowscope("run", write(tmp_path, GREET), "--input", argument, cwd=tmp_path), 2, word)


@pytest.mark.parametrize(
    "arguments", [("run",), ("run", "w.json", "--nope"), ("nope",), ("events", "x", "--after", "-1")]
)
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("Error: ") and "--help" in said


def test_what_is_not_there(tmp_path: Path) -> None:
    assert_plain_error(flowscope("events", "x1", cwd=tmp_path), 1, "There is no store in .flowscope")
    flowscope("run", write(tmp_path, MAP), cwd=tmp_path)
    for command in ("events", "resume"):
        assert_plain_error(flowscope(command, "x1", cwd=tmp_path), 2, "Execution x1 not found")
    assert_plain_error(flowscope("executions", "--status", "odd", cwd=tmp_path), 2, "'odd'")


def test_a_data_directory_that_cannot_be(tmp_path: Path) -> None:
    file = write(tmp_path, GREET)
    (tmp_path / "taken").write_text("a file")
    assert_plain_error(flowscope("run", file, "--data", "taken", cwd=tmp_path), 1, "taken")


def test_a_full_disk_loses_nothing(tmp_path: Path) -> None:
    big = workflow(
        node("make", "set", fields={"rows": "{{ range(3000) }}"}),
        node("each", "map", items="{{ $json.rows }}"),
        node("work", "simulate", parent="each"),
    )
    file = write(tmp_path, big)
    full = subprocess.run(
        ["/bin/sh", "-c", f"ulimit -f 1000 && exec {FLOWSCOPE} run {file} --execution-id x1 --json"],
        cwd=tmp_path,
        capture_output=True,
        timeout=TIMEOUT,
    )
    assert (full.returncode, full.stdout) == (1, b"")
    said = full.stderr.decode()
    assert said.startswith("Error: ") and said.endswith("Go on with: flowscope resume x1\n") and "Traceback" not in said
    done = flowscope("resume", "x1", "--quiet", cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout) == list(range(3000))


@pytest.mark.parametrize("arguments", [("run", "w.json"), ("executions",)])
def test_a_store_by_a_newer_version(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    flowscope("run", write(tmp_path, MAP), cwd=tmp_path)
    with sqlite3.connect(tmp_path / ".flowscope" / DATABASE_FILE) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert_plain_error(flowscope(*arguments, cwd=tmp_path), 1, "newer flowscope")


def test_a_store_that_another_process_owns(tmp_path: Path) -> None:
    file = write(tmp_path, LONG)
    with subprocess.Popen(
        [FLOWSCOPE, "run", file], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        run.stdout.readline()
        assert_plain_error(flowscope("run", file, cwd=tmp_path), 1, ".flowscope")
        assert flowscope("executions", cwd=tmp_path).returncode == 0
        os.kill(run.pid, signal.SIGINT)
        run.communicate(timeout=TIMEOUT)
    assert run.returncode == 130
