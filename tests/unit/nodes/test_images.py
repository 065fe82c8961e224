"""Real pictures, and files that only say they are."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from flowscope.errors import NodeDenied, NodeError
from unit.nodes.bench import REGISTRY, Bench


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "in.png"
    image = Image.new("RGBA", (80, 40), (255, 0, 0, 128))
    image.paste((0, 0, 255, 255), (0, 0, 40, 40))
    image.save(path)
    return path


async def change(bench: Bench, **config: Any) -> Any:
    return await bench.run("image_manipulation", {"path": "in.png", **config}, {"kept": 1})


@pytest.mark.parametrize(
    ("config", "size"),
    [
        ({"operation": "resize", "width": 20, "height": 30}, (20, 30)),
        ({"operation": "resize", "width": 20}, (20, 10)),
        ({"operation": "resize", "height": 80}, (160, 80)),
        ({"operation": "thumbnail", "width": 20, "height": 20}, (20, 10)),
        ({"operation": "thumbnail", "width": 1_000}, (80, 40)),
        ({"operation": "crop", "width": 10, "height": 20, "left": 70, "top": 20}, (10, 20)),
        ({"operation": "convert"}, (80, 40)),
    ],
)
@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "bmp", "tiff"])
async def test_operations(bench: Bench, picture: Path, tmp_path: Path, config: Any, size: Any, suffix: str) -> None:
    output = await change(bench, output=f"out/small.{suffix}", **config)
    written = tmp_path / "out" / f"small.{suffix}"
    assert output == {
        "kept": 1, "path": f"out/small.{suffix}", "width": size[0], "height": size[1],
        "format": {"jpg": "jpeg"}.get(suffix, suffix), "size": written.stat().st_size,
    }  # fmt: skip
    with Image.open(written) as made:
        assert made.size == size
        assert made.format == output["format"].upper()


async def test_what_is_transparent_becomes_white_in_jpeg(bench: Bench, picture: Path, tmp_path: Path) -> None:
    await change(bench, operation="convert", output="out.jpg")
    with Image.open(tmp_path / "out.jpg") as made:
        assert made.mode == "RGB"
        red, green, blue = made.getpixel((70, 20))  # type: ignore[misc]
    assert red > 240 and 110 < green < 145 and 110 < blue < 145


async def test_a_picture_is_turned_upright_and_what_was_noted_is_left_out(bench: Bench, tmp_path: Path) -> None:
    image = Image.new("RGB", (30, 10))
    exif = image.getexif()
    exif[0x0112] = 6  # turned by a quarter
    exif[0x010E] = "taken at home"
    image.save(tmp_path / "in.jpg", exif=exif)
    output = await bench.run("image_manipulation", {"path": "in.jpg", "output": "out.jpg", "operation": "convert"}, {})
    assert (output["width"], output["height"]) == (10, 30)
    assert b"taken at home" not in (tmp_path / "out.jpg").read_bytes()


def _png(width: int, height: int, data: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (_png(100_000, 100_000), "more than 50,000,000 pixels"),
        (_png(8_000, 8_000), "8,000 × 8,000 pixels; more than 50,000,000 are refused"),
        (_png(12_000, 8_000), "more than 50,000,000"),
        (_png(100, 100, b"x"), "cannot be read as one of PNG"),
        (b"", "cannot be read as one of PNG"),
        (b"hello", "cannot be read as one of PNG, JPEG, WEBP, GIF, BMP, TIFF"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "cannot be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "cannot be read"),
    ],
    ids=["bomb", "too-large", "large-enough-to-warn", "cut-off", "empty", "text", "postscript", "svg"],
)
async def test_bombs_and_what_is_no_picture_are_refused(bench: Bench, tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "in.png").write_bytes(data)
    with pytest.raises(NodeError, match=says) as caught:
        await change(bench, output="out.png", width=10)
    assert not caught.value.retryable
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"operation": "crop", "width": 81, "height": 1}, "the part ends at 81 × 1, the picture at 80 × 40"),
        ({"operation": "crop", "width": 8}, "crop needs width and height"),
        ({"operation": "resize"}, "resize needs width, height, or both"),
        ({"operation": "resize", "width": 20_000, "height": 20_000}, "the result would have 20,000 × 20,000 pixels"),
        ({"operation": "convert", "output": "out.svg"}, "its name must end in one of .png"),
    ],
)
async def test_errors(bench: Bench, picture: Path, config: Any, says: str) -> None:
    with pytest.raises(NodeError, match=says):
        await change(bench, **{"output": "out.png", **config})


@pytest.mark.parametrize("path", ["../x.png", "/etc/x.png", ".x.png"])
async def test_paths_stay_below_the_roots(bench: Bench, picture: Path, path: str) -> None:
    with pytest.raises(NodeDenied, match="path: "):
        await change(bench, path=path, output="out.png", width=1)
    with pytest.raises(NodeDenied, match="output: "):
        await change(bench, output=path, width=1)


def test_it_asks_for_a_processor() -> None:
    node = REGISTRY.find("image_manipulation")
    assert node is not None
    assert node.resources == "cpu"
