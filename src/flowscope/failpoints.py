"""Named places where the crash tests kill this process.

`FLOWSCOPE_FAILPOINT=name` (or `name:n`, the n-th passage) in the environment, read once at import, makes `failpoint(name)`
end the process by SIGKILL: nothing is flushed, no handler runs, as if the power had gone. Unset, it is an empty function.

The journal's: before_append, after_append, before_commit, after_commit, before_done.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

VARIABLE = "FLOWSCOPE_FAILPOINT"


def _armed(setting: str) -> Callable[[str], None]:
    wanted, _, count = setting.partition(":")
    left = int(count or 1)

    def passage(name: str) -> None:
        nonlocal left
        if name == wanted:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return passage


def _off(name: str) -> None:
    """The product's: nothing is armed."""


_setting = os.environ.get(VARIABLE, "")

failpoint: Callable[[str], None] = _armed(_setting) if _setting else _off
"""Pass a named place. Bound once, so that it costs a call of an empty function when off."""
