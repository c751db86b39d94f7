"""When a breaker opens: five failures at least, and most of the last twenty, within five minutes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.breaker import FAILURES, LAST, MOST_MS, SHARE, WITHIN, Breaker, open_for
from integration.domain.retry import MINUTE, SECOND


def opens(outcomes: str, step: int = SECOND) -> list[int]:
    """The positions at which it opens; "x" is a failure."""
    breaker = Breaker()
    return [at for at, each in enumerate(outcomes) if breaker.note(at * step, fine=each != "x")]


@pytest.mark.parametrize(
    ("outcomes", "opened"),
    [
        ("xxxx", []),
        ("xxxxx", [4]),
        ("..xxxxx", [6]),
        ("...xxxxx", []),
        ("...xxxxxxx", [9]),
        ("x.x.x.x.x.x.x.x.x.x.", []),
        ("xxxxxxxxxx", [4, 9]),
    ],
)
def test_it_opens_at_five_failures_that_are_most_of_the_last(outcomes: str, opened: list[int]) -> None:
    assert opens(outcomes) == opened


def test_failures_that_lie_far_apart_do_not_count_together() -> None:
    assert opens("x" * 20, step=2 * MINUTE) == []


@given(st.text("x.", max_size=60))
def test_it_never_opens_below_its_share(outcomes: str) -> None:
    since = 0
    for at in opens(outcomes):
        recent = outcomes[since : at + 1][-LAST:]
        assert recent.count("x") >= max(FAILURES, SHARE * len(recent))
        assert outcomes[at] == "x"
        since = at + 1


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2 * MINUTE)), max_size=80))
def test_it_opens_exactly_where_a_plain_list_of_the_last_attempts_says_so(attempts: list[tuple[bool, int]]) -> None:
    breaker, last, at = Breaker(), list[tuple[int, bool]](), 0
    for fine, wait in attempts:
        at += wait
        last = [*last, (at, fine)][-LAST:]
        recent = [good for when, good in last if at - when < WITHIN]
        failures = recent.count(False)
        expected = not fine and failures >= FAILURES and failures >= SHARE * len(recent)
        assert breaker.note(at, fine=fine) is expected
        last = [] if expected else last


def test_it_stays_open_twice_as_long_each_time_up_to_a_limit() -> None:
    lengths = [open_for(n) for n in range(12)]
    assert lengths[:3] == [30 * SECOND, 60 * SECOND, 120 * SECOND]
    assert lengths == sorted(lengths)
    assert lengths[-1] == MOST_MS
    assert WITHIN == 5 * MINUTE
