"""Each bearish sign against plain loops over rows, and what enough of them make."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.domain.history import History
from integration.triggers._signs import SIGNS
from integration.triggers.bearish_warning import TRIGGER
from tests.laws import examples
from tests.triggers.logs import DAY, assert_nothing_older_than_the_lookback_matters, history_of, loaded, others_of, source_of
from tests.triggers.reference import HOUR, Observation, told, turn_at
from tests.triggers.test_prices import plain_before

Row = Mapping[str, Any]
Question = tuple[list[Row], dict[str, Any]]
ALL = loaded(TRIGGER, {})
GAP, YEAR = 3 * DAY, 360 * DAY
NAMES = {
    "grade": "tm_trader_grade",
    "trend": "trading_signals.token_trend",
    "signal": "trading_signals.trading_signal",
    "dated": "trading_signals.as_of",
    "ratio": "risk_30d.volume_ratio",
    "fundamental": "investor_grades.fundamental_grade",
    "close": "daily_ohlcv.close",
}


def history(rows: Sequence[Row], options: Mapping[str, Any] = ALL) -> History:
    others = others_of(TRIGGER, options)
    known = {name for name, key in NAMES.items() if "." not in key or key.partition(".")[0] in others}
    values = [
        (
            row["time"],
            {NAMES[name]: row[name] for name in known if row.get(name) is not None} | {"tm_trader_grade": row.get("grade")},
        )
        for row in rows
    ]
    return history_of(source_of(TRIGGER, options), TRIGGER, values, others=others)


# -- the signs once more, plainly ----------------------------------------------------------------------------------------


def heard(row: Row) -> float | None:
    """The trend, or the day's own signal where no trend is said."""
    spoken = row["signal"] or None
    return spoken if row["trend"] is None or (row["trend"] == 0 and spoken) else row["trend"]


def chain(rows: Sequence[Row], at: int) -> list[int]:
    """The readings up to `at` that hear signals, newest first, without a long silence between; none where `at` does not."""
    if heard(rows[at]) is None:
        return []
    found = [at]
    for position in range(at - 1, -1, -1):
        if rows[position + 1]["time"] - rows[position]["time"] > GAP or rows[found[-1]]["time"] - rows[position]["time"] > GAP:
            break
        if heard(rows[position]) is not None:
            found.append(position)
    return found


def signals(rows: Sequence[Row], at: int) -> list[tuple[int, float]]:
    """(position, 1 or -1) of the signals heard up to `at`, newest first."""
    linked, found = chain(rows, at), []
    for place, position in enumerate(linked):
        before = linked[place + 1] if place + 1 < len(linked) else None
        row, now = rows[position], heard(rows[position])
        assert now is not None
        if row["signal"] and (before is None or dated(rows[before]) != dated(row)):
            found.append((position, row["signal"]))
        elif before is not None and now and now * (heard(rows[before]) or 0) <= 0:
            found.append((position, now))
    return found


def dated(row: Row) -> float:
    return float(row["dated"] if row.get("dated") is not None else row["time"] / DAY)


def low_grade(rows: Sequence[Row], at: int) -> int:
    grade = rows[at]["grade"]
    return -1 if grade is None else int(grade < 30)


def losing_signal(rows: Sequence[Row], at: int) -> int:
    now = rows[at]["time"]
    bullish = [position for position, side in signals(rows, at) if side > 0]
    if bullish and now - rows[bullish[0]]["time"] <= YEAR:
        bought, close = rows[bullish[0]]["close"], rows[at]["close"]
        return -1 if bought is None or close is None else int(close < bought)
    linked = chain(rows, at)
    return 0 if linked and now - rows[linked[-1]]["time"] >= YEAR else -1


def volume_drying(rows: Sequence[Row], at: int) -> int:
    ratio = rows[at]["ratio"]
    closes = [(row["time"], row["close"]) for row in rows[: at + 1] if row["close"] is not None]
    moved = None
    if closes and closes[-1][0] == rows[at]["time"]:
        back = plain_before([time for time, _ in closes], len(closes) - 1, 7 * DAY, DAY)
        moved = None if back < 0 else abs(closes[-1][1] / closes[back][1] - 1)
    if (ratio is not None and ratio > 0.5) or (moved is not None and moved > 0.05 + 1e-9):
        return 0
    return -1 if ratio is None or moved is None else 1


def bearish_crossover(rows: Sequence[Row], at: int) -> int:
    trend = heard(rows[at])
    return -1 if trend is None else int(trend < 0)


def fundamentals_weakening(rows: Sequence[Row], at: int) -> int:
    grades = [(row["time"], row["fundamental"]) for row in rows[: at + 1] if row["fundamental"] is not None]
    if not grades or grades[-1][0] != rows[at]["time"]:
        return -1
    back = plain_before([time for time, _ in grades], len(grades) - 1, 30 * DAY, DAY)
    return -1 if back < 0 else int(grades[-1][1] - grades[back][1] <= -3 + 1e-9)


def signal_stale(rows: Sequence[Row], at: int) -> int:
    linked, given = chain(rows, at), signals(rows, at)
    if not linked:
        return -1
    since = dated(rows[at]) - dated(rows[given[0][0] if given else linked[-1]])
    return int(since >= 60) if given else (1 if since >= 60 else -1)


PLAIN: Mapping[str, Callable[[Sequence[Row], int], int]] = {
    "low_grade": low_grade,
    "losing_signal": losing_signal,
    "volume_drying": volume_drying,
    "bearish_crossover": bearish_crossover,
    "fundamentals_weakening": fundamentals_weakening,
    "signal_stale": signal_stale,
}


def expected(rows: Sequence[Row], options: Mapping[str, Any]) -> list[tuple[int, str, str]]:
    chosen = options["signs"].split(",")
    seen: list[Observation] = []
    named: list[str] = []
    for at in range(len(rows)):
        states = {sign: PLAIN[sign](rows, at) for sign in chosen}
        holds = [sign for sign in chosen if states[sign] == 1]
        if len(holds) >= options["at_least"] or sum(state != 0 for state in states.values()) < options["at_least"]:
            seen.append((rows[at]["time"], float(len(holds) >= options["at_least"])))
            named.append(",".join(holds))
    turns = [turn_at(seen, at, DAY, options["min_observations"], lambda x: 1 if x else -1) for at in range(len(seen))]
    changes = {turn.at: turn.side for turn in turns if turn}
    notices = told(
        seen, list(changes), round(options["cooldown_hours"] * HOUR), lambda at: options["also_clear"] or changes[at] > 0
    )
    return [(seen[at][0], "warning" if changes[at] > 0 else "cleared", named[at]) for at, _ in notices]


# -- the questions -------------------------------------------------------------------------------------------------------


@st.composite
def walks(draw: st.DrawFn) -> list[Row]:
    """A few kinds of days that stay for a while, with gaps: long enough for a signal to go stale or be forgotten."""
    day = st.fixed_dictionaries(
        {
            "grade": st.sampled_from([20.0, 29.9, 29.0, 30.0, 60.0, 60.0, 75.0, None]),
            "trend": st.sampled_from([1, 1, 1, -1, -1, -1, 0, None]),
            "signal": st.sampled_from([0, 0, 0, 1, 1, -1, None]),
            "ratio": st.sampled_from([0.4, 0.5, 0.3, 0.51, 1.0, 2.0, None]),
            "fundamental": st.sampled_from([70.0, 70.0, 68.0, 67.0, 60.0, 73.0, None]),
            "close": st.sampled_from([100.0, 98.0, 95.0, 94.9, 105.0, 101.0, None]),
        }
    )
    kinds = st.sampled_from(draw(st.lists(day, min_size=2, max_size=6)))
    stay = st.sampled_from([1, 1, 2, 3, 5, 8, 20, 31, 60])
    step = st.sampled_from([1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 4])
    rows: list[Row] = []
    time = 0
    for kind, stays, first in draw(st.lists(st.tuples(kinds, stay, step), min_size=2, max_size=9)):
        for number in range(stays):
            time += (first if not number else 1) * DAY
            # a signal is given on the first day of its kind, or said again each day by a reading that is not renewed
            again = {"signal": 0 if kind["signal"] else kind["signal"]} if number and kind["grade"] != 60.0 else {}
            old = {"dated": time / DAY - 1} if kind["grade"] == 60.0 and number == 1 else {}
            rows.append({"dated": None, **kind, **again, **old, "time": time})
    return rows


@examples(150)
@given(rows=walks())
@pytest.mark.parametrize("sign", SIGNS)
def test_a_sign_is_what_its_rule_says_read_plainly(sign: str, rows: list[Row]) -> None:
    assert SIGNS[sign].see(history(rows)).states.tolist() == [PLAIN[sign](rows, at) for at in range(len(rows))]


@st.composite
def questions(draw: st.DrawFn) -> Question:
    signs = draw(st.lists(st.sampled_from(list(SIGNS)), min_size=1, unique=True))
    asked = {
        "signs": ",".join(signs),
        "at_least": draw(st.sampled_from([1, 1, min(2, len(signs)), len(signs)])),
        "also_clear": draw(st.booleans()),
        "min_observations": draw(st.sampled_from([1, 1, 2])),
        "cooldown_hours": draw(st.sampled_from([6.0, 6.0, 100.0])),
    }
    return draw(walks()), loaded(TRIGGER, asked)


@examples(150)
@given(question=questions())
def test_firings_are_those_of_the_rules_read_plainly(question: Question) -> None:
    rows, options = question
    firings = TRIGGER.scan(history(rows, options), options)
    assert [(f.as_of, f.fields["state"], f.fields["signs"]) for f in firings] == expected(rows, options)


@examples(30)
@given(question=questions())
def test_nothing_older_than_the_lookback_influences_a_firing(question: Question) -> None:
    rows, options = question
    assert_nothing_older_than_the_lookback_matters(TRIGGER, history(rows, options), options)


def calm(days: int, **said: Any) -> list[Row]:
    usual = {"grade": 60.0, "trend": -1, "signal": 0, "ratio": 1.0, "fundamental": 70.0, "close": 100.0, "dated": None}
    return [{**usual, **said, "time": day * DAY} for day in range(days)]


def test_years_of_days_reach_no_further_back_than_the_lookback_says() -> None:
    """A bullish signal 359 days ago is remembered, one of 361 days is not; what was before has no say."""
    rows = calm(900)
    rows[100] = {**rows[100], "signal": 1, "trend": 1, "close": 120.0}
    states = SIGNS["losing_signal"].see(history(rows)).states.tolist()
    assert [states[day] for day in (99, 100, 101, 460, 461)] == [-1, 0, 1, 1, 0]
    options = loaded(TRIGGER, {"signs": "losing_signal,signal_stale", "at_least": 1, "also_clear": True})
    assert_nothing_older_than_the_lookback_matters(TRIGGER, history(rows, options), options)
    stale = SIGNS["signal_stale"].see(history(rows))
    assert stale.measure[[101, 160, 899]].tolist() == [0, 59, 360]


def test_only_what_the_chosen_signs_read_stands_beside_the_grades() -> None:
    assert TRIGGER.sources(ALL) == ("trader_grades", "trading_signals", "daily_ohlcv", "risk_30d", "investor_grades")
    assert TRIGGER.sources(loaded(TRIGGER, {"signs": "low_grade", "at_least": 1})) == ("trader_grades",)
    assert TRIGGER.sources(loaded(TRIGGER, {"signs": "signal_stale", "at_least": 1})) == ("trader_grades", "trading_signals")


def test_the_same_signs_in_another_order_are_the_same_rule() -> None:
    assert loaded(TRIGGER, {"signs": "signal_stale, low_grade", "at_least": 1})["signs"] == "low_grade,signal_stale"


def test_more_signs_than_are_chosen_are_refused() -> None:
    with pytest.raises(ValidationError, match="Only 2 of the signs are chosen"):
        loaded(TRIGGER, {"signs": "low_grade,signal_stale"})


def test_it_holds_while_enough_signs_do_and_says_nothing_where_they_do_not_decide() -> None:
    options = loaded(TRIGGER, {"signs": "low_grade,bearish_crossover", "at_least": 2})
    days = [(60.0, 1), (20.0, -1), (20.0, None), (60.0, None), (20.0, -1)]
    rows = [{**calm(1)[0], "time": day * DAY, "grade": grade, "trend": trend} for day, (grade, trend) in enumerate(days)]
    assert TRIGGER.holds is not None
    states = TRIGGER.holds(history(rows, options), options)
    assert states is not None
    assert states.tolist() == [0, 1, -1, 0, 1]


def test_a_sentence_names_the_signs() -> None:
    assert TRIGGER.sample["summary"] == (
        "Bitcoin shows 3 of 6 bearish signs (trader grade below 30, negative return since the last bullish signal, "
        "bearish trend crossover) on 21 January 2022."
    )
