"""Signed links."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowscope.server.links import Links

LINKS = Links(lambda: b"k" * 32)
TOKEN = LINKS.token("run 1", "apr-xyz")


@given(
    st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1), st.text("abc-_", min_size=1)
)
def test_a_link_says_what_it_is_for(execution_id: str, signal: str) -> None:
    assert LINKS.open(LINKS.token(execution_id, signal)) == (execution_id, signal)


@pytest.mark.parametrize(
    "token", ["", ".", TOKEN[:-1], TOKEN + "A", TOKEN.partition(".")[0], TOKEN + ".", "a.b", "ü.ü", "x" * 10_000]
)
def test_a_link_of_somebody_elses_opens_nothing(token: str) -> None:
    assert LINKS.open(token) is None


def test_every_character_counts() -> None:
    other = Links(lambda: b"j" * 32)
    assert other.open(TOKEN) is None
    for place in range(0, len(TOKEN), 3):
        changed = "A" if TOKEN[place] != "A" else "B"
        opened = LINKS.open(TOKEN[:place] + changed + TOKEN[place + 1 :])
        assert opened is None or opened == ("run 1", "apr-xyz")
