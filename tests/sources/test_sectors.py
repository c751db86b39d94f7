"""Grades by sector: which tokens, in which order, and what makes a sector."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.laws import examples
from tests.sources.panels import SOURCES, assert_a_time_is_said_by_its_own_past, compute, names, panel, said, token

SECTORS = SOURCES["sectors"]
KNOWN = names(
    token(1, 2, ["defi", "chain:ethereum"]),
    token(2, 1, ["layer-1"]),
    token(3, 3, ["defi", "layer-1", "meme", "chain:ethereum"]),
    token(4, None, ["defi"]),
    token(5, 1001, ["defi"]),
)


def panels(trader: Any, investor: Any = None, listed: Any = None) -> dict[str, Any]:
    return {
        "trader_grades": panel("trader_grades", "tm_trader_grade", trader),
        "investor_grades": panel("investor_grades", "tm_investor_grade", investor or {}),
        "top_market_cap": panel("top_market_cap", "market_rank", listed or {}),
    }


def test_the_largest_tokens_come_with_both_grades_and_the_sectors_they_make() -> None:
    grades = {n: [10.0 * n] for n in range(1, 6)}
    batch = compute(SECTORS, panels(grades, {1: [55.5], 3: [None]}), KNOWN)
    (snapshot,) = said(batch).values()
    assert snapshot == {
        "token_ids": [2, 1, 3],
        "names": ["Token 2", "Token 1", "Token 3"],
        "symbols": ["T2", "T1", "T3"],
        "ranks": [1, 2, 3],
        "trader_grades": [20.0, 10.0, 30.0],
        "investor_grades": [None, 55.5, None],
        "sectors": {"defi": [1, 3], "layer-1": [2, 3]},
    }
    assert (batch.subjects, batch.values.tolist()) == (["market"], [[3, 2]])


def test_ranks_are_those_of_the_lists_of_the_time_and_only_else_those_known_now() -> None:
    grades = {n: [50.0] * 6 for n in (1, 2, 3)}
    listed = {1: ["-", 2, "-", "-", "-", "-"], 2: ["-", 3, "-", "-", "-", "-"], 3: ["-", 1, "-", "-", "-", "-"]}
    found = said(compute(SECTORS, panels(grades, listed=listed), KNOWN))
    assert [found[day]["token_ids"] for day in range(6)] == [[2, 1, 3], *[[3, 1, 2]] * 4, [2, 1, 3]]


def test_a_token_that_the_newest_list_leaves_out_is_not_among_the_largest() -> None:
    found = said(compute(SECTORS, panels({n: [50.0] for n in (1, 2, 3)}, listed={1: [1], 2: [2]}), KNOWN))
    assert found[0]["token_ids"] == [1, 2]


def test_an_investor_grade_stands_for_three_days_beside_later_trader_grades() -> None:
    found = said(compute(SECTORS, panels({2: [1.0] * 6}, {2: ["-", 70.0]}), KNOWN))
    assert [found[day]["investor_grades"] for day in range(6)] == [[None], *[[70.0]] * 4, [None]]


@examples(40)
@given(data=st.data())
def test_a_time_has_the_same_reading_whatever_else_is_asked_for(data: st.DataObject) -> None:
    figure = st.sampled_from([1.0, 2.0, 3.0, None, "-"])
    days = data.draw(st.integers(1, 9))

    def drawn() -> dict[int, list[Any]]:
        return {n: data.draw(st.lists(figure, min_size=days, max_size=days)) for n in (1, 2, 3)}

    assert_a_time_is_said_by_its_own_past(SECTORS, panels(drawn(), drawn(), drawn()), KNOWN)
