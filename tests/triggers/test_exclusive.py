"""Conditions that are never met together are refused as soon as so many are asked for; all others are taken."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import ValidationError

from integration.domain.catalogue import Trigger
from integration.triggers import load
from tests.laws import examples
from tests.triggers.logs import DAY, history_of, loaded, source_of

TRIGGERS = load()
ALL_OF = TRIGGERS["all_of"]
BULLISH, BEARISH = ({"trigger": "signal_flipped", "options": {"direction": d}} for d in ("bullish", "bearish"))
FINE: dict[str, Any] = {"trigger": "grade_changed", "options": {}}


def rule(key: str, **options: Any) -> dict[str, Any]:
    return {"trigger": key, "options": options}


def refusal(*conditions: Mapping[str, Any], **more: Any) -> str:
    try:
        loaded(ALL_OF, {"conditions": list(conditions), **more})
    except ValidationError as error:
        return str(error.messages_dict["conditions"][0])
    return ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (BULLISH, BEARISH),
        (rule("grade_threshold", level=80), rule("grade_threshold", preset="bearish")),
        (rule("grade_threshold", level=80), rule("grade_threshold", level=76, direction="down", hysteresis=2)),
        (rule("sharpe_threshold", level=1), rule("risk_threshold", metric="sharpe", worse_than=0)),
        (rule("btc_relative", level=10), rule("btc_relative", level=0, direction="down")),
        (rule("hourly_signal_flipped", direction="bullish"), rule("hourly_signal_flipped", direction="bearish")),
        (rule("momentum_changed", direction="up"), rule("momentum_changed", direction="down", steps=2)),
        (rule("market_regime_changed", direction="up"), rule("market_regime_changed", direction="down")),
        (rule("volume_changed", direction="up"), rule("volume_changed", direction="down")),
        (rule("price_level", level=100, direction="up"), rule("price_level", level=90, direction="down")),
    ],
)
def test_two_that_exclude_each_other_are_refused_with_the_remedy(one: dict[str, Any], other: dict[str, Any]) -> None:
    told = "are never met together: change one, or ask for fewer by at_least."
    assert refusal(one, FINE, other) == f"Conditions 0 and 2 {told}"
    assert refusal(FINE, other, one) == f"Conditions 1 and 2 {told}"
    assert refusal(one, FINE, other, at_least=2) == ""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (rule("grade_threshold", level=50), rule("grade_threshold", level=50, direction="down")),  # both within the band
        (rule("grade_threshold", level=80), rule("grade_threshold", preset="bearish", grade="investor")),
        (rule("grade_threshold", level=80, min_observations=3), rule("grade_threshold", preset="bearish")),
        (rule("grade_threshold", level=80, held_days=3), rule("grade_threshold", preset="bearish")),
        (rule("sharpe_threshold", level=1), rule("sharpe_threshold", level=0, direction="down", window="30d")),
        (rule("volume_changed", times=3, direction="up"), rule("volume_changed", times=2, direction="down")),
    ],
)
def test_two_that_can_be_met_together_are_taken(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert refusal(one, other, FINE) == ""


LEVELS = st.fixed_dictionaries(
    {
        "level": st.sampled_from([20.0, 30.0, 40.0, 50.0]),
        "hysteresis": st.sampled_from([0.0, 5.0, 10.0, 20.0]),
        "direction": st.sampled_from(["up", "down"]),
        "min_observations": st.sampled_from([1, 2]),
    }
)


def both_met(trigger: Trigger, rules: list[dict[str, Any]]) -> bool:
    """Whether any short history of grades that lie on, between and beyond the levels has both met at once."""
    numbers = sorted({o["level"] + sign * o["hysteresis"] for o in rules for sign in (-1, 0, 1)})
    values = sorted({*numbers, *((a + b) / 2 for a, b in itertools.pairwise(numbers)), 0.0, 100.0})
    values = [value for value in values if 0 <= value <= 100]
    source = source_of(trigger, rules[0])
    holds = trigger.holds
    assert holds is not None
    for drawn in itertools.product(values, repeat=3):
        days = [day for value in drawn for day in [value] * 2]
        for told in (days, list(drawn)):
            past = history_of(source, trigger, [(at * DAY, {"tm_trader_grade": value}) for at, value in enumerate(told)])
            if ((holds(past, rules[0]) == 1) & (holds(past, rules[1]) == 1)).any():
                return True
    return False


@examples(25)
@given(one=LEVELS, other=LEVELS)
def test_just_those_are_refused_that_no_history_meets_together(one: dict[str, Any], other: dict[str, Any]) -> None:
    trigger = TRIGGERS["grade_threshold"]
    asked = [{"preset": "own", **each} for each in (one, other)]
    rules = [loaded(trigger, each) for each in asked]
    if rules[0] == rules[1]:
        return
    told = refusal(*({"trigger": trigger.key, "options": each} for each in asked), FINE)
    assert bool(told) != both_met(trigger, rules)
