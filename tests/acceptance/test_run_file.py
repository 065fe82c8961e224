"""Run files, in a real browser and back in a store: docs/spec.md, E-01 to E-04."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, async_playwright, expect

from browser.house import chromium
from flowscope.cli.run_files import export_run, import_run
from flowscope.engine import Engine
from flowscope.errors import ExecutionReadOnly, InputInvalid, UserError
from flowscope.journal import SqliteStore
from flowscope.nodes.builtin import builtin_registry
from flowscope.runfile import Options, content_of
from flowscope.runfile.page import BLOCK, END

HOSTILE = '</script><script>window.hurt=1</script><img src=x onerror="window.hurt=1"><!--'


def document() -> dict[str, Any]:
    def one(id: str, type: str, parent: str = "", **config: Any) -> dict[str, Any]:
        node = {"id": id, "data": {"type": type, "label": id.title(), "config": config}}
        return node | ({"parentId": parent} if parent else {})

    edges = "start>price price>each each>pay work>weigh pay>done"
    return {
        "id": "orders", "name": f"Orders {HOSTILE}",
        "nodes": [
            one("start", "manual_trigger"), one("price", "set", fields={"total": "{{ n * 2 }}", "note": HOSTILE}),
            one("each", "map", items="{{ range(3) }}"), one("work", "noop", "each"),
            one("weigh", "set", "each", fields={"kg": "{{ item * 2 }}"}),
            one("pay", "simulate", fail="{{ price.total > 40 }}", retry={"attempts": 2, "delay": 5}), one("done", "noop"),
        ],
        "edges": [dict(zip(("source", "target"), edge.split(">"), strict=True)) for edge in edges.split()],
    }  # fmt: skip


async def run_of(data: Path, **input: Any) -> None:
    async with Engine(data) as engine:
        await (await engine.start(document(), {"n": 21, "password": "hunter2"} | input, execution_id="one")).outcome()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest_asyncio.fixture
async def run_file(data: Path, tmp_path: Path) -> Path:
    await run_of(data)
    file = tmp_path / "run.html"
    options = Options(secrets=frozenset({"sesame-open"}))
    await asyncio.to_thread(export_run, data, builtin_registry(), "one", file, options)
    return file


@pytest_asyncio.fixture
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(**chromium())
        page = await browser.new_page(viewport={"width": 1280, "height": 800})
        page.set_default_timeout(60_000)
        yield page
        await browser.close()


async def test_the_file_opened_from_disk_replays(run_file: Path, page: Page) -> None:
    """E-01 E-02: no server, no network, no complaint; the moment before the error, and the input that caused it."""
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    address = run_file.as_uri()
    await page.goto(address)
    await page.wait_for_selector("#status")
    assert await page.text_content("#status") == "✗ failed"
    await page.click("#first")
    assert await page.text_content("#status") == "▶ running"
    await page.keyboard.press("e")
    assert "retrying" in (await page.text_content("#inspector") or "")
    shown = json.loads(await page.text_content('[data-payload="input"]') or "")
    assert [one["kg"] for one in shown] == [0, 2, 4]
    await page.click('[data-node="price"]')
    assert json.loads(await page.text_content('[data-payload="output"]') or "")["note"] == HOSTILE
    await page.keyboard.press(",")
    await page.keyboard.press(".")
    await page.click("#first")
    await page.select_option("#speed", "32")
    await page.click("#play")
    await expect(page.locator("#status")).to_contain_text("failed")
    await page.click("#tab-events")
    assert "NodeFailed" in (await page.text_content("#sheet") or "")
    await page.click("#theme")
    assert await page.evaluate("window.hurt === undefined && document.querySelectorAll('script').length === 2")
    assert await page.evaluate("document.images.length") == 0
    assert (asked, said) == ([address], [])


def test_what_promises_a_secret_is_blotted_out(run_file: Path) -> None:
    """E-03."""
    text = run_file.read_text()
    assert "hunter2" not in text
    assert "[redacted]" in text
    assert "default-src 'none'" in text
    assert not run_file.stat().st_mode & 0o077
    block = text.encode()[text.encode().index(BLOCK) + len(BLOCK) :]
    assert b"<" not in block[: block.index(END)]


async def test_known_secrets_and_named_fields_go_and_data_may_stay_at_home(data: Path) -> None:
    """E-03."""
    await run_of(data, door="open sesame-open now", plate="B-XY 12")
    store = SqliteStore(data, read_only=True)
    store.start()
    try:
        options = Options(secrets=frozenset({"sesame-open"}), redact=("plate",))
        told = json.dumps(encoded(content_of(store, builtin_registry(), "one", options, 0)))
        bare = json.dumps(encoded(content_of(store, builtin_registry(), "one", Options(data=False), 0)))
    finally:
        store.stop()
    assert "sesame-open" not in told
    assert "B-XY" not in told
    assert "21" in told
    assert "B-XY" not in bare
    assert "[left out]" in bare
    assert '"kg"' not in bare.replace(json.dumps(document()["nodes"]), "").split('"journal"')[1].split('"workflow"')[0]


def encoded(content: Any) -> Any:
    import msgspec

    return msgspec.json.decode(msgspec.json.encode(content))


async def test_an_imported_run_is_looked_at_and_never_run(run_file: Path, tmp_path: Path) -> None:
    """E-04: the same events, found by search, replayed, refused to be taken up."""
    other = tmp_path / "other"
    assert await asyncio.to_thread(import_run, other, run_file, "") == "one"
    assert await asyncio.to_thread(import_run, other, run_file, "copy") == "copy"
    with pytest.raises(UserError, match="--execution-id"):
        await asyncio.to_thread(import_run, other, run_file, "")
    async with Engine(other) as engine:
        row = engine.store.row("one")
        assert row is not None
        assert (row.status, row.detail) == ("failed", "imported")
        assert engine.orchestrator.live("one") is None
        events = engine.orchestrator.library.history("one")
        assert engine.orchestrator.library.replay("one", row.definition).status == "failed"
        with pytest.raises(ExecutionReadOnly):
            await engine.retry("one")
        assert engine.store.latest_definition("orders") is None
    async with Engine(tmp_path / "data", recover=False) as engine:
        original = engine.orchestrator.library.history("one")
    assert [(type(event), event.seq, event.at) for event in events] == [
        (type(event), event.seq, event.at) for event in original
    ]


async def test_a_run_that_had_not_ended_ends_with_its_import(data: Path, tmp_path: Path) -> None:
    """E-04."""
    waits = {
        "id": "waits", "edges": [{"source": "go", "target": "ask"}],
        "nodes": [
            {"id": "go", "data": {"type": "manual_trigger"}},
            {"id": "ask", "data": {"type": "wait", "config": {"signal": "yes"}}},
        ],
    }  # fmt: skip
    async with Engine(data) as engine:
        run = await engine.start(waits, execution_id="one")
        async for event in run.events():
            if type(event).__name__ == "NodeSuspended":
                break
    file = tmp_path / "run.html"
    await asyncio.to_thread(export_run, data, builtin_registry(), "one", file, Options())
    await asyncio.to_thread(import_run, tmp_path / "other", file, "")
    async with Engine(tmp_path / "other") as engine:
        row = engine.store.row("one")
        assert row is not None
        assert (row.status, row.detail) == ("cancelled", "imported while it ran")


@pytest.mark.parametrize(
    "text", [b"", b"<html></html>", b"{}", b'{"format": "flowscope-run", "version": 99}', BLOCK + b'{"format":1}' + END]
)
def test_what_is_no_run_file_is_refused(text: bytes, tmp_path: Path) -> None:
    file = tmp_path / "run.html"
    file.write_bytes(text)
    with pytest.raises(InputInvalid):
        import_run(tmp_path / "data", file, "")
