"""Rules that an earlier version stored: what this one would refuse, or means something else by, is neither told nor hidden."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from integration.domain.ids import canonical
from integration.service import asking, health
from integration.service.evaluate import ActiveRule, active
from integration.store.database import Database
from integration.store.queries import rules, subscriptions
from integration.triggers import _conditions, load
from tests.service.script import Script, script


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(database, tmp_path) as made:
        yield made


def stored(here: Script, rule: ActiveRule) -> Any:
    with here.gradewire.database.read() as connection:
        return rules.load(connection, [rule.id])[rule.id]


def points_at(here: Script, subscription: str, trigger: str, options: dict[str, Any]) -> None:
    """Let a subscription want a rule as an earlier version may have stored it, whatever this one says of it."""
    with here.gradewire.database.write() as connection:
        rules.ensure(connection, "rul_old", trigger, 1, canonical(options), 1)
        subscriptions.point_elsewhere(connection, subscription, "rul_old", '{"kind":"any"}', here.gradewire.now())


def told_by_doctor(here: Script) -> list[str]:
    return [found.text for found in health._rules(here.gradewire)]


def test_a_stored_rule_that_this_version_refuses_stops_no_other_and_is_shown_by_the_doctor(here: Script) -> None:
    assert told_by_doctor(here) == []
    old, fine = here.subscribed("grade_changed"), here.subscribed("grade_changed")
    refused = asking.ask(here.gradewire, "grade_changed", {}).options | {"points": 500.0}
    points_at(here, old, "grade_changed", refused)
    here.day(0, {1: 50}, "trader_grades")
    assert here.day(1, {1: 90}, "trader_grades").events == 1
    assert [subscription for subscription, _ in here.owed()] == [fine]
    (text,) = told_by_doctor(here)
    assert text.startswith("1 of those asked for")
    assert "grade_changed" in text


def test_a_rule_is_another_one_once_the_semantics_of_a_rule_inside_it_are_raised(
    here: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    conditions = [{"trigger": "grade_threshold"}, {"trigger": "signal_flipped"}]
    here.subscribed("all_of", conditions=conditions)
    before = asking.ask(here.gradewire, "all_of", {"conditions": conditions})
    other = asking.ask(here.gradewire, "all_of", {})
    assert active(here.catalogue, stored(here, before)) is not None
    raised = dict(load())
    raised["signal_flipped"] = replace(raised["signal_flipped"], semantics=2)
    monkeypatch.setattr(_conditions, "triggers", lambda: raised)
    after = asking.ask(here.gradewire, "all_of", {"conditions": conditions})
    assert after.id != before.id
    assert after.canonical == before.canonical
    assert asking.ask(here.gradewire, "all_of", {}).id == other.id
    assert active(here.catalogue, stored(here, before)) is None
    here.subscribed("all_of", conditions=conditions)
    again = active(here.catalogue, stored(here, after))
    assert again is not None
    assert (again.id, again.semantics) == (after.id, 2)
