"""When to try again, as a table and as laws."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.retry import DAY, HOUR, MINUTE, SCHEDULE, SECOND, next_wait


@pytest.mark.parametrize(
    ("attempts", "wish_s", "wait"),
    [
        (1, None, 5 * SECOND),
        (2, None, 5 * MINUTE),
        (3, None, 30 * MINUTE),
        (4, None, 2 * HOUR),
        (5, None, 5 * HOUR),
        (6, None, 10 * HOUR),
        (7, None, 14 * HOUR),
        (8, None, 20 * HOUR),
        (9, None, 24 * HOUR),  # the last retry is made: it is the tenth attempt
        (10, None, None),
        (11, None, None),
        (1, 120.0, 2 * MINUTE),  # the receiver's wish lengthens
        (2, 120.0, 5 * MINUTE),  # and never shortens
        (1, 1.5, 5 * SECOND),
        (1, -3.0, 5 * SECOND),
        (1, 30 * 3600.0, 24 * HOUR),  # to a day at most
        (10, 120.0, None),  # and buys no further attempt
    ],
)
def test_waits(attempts: int, wish_s: float | None, wait: int | None) -> None:
    assert next_wait(attempts, wish_s, jitter=0) == wait


def test_all_attempts_together_take_three_days() -> None:
    assert sum(SCHEDULE) / HOUR == pytest.approx(75.6, abs=0.05)
    assert sum(next_wait(n, None, jitter=1) or 0 for n in range(1, 10)) / HOUR == pytest.approx(90.7, abs=0.05)


@given(st.integers(1, 9), st.none() | st.floats(0, 1e9), st.floats(0, 1))
def test_never_earlier_than_the_schedule_nor_later_than_a_fifth_more(attempts: int, wish_s: float | None, jitter: float) -> None:
    base = next_wait(attempts, wish_s, jitter=0)
    wait = next_wait(attempts, wish_s, jitter=jitter)
    assert base is not None
    assert wait is not None
    assert max(SCHEDULE[attempts - 1], min((wish_s or 0) * SECOND, DAY)) - 1 <= base <= wait <= base * 1.2 + 1


def test_jitter_is_drawn_when_it_is_not_given() -> None:
    assert len({next_wait(9, None) for _ in range(20)}) > 1
