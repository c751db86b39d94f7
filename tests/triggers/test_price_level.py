"""Breaks, touches and approaches of levels against the plain reference, level by level."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.domain.history import History
from integration.triggers.price_level import TRIGGER
from tests.laws import examples
from tests.triggers.logs import DAY, assert_nothing_older_than_the_lookback_matters, history_of, loaded, others_of, source_of
from tests.triggers.reference import HOUR, Observation, quiet, side_above, side_below, turn_at

Reading = tuple[int, tuple[float, float, float] | None, tuple[float, ...] | None]
Question = tuple[Sequence[Reading], dict[str, Any]]


def text(levels: Sequence[float]) -> str:
    return json.dumps({"levels": [{"level": level, "date": "2024-01-01"} for level in levels]})


def history(readings: Sequence[Reading], options: dict[str, Any], cadence: int = DAY) -> History:
    """(time, (low, close, high), levels known then)."""
    values: list[tuple[int, dict[str, Any]]] = []
    for time, bar, levels in readings:
        value: dict[str, Any] = {} if bar is None else dict(zip(("low", "close", "high"), bar, strict=True))
        if options["line"] != "own" and levels is not None:
            value["levels.text"] = text(levels)
        values.append((time, value))
    return history_of(source_of(TRIGGER, options), TRIGGER, values, cadence, others_of(TRIGGER, options))


def expected(readings: Sequence[Reading], options: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Every level for itself, then bar by bar."""
    bars = [(time, bar, known) for time, bar, known in readings if bar is not None]
    own = options["line"] == "own"
    every = {options["level"]} if own else {level for _, _, known in bars for level in known or ()}
    met: dict[int, list[tuple[float, str]]] = {}
    for level in sorted(every):
        for at, before, comes in meetings(bars, level, options):
            if own or level in (bars[before][2] or ()):
                met.setdefault(at, []).append((level, comes))
    seen = [(time, 0.0) for time, _, _ in bars]
    found = []
    for at in sorted(met):
        wanted = [(level, comes) for level, comes in met[at] if options["direction"] in ("either", comes)]
        if wanted and not quiet(seen, sorted(met), at, round(options["cooldown_hours"] * HOUR)):
            close = bars[at][1][1]
            level, comes = min(wanted, key=lambda each: (abs(each[0] - close), each[0]))
            found.append((bars[at][0], level, comes, sum(other == comes for _, other in wanted)))
    return found


def meetings(bars: Sequence[Any], level: float, options: dict[str, Any]) -> list[tuple[int, int, str]]:
    """(position, the last one away from the level, where the price comes from)."""
    confirm, band = options["min_observations"], options["hysteresis"]
    if options["kind"] == "break":
        part = {"close": (1, 1), "touch": (2, 0)}[options["basis"]]
        up = [(time, bar[part[0]]) for time, bar, _ in spans(bars)]
        down = [(time, bar[part[1]]) for time, bar, _ in spans(bars)]
        rises = turns(up, confirm, side_above(level, level * band / 100), 1)
        falls = turns(down, confirm, side_below(level, level * band / 100), -1)
        return [(at, before, "up") for at, before in rises] + [(at, before, "down") for at, before in falls]
    within = 0.0 if options["kind"] == "touch" else options["distance"]
    away = [(time, round(apart(bar, level, options["basis"]), 9)) for time, bar, _ in spans(bars)]
    near = turns(away, confirm, side_below(within, band), -1)
    return [(at, before, "up" if bars[before][1][1] < level else "down") for at, before in near]


def spans(bars: Sequence[Any]) -> list[Any]:
    """Each bar goes on from the close before it."""
    found = []
    for place, (time, (low, close, high), known) in enumerate(bars):
        if place and time - bars[place - 1][0] <= 3 * DAY:
            low, high = min(low, bars[place - 1][1][1]), max(high, bars[place - 1][1][1])
        found.append((time, (min(low, close), close, max(high, close)), known))
    return found


def apart(bar: tuple[float, float, float], level: float, basis: str) -> float:
    low, close, high = bar
    if basis == "close":
        return abs(close / level - 1) * 100
    if low <= level <= high:
        return 0.0
    return (low / level - 1) * 100 if low > level else (1 - high / level) * 100


def turns(seen: Sequence[Observation], confirm: int, side: Any, wanted: int) -> list[tuple[int, int]]:
    found = [turn_at(seen, at, DAY, confirm, side) for at in range(len(seen))]
    return [(turn.at, turn.before) for turn in found if turn and turn.side == wanted]


@st.composite
def questions(draw: st.DrawFn) -> Question:
    asked = {
        "kind": draw(st.sampled_from(["break", "touch", "near"])),
        "line": draw(st.sampled_from(["own", "resistance", "support", "nearest"])),
        "basis": draw(st.sampled_from(["close", "touch"])),
        "hysteresis": draw(st.sampled_from([0.0, 1.0, 4.0])),
        "distance": draw(st.sampled_from([1.0, 2.0])),
        "min_observations": draw(st.sampled_from([1, 1, 2])),
        "cooldown_hours": draw(st.sampled_from([6.0, 6.0, 30.0, 80.0])),
    }
    if asked["line"] in ("own", "nearest"):
        asked["direction"] = draw(st.sampled_from(["up", "down", "either"]))
    if asked["line"] == "own":
        asked["level"] = 100.0
    price = st.sampled_from([90.0, 95.0, 97.0, 98.0, 99.0, 99.5, 100.0, 100.5, 101.0, 102.0, 104.0, 106.0, 112.0])
    bar = st.none() | st.tuples(price, price, price).map(lambda p: (min(p), p[1], max(p)))
    known = st.sampled_from([(100.0,), (95.0, 100.0), (95.0, 100.0, 105.0), (100.0, 105.0), (), None])
    step = st.sampled_from([1, 1, 1, 1, 1, 1, 2, 3, 4])
    time, readings = 0, []
    for days, each, levels in draw(st.lists(st.tuples(step, bar, known), max_size=25)):
        time += days * DAY
        readings.append((time, each, levels))
    return readings, loaded(TRIGGER, asked)


@examples(800)
@given(question=questions())
def test_firings_are_those_of_the_rules_read_plainly(question: Question) -> None:
    readings, options = question
    assert [
        (f.as_of, f.fields["level"], f.fields["direction"], f.fields["levels_count"])
        for f in TRIGGER.scan(history(readings, options), options)
    ] == expected(readings, options)


@examples(200)
@given(question=questions())
def test_nothing_older_than_the_lookback_influences_a_firing(question: Question) -> None:
    readings, options = question
    assert_nothing_older_than_the_lookback_matters(TRIGGER, history(readings, options), options)


@examples(300)
@given(question=questions())
def test_a_line_has_its_side_and_an_event_says_where_the_price_was(question: Question) -> None:
    readings, options = question
    closes = {time: bar[1] for time, bar, _ in readings if bar is not None}
    for firing in TRIGGER.scan(history(readings, options), options):
        fields = firing.fields
        assert fields["price"] == closes[firing.as_of]
        assert fields["low"] <= fields["price"] <= fields["high"]
        assert fields["line"] == (
            "own" if options["line"] == "own" else {"up": "resistance", "down": "support"}[fields["direction"]]
        )
        assert fields["previous_price"] in closes.values()
        if options["kind"] == "break" and options["basis"] == "close":
            assert (fields["price"] >= fields["level"]) if fields["direction"] == "up" else (fields["price"] <= fields["level"])


def fired(asked: dict[str, Any], *closes: float, levels: Sequence[float] | None = None) -> dict[int, dict[str, Any]]:
    options = loaded(TRIGGER, asked)
    bars: list[Reading] = [
        (day * DAY, (close, close, close), tuple(levels) if levels else None) for day, close in enumerate(closes)
    ]
    return {f.as_of // DAY: dict(f.fields) for f in TRIGGER.scan(history(bars, options), options)}


def states(asked: dict[str, Any], *closes: float, levels: Sequence[float] | None = None) -> list[int] | None:
    options = loaded(TRIGGER, asked)
    bars: list[Reading] = [(day * DAY, (close, close, close), levels and tuple(levels)) for day, close in enumerate(closes)]
    assert TRIGGER.holds is not None
    held = TRIGGER.holds(history(bars, options), options)
    return None if held is None else held.tolist()


def test_a_level_is_broken_again_only_from_a_band_away() -> None:
    assert list(fired({"level": 100, "direction": "up"}, 98, 101, 99.5, 101, 98.9, 100)) == [1, 5]


def test_a_level_that_moved_away_is_the_one_that_was_known_before() -> None:
    options = loaded(TRIGGER, {})
    bars: list[Reading] = [(0, (95, 95, 95), (100.0,)), (DAY, (104, 104, 104), (110.0,)), (2 * DAY, (111, 111, 111), (110.0,))]
    firings = TRIGGER.scan(history(bars, options), options)
    assert [(f.as_of // DAY, f.fields["level"]) for f in firings] == [(1, 100), (2, 110)]


def test_what_holds_is_near_or_past_an_own_level() -> None:
    assert states({"level": 100}, 95, 100, 99.5, 99) == [0, 1, 1, 0]
    assert states({"level": 100, "direction": "down"}, 95, 100, 101) == [1, 1, 0]
    assert states({"level": 100, "kind": "near"}, 90, 98, 97.5, 96) == [0, 1, 1, 0]
    assert states({"kind": "near", "line": "resistance"}, 90, 99, 101, 95, levels=[100, 120]) == [0, 1, 0, 0]
    assert states({"kind": "near", "line": "resistance"}, 90, 99) == [-1, -1]
    assert states({"level": 100, "kind": "touch"}, 90, 100) is None
    assert states({}, 90, 100) is None


@pytest.mark.parametrize(
    ("asked", "written_out"),
    [
        ({}, {"line": "nearest", "direction": "either", "min_observations": 1, "basis": "close"}),
        ({"level": 5}, {"line": "own"}),
        ({"line": "support"}, {"direction": "down"}),
        ({"line": "resistance"}, {"direction": "up"}),
        ({"kind": "touch", "basis": "close"}, {"basis": "touch"}),
        ({"interval": "hour", "level": 5}, {"min_observations": 2}),
        ({"interval": "live", "level": 5, "kind": "touch"}, {"min_observations": 1}),
    ],
)
def test_options_are_written_out_so_that_the_same_question_is_one_rule(
    asked: dict[str, Any], written_out: dict[str, Any]
) -> None:
    options = loaded(TRIGGER, asked)
    assert {name: options[name] for name in written_out} == written_out


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"line": "own"}, "Give the price that is your level"),
        ({"line": "support", "level": 5}, "needs the line own"),
        ({"line": "support", "direction": "up"}, "choose down"),
        ({"line": "resistance", "direction": "down"}, "choose up"),
    ],
)
def test_what_can_never_happen_is_refused(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        loaded(TRIGGER, wrong)


def test_clocks_and_levels_follow_from_the_options() -> None:
    assert TRIGGER.sources(loaded(TRIGGER, {})) == ("daily_ohlcv", "levels")
    assert TRIGGER.sources(loaded(TRIGGER, {"level": 5, "interval": "live"})) == ("prices",)
    assert TRIGGER.sources(loaded(TRIGGER, {"interval": "hour"})) == ("hourly_ohlcv", "levels")


def test_sentences() -> None:
    event = {**TRIGGER.sample, "level": 64_000.0, "price": 63_000.0, "previous_price": 60_000.0}
    near = TRIGGER.summary({**event, "kind": "near", "within": 0.02, "line": "own"})
    assert near == "Bitcoin came within 2 % of the level of 64,000 USD: 60,000 USD → 63,000 USD on 13 April 2021."
    touched = TRIGGER.summary({**event, "kind": "touch", "line": "support", "direction": "down"})
    assert touched == "Bitcoin touched support at 64,000 USD: 60,000 USD → 63,000 USD on 13 April 2021."
