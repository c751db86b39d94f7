"""Rules of one trigger are told apart by the options that are not its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from integration import triggers
from integration.domain.ids import canonical
from integration.service.unusual import unusual

KNOWN = triggers.load()


def said(key: str, **options: Any) -> list[str]:
    stored = canonical(KNOWN[key].options().load(options))
    return unusual(KNOWN, key, json.loads(stored))


@pytest.mark.parametrize("key", KNOWN)
def test_a_rule_as_it_is_by_default_has_nothing_to_say(key: str):
    assert said(key) == []


def test_what_differs_is_said_with_its_unit():
    assert said("grade_changed", points=15, class_change_only=True) == ["Points 15", "Class Change Only yes"]
    assert said("grade_changed", points=10.0, grade="investor") == ["Grade investor"]


def test_rules_inside_a_rule_are_told_by_their_nouns():
    rules = [{"trigger": "grade_threshold", "options": {"grade": grade}} for grade in ("trader", "investor")]
    (conditions,) = said("all_of", conditions=rules)
    assert conditions == "Conditions Grade Threshold Crossing (Grade investor); Grade Threshold Crossing"
    assert said("data_corrected", of={"trigger": "grade_changed"}) == ["Of Grade Change"]


def test_what_this_version_does_not_know_says_nothing():
    assert unusual(KNOWN, "gone", {"points": 3}) == []
    assert unusual(KNOWN, "grade_changed", {"gone": 3}) == []
