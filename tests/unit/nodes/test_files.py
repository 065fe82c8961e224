"""Files: what may be touched, and what is left when something goes wrong."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest

from flowscope.errors import NodeDenied, NodeError
from flowscope.nodes.file_roots import RootedFile
from unit.nodes.bench import Bench


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with neighbours: `outside/secret.txt` beside it, a private folder and hidden files inside."""
    root = tmp_path.resolve() / "root"
    for folder in (root / "data", root / ".git", root / "sub", tmp_path / "outside"):
        folder.mkdir(parents=True)
    for file in (
        root / "a.txt",
        root / ".env",
        root / "data" / "j.db",
        root / ".git" / "config",
        root / "sub" / "b.txt",
    ):
        file.write_text("inside")
    (tmp_path / "outside" / "secret.txt").write_text("secret")
    (root / "link.txt").symlink_to(tmp_path / "outside" / "secret.txt")
    (root / "linked").symlink_to(tmp_path / "outside")
    (root / "good.txt").symlink_to(root / "a.txt")
    (root / "dangling").symlink_to(tmp_path / "outside" / "new.txt")
    (root / "loop").symlink_to(root / "loop")
    (root / "to_data").symlink_to(root / "data")
    (root / "to_env").symlink_to(root / ".env")
    os.mkfifo(root / "fifo")
    return root


@pytest.fixture
def bench(root: Path) -> Bench:
    return Bench(root, private=(root / "data",))


async def test_files_are_listed_but_not_what_is_closed(bench: Bench, root: Path) -> None:
    listed = await bench.run("list_files", {"pattern": "**/*"}, {"kept": 1})
    assert [file["path"] for file in listed["files"]] == ["a.txt", "sub/b.txt"]
    assert (listed["kept"], listed["count"], listed["files"][1]["name"], listed["files"][1]["size"]) == (
        1,
        2,
        "b.txt",
        6,
    )
    below = await bench.run("list_files", {"folder": str(root / "sub"), "pattern": "*.txt"}, {})
    assert (await bench.run("read_file", {"path": below["files"][0]["path"]}, {}))["content"] == "inside"
    for folder in ("../outside", "linked", ".git", "data", "to_data"):
        with pytest.raises(NodeDenied, match="folder: "):
            await bench.run("list_files", {"folder": folder}, {})
    with pytest.raises(NodeError, match="There is no folder 'nowhere'"):
        await bench.run("list_files", {"folder": "nowhere"}, {})


CLOSED = [
    "../outside/secret.txt", "sub/../../outside/secret.txt", "/etc/passwd", "link.txt", "linked/secret.txt",
    "sub/../linked/../outside/secret.txt", "dangling", "linked/new.txt", ".env", "sub/../.env", ".git/config", "to_env",
    "data/j.db", "data/new.db", "to_data/j.db", "a.txt\0.png", "", " ", ".", "sub/..", "/", "~/x", "sub/", "loop",
    "../root2/x", "file:///etc/passwd", "/proc/self/environ", "new/.hidden/x", "..\\outside\\..\\.x",
]  # fmt: skip
HARMLESS = {"~/x", "file:///etc/passwd"}  # odd names, but names of files inside


@pytest.mark.parametrize("path", [path for path in CLOSED if path not in HARMLESS])
@pytest.mark.parametrize("type_", ["read_file", "write_file", "csv_processor", "sqlite"])
async def test_closed_paths_are_refused(bench: Bench, root: Path, type_: str, path: str) -> None:
    before = sorted(root.parent.rglob("*"))
    config: dict[str, Any] = {"path": path}
    if type_ == "write_file":
        config["content"] = "x"
    if type_ == "csv_processor":
        config = {"text": "a\n1", "output": path or " "}
    if type_ == "sqlite":
        config = {"database": path or " ", "query": "create table t(x)"}
    with pytest.raises(NodeDenied) as caught:
        await bench.run(type_, config, {})
    assert not caught.value.retryable
    assert sorted(root.parent.rglob("*")) == before
    assert (root.parent / "outside" / "secret.txt").read_text() == "secret"


@pytest.mark.parametrize("path", sorted(HARMLESS))
async def test_odd_names_are_only_names(bench: Bench, path: str) -> None:
    with pytest.raises(NodeError, match="no file"):
        await bench.run("read_file", {"path": path}, {})


async def test_a_refusal_names_the_path_and_the_setting(bench: Bench) -> None:
    with pytest.raises(NodeDenied, match=r"^path: '/etc/passwd' is outside .*FLOWSCOPE_FILE_ROOTS"):
        await bench.run("read_file", {"path": "/etc/passwd"}, {})


async def test_without_roots_every_file_is_closed() -> None:
    with pytest.raises(NodeDenied, match="FLOWSCOPE_FILE_ROOTS"):
        await Bench().run("read_file", {"path": "a.txt"}, {})


@pytest.mark.parametrize("type_", ["read_file", "write_file", "sqlite"])
@pytest.mark.parametrize("path", ["fifo", "sub"])
async def test_only_plain_files_are_opened(bench: Bench, type_: str, path: str) -> None:
    config = {"read_file": {"path": path}, "write_file": {"path": path, "content": ""}}.get(
        type_, {"database": path, "query": "select 1"}
    )
    with pytest.raises(NodeDenied, match="is not a plain file"):
        await bench.run(type_, config, {})


def test_a_link_put_in_the_way_after_judging_leads_nowhere(bench: Bench, root: Path) -> None:
    judged = [RootedFile(path, bench.surroundings) for path in ("sub/b.txt", "a.txt")]
    (root / "sub" / "b.txt").unlink()
    (root / "sub").rmdir()
    (root / "sub").symlink_to(root.parent / "outside")
    (root / "a.txt").unlink()
    (root / "a.txt").symlink_to(root.parent / "outside" / "secret.txt")
    for file in judged:
        with pytest.raises(OSError):
            file.read()
        with pytest.raises(OSError):
            file.append()
    with pytest.raises(OSError), judged[0].replace():
        pass
    assert sorted(path.name for path in (root.parent / "outside").iterdir()) == ["secret.txt"]


async def test_links_inside_are_followed(bench: Bench) -> None:
    assert (await bench.run("read_file", {"path": "good.txt"}, {}))["content"] == "inside"


async def test_a_second_root(root: Path) -> None:
    other = root.parent / "outside"
    bench = Bench(file_roots=(root, other))
    output = await bench.run("read_file", {"path": str(other / "secret.txt")}, {})
    assert output["content"] == "secret"


async def test_reading(bench: Bench, root: Path) -> None:
    (root / "x.json").write_bytes(b'\xef\xbb\xbf{"a": 1}')
    (root / "x.bin").write_bytes(b"\xff\x00")
    assert await bench.run("read_file", {"path": "x.json"}, {"k": 1}) == {
        "k": 1, "path": "x.json", "content": '{"a": 1}', "size": 11,
    }  # fmt: skip
    assert (await bench.run("read_file", {"path": "x.json", "as": "json"}, {}))["content"] == {"a": 1}
    assert (await bench.run("read_file", {"path": "x.bin", "as": "base64"}, {}))["content"] == "/wA="


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"path": "none.txt"}, "There is no file 'none.txt'"),
        ({"path": "x.bin"}, "not text in UTF-8"),
        ({"path": "a.txt", "maxBytes": 5}, "larger than maxBytes, 5"),
        ({"path": "a.txt", "as": "json"}, "a.txt: the text is not JSON"),
    ],
)
async def test_what_cannot_be_read(bench: Bench, root: Path, config: Any, says: str) -> None:
    (root / "x.bin").write_bytes(b"\xff\x00")
    with pytest.raises(NodeError, match=says) as caught:
        await bench.run("read_file", config, {})
    assert not caught.value.retryable


async def test_writing(bench: Bench, root: Path) -> None:
    (root / "a.txt").chmod(0o640)
    assert await bench.run("write_file", {"path": "a.txt", "content": "né"}, {"k": 1}) == {
        "k": 1, "path": "a.txt", "size": 3,
    }  # fmt: skip
    assert (root / "a.txt").read_text() == "né"
    assert (root / "a.txt").stat().st_mode & 0o777 == 0o640
    await bench.run("write_file", {"path": "new/deep/b.json", "content": "{{ o }}"}, {"o": {"x": 1}})
    assert (root / "new/deep/b.json").read_text() == '{\n  "x": 1\n}'
    await bench.run("write_file", {"path": "c.bin", "content": "/wA=", "as": "base64"}, {})
    assert (root / "c.bin").read_bytes() == b"\xff\x00"
    with pytest.raises(NodeError, match="content is not base64"):
        await bench.run("write_file", {"path": "c.bin", "content": "?", "as": "base64"}, {})


async def test_appending(bench: Bench, root: Path) -> None:
    for text in ("1", "2"):
        await bench.run("write_file", {"path": "log.txt", "content": text, "mode": "append"}, {})
    assert (root / "log.txt").read_text() == "12"


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(bench: Bench, root: Path) -> None:
    before = sorted(root.iterdir())
    file = RootedFile("a.txt", bench.surroundings)
    with pytest.raises(RuntimeError), file.replace() as stream:
        stream.write(b"half")
        raise RuntimeError
    assert (root / "a.txt").read_text() == "inside"
    assert sorted(root.iterdir()) == before


async def test_base64_round_trip_of_every_byte(bench: Bench, root: Path) -> None:
    data = base64.b64encode(bytes(range(256))).decode()
    await bench.run("write_file", {"path": "all", "content": data, "as": "base64"}, {})
    assert (await bench.run("read_file", {"path": "all", "as": "base64"}, {}))["content"] == data
