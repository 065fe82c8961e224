"""When a server asks to be left alone for a while."""

from __future__ import annotations

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime


def retry_after(headers: Mapping[str, str]) -> float:
    """The milliseconds that `Retry-After` (seconds, or a date) or `Retry-After-Ms` asks for; 0 where they ask for nothing."""
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]))
        value = headers.get("retry-after", "").strip()
        if not value:
            return 0.0
        if value.replace(".", "", 1).isdigit():
            return float(value) * 1000
        return max(0.0, (parsedate_to_datetime(value).timestamp() - time.time()) * 1000)
    except (ValueError, OverflowError):
        return 0.0
