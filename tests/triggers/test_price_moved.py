"""Moves of a price against plain loops, and what is usual."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.domain.history import History
from integration.triggers.price_moved import TRIGGER
from tests.laws import examples
from tests.market import prices
from tests.triggers.logs import DAY, assert_nothing_older_than_the_lookback_matters, history_of, loaded, others_of, source_of
from tests.triggers.reference import HOUR, observations, told
from tests.triggers.test_prices import plain_before

Readings = Sequence[tuple[int, float | None]]
Question = tuple[Readings, int, dict[str, Any]]
SPANS = {"1h": HOUR, "24h": DAY, "7d": 7 * DAY}


def history(readings: Readings, options: dict[str, Any], cadence: int, volatility: float = 0.5) -> History:
    others = others_of(TRIGGER, options)
    values = [(time, {"close": close} | ({"risk_30d.volatility": volatility} if others else {})) for time, close in readings]
    return history_of(source_of(TRIGGER, options), TRIGGER, values, cadence, others)


def expected(readings: Readings, cadence: int, options: dict[str, Any]) -> list[tuple[Any, ...]]:
    seen = [(time, price) for time, price in observations(readings) if price > 0]
    times, span = [time for time, _ in seen], SPANS[options["period"]]
    share: list[float] = []
    for at, (_, price) in enumerate(seen):
        back = plain_before(times, at, span, cadence)
        far = least(seen, times, back, span, cadence, options) if back >= 0 else math.nan
        share.append((price / seen[back][1] - 1) / far if back >= 0 and far > 0 else math.nan)
    far_moves = [at for at, part in enumerate(share) if abs(part) >= 1 - 1e-9]
    begun = [
        at
        for at in far_moves
        if not any(p < at and share[p] * share[at] > 0 and times[at] - times[p] < span + cadence // 2 for p in far_moves)
    ]
    wanted = {"up": [True], "down": [False], "either": [True, False]}[options["direction"]]
    notices = told(seen, begun, round(options["cooldown_hours"] * HOUR), lambda at: (share[at] > 0) in wanted)
    return [(times[at], share[at] > 0, seen[at][1], suppressed) for at, suppressed in notices]


def least(
    seen: Sequence[tuple[int, float]], times: Sequence[int], back: int, span: int, cadence: int, options: dict[str, Any]
) -> float:
    if options["measure"] == "percent":
        return float(options["percent"]) / 100
    if options["period"] == "1h":
        return float(options["multiple"]) * 0.5 / math.sqrt(365) / math.sqrt(24)
    places = [back, *(plain_before(times, back, days * DAY, cadence) for days in range(1, 30))]
    pairs = [(place, plain_before(times, place, DAY, cadence)) for place in places if place >= 0]
    returns = [seen[now][1] / seen[day][1] - 1 for now, day in pairs if day >= 0]
    if len(returns) < 27 or max(returns) - min(returns) < 1e-12:
        return math.nan
    return float(options["multiple"]) * float(np.std(returns, ddof=1)) * math.sqrt(span / DAY)


@st.composite
def questions(draw: st.DrawFn) -> Question:
    period = draw(st.sampled_from(["1h", "24h", "24h", "7d"]))
    asked = {
        "period": period,
        "measure": draw(st.sampled_from(["percent", "percent", "usual_move"])),
        "percent": draw(st.sampled_from([5.0, 10.0])),
        "multiple": draw(st.sampled_from([1.0, 2.5])),
        "direction": draw(st.sampled_from(["up", "down", "either"])),
        "cooldown_hours": draw(st.sampled_from([0.0, 6.0, 30.0, 200.0])),
    }
    cadence = HOUR if period == "1h" else DAY
    price = st.sampled_from([100.0, 100.0, 101.0, 99.0, 105.0, 110.0, 95.0, 90.0, 121.0, None, 0.0])
    walk = draw(st.lists(st.tuples(st.sampled_from([100] * 14 + [99, 101, 150, 151, 200, 300, 310]), price), max_size=45))
    time, readings = 25 * 60_000 if period == "1h" else 0, []
    for hundredths, close in walk:
        time += hundredths * cadence // 100
        readings.append((time, close))
    return readings, cadence, loaded(TRIGGER, asked)


@examples(500)
@given(question=questions())
def test_firings_are_those_of_the_rules_read_plainly(question: Question) -> None:
    readings, cadence, options = question
    assert [
        (f.as_of, f.fields["direction"] == "up", f.fields["price"], f.fields["suppressed_count"])
        for f in TRIGGER.scan(history(readings, options, cadence), options)
    ] == expected(readings, cadence, options)


@examples(150)
@given(question=questions())
def test_nothing_older_than_the_lookback_influences_a_firing(question: Question) -> None:
    readings, cadence, options = question
    assert_nothing_older_than_the_lookback_matters(TRIGGER, history(readings, options, cadence), options)


@examples(150)
@given(question=questions())
def test_it_holds_wherever_it_fires_and_is_known_from_the_first_change_on(question: Question) -> None:
    readings, cadence, options = question
    past = history(readings, options, cadence)
    assert TRIGGER.holds is not None
    states = TRIGGER.holds(past, options)
    assert states is not None
    fired = {firing.as_of for firing in TRIGGER.scan(past, options)}
    assert fired <= {time for time, state in zip(past.as_of.tolist(), states.tolist(), strict=True) if state == 1}


def bitcoin() -> list[tuple[int, float | None]]:
    with (prices() / "BTC.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["date"], float(row["close"])) for row in csv.DictReader(file)]
    return [(round(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000), close) for day, close in rows]


def fell(readings: Readings, **asked: Any) -> set[str]:
    options = loaded(TRIGGER, {"direction": "down", **asked})
    firings = TRIGGER.scan(history(readings, options, DAY), options)
    return {datetime.fromtimestamp(firing.as_of / 1000, UTC).date().isoformat() for firing in firings}


def test_known_falls_of_bitcoin() -> None:
    """12 March 2020 lost 37 % in a day; 19 May 2021 lost 14 %, and nothing between came near the first."""
    readings = bitcoin()
    assert fell(readings, percent=30) == {"2020-03-12"}
    assert {"2020-03-12", "2021-05-19"} <= fell(readings, percent=13)
    assert "2020-03-12" in fell(readings, measure="usual_move", multiple=10)


def test_what_is_usual_does_not_measure_the_move_itself() -> None:
    options = loaded(TRIGGER, {"measure": "usual_move", "multiple": 3})
    closes = [100 + day % 2 for day in range(32)]
    (firing,) = TRIGGER.scan(history([*((d * DAY, c) for d, c in enumerate(closes)), (32 * DAY, 150.0)], options, DAY), options)
    assert firing.fields["usual_move"] == pytest.approx(0.0101, abs=1e-4)
    assert firing.fields["multiple"] == pytest.approx(firing.fields["change"] / firing.fields["usual_move"])


def test_no_price_falls_by_all_that_it_is() -> None:
    for percent in (100, 250):
        with pytest.raises(ValidationError, match="use less than 100, or another direction") as caught:
            loaded(TRIGGER, {"percent": percent, "direction": "down"})
        assert list(caught.value.messages_dict) == ["percent"]
    assert loaded(TRIGGER, {"percent": 250})
    assert loaded(TRIGGER, {"percent": 250, "direction": "down", "measure": "usual_move"})


def test_only_hours_need_a_second_source_and_only_for_what_is_usual() -> None:
    assert TRIGGER.sources(loaded(TRIGGER, {"period": "1h", "measure": "usual_move"})) == ("hourly_ohlcv", "risk_30d")
    assert TRIGGER.sources(loaded(TRIGGER, {"period": "1h"})) == ("hourly_ohlcv",)
    assert TRIGGER.sources(loaded(TRIGGER, {"period": "7d", "measure": "usual_move"})) == ("daily_ohlcv",)
