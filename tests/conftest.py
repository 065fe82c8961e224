"""How hard the property tests try, and a log as it was for each test.

The gate plays the same examples each time, so that it is red for a change and not for luck; `make fuzz` plays fresh ones,
and more of them.
"""

import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("gate", derandomize=True, deadline=None)
settings.register_profile("fuzz", max_examples=2_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gate")


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """A command line that a test calls in this process sets the log up for itself."""
    root, ours = logging.getLogger(), logging.getLogger("flowscope")
    level, handlers = ours.level, list(root.handlers)
    yield
    ours.setLevel(level)
    for handler in set(root.handlers) - set(handlers):
        root.removeHandler(handler)
