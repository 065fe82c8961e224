"""The places where a process is killed."""

import os
import signal
import subprocess
import sys

import pytest

from flowscope.failpoints import failpoint

PROGRAM = """
from flowscope.failpoints import failpoint
for passage in range(3):
    print(passage, flush=True)
    failpoint("here")
    failpoint("there")
"""


def test_nothing_is_armed_by_default() -> None:
    failpoint("here")


@pytest.mark.parametrize(
    ("setting", "passages", "status"),
    [("here", 1, -signal.SIGKILL), ("there:2", 2, -signal.SIGKILL), ("elsewhere", 3, 0), ("here:9", 3, 0)],
)
def test_the_process_dies_at_the_passage_named(setting: str, passages: int, status: int) -> None:
    environment = {**os.environ, "FLOWSCOPE_FAILPOINT": setting}
    found = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, stdout=subprocess.PIPE, text=True)
    assert found.stdout.split() == [str(number) for number in range(passages)]
    assert found.returncode == status
