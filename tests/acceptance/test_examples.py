"""Every example, run as people run it: in a process of its own, from the folder above `examples/`.

What the weather report says is worked out here a second time, with nothing but the standard library and exact decimals.
"""

from __future__ import annotations

import csv
import hashlib
import hmac
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from flowscope import Engine, load_workflow

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
FLOWSCOPE = str(Path(sys.executable).with_name("flowscope"))
WORKFLOWS = sorted(path.name for path in EXAMPLES.glob("*.json"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a clean copy of `examples/` in it."""
    shutil.copytree(EXAMPLES, tmp_path / "examples", ignore=shutil.ignore_patterns("out", "__pycache__"))
    return tmp_path


def call(place: Path, *command: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("FLOWSCOPE_")}
    return subprocess.run(
        command,
        cwd=place,
        env={**inherited, "PYTHONWARNINGS": "error", **(environment or {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def run(
    place: Path, example: str, *options: str, code: int = 0, environment: dict[str, str] | None = None
) -> dict[str, Any]:
    """`flowscope run`; the object that it prints."""
    command = (FLOWSCOPE, "run", f"examples/{example}", "--json", "--data", str(place / "data"), *options)
    done = call(place, *command, environment=environment)
    assert done.returncode == code, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def statuses(result: dict[str, Any]) -> dict[str, set[str]]:
    """Node ids by status."""
    found: dict[str, set[str]] = defaultdict(set)
    for node_id, node in result["nodes"].items():
        found[node["status"]].add(node_id)
    return dict(found)


def test_the_etl_is_valid(place: Path) -> None:
    done = call(place, FLOWSCOPE, "validate", "examples/etl.json")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("example", WORKFLOWS)
def test_every_example_is_valid_and_every_node_has_a_place_and_a_label(example: str) -> None:
    workflow = load_workflow(EXAMPLES / example)
    places = [(node.parent_id, node.position) for node in workflow.nodes]
    assert len(set(places)) == len(places)
    assert None not in [position for _, position in places]
    assert all(node.label != node.id for node in workflow.nodes)


# --- the weather ---


@dataclass(frozen=True)
class Day:
    day: date
    rain: Decimal
    high: Decimal
    low: Decimal
    wind: Decimal


def weather() -> list[Day]:
    with (EXAMPLES / "data" / "seattle-weather.csv").open(newline="") as stream:
        return [
            Day(
                date.fromisoformat(row["date"].replace("/", "-")),
                *(Decimal(row[name]) for name in ("precipitation", "temp_max", "temp_min", "wind")),
            )
            for row in csv.DictReader(stream)
        ]


def mean(values: Iterable[Decimal]) -> Decimal:
    numbers = list(values)
    return sum(numbers, Decimal(0)) / len(numbers)


def rounded(value: Decimal, digits: int = 1) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def by_month(days: list[Day]) -> dict[tuple[int, int], list[Day]]:
    months: dict[tuple[int, int], list[Day]] = defaultdict(list)
    for day in days:
        months[day.day.year, day.day.month].append(day)
    return months


def stored(place: Path) -> list[tuple[Any, ...]]:
    with sqlite3.connect(place / "examples" / "out" / "weather.db") as database:
        return database.execute("SELECT * FROM months ORDER BY year, month").fetchall()


def rows_of(page: str, heading: str) -> list[list[str]]:
    """The cells of the table below a heading."""
    table = page.split(f"<h2>{heading}</h2>")[1].split("</table>")[0].split("<tbody>")[1]
    return [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>.*?</tr>", table)]


def test_the_etl_keeps_each_month(place: Path) -> None:
    result = run(place, "etl.json")
    expected = [
        (
            year,
            f"{month:02}",
            "wet" if sum(day.rain for day in days) >= 120 else "dry",
            float(rounded(sum((day.rain for day in days), Decimal(0)))),
            sum(day.rain > 0 for day in days),
            float(rounded(mean(day.high for day in days))),
            float(rounded(mean(day.low for day in days))),
        )
        for (year, month), days in sorted(by_month(weather()).items())
    ]
    assert stored(place) == expected
    assert len(expected) == 48
    assert result["status"] == "success"
    rain = sum((day.rain for day in weather()), Decimal(0))
    wet = sum(row[2] == "wet" for row in expected)
    assert result["output"]["rows"] == [{"months": 48, "wet": wet, "rain": float(rounded(rain))}]
    assert statuses(result) == {"success": set(result["nodes"]) - {"drier"}, "skipped": {"drier"}}
    assert {path.name for path in place.iterdir()} == {"examples", "data"}
    assert {path.name for path in (place / "examples" / "out").iterdir()} == {"weather.db", "seattle-weather.html"}


def test_the_etl_writes_a_report_that_is_right(place: Path) -> None:
    result = run(place, "etl.json")
    page = (place / result["output"]["report"]).read_text("utf-8")
    days = weather()
    months = by_month(days)
    years = {year: [day for day in days if day.day.year == year] for year in (2012, 2013, 2014, 2015)}
    rain = {year: sum((day.rain for day in of), Decimal(0)) for year, of in years.items()}

    assert len(page.encode()) == result["output"]["bytes"]
    assert "<!--" not in page.replace("<!doctype", "")
    assert "{{" not in page
    assert result["output"]["headline"] == (
        f"2015 was wetter than usual: {rounded(rain[2015], 0)} mm of rain, "
        f"against {rounded(mean(rain.values()), 0)} mm in a mean year."
    )
    assert result["output"]["headline"] in page
    assert "rain, 120 mm and more" in page
    assert re.findall(r"<div><b>(\d+)</b>", page) == [
        str(len(days)),
        str(sum(day.rain > 0 for day in days)),
        str(max(longest_dry(of) for of in months.values())),
    ]
    assert rows_of(page, "Year by year") == [
        [
            str(year),
            str(rounded(rain[year], 0)),
            str(rounded(mean(day.high for day in of))),
            str(max(day.high for day in of)),
            str(min(day.low for day in of)),
            str(max(day.wind for day in of)),
        ]
        for year, of in years.items()
    ]
    wettest = sorted(days, key=lambda day: -day.rain)[:5]
    assert rows_of(page, "The five wettest days") == [[f"{day.day:%d %b %Y}", str(day.rain)] for day in wettest]
    assert [row[0] for row in rows_of(page, "The usual year")] == [f"{date(2000, n, 1):%B}" for n in range(1, 13)]
    bars = re.findall(r'<rect class="(wet|dry)" .*?<title>(.*?): (.*?) mm on (\d+) days</title>', page)
    assert bars == [
        (
            "wet" if sum(day.rain for day in of) >= 120 else "dry",
            f"{of[0].day:%b %Y}",
            str(rounded(sum((day.rain for day in of), Decimal(0)))),
            str(sum(day.rain > 0 for day in of)),
        )
        for of in months.values()
    ]


def longest_dry(days: list[Day]) -> int:
    longest = streak = 0
    for day in days:
        streak = 0 if day.rain > 0 else streak + 1
        longest = max(longest, streak)
    return longest


def test_the_etl_may_run_twice(place: Path) -> None:
    first = run(place, "etl.json")
    page, table = (place / first["output"]["report"]).read_bytes(), stored(place)
    second = run(place, "etl.json")
    assert second["output"] == first["output"]
    assert ((place / second["output"]["report"]).read_bytes(), stored(place)) == (page, table)


# --- the others ---


def test_resilient_ends_well_whatever_fails_on_the_way(place: Path) -> None:
    result = run(place, "resilient.json")
    assert result["output"]["price"] == 42
    assert result["output"]["booking"] == "5 reserved"
    assert statuses(result)["error"] == {"second", "greet", "sold_out"}
    assert {"answered", "booked", "alarm", "tell"} <= statuses(result)["skipped"]
    attempts = {node_id: node["attempts"] for node_id, node in result["nodes"].items()}
    assert (attempts["ask"], attempts["second"], attempts["greet"]) == (3, 2, 1)
    assert result["nodes"]["sold_out"]["error"]["message"] == "Only 5 are left, not 7"


def test_resilient_takes_the_other_way_out_of_its_try(place: Path) -> None:
    result = run(place, "resilient.json", "--input", '{"wanted": 3}')
    assert result["output"]["booking"] == "3 reserved"
    assert statuses(result)["error"] == {"second", "greet"}


def test_resilient_fails_and_tells_somebody(place: Path) -> None:
    result = run(place, "resilient.json", "--input", '{"best": 40}', code=1)
    assert result["status"] == "failed"
    assert result["output"] is None
    assert result["error"]["message"] == "42 is more than 40"
    assert result["error"]["code"] == "TOO_DEAR"
    assert {"alarm", "tell"} <= statuses(result)["success"]
    assert "done" in statuses(result)["skipped"]


def test_nested_map_finds_the_primes_among_10_000_items(place: Path) -> None:
    sieve = [False, False] + [True] * 9_998
    for number in range(2, 100):
        sieve[number * number :: number] = [False] * len(sieve[number * number :: number])
    primes = [number for number, prime in enumerate(sieve) if prime]
    result = run(place, "nested_map.json")
    assert result["output"]["count"] == len(primes) == 1_229
    assert result["output"]["result"] == primes[-1]
    listed = call(place, FLOWSCOPE, "events", result["executionId"], "--data", str(place / "data"))
    events = [json.loads(line) for line in listed.stdout.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    tested = [event["path"] for event in events if event["type"] == "NodeSucceeded" and event["nodeId"] == "test"]
    assert sorted(tested) == sorted(f"hundreds[{row}].numbers[{column}]" for row in range(100) for column in range(100))


def test_subworkflow_runs_an_execution_for_each_order(place: Path) -> None:
    result = run(place, "subworkflow.json")
    assert result["output"] == [{"invoices": 3, "total": 48.5}]
    listed = call(place, FLOWSCOPE, "executions", "--all", "--json", "--data", str(place / "data"))
    executions = json.loads(listed.stdout)
    assert sorted(each["workflowId"] for each in executions) == ["invoice", "invoice", "invoice", "invoices"]
    assert {each["status"] for each in executions} == {"success"}


def test_approval_goes_on_when_nobody_answers(place: Path) -> None:
    result = run(place, "approval.json")
    assert result["output"]["result"] == "escalated"
    assert statuses(result)["error"] == {"approval"}


@pytest.mark.parametrize(("approved", "expected"), [(True, "paid"), (False, "refused")])
async def test_approval_takes_an_answer(approved: bool, expected: str) -> None:
    async with Engine(None) as engine:
        execution = await engine.start(load_workflow(EXAMPLES / "approval.json"), {"amount": 12})
        async for event in execution.events():
            if type(event).__name__ == "NodeSuspended":
                await execution.signal("approved", {"approved": approved, "by": "Grace"})
        output = await execution.result()
    assert (output["result"], output["by"]) == (expected, "Grace")


# --- in Python ---


def test_order_workflow_prints_its_output(place: Path) -> None:
    done = call(place, sys.executable, "examples/order_workflow.py")
    assert done.returncode == 0, done.stderr
    output = json.loads(done.stdout)
    assert (output["customer"], output["postage"], output["total"]) == ("Ada", 0, 3 * 4.5 + 39)


def test_order_workflow_is_the_same_as_json(place: Path) -> None:
    done = call(place, sys.executable, "examples/order_workflow.py", "--json")
    (place / "examples" / "order.json").write_text(done.stdout)
    small = '{"customer": "Grace", "lines": [{"article": "tea", "count": 2, "price": 4.5}]}'
    result = run(place, "order.json", "--input", small)
    assert (result["output"]["customer"], result["output"]["total"]) == ("Grace", 2 * 4.5 + 5)


def test_a_run_is_taken_up_again(place: Path) -> None:
    """T-03 T-04."""
    done = call(place, sys.executable, "examples/take_up_again.py")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("first: failed")
    assert lines[1:] == [
        "plan: start kept, reserve kept, price kept, charge again",
        "second: {'pieces': 20, 'total': 140}",
        "to confirm: reserve, charge",
    ]


def signatures(key: str, *documents: str) -> list[str]:
    return [hmac.new(key.encode(), document.encode(), hashlib.sha256).hexdigest() for document in documents]


def test_custom_node_signs_and_keeps_its_secret(place: Path) -> None:
    done = call(
        place, sys.executable, "examples/custom_node.py", environment={"FLOWSCOPE_SECRET_SIGNING_KEY": "a secret key"}
    )
    assert done.returncode == 0, done.stderr
    printed = json.loads(done.stdout)
    assert printed["output"]["signatures"] == signatures("a secret key", "a contract", "another")
    assert printed["log"] == ["Signed 2 documents with the key [secret]"]
    assert "a secret key" not in done.stdout + done.stderr


def test_custom_node_is_found_by_its_entry_point(place: Path) -> None:
    """As an installed package would offer it; in a worker process too."""
    facts = place / "examples" / "custom_node-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: custom-node\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text("[flowscope.nodes]\nsign = custom_node:sign\n")
    installed = {"PYTHONPATH": str(place / "examples"), "FLOWSCOPE_SECRET_SIGNING_KEY": "k"}
    workflow = {"nodes": [{"id": "s", "data": {"type": "sign", "config": {"documents": ["{{ trigger.text }}"]}}}]}
    (place / "examples" / "signed.json").write_text(json.dumps(workflow))
    assert call(place, FLOWSCOPE, "validate", "examples/signed.json").returncode == 2
    result = run(place, "signed.json", "--input", '{"text": "a contract"}', environment=installed)
    assert result["output"] == {"signatures": signatures("k", "a contract")}
    workflow["nodes"][0]["data"]["config"]["resources"] = "cpu"  # type: ignore[index]
    (place / "examples" / "signed.json").write_text(json.dumps(workflow))
    result = run(place, "signed.json", "--input", '{"text": "a contract"}', environment=installed)
    assert result["output"] == {"signatures": signatures("k", "a contract")}


def test_pictures_are_made_small_in_worker_processes(place: Path) -> None:
    done = call(place, sys.executable, "examples/resize_images.py")
    assert done.returncode == 0, done.stderr
    assert re.findall(r"^ *(\d+) of 200$", done.stdout, re.MULTILINE) == [str(count) for count in range(20, 201, 20)]
    assert (told := re.search(r"^200 pictures, (\d+) KiB, by (\d+) processes", done.stdout, re.MULTILINE))
    small = list((place / "examples" / "out" / "pictures" / "small").glob("*.webp"))
    assert len(small) == 200
    assert (sum(path.stat().st_size for path in small) // 1024, int(told[2]) >= 2) == (int(told[1]), True)
