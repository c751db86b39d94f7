from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.sources import load
from integration.tokenmetrics.asks import LONGEST_SPAN, Ask, asks, parameters

SOURCES = load()
TRADER, HOLDINGS, TOKENS = SOURCES["trader_grades"], SOURCES["indices_holdings"], SOURCES["tokens"]
DAY_1, DAY_29, DAY_30 = date(2025, 1, 1), date(2025, 1, 29), date(2025, 1, 30)


def test_everything_newest_is_one_ask() -> None:
    assert asks(TRADER, None, None, None) == [Ask()]


def test_ids_are_asked_for_once_in_portions() -> None:
    assert asks(HOLDINGS, [5, 1, 5], None, None) == [Ask("1"), Ask("5")]
    assert asks(HOLDINGS, [], None, None) == []
    assert [ask.ids.count(",") + 1 for ask in asks(TRADER, range(120), None, None)] == [50, 50, 20]
    # two days of fifty would be a full page, and an empty one after it
    assert [ask.ids.count(",") + 1 for ask in asks(TRADER, range(120), DAY_29, DAY_30)] == [49, 49, 22]


def test_29_days_are_one_ask_and_30_are_two_without_a_day_twice() -> None:
    assert asks(TRADER, None, DAY_1, DAY_29) == [Ask("", DAY_1, DAY_29)]
    assert asks(TRADER, None, DAY_1, DAY_30) == [Ask("", DAY_1, DAY_29), Ask("", DAY_30, DAY_30)]


@given(st.dates(date(2019, 1, 1), date(2026, 1, 1)), st.integers(0, 1_200))
def test_every_day_is_asked_for_once_and_no_span_is_too_long(start: date, more: int) -> None:
    end = start + timedelta(more)
    days = []
    for ask in asks(TRADER, None, start, end):
        assert ask.start is not None
        assert ask.end is not None
        span = (ask.end - ask.start).days + 1
        assert 1 <= span <= LONGEST_SPAN
        days += [ask.start + timedelta(day) for day in range(span)]
    assert days == [start + timedelta(day) for day in range(more + 1)]


def test_what_a_source_cannot_be_asked_for_is_refused() -> None:
    with pytest.raises(ValueError, match="by ids"):
        asks(HOLDINGS, None, None, None)
    with pytest.raises(ValueError, match="takes no dates"):
        asks(TOKENS, None, DAY_1, DAY_30)


def test_version_3_gets_dates_in_both_spellings_and_what_else_it_needs() -> None:
    ask = Ask("1,2", DAY_1, DAY_29)
    two = {"token_id": "1,2", "startDate": "2025-01-01", "endDate": "2025-01-29", "limit": "100", "page": "3"}
    assert parameters(TRADER, ask, 3, "v2") == two
    assert parameters(TRADER, ask, 3, "v3") == two | {"start_date": "2025-01-01", "end_date": "2025-01-29"}
    assert parameters(TOKENS, Ask(), 1, "v2") == {"limit": "100", "page": "1"}
    assert parameters(TOKENS, Ask(), 1, "v3")["expand"] == "exchange_list,category_list"
    assert parameters(SOURCES["top_market_cap"], Ask(), 2, "v2") == {"top_k": "100", "page": "2"}
    assert parameters(HOLDINGS, Ask("5"), 1, "v2") == {"id": "5", "limit": "100", "page": "1"}
    assert parameters(SOURCES["tm_grade"], Ask("5"), 1, "v2") == {"token_id": "5"}
