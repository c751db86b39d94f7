"""Clusters of tokens that move together: against numpy and a plain search, and on real prices."""

from __future__ import annotations

import csv
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.catalogue import SubjectRow
from integration.sources.clusters import LARGEST, LEVELS, WINDOW, clustered, components, correlations
from tests.laws import examples
from tests.market import prices
from tests.sources.panels import SOURCES, assert_a_time_is_said_by_its_own_past, compute, names, panel, said, token

CLUSTERS = SOURCES["clusters"]


def walks(moves: Any) -> dict[int, list[Any]]:
    """Closes of tokens 1, 2, … from their daily returns (tokens × days), starting at 100."""
    closes = 100 * np.cumprod(np.column_stack([np.ones(len(moves)), 1 + np.asarray(moves)]), axis=1)
    return {number: row.tolist() for number, row in enumerate(closes, 1)}


def together(*groups: int, days: int = 40, noise: float = 0.002, seed: int = 3) -> Any:
    """Returns of tokens in groups of such sizes: those of a group are one walk and a little noise."""
    draw = np.random.default_rng(seed)
    return np.vstack([draw.normal(0, 0.03, days) + draw.normal(0, noise, (size, days)) for size in groups])


def found(closes: dict[int, list[Any]], *known: SubjectRow) -> dict[int, Any]:
    bars = {"daily_ohlcv": panel("daily_ohlcv", "close", closes), "top_market_cap": panel("top_market_cap", "market_rank", {})}
    return said(compute(CLUSTERS, bars, names(*known)))


def ranked(count: int) -> list[SubjectRow]:
    return [token(number, number) for number in range(1, count + 1)]


def test_tokens_that_move_together_are_a_cluster_and_others_are_none() -> None:
    snapshot = found(walks(together(4, 3, 1)), *ranked(8))[40]
    assert snapshot["clusters"] == {level: [[1, 2, 3, 4], [5, 6, 7]] for level in LEVELS}
    assert snapshot["compared"] == 8
    assert snapshot["tokens"] == {str(n): [f"Token {n}", f"T{n}"] for n in range(1, 8)}


def test_nothing_is_said_before_nine_tenths_of_the_days_have_a_return() -> None:
    days = sorted(found(walks(together(3)), *ranked(3)))
    assert days[0] == 27
    assert days == list(range(27, 41))


def test_stablecoins_and_what_stands_for_another_token_are_left_out() -> None:
    known = [token(1, 1), token(2, 2), token(3, 3, ["stablecoins"]), token(4, 4, name="Wrapped Token 1")]
    assert found(walks(together(4)), *known)[40]["clusters"]["0.9"] == [[1, 2]]


def test_only_the_largest_are_compared() -> None:
    known = [*ranked(3), token(4, LARGEST + 50), token(5)]
    assert found(walks(together(5)), *known)[40]["clusters"]["0.9"] == [[1, 2, 3, 4]]
    many = walks(together(LARGEST + 4, days=30))
    assert found(many, *ranked(LARGEST + 4))[30]["clusters"]["0.7"] == [list(range(1, LARGEST + 1))]


def test_a_price_that_stands_still_moves_with_nobody() -> None:
    moves = together(3)
    moves[2] = 0.0
    assert found(walks(moves), *ranked(3))[40]["clusters"]["0.7"] == [[1, 2]]


def test_a_few_missing_days_do_not_part_a_cluster_and_many_do() -> None:
    closes = walks(together(4))
    closes[3][30] = None
    for day in range(20, 40, 4):
        closes[4][day] = None
    assert found(closes, *ranked(4))[40]["clusters"]["0.9"] == [[1, 2, 3]]


@examples(60)
@given(seed=st.integers(0, 10_000), holes=st.integers(0, 12), rows=st.integers(2, 9))
def test_correlations_are_numpys_on_the_days_that_both_have(seed: int, holes: int, rows: int) -> None:
    draw = np.random.default_rng(seed)
    values = draw.normal(0.01, 0.04, (rows, WINDOW)) + draw.normal(0, 0.03, WINDOW)
    values[draw.integers(0, rows, holes), draw.integers(0, WINDOW, holes)] = np.nan
    ours = correlations(values, 20)
    for a in range(rows):
        for b in range(rows):
            both = np.isfinite(values[a]) & np.isfinite(values[b])
            theirs = np.corrcoef(values[a][both], values[b][both])[0, 1] if both.sum() >= 20 else np.nan
            assert ours[a, b] == pytest.approx(theirs, abs=1e-9, nan_ok=True)


@examples(100)
@given(size=st.integers(0, 12), data=st.data())
def test_components_are_what_a_plain_search_reaches(size: int, data: st.DataObject) -> None:
    pairs = data.draw(st.sets(st.tuples(st.integers(0, max(size - 1, 0)), st.integers(0, max(size - 1, 0))), max_size=14))
    linked = np.zeros((size, size), dtype=bool)
    for a, b in pairs if size else ():
        linked[a, b] = linked[b, a] = True

    def reach(node: int) -> frozenset[int]:
        seen, waiting = {node}, [node]
        while waiting:
            near = set(np.flatnonzero(linked[waiting.pop()]).tolist()) - seen
            seen |= near
            waiting += near
        return frozenset(seen)

    assert {frozenset(part) for part in components(linked)} == {reach(node) for node in range(size)}
    assert sorted(node for part in components(linked) for node in part) == list(range(size))


def test_a_higher_level_divides_the_clusters_of_a_lower_one() -> None:
    closes = walks(together(6, 5, 4, noise=0.02))
    for snapshot in found(closes, *ranked(15)).values():
        for lower, higher in (("0.7", "0.8"), ("0.8", "0.9")):
            for part in snapshot["clusters"][higher]:
                assert sum(set(part) <= set(whole) for whole in snapshot["clusters"][lower]) == 1


@examples(15)
@given(data=st.data())
def test_a_time_has_the_same_reading_whatever_else_is_asked_for(data: st.DataObject) -> None:
    closes = walks(together(3, 2, days=data.draw(st.integers(28, 50)), noise=0.02))
    for number, day in data.draw(st.sets(st.tuples(st.integers(1, 5), st.integers(0, 28)), max_size=8)):
        closes[number][day] = data.draw(st.sampled_from([None, "-", 0.0]))
    length = len(closes[1])
    rank = st.sampled_from([1, 2, 3, "-"])
    listed = {number: data.draw(st.lists(rank, min_size=length, max_size=length)) for number in (1, 2, 4)}
    panels = {"daily_ohlcv": panel("daily_ohlcv", "close", closes)}
    panels["top_market_cap"] = panel("top_market_cap", "market_rank", listed)
    assert_a_time_is_said_by_its_own_past(CLUSTERS, panels, names(*ranked(5)))


def test_real_coins_that_are_known_to_move_together_do() -> None:
    coins = ["BTC", "ETH", "LTC", "BCH", "EOS", "XLM", "ADA", "USDT"]
    files = [(prices() / f"{coin}.csv").read_text(encoding="utf-8").splitlines() for coin in coins]
    closes = [{row["date"]: float(row["close"]) for row in csv.DictReader(lines)} for lines in files]
    days = sorted(set.intersection(*map(set, closes)))[-WINDOW - 1 :]
    levels = np.array([[each[day] for day in days] for each in closes])
    parts = clustered(levels[:, 1:] / levels[:, :-1] - 1, list(range(len(coins))))
    assert parts["0.7"], "something moves with something in any month of these years"
    assert all(coins.index("USDT") not in part for part in parts["0.7"])
    assert {coins.index("BTC"), coins.index("ETH")} <= set(parts["0.7"][0])
