"""The studio as the server serves it: files, one page for all its addresses, and the session of a browser."""

from __future__ import annotations

from gzip import compress
from pathlib import Path

import pytest

from compatibility.live_server import serving
from flowscope.server.studio import Studio, _zipped

PAGE = (
    '<!doctype html><meta name="flowscope-root" content="./"><script type="module" src="./assets/index-1.js"></script>'
)


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """What `make web` leaves, in small."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(PAGE, encoding="utf-8")
    (tmp_path / "assets" / "index-1.js").write_text("export {};", encoding="utf-8")
    return tmp_path


def is_open(studio: Studio, path: str) -> bool:
    return studio.has("GET", path)


def test_only_its_files_and_pages_are_open(built: Path) -> None:
    studio = Studio(built)
    for path in ("/", "/workflows", "/workflows/any/thing", "/runs", "/assets/index-1.js"):
        assert is_open(studio, path), path
        assert not studio.has("POST", path), path
    for path in (
        "//",
        "/assets",
        "/assets/",
        "/assets/index-2.js",
        "/assets/../index.html",
        "/index.html",
        "/api",
        "/x",
    ):
        assert not is_open(studio, path), path


def test_files_are_compressed_ahead_also_while_a_build_takes_their_place(built: Path, tmp_path: Path) -> None:
    studio = Studio(built)
    (built / "assets" / "gone-1.js").symlink_to(tmp_path / "nowhere")
    before = _zipped.cache_info().misses
    studio.warm()
    assert _zipped(built / "assets" / "index-1.js") == compress(b"export {};", 9, mtime=0)
    assert _zipped.cache_info().misses == before + 2
    Studio(tmp_path / "unbuilt").warm()


async def test_a_page_says_where_it_is_and_a_file_is_kept(built: Path) -> None:
    async with serving() as client:
        client.services.studio.__init__(built)  # type: ignore[misc]
        for path in ("/", "/workflows/some/where"):
            page = await client.get(path)
            assert page.status_code == 200 and 'src="/assets/index-1.js"' in page.text and 'content="/"' in page.text
            assert page.headers["cache-control"] == "no-cache"
            assert page.headers["content-security-policy"].startswith("default-src 'self'")
            assert "unsafe" not in page.headers["content-security-policy"]
        script = await client.get("/assets/index-1.js")
        assert "immutable" in script.headers["cache-control"]
        assert script.headers["content-type"].startswith("text/javascript")
        assert script.headers["x-content-type-options"] == "nosniff"
        assert (await client.get("/assets/nothing.js")).status_code == 404


async def test_a_build_that_takes_the_place_of_another_is_served_at_once(built: Path) -> None:
    async with serving() as client:
        client.services.studio.__init__(built)  # type: ignore[misc]
        assert (await client.get("/")).status_code == (await client.get("/assets/index-1.js")).status_code == 200
        (built / "assets" / "index-1.js").unlink()
        (built / "assets" / "index-2.js").write_text("export {};", encoding="utf-8")
        (built / "index.html").write_text(PAGE.replace("index-1", "index-2"), encoding="utf-8")
        assert "index-2.js" in (await client.get("/runs")).text
        assert (await client.get("/assets/index-2.js")).status_code == 200
        gone = await client.get("/assets/index-1.js")
        assert gone.status_code == 404 and gone.headers["cache-control"] == "no-store"


async def test_a_checkout_without_a_build_says_what_to_run(tmp_path: Path) -> None:
    async with serving() as client:
        client.services.studio.__init__(tmp_path / "nothing")  # type: ignore[misc]
        page = await client.get("/workflows")
        assert page.status_code == 503 and "make web" in page.text


async def test_a_key_given_once_opens_the_server_to_a_browser() -> None:
    async with serving() as client:
        made = client.services.keys.create("ada", "editor")
        bearer = {"Authorization": f"Bearer {made.text}"}
        assert (await client.post("/api/session")).status_code == 401
        assert (await client.get("/api/session")).status_code == 401
        opened = await client.post("/api/session", headers=bearer)
        assert opened.status_code == 201 and opened.json() == {"name": "ada", "scope": "editor"}
        cookie = opened.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and made.text not in cookie
        pair = {"Cookie": cookie.split(";")[0]}
        client.cookies.clear()
        assert (await client.get("/api/workflows", headers=pair)).status_code == 200
        assert (await client.get("/api/session", headers=pair)).json() == {"name": "ada", "scope": "editor"}
        assert (await client.get("/api/keys", headers=pair)).status_code == 403
        foreign = pair | {"Origin": "https://evil.example"}
        assert (await client.get("/api/workflows", headers=foreign)).status_code == 403
        forged = {"Cookie": pair["Cookie"][:-1] + ("0" if pair["Cookie"][-1] != "0" else "1")}
        assert (await client.get("/api/workflows", headers=forged)).status_code == 401
        client.services.keys.create("other", "viewer")
        client.services.keys.revoke("ada")
        assert (await client.get("/api/workflows", headers=pair)).status_code == 401


async def test_an_execution_tells_the_workflow_it_runs() -> None:
    document = {"id": "flow", "nodes": [{"id": "a", "data": {"label": "A", "type": "manual_trigger"}}], "edges": []}
    async with serving() as client:
        await client.post("/api/workflows", json=document)
        started = await client.post("/api/executions", json={"workflowId": "flow"})
        found = await client.get(f"/api/executions/{started.json()['executionId']}/definition")
        assert found.status_code == 200 and found.json()["nodes"][0]["id"] == "a"
        assert (await client.get("/api/executions/none/definition")).status_code == 404
