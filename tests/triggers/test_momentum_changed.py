"""Moves between momentum levels against the plain reference."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.domain.history import History
from integration.triggers.momentum_changed import LEVELS, TRIGGER, holds
from tests.laws import examples
from tests.triggers.logs import DAY, SOURCES, assert_nothing_older_than_the_lookback_matters, history_of, loaded
from tests.triggers.reference import HOUR, Observation, told, turn_at

#: The order that the words mean, written down once more; what is not here is no reading.
ORDER = {
    "Momentum Crashing": 1,
    "Losing Momentum": 2,
    "Holding Steady": 3,
    "No Momentum": 3,
    "Gaining Momentum": 4,
    "Momentum Surging": 5,
}


def history(days: Sequence[tuple[int, str | None]]) -> History:
    said = [(day * DAY, {"text": json.dumps({"signal": None, "momentum": word})}) for day, word in days]
    return history_of(SOURCES["tm_grade"], TRIGGER, said)


@examples(400)
@given(
    days=st.lists(
        st.tuples(st.sampled_from([1, 1, 1, 1, 1, 2, 3, 4]), st.sampled_from([*ORDER, "Sideways", "", None])), max_size=30
    ),
    steps=st.sampled_from([1, 1, 2, 3, 4]),
    direction=st.sampled_from(["up", "down", "either"]),
    confirm=st.sampled_from([1, 1, 2, 3]),
    cooldown=st.sampled_from([0.0, 6.0, 25.0, 100.0]),
)
def test_moves_are_those_of_the_rules_read_plainly(
    days: list[tuple[int, str | None]], steps: int, direction: str, confirm: int, cooldown: float
) -> None:
    asked = {"steps": steps, "direction": direction, "min_observations": confirm, "cooldown_hours": cooldown}
    options, day, said = loaded(TRIGGER, asked), 0, []
    seen: list[Observation] = []
    for step, word in days:
        day += step
        said.append((day, word))
        if word in ORDER:
            seen.append((day * DAY, ORDER[word]))
    turns = {at: turn for at in range(len(seen)) if (turn := turn_at(seen, at, DAY, confirm, int))}
    moved = {at: turn.side - turn.previous for at, turn in turns.items()}
    sign = {"up": [1], "down": [-1], "either": [1, -1]}[direction]

    def wanted(at: int) -> bool:
        return abs(moved[at]) >= steps and (1 if moved[at] > 0 else -1) in sign

    expected = [
        (seen[at][0], LEVELS[turns[at].side], moved[at], "up" if moved[at] > 0 else "down", silent)
        for at, silent in told(seen, list(turns), round(cooldown * HOUR), wanted)
    ]
    names = ("momentum", "steps", "direction", "suppressed_count")
    past = history(said)
    assert [(f.as_of, *(f.fields[name] for name in names)) for f in TRIGGER.scan(past, options)] == expected
    assert_nothing_older_than_the_lookback_matters(TRIGGER, past, options)


@pytest.mark.parametrize(
    ("asked", "states"),
    [
        ({}, [0, 0, 0, 0, 1, 1, -1]),
        ({"direction": "down"}, [1, 1, 0, 0, 0, 0, -1]),
        ({"min_observations": 2}, [0, 0, 0, 0, 0, 1, -1]),
    ],
)
def test_it_holds_while_momentum_is_gained_or_lost(asked: dict[str, Any], states: list[int]) -> None:
    days = list(enumerate([*sorted(ORDER, key=lambda word: ORDER[word]), "Sideways"]))
    assert holds(history(days), loaded(TRIGGER, asked)).tolist() == states
