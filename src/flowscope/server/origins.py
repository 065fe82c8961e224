"""Where a request comes from: the name the server was called by, and the page that called it.

A page somewhere in the world can have a browser send requests to this machine. Two headers that no page can forge tell:
`Host` (a page whose name was made to point here calls by its own name) and `Origin` (the page's address).
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers


def host_is_ours(headers: Headers, names: frozenset[str]) -> bool:
    """Whether there is exactly one `Host`, and it is one of the names, whatever the port."""
    given = headers.getlist("host")
    return len(given) == 1 and _name(given[0]) in names


def _name(host: str) -> str:
    """`[::1]:3001` is `::1`."""
    try:
        return (urlsplit(f"//{host}").hostname or "").casefold().rstrip(".")
    except ValueError:
        return ""


def origin_is_ours(headers: Headers, allowed: frozenset[str]) -> bool:
    """Whether the request comes from no page, from a page of this server, or from one of the allowed origins."""
    origins = headers.getlist("origin")
    if not origins:
        # A browser leaves the header out of simple requests, but says this.
        return headers.get("sec-fetch-site", "none") not in ("cross-site", "same-site")
    return len(origins) == 1 and (origins[0].lower() in allowed or _is_same(origins[0], headers.get("host", "")))


def _is_same(origin: str, host: str) -> bool:
    """Behind a proxy that ends TLS the scheme is another one; name and port are not."""
    try:
        parts = urlsplit(origin)
        return parts.scheme in ("http", "https") and parts.netloc != "" and parts.netloc.lower() == host.lower()
    except ValueError:
        return False


def is_allowed(headers: Headers, allowed: frozenset[str]) -> str:
    """The origin of another server that is allowed to read answers, or nothing."""
    origin = headers.get("origin", "")
    return origin if origin.lower() in allowed else ""
