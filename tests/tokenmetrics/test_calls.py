"""What fetching is said to take is what paging to the end takes."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from integration.domain.catalogue import Source
from integration.domain.retry import DAY
from integration.sources import load
from integration.tokenmetrics.asks import PAGE_SIZE, asks, calls

SOURCES = [source for source in load().values() if source.ranged]
START = date(2024, 1, 1)


def paged(source: Source, ids: range | None, end: date, everyone: int) -> int:
    """Calls until a page is not full, where every subject has every reading."""
    made = 0
    for ask in asks(source, ids, START, end):
        assert ask.start is not None
        assert ask.end is not None
        left = len(ask.ids.split(",")) if ask.ids else everyone
        left *= ((ask.end - ask.start).days + 1) * max(1, DAY // source.cadence)
        while True:
            made += 1
            if not source.page_param or left < PAGE_SIZE or made == source.max_pages:
                break
            left -= PAGE_SIZE
    return made


@given(st.sampled_from(SOURCES), st.integers(1, 130), st.integers(0, 70), st.booleans())
def test_calls_are_counted_page_by_page(source: Source, subjects: int, days: int, named: bool) -> None:
    end = START + timedelta(days)
    ids = range(subjects) if named or source.selection == "ids" else None
    assert calls(source, ids, START, end, subjects) == paged(source, ids, end, subjects)
