"""Whoever wants corrections is told when data are corrected under an event that was told; nobody else is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.domain.catalogue import SubjectRow
from integration.domain.errors import Conflict
from integration.service import destinations, hooks, subscribe
from integration.service.observe import observe
from integration.store.database import Database
from integration.store.queries import subjects
from integration.store.tables import event, subscription
from tests.market import asked
from tests.service.script import Script, script

SHARPE = "quantmetrics"
MAIL = {"to": "ada@example.com"}


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(database, tmp_path) as made:
        with made.gradewire.database.write() as connection:
            subjects.keep(connection, [SubjectRow(f"token:{n}", "token", f"Token {n}") for n in (1, 2)], 1)
        yield made


def wish(here: Script, channel: str = "webhook", **more: Any) -> dict[str, Any]:
    config = {"url": "http://127.0.0.1:9/"} if channel == "webhook" else MAIL
    place = destinations.create_destination(here.gradewire, here.account, channel, config)
    options = asked("sharpe_threshold", {})
    return subscribe.create_subscription(here.gradewire, here.account, "sharpe_threshold", options, {}, place["id"], **more)


def told_then_restated(here: Script) -> str:
    """An event at day 1, whose value is restated the same day to one that had not crossed; the event's id."""
    here.day(0, {1: 0.9, 2: 0.5})
    here.day(1, {1: 1.2, 2: 0.5})
    first = here.identity("sharpe_threshold", "token:1", 1)
    here.go_to(1.3)
    here.say(SHARPE, 1, {1: 0.9, 2: 0.5})
    observe(here.gradewire, here.catalogue.sources[SHARPE], again=True)
    return first


def corrections(here: Script) -> list[Any]:
    return [json.loads(row.payload) for row in here.rows(event, event.c.trigger == "data_corrected")]


def test_a_webhook_is_told_of_a_correction_with_the_id_of_what_it_corrects(here: Script) -> None:
    made = wish(here)
    assert made["corrections"]
    first = told_then_restated(here)
    (told,) = corrections(here)
    assert (told["corrects"], told["reason"]) == (first, "would_not_have_fired")
    assert first in {identity for _, identity in here.owed()}
    assert told["id"] in {identity for _, identity in here.owed()}
    assert [row.status for row in here.rows(subscription)] == ["active", "active"]


@pytest.mark.parametrize(("channel", "more"), [("email", {}), ("webhook", {"corrections": False})])
def test_chat_and_mail_and_whoever_does_not_want_them_are_not_told(here: Script, channel: str, more: dict[str, Any]) -> None:
    assert not wish(here, channel, **more)["corrections"]
    first = told_then_restated(here)
    assert corrections(here) == []
    assert {identity for _, identity in here.owed()} == {first}


def test_a_rest_hook_is_not_told(here: Script) -> None:
    options = asked("sharpe_threshold", {})
    hooks.create_hook(here.gradewire, here.account, "http://127.0.0.1:9/", "sharpe_threshold", options, {})
    told_then_restated(here)
    assert corrections(here) == []


def test_they_can_be_asked_for_later_and_by_mail(here: Script) -> None:
    place = destinations.create_destination(here.gradewire, here.account, "email", MAIL)
    what = ("sharpe_threshold", asked("sharpe_threshold", {}), {}, place["id"])
    first = subscribe.create_subscription(here.gradewire, here.account, *what)
    again = subscribe.create_subscription(here.gradewire, here.account, *what, corrections=True)
    assert (first["id"], first["corrections"], again["corrections"]) == (again["id"], False, True)
    told_then_restated(here)
    assert len(corrections(here)) == 1


def test_what_is_told_corrections_already_cannot_be_wished_for_without(here: Script) -> None:
    made = wish(here)
    what = ("sharpe_threshold", asked("sharpe_threshold", {}), {}, made["destination_id"])
    with pytest.raises(Conflict, match="end it first"):
        subscribe.create_subscription(here.gradewire, here.account, *what, corrections=False)
    assert subscribe.get_subscription(here.gradewire, here.account, made["id"])["corrections"]


def test_they_share_the_fate_of_their_subscription_and_are_not_listed(here: Script) -> None:
    made = wish(here)
    assert [row["id"] for row in subscribe.list_subscriptions(here.gradewire, here.account)] == [made["id"]]
    for status in ("paused", "active"):
        subscribe.set_subscription(here.gradewire, here.account, made["id"], status)
        assert {row.status for row in here.rows(subscription)} == {status}
    subscribe.delete_subscription(here.gradewire, here.account, made["id"])
    assert {row.status for row in here.rows(subscription)} == {"ended"}
    told_then_restated(here)
    assert corrections(here) == here.owed() == []


def test_what_is_neither_late_nor_restated_is_never_corrected(here: Script) -> None:
    wish(here)
    for day, value in enumerate((0.9, 1.2, 0.8, 1.4, 0.7)):
        here.day(day, {1: value, 2: 2 - value})
    assert len(here.owed()) == 8
    assert corrections(here) == []


def test_events_of_every_trigger_can_be_corrected(here: Script) -> None:
    place = destinations.create_destination(here.gradewire, here.account, "webhook", {"url": "http://127.0.0.1:9/"})
    for key, trigger in here.catalogue.triggers.items():
        needs = {"tokens": "1"} if trigger.subject == "token" else {}
        made = subscribe.create_subscription(here.gradewire, here.account, key, {}, needs, place["id"])
        assert made["corrections"] is (trigger.tell is None), key
