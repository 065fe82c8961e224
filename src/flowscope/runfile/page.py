"""The file: one page, with its style, its script and the run in it, that asks nobody for anything.

What the run said is data in a block that no browser executes, written so that it cannot end the block; the script puts it
on the page as text only. The policy lets this one script and this one style through, and nothing else, no network either.
"""

from __future__ import annotations

import base64
import hashlib
import html
from importlib.resources import files
from typing import Any, Final

import msgspec

BLOCK: Final = b'<script type="application/json" id="run">'
END: Final = b"</script>"

_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'sha256-{script_hash}'; style-src 'sha256-{style_hash}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<meta name="generator" content="flowscope">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<noscript>This page shows a run of a workflow, and needs JavaScript for it. Everything it has is in this file.</noscript>
"""


def page_of(content: dict[str, Any]) -> bytes:
    """The whole file."""
    style, script = _part("viewer.css"), _part("viewer.js")
    execution = content["execution"]
    name = execution.get("workflowName") or execution["workflowId"]
    head = _PAGE.format(
        script_hash=_hash(script),
        style_hash=_hash(style),
        title=html.escape(f"{name} · {execution['status']} · {execution['executionId']}"),
        style=style,
    )
    return b"".join(
        (head.encode(), BLOCK, harmless(content), END, b"\n<script>", script.encode(), b"</script>\n</body>\n</html>\n")
    )


def harmless(content: Any) -> bytes:
    """JSON in which nothing can end a script block, or begin a comment in it."""
    data = msgspec.json.encode(content)
    for char in (b"<", b">", b"&"):
        data = data.replace(char, b"\\u%04x" % char[0])
    return data


def _part(name: str) -> str:
    return files("flowscope.runfile").joinpath(name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
