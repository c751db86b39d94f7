"""Which sectors break out, against the definition read plainly."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.domain.history import History
from integration.triggers.sector_breakout import TRIGGER
from tests.laws import examples
from tests.triggers.logs import DAY, SOURCES, assert_nothing_older_than_the_lookback_matters, history_of, loaded
from tests.triggers.reference import HOUR, quiet, turn_at

#: Trader and investor grade of each token.
Graded = Mapping[str, tuple[float | None, float | None]]
#: (time, grades in order of market cap rank, sectors); None where there is no snapshot.
Snapshots = Sequence[tuple[int, Graded | None, Mapping[str, str]]]


def history(snapshots: Snapshots, cadence: int = DAY) -> History:
    readings: list[tuple[int, Any]] = []
    for when, grades, sectors in snapshots:
        text = {
            "token_ids": [ord(c) for c in grades or {}],
            "names": [f"Coin {c}" for c in grades or {}],
            "symbols": list(grades or {}),
            "ranks": list(range(1, len(grades or {}) + 1)),
            "trader_grades": [each[0] for each in (grades or {}).values()],
            "investor_grades": [each[1] for each in (grades or {}).values()],
            "sectors": {slug: [ord(c) for c in members if c in (grades or {})] for slug, members in sectors.items()},
        }
        readings.append((when, {"text": None if grades is None else json.dumps(text)}))
    return history_of(SOURCES["sectors"], TRIGGER, readings, cadence)


def expected(snapshots: Snapshots, cadence: int, options: Mapping[str, Any]) -> list[tuple[int, dict[str, str]]]:
    seen = [(when, grades, sectors) for when, grades, sectors in snapshots if grades is not None]
    max_gap = max(48 * HOUR, 3 * cadence)

    def base(at: int) -> int:
        oldest = at
        while oldest and seen[oldest][0] - seen[oldest - 1][0] <= max_gap:
            if seen[at][0] - seen[oldest - 1][0] > options["days"] * DAY:
                break
            oldest -= 1
        return oldest

    def rise(at: int, slug: str) -> tuple[str, int]:
        """The tokens of a sector that rise, and how many are compared."""
        then, now = seen[base(at)][1], seen[at][1]
        up, size = "", 0
        for rank, symbol in enumerate(now, 1):
            grades = [*now[symbol], *then.get(symbol, (None, None))]
            if symbol in seen[at][2][slug] and rank <= options["max_rank"] and base(at) < at and None not in grades:
                size += 1
                risen = grades[0] - grades[2] >= options["trader_points"] and grades[1] - grades[3] >= options["investor_points"]
                up += symbol if risen else ""
        return up, size

    happened: dict[int, dict[str, str]] = {}
    for slug in sorted({slug for _, _, sectors in seen for slug in sectors}):
        if options["category"] not in ("", slug):
            continue
        rises = {at: rise(at, slug) for at in range(len(seen)) if slug in seen[at][2]}
        rises = {at: each for at, each in rises.items() if each[1]}
        strength = []
        for at, (up, size) in rises.items():
            parts = [len(up) / options["min_tokens"]]
            parts += [100 * len(up) / size / options["min_share"]] if options["min_share"] else []
            strength.append((seen[at][0], round(min(parts), 12)))
        edge = 1 - options["hysteresis"] / 100

        def side(strong: float, edge: float = edge) -> int:
            return 1 if strong >= 1 else -1 if strong <= edge else 0

        turns = [turn_at(strength, at, cadence, options["min_observations"], side, unsure=-1) for at in range(len(strength))]
        changes = [at for at, turn in enumerate(turns) if turn]
        for turn in filter(None, turns):
            if turn.side > 0 and not quiet(strength, changes, turn.at, round(options["cooldown_hours"] * HOUR)):
                at = list(rises)[turn.at]
                happened.setdefault(seen[at][0], {})[slug] = rises[at][0]
    return sorted(happened.items())


def found(snapshots: Snapshots, cadence: int, options: Mapping[str, Any]) -> list[tuple[int, dict[str, str]]]:
    return [
        (f.as_of, {line["sector"]: line["symbols"].replace(", ", "") for line in f.fields["sectors"]})
        for f in TRIGGER.scan(history(snapshots, cadence), options)
    ]


@st.composite
def questions(draw: st.DrawFn) -> tuple[Snapshots, int, dict[str, Any]]:
    asked = {
        "category": draw(st.sampled_from(["", "", "one"])),
        "min_tokens": draw(st.sampled_from([2, 2, 3])),
        "min_share": draw(st.sampled_from([0.0, 30.0, 50.0, 75.0])),
        "days": draw(st.sampled_from([1, 2, 7])),
        "max_rank": draw(st.sampled_from([3, 500])),
        "hysteresis": draw(st.sampled_from([0.0, 25.0, 50.0, 100.0])),
        "min_observations": draw(st.sampled_from([1, 1, 2])),
        "cooldown_hours": draw(st.sampled_from([0.0, 6.0, 25.0, 100.0])),
    }
    grade = st.sampled_from([30.0, 30.0, 40.0, 50.0, None])
    grades = st.dictionaries(st.sampled_from("abcde"), st.tuples(grade, grade), max_size=5)
    steady = st.fixed_dictionaries({c: st.sampled_from([(30.0, 30.0), (40.0, 32.0), (50.0, 40.0)]) for c in "abcde"})
    sectors = st.sampled_from([{"one": "abc", "two": "cde"}, {"one": "abcde"}, {"two": "abde"}])
    seen = st.sampled_from(draw(st.lists(st.tuples(steady | steady | grades, sectors), min_size=2, max_size=6)))
    step = st.sampled_from([10] * 8 + [1, 20, 29, 30, 31])
    cadence, when, snapshots = draw(st.sampled_from([DAY, DAY, 10 * DAY])), 0, []
    there = st.sampled_from([True] * 7 + [False])
    for tenths, (graded, within), whole in draw(st.lists(st.tuples(step, seen, there), max_size=25)):
        when += tenths * cadence // 10
        snapshots.append((when, graded if whole else None, within))
    return snapshots, cadence, loaded(TRIGGER, asked)


@examples(400)
@given(question=questions())
def test_what_breaks_out_is_what_the_definition_read_plainly_says(question: tuple[Snapshots, int, dict[str, Any]]) -> None:
    snapshots, cadence, options = question
    assert found(snapshots, cadence, options) == expected(snapshots, cadence, options)


@examples(150)
@given(question=questions())
def test_nothing_older_than_the_lookback_influences_a_firing(question: tuple[Snapshots, int, dict[str, Any]]) -> None:
    snapshots, cadence, options = question
    assert_nothing_older_than_the_lookback_matters(TRIGGER, history(snapshots, cadence), options)


FLAT: Graded = dict.fromkeys("abcd", (40.0, 50.0))
UP: Graded = {**FLAT, "a": (51.0, 53.0), "c": (90.0, 52.0), "d": (50.0, 60.0)}


def days(*grades: Graded, sectors: Mapping[str, str] | None = None) -> Snapshots:
    return [(day * DAY, each, sectors or {"ai": "abcd", "defi": "cd"}) for day, each in enumerate(grades)]


def test_an_event_lists_the_rising_tokens_of_each_sector_with_both_grades_then_and_now() -> None:
    (firing,) = TRIGGER.scan(history(days(FLAT, FLAT, UP)), loaded(TRIGGER, {"min_tokens": 2}))
    fields = firing.fields
    assert fields["sectors"] == [
        {"sector": "ai", "rising": 3, "size": 4, "share": 0.75, "symbols": "a, c, d"},
        {"sector": "defi", "rising": 2, "size": 2, "share": 1.0, "symbols": "c, d"},
    ]
    assert fields["tokens"][0] == {
        "sector": "ai",
        "token_id": 97,
        "name": "Coin a",
        "symbol": "a",
        "market_rank": 1,
        "trader_grade": 51.0,
        "previous_trader_grade": 40.0,
        "investor_grade": 53.0,
        "previous_investor_grade": 50.0,
    }
    assert (len(fields["tokens"]), fields["tokens_count"], fields["token_symbols"]) == (5, 3, "a, c, d")
    assert "3 tokens of ai, defi rose together" in TRIGGER.summary({**TRIGGER.sample, **fields})


def test_both_grades_must_rise() -> None:
    momentum = {**FLAT, **dict.fromkeys("abc", (90.0, 50.9))}
    value = {**FLAT, **dict.fromkeys("abc", (49.9, 90.0))}
    for grades in (momentum, value):
        assert found(days(FLAT, FLAT, grades), DAY, loaded(TRIGGER, {})) == []


def holds(asked: Mapping[str, Any], snapshots: Snapshots) -> list[int]:
    assert TRIGGER.holds is not None
    states = TRIGGER.holds(history(snapshots), loaded(TRIGGER, asked))
    assert states is not None
    return [int(state) for state in states]


def test_a_breakout_holds_while_the_sector_that_is_asked_for_or_any_is_in_one() -> None:
    snapshots = [*days(FLAT, FLAT, UP, FLAT), (4 * DAY, None, {})]
    assert holds({"min_tokens": 2}, snapshots) == [-1, 0, 1, 0, -1]
    assert holds({"min_tokens": 3, "category": "defi", "hysteresis": 10}, snapshots) == [-1, 0, 0, 0, -1]
    assert holds({"category": "gaming"}, snapshots) == [-1] * 5


@pytest.mark.parametrize("slug", ["Layer 1", "layer_1", "a" * 81, "defi;"])
def test_a_category_is_a_slug_and_no_other_text(slug: str) -> None:
    with pytest.raises(ValidationError, match="Use the slug of a category"):
        loaded(TRIGGER, {"category": slug})


def test_more_tokens_than_are_looked_at_are_refused() -> None:
    with pytest.raises(ValidationError, match="Only the 2 largest tokens are looked at: use 2 at most, or a larger max_rank"):
        loaded(TRIGGER, {"min_tokens": 100, "max_rank": 2})
    assert loaded(TRIGGER, {"min_tokens": 2, "max_rank": 2})


def test_a_year_of_a_thousand_tokens_in_a_hundred_sectors_is_scanned_in_seconds() -> None:
    symbols = [chr(1_000 + number) for number in range(1_000)]
    sectors = {f"s{number}": "".join(symbols[number::100] * 3) for number in range(100)}
    snapshots = [
        (day * DAY, {c: (50.0 + (day * 7 + at) % 40, 50.0 + (day + at) % 9) for at, c in enumerate(symbols)}, sectors)
        for day in range(400)
    ]
    past = history(snapshots)
    began = time.process_time()
    assert TRIGGER.scan(past, loaded(TRIGGER, {}))
    assert time.process_time() - began < 8
