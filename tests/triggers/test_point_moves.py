"""Moves of scores over readings and rises of valuations over days, against plain references."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from integration.domain.catalogue import Trigger
from integration.domain.history import History
from integration.domain.payload import iso
from integration.sources import load
from integration.triggers import score_changed, valuation_improved
from tests.laws import examples
from tests.triggers.logs import DAY, SOURCES, assert_nothing_older_than_the_lookback_matters, history_of, loaded
from tests.triggers.reference import HOUR, Observation, decimal, observations, told

SCORE, VALUATION = score_changed.TRIGGER, valuation_improved.TRIGGER
Readings = Sequence[tuple[int, float | None]]


def history(trigger: Trigger, metric: str, readings: Readings, cadence: int) -> History:
    return history_of(SOURCES["investor_grades"], trigger, [(time, {metric: value}) for time, value in readings], cadence)


def unbroken(seen: Sequence[Observation], first: int, last: int, cadence: int) -> bool:
    return all(seen[p + 1][0] - seen[p][0] <= max(48 * HOUR, 3 * cadence) for p in range(first, last))


def far(seen: Sequence[Observation], back: int | None, at: int, cadence: int, points: float) -> int:
    """1 or -1 where the value moved by at least so many points since position `back`, else 0."""
    if back is None or back < 0 or not unbroken(seen, back, at, cadence):
        return 0
    change = decimal(seen[at][1]) - decimal(seen[back][1])
    return 0 if abs(change) < decimal(points) else 1 if change > 0 else -1


def begun(moves: Sequence[int], near: Callable[[int, int], bool]) -> list[int]:
    """Positions of moves without an earlier one in their direction near by."""
    return [at for at, way in enumerate(moves) if way and not any(moves[p] == way and near(p, at) for p in range(at))]


def expected_scores(readings: Readings, cadence: int, options: dict[str, Any]) -> list[tuple[Any, ...]]:
    seen, window = observations(readings), options["window"]
    moves = [far(seen, at - window, at, cadence, options["points"]) for at in range(len(seen))]
    starts = begun(moves, lambda p, at: at - p < window)
    wanted = {"up": [1], "down": [-1], "either": [1, -1]}[options["direction"]]
    notices = told(seen, starts, round(options["cooldown_hours"] * HOUR), lambda at: moves[at] in wanted)
    return [(seen[at][0], "up" if moves[at] > 0 else "down", seen[at][1], seen[at - window][1], silent) for at, silent in notices]


def expected_rises(readings: Readings, cadence: int, options: dict[str, Any]) -> list[tuple[Any, ...]]:
    seen, span = observations(readings), options["days"] * DAY
    back = [max((p for p in range(at) if seen[at][0] - seen[p][0] >= span), default=None) for at in range(len(seen))]
    moves = [far(seen, back[at], at, cadence, options["points"]) for at in range(len(seen))]
    rises = [way if way > 0 and seen[at][1] >= options["min_grade"] else 0 for at, way in enumerate(moves)]
    notices = told(
        seen,
        begun(rises, lambda p, at: seen[at][0] - seen[p][0] < span),
        round(options["cooldown_hours"] * HOUR),
        lambda _: True,
    )
    return [
        (seen[at][0], seen[at][1], seen[before][1], iso(seen[before][0]), silent)
        for at, silent in notices
        if (before := back[at]) is not None
    ]


def found(trigger: Trigger, past: History, options: dict[str, Any], *names: str) -> list[tuple[Any, ...]]:
    return [(firing.as_of, *(firing.fields[name] for name in names)) for firing in trigger.scan(past, options)]


@st.composite
def timelines(draw: st.DrawFn, values: Sequence[float]) -> tuple[list[tuple[int, float | None]], int]:
    """A few values that come again and again, with nulls and silences."""
    value = st.sampled_from(draw(st.lists(st.sampled_from([*values, None]), min_size=2, max_size=6)))
    cadence = draw(st.sampled_from([DAY, DAY, DAY, 10 * DAY, HOUR]))
    steps = st.sampled_from([10, 10, 10, 10, 10, 1, 5, 20, 30, 31, 48])
    readings, time = [], 25 * 60_000
    for step, reading in draw(st.lists(st.tuples(steps, value), max_size=40)):
        time += step * cadence // 10
        readings.append((time, reading))
    return readings, cadence


COOLDOWNS = st.sampled_from([0.0, 6.0, 25.0, 100.0, 720.0])


@examples(400)
@given(
    timeline=timelines([0.0, 0.1, 0.4, 5.0, 6.0, 6.1, 9.9, 10.0]),
    points=st.sampled_from([0.1, 0.3, 1.0, 1.1, 3.9, 10.0]),
    window=st.sampled_from([1, 1, 2, 3, 5]),
    direction=st.sampled_from(["up", "down", "either"]),
    cooldown=COOLDOWNS,
)
def test_scores_move_as_the_rules_say_read_plainly(
    timeline: tuple[Any, int], points: float, window: int, direction: str, cooldown: float
) -> None:
    asked = {"points": points, "window": window, "direction": direction, "cooldown_hours": cooldown}
    options, (readings, cadence) = loaded(SCORE, asked), timeline
    past = history(SCORE, "activity_score", readings, cadence)
    names = ("direction", "new_score", "old_score", "suppressed_count")
    assert found(SCORE, past, options, *names) == expected_scores(readings, cadence, options)
    assert_nothing_older_than_the_lookback_matters(SCORE, past, options)


@examples(400)
@given(
    timeline=timelines([0.0, 40.0, 45.0, 45.1, 50.2, 60.0, 100.0]),
    points=st.sampled_from([0.1, 5.0, 5.1, 15.0, 60.0]),
    days=st.sampled_from([1, 1, 2, 7, 30]),
    least=st.sampled_from([0.0, 45.1, 60.0]),
    cooldown=COOLDOWNS,
)
def test_valuations_rise_as_the_rules_say_read_plainly(
    timeline: tuple[Any, int], points: float, days: int, least: float, cooldown: float
) -> None:
    asked = {"points": points, "days": days, "min_grade": least, "cooldown_hours": cooldown}
    options, (readings, cadence) = loaded(VALUATION, asked), timeline
    past = history(VALUATION, "valuation_grade", readings, cadence)
    names = ("valuation_grade", "previous_valuation_grade", "previous_as_of", "suppressed_count")
    assert found(VALUATION, past, options, *names) == expected_rises(readings, cadence, options)
    assert_nothing_older_than_the_lookback_matters(VALUATION, past, options)


def test_every_score_of_the_source_can_be_watched() -> None:
    scores = {metric.name for metric in load()["investor_grades"].metrics if metric.name.endswith("_score")}
    assert {f"{name}_score" for name in score_changed.SCORES} == scores
    for metric in load()["investor_grades"].metrics:
        if metric.name in scores:
            assert metric.label.lower() == score_changed.SCORES[metric.name.removesuffix("_score")].lower()
            assert (metric.low, metric.high) == (0, score_changed.HIGHEST)


def test_week_over_week_means_the_newest_reading_at_least_a_week_old() -> None:
    grades = [(day * DAY, 40.0 + (day >= 3) * 2) for day in range(10)] + [(10 * DAY, 47.0)]
    fields = VALUATION.scan(history(VALUATION, "valuation_grade", grades, DAY), loaded(VALUATION, {}))[0].fields
    assert (fields["previous_valuation_grade"], fields["previous_as_of"]) == (42, "1970-01-04T00:00:00Z")
