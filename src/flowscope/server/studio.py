"""The studio: files that were built from `web/`, and one page for all of its addresses.

They are open to whoever reaches the port, for they are the same for everybody: what is shown in them comes over the API, which
is not. Which paths these are is known exactly: the files that are there, and the addresses below `SECTIONS`.
"""

from __future__ import annotations

import gzip
import re
from contextlib import suppress
from functools import lru_cache
from html import escape
from mimetypes import guess_type
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

DIRECTORY: Final = Path(__file__).parent.parent / "studio"
"""Where `make web` puts what it builds."""

SECTIONS: Final = ("workflows", "runs", "waiting", "settings")
"""First parts of the addresses of the studio's pages: see `web/studio/router.tsx`."""

_ASSET = re.compile(r"/assets/[\w-][\w.-]*", re.ASCII)
_SAFE = frozenset({"GET", "HEAD"})
_FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}
_UNBUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>flowscope</title>
<h1>UI not built</h1><p>Run <code>make web</code> in the checkout, and load this page again.</p>
<p>The server itself is up: its API is described in <a href="{root}/openapi.json">openapi.json</a>.</p></html>"""


class Studio:
    """Knows its files; asked by the gate what is open, and by the routes for answers. A build may take another's place at any
    time, so it is the disk that is asked, each time."""

    def __init__(self, directory: Path = DIRECTORY) -> None:
        self._directory = directory

    def has(self, method: str, path: str) -> bool:
        """Whether that is one of its files, or an address of one of its pages."""
        if method not in _SAFE:
            return False
        return path == "/" or path[1:].partition("/")[0] in SECTIONS or self._is_file(path)

    def _is_file(self, path: str) -> bool:
        return _ASSET.fullmatch(path) is not None and (self._directory / path[1:]).is_file()

    def warm(self) -> None:
        """Compress every file, before somebody waits for it. For a thread."""
        for file in (self._directory / "assets").glob("*"):
            with suppress(OSError):  # a build is taking another's place
                _zipped(file)

    async def page(self, request: Request) -> Response:
        """The one page, wherever one enters; it finds out itself where it is."""
        root = escape(request.scope.get("root_path", ""))
        try:
            text = (self._directory / "index.html").read_text(encoding="utf-8")
        except FileNotFoundError:
            return Response(_UNBUILT.format(root=root), 503, media_type="text/html")
        text = text.replace('"./assets/', f'"{root}/assets/').replace('content="./"', f'content="{root}/"')
        return Response(text, media_type="text/html", headers={"cache-control": "no-cache"})

    async def asset(self, request: Request) -> Response:
        """A file. Its name has its hash, so a browser may keep it."""
        path = f"/assets/{request.path_params['name']}"
        file = self._directory / path[1:]
        zipped = "gzip" in request.headers.get("accept-encoding", "")
        try:
            data = (_zipped(file) if zipped else file.read_bytes()) if self._is_file(path) else None
        except FileNotFoundError:  # a build has just taken it away
            data = None
        if data is None:
            return Response(
                "There is no such file", 404, media_type="text/plain", headers={"cache-control": "no-store"}
            )
        headers = _FOR_EVER | ({"content-encoding": "gzip", "vary": "accept-encoding"} if zipped else {})
        return Response(data, media_type=guess_type(file)[0] or "application/octet-stream", headers=headers)


@lru_cache(maxsize=256)
def _zipped(path: Path) -> bytes:
    """Once for each file: its name changes with what is in it."""
    return gzip.compress(path.read_bytes(), 9, mtime=0)
