"""Where indices stand among each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.catalogue import Panel
from integration.domain.retry import DAY
from integration.sources._panels import ABSENCE
from integration.sources.index_ranks import RANKED, SOURCE
from integration.sources.indices import SOURCE as INDICES

METRICS = tuple(metric.name for metric in INDICES.metrics)
Day = Mapping[int, Mapping[str, float]]
FIGURE = st.sampled_from([None, 10.0, 20.0, 30.0])


def panel(days: Sequence[Day | None]) -> Panel:
    """Readings by day and index number; None is a day without any, a missing metric is null."""
    numbers = sorted({number for day in days for number in day or ()})
    times = [at for at, day in enumerate(days) if day]
    values = np.full((len(numbers), len(times), len(METRICS)), np.nan)
    there = np.zeros((len(numbers), len(times)), dtype=bool)
    for column, at in enumerate(times):
        for number, figures in (days[at] or {}).items():
            there[numbers.index(number), column] = True
            for name, value in figures.items():
                values[numbers.index(number), column, METRICS.index(name)] = value
    subjects = tuple(f"index:{number}" for number in numbers)
    return Panel(subjects, np.asarray(times, dtype=np.int64) * DAY, METRICS, values, there)


def ranks(days: Sequence[Day | None], metric: str = "index_grade", only: Sequence[int] | None = None) -> dict[Any, Any]:
    """(day, index) -> its rank, None where it is missing."""
    shown = panel(days)
    times = shown.times if only is None else np.asarray(only, dtype=np.int64) * DAY
    assert SOURCE.derivation is not None
    batch = SOURCE.derivation.compute({"indices": shown}, {}, shown.subjects, times)
    column = batch.values[:, SOURCE.column(metric if metric == "indices" else f"rank_by_{metric}")]
    keys = zip(batch.as_of.tolist(), batch.subjects, strict=True)
    return {
        (as_of // DAY, int(subject[6:])): None if np.isnan(rank) else int(rank)
        for (as_of, subject), rank in zip(keys, column.tolist(), strict=True)
    }


def graded(*grades: float | None) -> Day:
    return {number: {} if grade is None else {"index_grade": grade} for number, grade in enumerate(grades, 1)}


def test_the_highest_is_first() -> None:
    assert ranks([graded(50, 70, 60)]) == {(0, 1): 3, (0, 2): 1, (0, 3): 2}


def test_of_equals_the_larger_comes_first_then_the_lower_id() -> None:
    day = {n: {"index_grade": 50.0, "market_cap": cap} for n, cap in ((9, 1.0), (10, 2.0), (11, 1.0))}
    assert ranks([day]) == {(0, 10): 1, (0, 9): 2, (0, 11): 3}


def test_one_without_the_figure_has_no_rank_and_comes_after_all_others() -> None:
    assert ranks([graded(50, None, 60)]) == {(0, 1): 2, (0, 2): None, (0, 3): 1}


def test_nobody_moves_up_for_a_gap_in_an_answer() -> None:
    whole = graded(70, 60, 50)
    without = {number: figures for number, figures in whole.items() if number != 1}
    assert ranks([whole, without, graded(None, 60, 50)]) == {
        (0, 1): 1, (0, 2): 2, (0, 3): 3, (1, 2): 2, (1, 3): 3, (2, 1): None, (2, 2): 2, (2, 3): 3,
    }  # fmt: skip


def test_who_stays_away_for_longer_is_gone() -> None:
    days = [graded(70, 60), *[{2: {"index_grade": 60.0}}] * (ABSENCE + 1)]
    assert [ranks(days)[day, 2] for day in range(len(days))] == [*[2] * (ABSENCE + 1), 1]
    assert [ranks(days, "indices")[day, 2] for day in range(len(days))] == [*[2] * (ABSENCE + 1), 1]


def test_every_figure_has_its_rank() -> None:
    day = {1: dict.fromkeys(RANKED, 1.0), 2: dict.fromkeys(RANKED, 2.0)}
    assert all(ranks([day], metric) == {(0, 1): 2, (0, 2): 1} for metric in RANKED)


@given(days=st.lists(st.none() | st.dictionaries(st.integers(1, 4), FIGURE, min_size=1), min_size=1, max_size=8))
def test_a_rank_is_one_more_than_how_many_stand_higher_whatever_is_asked_for(days: list[dict[int, float | None] | None]) -> None:
    said = [day and {number: {} if grade is None else {"index_grade": grade} for number, grade in day.items()} for day in days]
    found = ranks(said)

    def stands(number: int, at: int) -> float | None:
        past = [(days[d] or {}).get(number) for d in range(max(0, at - ABSENCE), at + 1)]
        return next((grade for grade in reversed(past) if grade is not None), None)

    for (at, number), rank in found.items():
        own = (days[at] or {})[number]
        higher = [n for n in range(1, 5) if own is not None and (stands(n, at) or 0, -n) > (own, -number)]
        assert rank == (None if own is None else len(higher) + 1)
        assert ranks(said, only=[at])[at, number] == rank
