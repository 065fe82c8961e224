"""The studio: files that were built from `web/`, and one page for all of its addresses.

They are open to whoever reaches the port, for they are the same for everybody: what is shown in them comes over the API, which
is not. Which paths these are is known exactly: the files that are there, and the addresses below `SECTIONS`.
"""

from __future__ import annotations

import gzip
from functools import lru_cache
from html import escape
from mimetypes import guess_type
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

DIRECTORY: Final = Path(__file__).parent.parent / "studio"
"""Where `make web` puts what it builds."""

SECTIONS: Final = ("workflows", "runs")
"""First parts of the addresses of the studio's pages: see `web/studio/router.tsx`."""

_SAFE = frozenset({"GET", "HEAD"})
_FOR_EVER = {"cache-control": "public, max-age=31536000, immutable"}
_UNBUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>flowscope</title>
<h1>UI not built</h1><p>Run <code>make web</code> in the checkout, and load this page again.</p>
<p>The server itself is up: its API is described in <a href="{root}/openapi.json">openapi.json</a>.</p></html>"""


class Studio:
    """Knows its files; asked by the gate what is open, and by the routes for answers."""

    def __init__(self, directory: Path = DIRECTORY) -> None:
        self._directory = directory
        self._files: dict[str, Path] = {}
        self._page = ""
        self._look()

    def _look(self) -> None:
        """Read what is there, once it is."""
        index = self._directory / "index.html"
        if not self._page and index.is_file():
            self._page = index.read_text(encoding="utf-8")
            found = (path for path in (self._directory / "assets").rglob("*") if path.is_file())
            self._files = {f"/{path.relative_to(self._directory).as_posix()}": path for path in found}

    def has(self, method: str, path: str) -> bool:
        """Whether that is one of its files, or an address of one of its pages."""
        if method not in _SAFE:
            return False
        return path == "/" or path in self._files or path[1:].partition("/")[0] in SECTIONS

    async def page(self, request: Request) -> Response:
        """The one page, wherever one enters; it finds out itself where it is."""
        self._look()
        root = escape(request.scope.get("root_path", ""))
        if not self._page:
            return Response(_UNBUILT.format(root=root), 503, media_type="text/html")
        text = self._page.replace('"./assets/', f'"{root}/assets/').replace('content="./"', f'content="{root}/"')
        return Response(text, media_type="text/html", headers={"cache-control": "no-cache"})

    async def asset(self, request: Request) -> Response:
        """A file. Its name has its hash, so a browser may keep it."""
        path = self._files.get(f"/assets/{request.path_params['name']}")
        if path is None:
            return Response("There is no such file", 404, media_type="text/plain")
        media_type = guess_type(path)[0] or "application/octet-stream"
        if "gzip" in request.headers.get("accept-encoding", ""):
            headers = _FOR_EVER | {"content-encoding": "gzip", "vary": "accept-encoding"}
            return Response(_zipped(path), media_type=media_type, headers=headers)
        return Response(path.read_bytes(), media_type=media_type, headers=_FOR_EVER)


@lru_cache(maxsize=256)
def _zipped(path: Path) -> bytes:
    """Once for each file: its name changes with what is in it."""
    return gzip.compress(path.read_bytes(), 9, mtime=0)
