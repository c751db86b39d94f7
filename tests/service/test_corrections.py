"""Corrections live: told when restated readings come, with the ids that a feed finds in the log."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.domain.catalogue import SubjectRow
from integration.domain.ids import canonical, event_id
from integration.service.observe import observe
from integration.store.database import Database
from tests.service.script import START, Script, script

GRADES = "trader_grades"
OF = {"trigger": "grade_changed", "options": {}}


@pytest.fixture
def here(sqlite_database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(sqlite_database, tmp_path) as made:
        yield made


def payloads(here: Script, trigger: str) -> list[dict[str, Any]]:
    return [json.loads(row.payload) for row in here.events() if row.trigger == trigger]


def restate(here: Script, now: float, day: float, grade: float) -> None:
    """On day `now`, another grade is said of an earlier one that is asked for again."""
    here.go_to(now)
    here.say(GRADES, day, {1: grade})
    assert observe(here.gradewire, here.catalogue.sources[GRADES], again=True).status == "done"


def test_an_event_that_restated_readings_take_back_is_corrected_and_stays(here: Script) -> None:
    here.subscribed("grade_changed")
    here.subscribed("data_corrected", of=OF)
    here.day(0, {1: 50}, GRADES)
    here.day(1, {1: 65}, GRADES)
    (told,) = payloads(here, "grade_changed")
    restate(here, 1.5, 1, 52)
    (correction,) = payloads(here, "data_corrected")
    assert correction["corrects"] == told["id"]
    assert (correction["as_of"], correction["reason"], correction["restated"]) == (told["as_of"], "would_not_have_fired", True)
    assert correction["old"] == {name: told[name] for name in correction["old"]}
    assert payloads(here, "grade_changed") == [told]
    assert sorted(identity for _, identity in here.owed()) == sorted([told["id"], correction["id"]])


def test_its_id_follows_from_its_own_rule(here: Script) -> None:
    here.subscribed("data_corrected", of=OF)
    here.day(0, {1: 50}, GRADES)
    here.day(1, {1: 65}, GRADES)
    restate(here, 1.5, 1, 52)
    trigger = here.catalogue.triggers["data_corrected"]
    text = canonical(trigger.options().load({"of": OF}))
    (correction,) = payloads(here, "data_corrected")
    assert correction["id"] == event_id("data_corrected", trigger.semantics, text, "token:1", START + 86_400_000)


def test_it_is_told_also_where_nobody_asked_for_the_event_itself_and_only_something_older_came(here: Script) -> None:
    here.subscribed("data_corrected", of={"trigger": "sharpe_threshold", "options": {"window": "published"}})
    for day, sharpe in enumerate((0.9, 1.1, 1.2)):
        here.day(day, {1: sharpe})
    assert here.events() == []
    here.go_to(3)
    here.say("quantmetrics", 1, {1: 0.8})
    observe(here.gradewire, here.catalogue.sources["quantmetrics"])
    assert here.told() == [("token:1", 1)]
    assert payloads(here, "data_corrected")[0]["reason"] == "would_not_have_fired"


def test_a_feed_finds_the_corrections_that_were_told(here: Script) -> None:
    here.upstream.names["tokens"] = [SubjectRow("token:1", "token", "One")]
    observe(here.gradewire, here.catalogue.sources["tokens"], again=True)
    assert here.feed("data_corrected", of=json.dumps(OF)) == []
    here.day(0, {1: 50}, GRADES)
    here.day(1, {1: 65}, GRADES)
    restate(here, 1.5, 1, 63)
    restate(here, 1.7, 1, 52)
    live = here.feed("data_corrected", of=json.dumps(OF))
    found = here.feed("data_corrected", {"tokens": [1]}, of=OF)
    assert [event["reason"] for event in live] == ["would_differ"]
    assert [event["id"] for event in found] == [event["id"] for event in live]
    assert live[0]["summary"].startswith(
        "Correction: on restated data the Grade Change of One on 2 January 2024 would read: One's"
    )


def test_nothing_is_corrected_where_nothing_that_was_told_changes(here: Script) -> None:
    here.subscribed("data_corrected", of=OF)
    here.day(0, {1: 50}, GRADES)
    here.day(1, {1: 65}, GRADES)
    here.day(2, {1: 66}, GRADES)
    restate(here, 2.5, 2, 67)
    assert here.events() == []
