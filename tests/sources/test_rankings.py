"""Rankings of the whole market: who is among the best, who is not ranked, and what no ranking is made of."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.catalogue import Source, SubjectRow
from integration.sources._ranking import BEST
from integration.sources.market_cap_ranking import KEPT
from tests.laws import examples
from tests.sources.panels import (
    SOURCES,
    Figures,
    assert_a_time_is_said_by_its_own_past,
    compute,
    names,
    panel,
    said,
    token,
)

TRADER, INVESTOR, GAIN, CAP = (SOURCES[f"{key}_ranking"] for key in ("trader", "investor", "gain", "market_cap"))
RANKINGS = [TRADER, INVESTOR, GAIN, CAP]
METRIC = {"trader_grades": "tm_trader_grade", "investor_grades": "tm_investor_grade", "daily_ohlcv": "close"}
METRIC["top_market_cap"] = "market_rank"


def clock(source: Source) -> str:
    assert source.derivation is not None
    return source.derivation.inputs[0].source


def ranked(source: Source, figures: Figures, *known: SubjectRow, days: Any = ()) -> dict[int, Any]:
    key = clock(source)
    return said(compute(source, {key: panel(key, METRIC[key], figures, days)}, names(*known)))


def order(snapshot: Any, name: str) -> list[int]:
    return [row["token_id"] for row in snapshot[name]["rows"]]


def test_the_best_come_first_and_of_equals_the_lower_id() -> None:
    (snapshot,) = ranked(TRADER, {9: [50], 10: [70], 2: [50], 30: [90]}, token(30)).values()
    assert order(snapshot, "trader_grade") == [30, 10, 2, 9]
    assert snapshot["trader_grade"]["rows"][0] == {"token_id": 30, "name": "Token 30", "symbol": "T30", "value": 90.0}
    assert snapshot["trader_grade"]["rows"][1] == {"token_id": 10, "name": "Token 10", "symbol": "", "value": 70.0}


def test_a_token_that_never_had_a_figure_is_not_ranked() -> None:
    (snapshot,) = ranked(TRADER, {1: [None], 2: [float("inf")], 3: [0.0]}).values()
    assert (order(snapshot, "trader_grade"), snapshot["trader_grade"]["ranked"]) == ([3], 1)


def test_a_figure_stands_in_for_a_missing_one_for_three_days() -> None:
    rows: dict[int, list[Any]] = {1: [90, None, "-", None, None, 40], **{n: [10 + n] * 6 for n in range(2, 8)}}
    found = ranked(TRADER, rows)
    assert [order(found[day], "trader_grade")[0] for day in range(6)] == [1, 1, 1, 1, 7, 1]
    assert [found[day]["trader_grade"]["ranked"] for day in range(6)] == [7, 7, 7, 7, 6, 7]


def test_a_day_that_most_tokens_are_missing_from_is_no_ranking() -> None:
    rows: dict[int, list[Any]] = {n: [n, n if n <= 6 else "-", n if n <= 7 else "-", n] for n in range(1, 11)}
    found = ranked(TRADER, rows)
    assert sorted(found) == [0, 2, 3]
    assert order(found[2], "trader_grade")[0] == 10


def test_only_the_best_are_shown_and_all_are_counted() -> None:
    (snapshot,) = ranked(TRADER, {n: [n / 10] for n in range(1, 400)}).values()
    assert order(snapshot, "trader_grade") == list(range(399, 399 - BEST, -1))
    assert snapshot["trader_grade"]["ranked"] == 399


def test_its_metrics_are_how_many_are_ranked() -> None:
    batch = compute(TRADER, {"trader_grades": panel("trader_grades", "tm_trader_grade", {1: [1, 2], 2: [None, 3]})}, {})
    assert batch.values.tolist() == [[1], [2]]
    assert batch.subjects == ["market", "market"]
    assert [metric.name for metric in GAIN.metrics] == ["gain_1d_ranked", "gain_7d_ranked", "gain_30d_ranked"]


def test_investor_and_valuation_grades_are_two_rankings() -> None:
    grades = panel("investor_grades", "tm_investor_grade", {1: [80], 2: [40]})
    grades.values[:, 0, grades.metrics.index("valuation_grade")] = [30, 60]
    (snapshot,) = said(compute(INVESTOR, {"investor_grades": grades}, {})).values()
    assert (order(snapshot, "investor_grade"), order(snapshot, "valuation_grade")) == ([1, 2], [2, 1])


def test_gains_are_over_calendar_days_whatever_bars_are_missing() -> None:
    closes: dict[int, list[Any]] = {1: [100.0 + day for day in range(31)], 2: [50.0] * 31, 3: [0.0] * 30 + [9.0]}
    closes[1][29] = "-"
    found = ranked(GAIN, closes)
    rows = {name: {row["token_id"]: row["value"] for row in found[30][name]["rows"]} for name in found[30]}
    assert rows["gain_30d"] == {1: pytest.approx(0.3), 2: 0.0}
    assert rows["gain_7d"] == {1: pytest.approx(130 / 123 - 1), 2: 0.0}
    assert rows["gain_1d"][1] == pytest.approx(128 / 127 - 1), "the gain of the day before yesterday stands in"
    assert found[0]["gain_1d"] == {"ranked": 0, "rows": []}
    skipped = ranked(GAIN, {1: [100.0, 120.0], 2: [1.0, 1.0]}, days=(0, 2))
    assert skipped[2]["gain_1d"]["ranked"] == 0


def test_market_cap_ranks_are_upstreams_and_what_is_pegged_is_flagged() -> None:
    known = [
        token(3375, 1, ["layer-1"], "Bitcoin", "BTC"),
        token(3379, 2, ["stablecoins"], "Tether", "USDT"),
        token(7, 3, (), "Wrapped Bitcoin", "WBTC"),
    ]
    (snapshot,) = ranked(CAP, {3375: [1], 3379: [2], 7: [3]}, *known).values()
    rows = snapshot["market_cap"]["rows"]
    assert [(row["symbol"], row["value"], row["stablecoin"], row["wrapped"]) for row in rows] == [
        ("BTC", 1.0, False, False),
        ("USDT", 2.0, True, False),
        ("WBTC", 3.0, False, True),
    ]
    assert KEPT > BEST


def test_a_token_that_is_no_longer_listed_among_the_largest_is_not_ranked() -> None:
    found = ranked(CAP, {n: [n, n if n < 8 else "-"] for n in range(1, 9)})
    assert [len(found[day]["market_cap"]["rows"]) for day in (0, 1)] == [8, 7]


@pytest.mark.parametrize("source", RANKINGS, ids=lambda source: source.key)
@examples(40)
@given(data=st.data())
def test_a_time_has_the_same_ranking_whatever_else_is_asked_for(source: Source, data: st.DataObject) -> None:
    figure = st.sampled_from([1.0, 2.0, 3.0, 50.0, None, "-"])
    days = data.draw(st.integers(1, 45))
    drawn = {n: data.draw(st.lists(figure, min_size=days, max_size=days)) for n in (1, 2, 13)}
    key = clock(source)
    assert_a_time_is_said_by_its_own_past(source, {key: panel(key, METRIC[key], drawn)}, names(token(1), token(2)))


@examples(80)
@given(data=st.data())
def test_a_ranking_is_a_plain_sort(data: st.DataObject) -> None:
    grade = st.sampled_from([None, 0.0, 10.0, 10.5, 99.0]) | st.floats(0, 100)
    grades = data.draw(st.dictionaries(st.integers(1, 500), grade, min_size=1, max_size=60))
    (snapshot,) = ranked(TRADER, {number: [value] for number, value in grades.items()}).values()
    there = {number: value for number, value in grades.items() if value is not None}
    assert order(snapshot, "trader_grade") == sorted(there, key=lambda number: (-there[number], number))


def test_no_times_give_no_rankings() -> None:
    for source in RANKINGS:
        key = clock(source)
        batch = compute(source, {key: panel(key, METRIC[key], {1: [1.0]})}, {}, np.empty(0, dtype=np.int64))
        assert (len(batch.as_of), batch.values.shape) == (0, (0, len(source.metrics)))
