"""Regimes and sentiment of the market: units, refusals, what holds, and moves against a plain reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.domain.history import History
from integration.triggers.market_regime_changed import TRIGGER as REGIME
from integration.triggers.sentiment_changed import TRIGGER as SENTIMENT
from tests.laws import examples
from tests.triggers.logs import DAY, SOURCES, history_of, loaded
from tests.triggers.reference import HOUR, decimal, observations, told

METRICS = {"regime": "last_grade_signal", "market_cap": "total_mcap", "high_grade_share": "high_grade_share"}


def market(kind: str, *values: float | None) -> History:
    return history_of(
        SOURCES["market_metrics"], REGIME, [(day * DAY, {METRICS[kind]: value}) for day, value in enumerate(values)]
    )


def turns(asked: Mapping[str, Any], *values: float | None) -> dict[int, str]:
    options = loaded(REGIME, asked)
    return {f.as_of // DAY: str(f.fields["direction"]) for f in REGIME.scan(market(options["kind"], *values), options)}


def holds(asked: Mapping[str, Any], *values: float | None) -> list[int]:
    options = loaded(REGIME, asked)
    assert REGIME.holds is not None
    states = REGIME.holds(market(options["kind"], *values), options)
    assert states is not None
    return [int(state) for state in states]


def test_a_level_in_trillions_is_told_in_dollars() -> None:
    options = loaded(REGIME, {"kind": "market_cap", "level": 3.3})
    (firing,) = REGIME.scan(market("market_cap", 3.1e12, 3.3e12), options)
    assert (firing.fields["level"], firing.fields["value"]) == (3.3e12, 3.3e12)
    text = REGIME.summary({**REGIME.sample, **firing.fields})
    assert "rose above 3.3 trillion USD: 3.100 → 3.300 trillion" in text


def test_each_kind_has_a_level_and_a_band_of_its_own() -> None:
    def band(**asked: Any) -> tuple[Any, Any]:
        options = loaded(REGIME, asked)
        return options["level"], options["hysteresis"]

    assert band() == (None, None)
    assert band(kind="market_cap") == (4.0, 0.08)
    assert band(kind="market_cap", level=0.5) == (0.5, 0.02)
    assert band(kind="high_grade_share") == (10.0, 1.0)
    assert band(kind="high_grade_share", level=60) == (60.0, 1.2)


@pytest.mark.parametrize(
    ("asked", "field", "text"),
    [
        ({"level": 3}, "level", "leave this out"),
        ({"hysteresis": 3}, "hysteresis", "leave this out"),
        ({"kind": "high_grade_share", "level": 101}, "level", "Use 100 at most"),
        ({"kind": "high_grade_share", "level": 5, "hysteresis": 6}, "hysteresis", "may be 5 at most"),
        ({"kind": "high_grade_share", "level": 95, "hysteresis": 6, "direction": "down"}, "hysteresis", "may be 5 at most"),
        ({"kind": "market_cap", "level": 0}, "level", "greater than or equal to"),
        ({"kind": "market_cap", "level": 0.001}, "level", "choose more than 0.001"),
        ({"kind": "market_cap", "level": 0.02}, "hysteresis", "may be 0.019 at most"),
        ({"kind": "high_grade_share", "level": 100, "direction": "down", "hysteresis": 0}, "level", "less than 100"),
    ],
)
def test_what_can_never_be_is_refused(asked: dict[str, Any], field: str, text: str) -> None:
    with pytest.raises(ValidationError, match=text) as caught:
        loaded(REGIME, asked)
    assert set(caught.value.messages_dict) == {field}


def test_the_band_belongs_to_the_direction_that_is_asked_for() -> None:
    share = {"kind": "high_grade_share", "level": 10, "hysteresis": 2}
    assert turns(share, 7, 10, 9, 10, 8, 10) == {1: "up", 4: "down", 5: "up"}
    assert turns({**share, "direction": "down"}, 13, 10, 11, 10, 12, 10) == {1: "down", 5: "down"}


def test_what_holds_is_the_side_that_was_asked_for() -> None:
    assert holds({}, None, -1, 1, None, 1, 0, -1) == [-1, 0, 1, -1, 1, 1, 0]
    assert holds({"direction": "down"}, -1, 1, -1) == [1, 0, 1]
    assert holds({"kind": "high_grade_share", "level": 10}, 12, 9.5, 8.9, 9.5) == [1, 1, 0, 0]


Readings = Sequence[tuple[int, float | None]]


def expected(readings: Readings, options: Mapping[str, Any]) -> list[tuple[int, str, float, float, int]]:
    """Moves of sentiment, from their definition."""
    seen, window = observations(readings), options["window"]

    def way(at: int) -> int:
        if at < window or any(seen[p + 1][0] - seen[p][0] > 48 * HOUR for p in range(at - window, at)):
            return 0
        change = decimal(seen[at][1]) - decimal(seen[at - window][1])
        return 0 if abs(change) < decimal(options["points"]) else 1 if change > 0 else -1

    ways = [way(at) for at in range(len(seen))]
    begun = [at for at, each in enumerate(ways) if each and each not in ways[max(0, at - window + 1) : at]]
    wanted = {"up": [1], "down": [-1], "either": [1, -1]}[options["direction"]]
    notices = told(seen, begun, round(options["cooldown_hours"] * HOUR), lambda at: ways[at] in wanted)
    return [(seen[at][0], "up" if ways[at] > 0 else "down", seen[at][1], seen[at - window][1], silent) for at, silent in notices]


@examples(300)
@given(data=st.data())
def test_sentiment_moves_are_those_of_the_definition(data: st.DataObject) -> None:
    asked = {
        "points": data.draw(st.sampled_from([5.0, 10.0, 0.1])),
        "window": data.draw(st.sampled_from([1, 2, 3, 5])),
        "direction": data.draw(st.sampled_from(["up", "down", "either"])),
        "cooldown_hours": data.draw(st.sampled_from([0.0, 1.0, 6.0, 48.0])),
    }
    grade = st.sampled_from([None, 40.0, 45.0, 49.9, 50.0, 50.1, 55.0, 60.0])
    readings, time = [], 0
    for hours, value in data.draw(st.lists(st.tuples(st.sampled_from([1, 1, 1, 1, 2, 5, 48, 49]), grade), max_size=25)):
        time += hours * HOUR
        readings.append((time, value))
    options = loaded(SENTIMENT, asked)
    past = history_of(SOURCES["sentiments"], SENTIMENT, [(when, {"market_sentiment_grade": value}) for when, value in readings])
    found = [
        (f.as_of, *(f.fields[name] for name in ("direction", "new_grade", "old_grade", "suppressed_count")))
        for f in SENTIMENT.scan(past, options)
    ]
    assert found == expected(readings, options)
