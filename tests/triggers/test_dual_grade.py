"""Grade regimes against a plain reference: two levels, each by itself, looked at together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.domain.history import History
from integration.triggers import grade_threshold
from integration.triggers.dual_grade import TRIGGER, holds
from tests.laws import examples
from tests.triggers.logs import DAY, SOURCES, assert_nothing_older_than_the_lookback_matters, cut, history_of, loaded, others_of
from tests.triggers.reference import HOUR, Observation, Turn, look_back, side_above, told, turn_at

Day = tuple[int, float | None, float | None]  # (day, trader grade, investor grade)
REGIMES = {(1, 1): "both_high", (1, -1): "short_term", (-1, 1): "wait", (-1, -1): "avoid"}


def history(days: Sequence[Day], options: dict[str, Any]) -> History:
    said = [(day * DAY, {"tm_trader_grade": t, "investor_grades.tm_investor_grade": i}) for day, t, i in days]
    return history_of(SOURCES["trader_grades"], TRIGGER, said, others=others_of(TRIGGER, options))


def side_at(seen: Sequence[Observation], at: int, confirm: int, side_of: Callable[[float], int]) -> int:
    """The side that counts at an observation; 0 before any does."""
    turns = [turn for p in range(look_back(seen, at, DAY), at + 1) if (turn := turn_at(seen, p, DAY, confirm, side_of))]
    if turns:
        return turns[-1].side
    taken = [side_of(seen[p][1]) for p in range(look_back(seen, at, DAY), at + 1)]
    return next((side for side in taken if side), 0)


class Grade:
    """One grade's turns and sides by time."""

    def __init__(self, days: Sequence[tuple[int, float | None]], level: float, band: float, confirm: int) -> None:
        self.seen = [(day * DAY, value) for day, value in days if value is not None]
        side_of = side_above(level, band)
        self.sides = [side_at(self.seen, at, confirm, side_of) for at in range(len(self.seen))]
        turns = {at: turn_at(self.seen, at, DAY, confirm, side_of) for at in range(len(self.seen))}
        self.turns: dict[int, Turn] = {self.seen[at][0]: turn for at, turn in turns.items() if turn}

    def around(self, time: int) -> tuple[int, int]:
        """The sides before and after a time."""
        if time in self.turns:
            return self.turns[time].previous, self.turns[time].side
        near = [side for (seen, _), side in zip(self.seen, self.sides, strict=True) if time - 3 * DAY <= seen <= time]
        return (near[-1], near[-1]) if near else (0, 0)


def expected(days: Sequence[Day], options: dict[str, Any]) -> list[tuple[int, str, str, int]]:
    band, confirm = options["hysteresis"], options["min_observations"]
    trader = Grade([(day, t) for day, t, _ in days], options["trader_high_at"], band, confirm)
    investor = Grade([(day, i) for day, _, i in days], options["investor_high_at"], band, confirm)
    times = [(day * DAY, 0.0) for day, _, _ in days]
    changes = {}
    for at, (time, _) in enumerate(times):
        if time in trader.turns or time in investor.turns:
            (t_old, t_new), (i_old, i_new) = trader.around(time), investor.around(time)
            if t_new and i_new:
                changes[at] = REGIMES[t_old, i_old], REGIMES[t_new, i_new]
    wanted = options["regimes"].split(",")
    quiet = told(times, list(changes), round(options["cooldown_hours"] * HOUR), lambda at: changes[at][1] in wanted)
    return [(times[at][0], *changes[at], silent) for at, silent in quiet]


GRADES = st.sampled_from([70.0, 50.0, 70.0, 50.0, 60.0, 59.0, 58.0, None])


@st.composite
def questions(draw: st.DrawFn) -> tuple[list[Day], dict[str, Any]]:
    asked = {
        "min_observations": draw(st.sampled_from([1, 1, 2, 3])),
        "cooldown_hours": draw(st.sampled_from([0.0, 6.0, 25.0, 100.0])),
        "regimes": draw(st.sampled_from(["", "avoid", "both_high,wait"])),
    }
    day, days = 0, []
    for step, stays, trader, investor in draw(
        st.lists(st.tuples(st.sampled_from([1, 1, 1, 1, 2, 3, 4]), st.sampled_from([1, 1, 2, 3]), GRADES, GRADES), max_size=25)
    ):
        for again in range(stays):
            day += 1 if again else step
            days.append((day, trader, investor))
    return days, loaded(TRIGGER, asked)


@examples(300)
@given(question=questions())
def test_changes_are_those_of_the_rules_read_plainly(question: tuple[list[Day], dict[str, Any]]) -> None:
    days, options = question
    past = history(days, options)
    names = ("previous_regime", "regime", "suppressed_count")
    assert [(f.as_of, *(f.fields[n] for n in names)) for f in TRIGGER.scan(past, options)] == expected(days, options)
    assert_nothing_older_than_the_lookback_matters(TRIGGER, past, options)


@examples(200)
@given(question=questions())
def test_a_regime_holds_where_both_levels_do(question: tuple[list[Day], dict[str, Any]]) -> None:
    """Without missing grades, each regime is two conditions of grade_threshold at once."""
    days = [(day, t, i) for day, t, i in question[0] if t is not None and i is not None]
    base = question[1] | {"regimes": "short_term"}
    past = history(days, base)

    def level(grade: str, source: str, values: Sequence[float | None], asked: dict[str, Any]) -> list[int]:
        shared = {name: base[name] for name in ("min_observations", "cooldown_hours")}
        options = loaded(grade_threshold.TRIGGER, {"preset": "own", "grade": grade, **shared, **asked})
        said = [(day * DAY, {f"tm_{grade}_grade": value}) for (day, _, _), value in zip(days, values, strict=True)]
        found: list[int] = grade_threshold.holds(history_of(SOURCES[source], grade_threshold.TRIGGER, said), options).tolist()
        return found

    high = level("trader", "trader_grades", [t for _, t, _ in days], {"level": 60, "direction": "up"})
    low = level("investor", "investor_grades", [i for _, _, i in days], {"level": 58, "direction": "down"})
    both = [-1 if -1 in pair else int(pair == (1, 1)) for pair in zip(high, low, strict=True)]
    assert holds(past, base).tolist() == both


@examples(100)
@given(question=questions())
def test_a_regime_holds_when_it_is_told_and_of_a_prefix_nothing_else_is_said(question: tuple[list[Day], dict[str, Any]]) -> None:
    days, options = question
    past = history(days, options)
    held = holds(past, options)
    assert all(held[past.as_of == firing.as_of] == 1 for firing in TRIGGER.scan(past, options))
    for stop in range(len(days)):
        assert holds(cut(past, 0, stop), options).tolist() == held[:stop].tolist()


def test_regimes_may_be_named_in_any_order_and_all_means_all() -> None:
    assert loaded(TRIGGER, {"regimes": " wait, both_high "})["regimes"] == "both_high,wait"
    assert loaded(TRIGGER, {"regimes": ""}) == loaded(TRIGGER, {})


def test_an_unknown_regime_is_refused_with_the_nearest() -> None:
    with pytest.raises(ValidationError, match="Did you mean both_high"):
        loaded(TRIGGER, {"regimes": "both_hihg"})
    with pytest.raises(ValidationError, match="There are: both_high, short_term, wait, avoid"):
        loaded(TRIGGER, {"regimes": "xyz"})


def test_a_cut_off_that_could_never_be_left_is_refused_with_the_remedy() -> None:
    with pytest.raises(ValidationError, match="5 at most"):
        loaded(TRIGGER, {"investor_high_at": 5, "hysteresis": 6})
    for name in ("trader_high_at", "investor_high_at"):
        with pytest.raises(ValidationError, match="never be crossed at 0: choose more than 0") as caught:
            loaded(TRIGGER, {name: 0, "hysteresis": 0, "regimes": "avoid"})
        assert list(caught.value.messages_dict) == [name]
