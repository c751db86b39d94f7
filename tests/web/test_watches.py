"""Watches: feeds that are kept awake though nobody reads them."""

from __future__ import annotations

from typing import Any

from integration.domain.retry import DAY
from integration.service.wanting import selections
from integration.service.wiring import Gradewire
from integration.store.queries import rules
from integration.web import create_app
from tests.web.conftest import Asker, Market, Wall, asker, small_market

WATCH = {"trigger": "grade_changed", "options": {"points": 5}, "scope": {"tokens": "BTC,3306"}}


def wanted(gradewire: Gradewire) -> bool:
    return bool(selections(gradewire, gradewire.catalogue.sources["trader_grades"]))


def test_a_watch_is_made_looked_at_and_ended_once(both: Gradewire, wall: Wall) -> None:
    small_market(both, wall)
    ada = asker(create_app(both), both, "ada@example.com")
    body = {**WATCH, "scope": {"tokens": "3375,3306"}}
    made, again = ada.post("watches", body), ada.post("watches", body)
    assert (made.status_code, again.status_code) == (201, 200)
    watch = made.get_json()
    assert watch["id"].startswith("fed_")
    assert (watch["label"], watch["scope"]) == ("New Grade Change", {"kind": "tokens", "ids": [3306, 3375]})
    assert watch["cost"]["added_calls_a_month"] == 31
    seen = {key: value for key, value in watch.items() if key != "cost"}
    assert ada.get("watches").get_json() == [seen]
    assert ada.get(f"watches/{watch['id']}").get_json() == seen
    for _ in range(2):
        assert ada.delete(f"watches/{watch['id']}").status_code == 204
    assert ada.get(f"watches/{watch['id']}").status_code == 404
    assert ada.get("watches").get_json() == []


def test_its_feed_holds_what_is_found_after_months_in_which_nobody_read(
    ada: Asker, market: Market, gradewire: Gradewire, wall: Wall
) -> None:
    feed = ada.post("watches", {**WATCH, "scope": {"tokens": "3375"}}).get_json()["feed"]
    wall.ms += 60 * DAY
    market.read("trader_grades", "tm_trader_grade", 0, {3375: 80.0})
    told = ada.client.get(feed, headers={"X-Api-Key": ada.key}).get_json()
    assert (told[0]["subject_id"], told[0]["new_grade"]) == (3375, 80.0)
    assert ada.get("triggers/grade_changed", tokens="3375", points=5).get_json() == told


def test_what_is_watched_is_polled_until_the_watch_ends(ada: Asker, market: Market, gradewire: Gradewire, wall: Wall) -> None:
    assert not wanted(gradewire)
    identity = ada.post("watches", {**WATCH, "scope": {"tokens": "3375"}}).get_json()["id"]
    wall.ms += 60 * DAY
    assert wanted(gradewire)
    with gradewire.database.read() as connection:
        assert rules.is_awake(connection, identity, wall())
    ada.delete(f"watches/{identity}")
    assert not wanted(gradewire)


def test_a_watch_is_its_accounts_own(ada: Asker, bob: Asker, market: Market) -> None:
    identity = ada.post("watches", {**WATCH, "scope": {"tokens": "3375"}}).get_json()["id"]
    assert bob.get("watches").get_json() == []
    bob.delete(f"watches/{identity}")
    assert ada.get(f"watches/{identity}").status_code == 200


def test_what_cannot_be_watched_is_refused_as_elsewhere(ada: Asker, market: Market, refused: Any) -> None:
    refused(ada.post("watches", {"trigger": "grade"}), 422, "trigger")
    refused(ada.post("watches", {**WATCH, "options": {"points": 500}}), 422, "points")
    refused(ada.post("watches", {**WATCH, "scope": {"tokens": "nothing"}}), 422, "tokens")
