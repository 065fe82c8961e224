"""Pages for people who have no studio: a form, a decision, a notice. Written here, without scripts, and with one style sheet
that the policy names by its hash; everything that comes from elsewhere is escaped."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Mapping
from html import escape
from typing import Final

from starlette.responses import Response

from flowscope.definition.workflow import JSON
from flowscope.nodes.form import FormField, FormPage

_STYLE: Final = """
:root{color-scheme:light dark;--paper:#f6f7f9;--card:#fff;--ink:#1b2330;--quiet:#596273;--line:#d5dae2;--field:#8790a0;
--accent:#2557d6;--on-accent:#fff;--bad:#b3261e;--bad-paper:#fdeceb;--good:#136c43}
@media(prefers-color-scheme:dark){:root{--paper:#12151b;--card:#1a1f28;--ink:#e8ebf0;--quiet:#a3adbd;--line:#323a47;
--field:#78839a;--accent:#8fb0ff;--on-accent:#10182b;--bad:#ff9b93;--bad-paper:#3a1f20;--good:#74d3a5}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;padding:clamp(1rem,6vh,5rem) 1rem;background:var(--paper);color:var(--ink);
font:1rem/1.55 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:34rem;margin:0 auto;padding:clamp(1.25rem,5vw,2.25rem);background:var(--card);border:1px solid var(--line);
border-radius:.75rem;overflow-wrap:anywhere}
h1{margin:0 0 .5rem;font-size:1.45rem;line-height:1.25;letter-spacing:-.01em;text-wrap:balance}
.message{margin:0 0 1.5rem;white-space:pre-line;color:var(--ink)}
.quiet{color:var(--quiet);font-size:.875rem;margin:1.25rem 0 0}
.field{margin:0 0 1.25rem}
label,legend{display:block;font-weight:600;margin:0 0 .25rem}
.help{display:block;color:var(--quiet);font-size:.875rem;margin:0 0 .375rem}
input,textarea,select{display:block;width:100%;font:inherit;color:inherit;background:var(--card);padding:.55rem .7rem;
border:1px solid var(--field);border-radius:.5rem;min-height:2.75rem}
textarea{min-height:6.5rem;resize:vertical}
.tick{display:flex;gap:.65rem;align-items:flex-start}
.tick input{width:1.25rem;height:1.25rem;min-height:0;margin:.15rem 0 0;flex:none;accent-color:var(--accent)}
.tick label{margin:0;font-weight:500}
.fault{display:block;color:var(--bad);font-size:.9rem;font-weight:600;margin:.375rem 0 0}
[aria-invalid=true]{border-color:var(--bad);border-width:2px}
.alert{margin:0 0 1.25rem;padding:.75rem 1rem;border-left:4px solid var(--bad);border-radius:.25rem;background:var(--bad-paper);
color:var(--bad);font-weight:600}
.buttons{display:flex;flex-wrap:wrap;gap:.75rem;margin:1.5rem 0 0}
button{font:inherit;font-weight:650;padding:.65rem 1.4rem;min-height:2.75rem;border-radius:.5rem;cursor:pointer;
border:1px solid var(--accent);background:var(--accent);color:var(--on-accent)}
button.other{background:transparent;color:var(--bad);border-color:var(--bad)}
button:hover{filter:brightness(1.08)}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
footer{max-width:34rem;margin:1rem auto 0;text-align:center}
@media(max-width:30rem){.buttons button{flex:1 1 100%}}
"""

_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS: Final = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'",
    # A form that is sent without any referrer has no origin either, and would be taken for a foreign one.
    "referrer-policy": "same-origin",
    "x-robots-tag": "noindex",
}

_INPUT: Final = {"text": "text", "email": "email", "url": "url", "number": "number", "date": "date"}
_FILL: Final = {"email": "email", "url": "url"}


def notice(title: str, message: str, status: int = 200) -> Response:
    """A heading and a sentence."""
    return _page(title, f'<p class="message">{escape(message)}</p>', status)


def form_page(
    page: FormPage,
    title: str,
    action: str,
    *,
    values: Mapping[str, JSON] | None = None,
    faults: Mapping[str, str] | None = None,
    key: str = "",
) -> Response:
    """A form; again, with what was filled in and what is wrong with it. `key` makes a submission known again."""
    faults = faults or {}
    fields = "".join(
        _field(field, (values or {}).get(field.name, field.default if values is None else None), faults.get(field.name))
        for field in page.fields
    )
    count = len(faults)
    told = "One field needs" if count == 1 else f"{count} fields need"
    alert = f'<p class="alert" role="alert">{told} another look.</p>' if faults else ""
    message = f'<p class="message">{escape(page.message)}</p>' if page.message else ""
    needed = any(field.required for field in page.fields)
    body = (
        f'{message}{alert}<form method="post" action="{escape(action)}" novalidate>'
        f'<input type="hidden" name="_key" value="{escape(key or secrets.token_urlsafe(16))}">{fields}'
        + ('<p class="quiet">Fields with * are required.</p>' if needed else "")
        + f'<div class="buttons"><button>{escape(page.button)}</button></div></form>'
    )
    return _page(title, body, 400 if faults else 200)


def _field(field: FormField, value: JSON, fault: str | None) -> str:
    name, label = escape(field.name), escape(field.label or field.name)
    star = ' <span aria-hidden="true">*</span>' if field.required else ""
    described = [f"{name}-help"] * bool(field.help) + [f"{name}-fault"] * bool(fault)
    facts = f'id="{name}" name="{name}"'
    facts += f' aria-describedby="{" ".join(described)}"' if described else ""
    facts += " required" if field.required else ""
    facts += ' aria-invalid="true"' if fault else ""
    helped = f'<span class="help" id="{name}-help">{escape(field.help)}</span>' if field.help else ""
    wrong = f'<span class="fault" id="{name}-fault">{escape(fault)}</span>' if fault else ""
    if field.type == "boolean":
        ticked = " checked" if value in (True, "true", "on", "1") else ""
        box = f'<input type="checkbox" value="true" {facts}{ticked}><label for="{name}">{label}{star}</label>'
        return f'<div class="field"><div class="tick">{box}</div>{helped}{wrong}</div>'
    shown = escape(str(value)) if value is not None else ""
    head = f'<label for="{name}">{label}{star}</label>{helped}'
    return f'<div class="field">{head}{_control(field, facts, shown)}{wrong}</div>'


def _control(field: FormField, facts: str, shown: str) -> str:
    if field.type == "textarea":
        return f"<textarea {facts}>{shown}</textarea>"
    if field.type == "select":
        options = [escape(option) for option in field.options]
        choices = "".join(f"<option{' selected' if option == shown else ''}>{option}</option>" for option in options)
        return f'<select {facts}><option value="">Choose…</option>{choices}</select>'
    fill = f' autocomplete="{_FILL[field.type]}"' if field.type in _FILL else ""
    step = ' step="any" inputmode="decimal"' if field.type == "number" else ""
    return f'<input type="{_INPUT[field.type]}" {facts}{fill}{step} value="{shown}">'


def approval_page(
    title: str, message: str, action: str, until: str = "", workflow: str = "", fault: str = ""
) -> Response:
    """A question, a remark, and two answers."""
    told = f'<p class="message">{escape(message)}</p>' if message else ""
    alert = f'<p class="alert" role="alert">{escape(fault)}</p>' if fault else ""
    limit = f" Decide by {escape(until)}." if until else ""
    body = (
        f'{told}{alert}<form method="post" action="{escape(action)}">'
        '<div class="field"><label for="by">Your name</label><input id="by" name="by" maxlength="200" autocomplete="name"></div>'
        '<div class="field"><label for="comment">Comment</label><textarea id="comment" name="comment" maxlength="10000"></textarea></div>'
        '<div class="buttons"><button name="decision" value="approved">Approve</button>'
        '<button class="other" name="decision" value="rejected">Reject</button></div></form>'
        f'<p class="quiet">Asked by the workflow “{escape(workflow)}”.{limit}</p>'
    )
    return _page(title, body, 400 if fault else 200)


def _page(title: str, body: str, status: int) -> Response:
    text = (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body><main><h1>{escape(title)}</h1>{body}</main></body></html>"
    )
    return Response(text, status, headers=dict(_HEADERS), media_type="text/html")
