"""One line of the table."""

from __future__ import annotations

import msgspec


class Row(msgspec.Struct):
    what: str
    figure: str
    beside: str
    target: str
    met: bool


Measured = list[Row]
