"""Pictures: read, changed, written.

How large a picture is stands in its first bytes, and is looked at before anything is unpacked: a few kilobytes can
claim to be gigabytes.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any, BinaryIO, Literal

from pydantic import Field, model_validator

from flowscope.definition.workflow import JSON
from flowscope.errors import NodeError
from flowscope.nodes import json_path
from flowscope.nodes.context import NodeContext
from flowscope.nodes.extras import installed
from flowscope.nodes.file_roots import RootedFile, explained
from flowscope.nodes.sdk import NodeConfig, node

MOST_PIXELS = 50_000_000
MOST_SIDE = 20_000
_READABLE = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF")
_BY_SUFFIX = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".gif": "GIF",
    ".bmp": "BMP",
    ".tiff": "TIFF",
}


class ImageManipulation(NodeConfig):
    path: str = Field(min_length=1, description="The picture, below one of the roots")
    output: str = Field(
        min_length=1, description="The file to write; its name says the format: png, jpg, webp, gif, bmp, tiff"
    )
    operation: Literal["resize", "thumbnail", "crop", "convert"] = Field(
        "resize",
        description="`resize` to exactly width and height (one alone keeps the proportions), `thumbnail` to fit into them and "
        "never larger, `crop` the part from left and top, `convert` only the format",
    )
    width: int | None = Field(None, ge=1, le=MOST_SIDE, description="In pixels")
    height: int | None = Field(None, ge=1, le=MOST_SIDE, description="In pixels")
    left: int = Field(0, ge=0, description="With `crop`, where the part begins")
    top: int = Field(0, ge=0, description="With `crop`, where the part begins")
    quality: int = Field(85, ge=1, le=100, description="Of JPEG and WebP")

    @model_validator(mode="after")
    def _sized(self) -> ImageManipulation:
        given = (self.width is not None) + (self.height is not None)
        if self.operation == "crop" and given != 2:
            raise ValueError("crop needs width and height")
        if self.operation in ("resize", "thumbnail") and not given:
            raise ValueError(f"{self.operation} needs width, height, or both")
        if PurePath(self.output).suffix.lower() not in _BY_SUFFIX:
            raise ValueError(f"output: its name must end in one of {', '.join(_BY_SUFFIX)}")
        return self


@node(
    "image_manipulation",
    title="Change a picture",
    category="files",
    icon="image",
    effects="external",
    resources="cpu",
    timeout=60_000,
    example={"path": "{{ item.path }}", "output": "small/{{ item.name }}.webp", "operation": "thumbnail", "width": 400},
)
def image_manipulation(config: ImageManipulation, input: JSON, context: NodeContext) -> JSON:
    """Resizes, crops or converts a picture. The output is the input with `path` (of what was written), `width`, `height`,
    `format` and `size` in bytes. It is turned upright first, as its camera noted; of an animation the first picture is
    taken; what else was noted in the file is left out. Pictures of more than 50 million pixels are refused. Needs
    `flowscope[files]`."""
    source = RootedFile(config.path, context.surroundings)
    target = RootedFile(config.output, context.surroundings, "output")
    form = _BY_SUFFIX[PurePath(config.output).suffix.lower()]
    with explained(source), source.read() as stream:
        picture = _changed(_opened(stream, config.path), config)
    width, height = picture.size
    with explained(target), target.replace() as stream:
        _writable(picture, form).save(stream, form, **({"quality": config.quality} if form in ("JPEG", "WEBP") else {}))
        size = stream.tell()
    made = {"path": config.output, "width": width, "height": height, "format": form.lower(), "size": size}
    return json_path.merged(input, made)


def _opened(stream: BinaryIO, path: str) -> Any:
    with installed("files"):
        from PIL import Image, ImageOps
    try:
        picture = Image.open(stream, formats=_READABLE)
        _bounded(*picture.size, f"{path!r} has")
        return ImageOps.exif_transpose(picture)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _failed(f"{path!r} has more than {MOST_PIXELS:,} pixels", "IMAGE_TOO_LARGE") from None
    except NodeError:
        raise
    except Exception as error:  # noqa: BLE001 -- the library raises whatever the broken file leads it to
        known = ", ".join(_READABLE)
        said = " ".join(str(error).split())[:200]
        raise _failed(f"{path!r} cannot be read as one of {known}: {said}", "BAD_IMAGE") from None


def _changed(picture: Any, config: ImageManipulation) -> Any:
    width, height = picture.size
    if config.operation == "crop":
        right, bottom = config.left + (config.width or 0), config.top + (config.height or 0)
        if right > width or bottom > height:
            raise _failed(f"crop: the part ends at {right} × {bottom}, the picture at {width} × {height}", "BAD_CROP")
        return picture.crop((config.left, config.top, right, bottom))
    if config.operation == "convert":
        return picture
    wide, high = config.width or width, config.height or height
    if config.operation == "thumbnail" or not (config.width and config.height):
        scale = min(
            config.width / width if config.width else float("inf"),
            config.height / height if config.height else float("inf"),
            1.0 if config.operation == "thumbnail" else float("inf"),
        )
        wide, high = max(1, round(width * scale)), max(1, round(height * scale))
    _bounded(wide, high, "the result would have")
    if picture.mode in ("P", "1"):
        picture = picture.convert("RGBA" if "transparency" in picture.info else "RGB")
    return picture.resize((wide, high))


def _writable(picture: Any, form: str) -> Any:
    """In a mode that the format knows; what is transparent becomes white where it has no transparency."""
    if form not in ("JPEG", "BMP"):
        return picture if picture.mode in ("RGB", "RGBA", "L", "P") else picture.convert("RGBA")
    if picture.mode in ("RGB", "L"):
        return picture
    from PIL import Image

    picture = picture.convert("RGBA")
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, mask=picture.getchannel("A"))
    return white


def _bounded(width: int, height: int, what: str) -> None:
    if width * height > MOST_PIXELS:
        raise _failed(f"{what} {width:,} × {height:,} pixels; more than {MOST_PIXELS:,} are refused", "IMAGE_TOO_LARGE")


def _failed(message: str, code: str) -> NodeError:
    return NodeError(message, code=code, retryable=False)
