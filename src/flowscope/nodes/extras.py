"""Libraries that not everybody installs, imported when a node needs one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from flowscope.errors import NodeError


@contextlib.contextmanager
def installed(extra: str) -> Iterator[None]:
    """Around the imports: where one is missing, the error says which extra brings it."""
    try:
        yield
    except ImportError as error:
        raise NodeError(
            f"This node needs {error.name}, which is not installed: pip install 'flowscope[{extra}]'",
            code="NOT_INSTALLED",
            retryable=False,
        ) from None
