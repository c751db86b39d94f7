"""Replays over HTTP: counted, started, watched, cancelled, by their account alone."""

from __future__ import annotations

from typing import Any

from sqlalchemy import update

from integration.domain.payload import iso
from integration.service import replaying
from integration.service.wiring import Gradewire
from integration.store.tables import delivery
from integration.web import create_app
from tests.web.conftest import HOOK, NOW, Asker, Wall, asker, small_market


def failed(here: Gradewire, wall: Wall) -> tuple[Asker, str]:
    """Ada, and her destination with two failed deliveries."""
    market = small_market(here, wall)
    ada = asker(create_app(here), here, "ada@example.com")
    ada.post("hooks", {"target_url": HOOK, "event": "grade_changed", "scope": {"tokens": ["3375", "77"]}})
    market.read("trader_grades", "tm_trader_grade", 0, {3375: 80.0, 77: 10.0})
    with here.database.write() as connection:
        connection.execute(update(delivery).values(state=2, done_at=wall(), attempts=10))
    return ada, ada.get("destinations").get_json()[0]["id"]


def test_a_replay_from_the_count_to_the_end(both: Gradewire, wall: Wall):
    ada, place = failed(both, wall)
    wanted = {"kind": "failed", "destination_id": place, "since": iso(NOW)}
    counted = ada.post("replays", {**wanted, "dry_run": True})
    assert (counted.status_code, counted.get_json()["counted"]) == (200, 2)
    made = ada.post("replays", wanted)
    assert made.status_code == 201
    assert made.get_json() == {
        **counted.get_json(), "id": made.get_json()["id"], "status": "waiting", "subscription_id": None, "done": 0, "error": None,
    }  # fmt: skip
    path = f"replays/{made.get_json()['id']}"
    replaying.work_off(both)
    assert (ada.get(path).get_json()["status"], ada.get(path).get_json()["done"]) == ("waiting", 2)
    assert ada.get("replays", destination_id=place).get_json() == [ada.get(path).get_json()]
    assert ada.get("replays", destination_id="dst_other").get_json() == []
    assert ada.post(f"{path}/cancel").get_json()["status"] == "cancelled"
    assert {row["state"] for row in ada.get("deliveries").get_json()} == {"pending"}


def test_what_is_wrong_is_named(both: Gradewire, wall: Wall, refused: Any):
    ada, place = failed(both, wall)
    wanted = {"kind": "failed", "destination_id": place, "since": iso(NOW)}
    refused(ada.post("replays", {**wanted, "kind": "all"}), 422, "kind")
    refused(ada.post("replays", {**wanted, "since": "last week"}), 422, "since")
    refused(ada.post("replays", {**wanted, "since": ""}), 422, "since")
    refused(ada.post("replays", {**wanted, "until": "2020-01-01"}), 422, "until")
    refused(ada.post("replays", {**wanted, "dry_run": "yes"}), 422, "dry_run")
    refused(ada.post("replays", {**wanted, "destination_id": None}), 422, "destination_id")
    refused(ada.post("replays", {**wanted, "destination_id": "dst_none"}), 404, "destination_id")
    refused(ada.get("replays/rpl_none"), 404, None)
    ada.post(f"destinations/{place}/pause")
    assert ada.post("replays", wanted).status_code == 201
    assert "runs at this destination" in refused(ada.post("replays", wanted), 409, None)


def test_another_accounts_are_not_seen(both: Gradewire, wall: Wall, refused: Any):
    ada, place = failed(both, wall)
    bob = asker(ada.app, both, "bob@example.com")
    wanted = {"kind": "failed", "destination_id": place, "since": iso(NOW)}
    identity = ada.post("replays", wanted).get_json()["id"]
    refused(bob.post("replays", wanted), 404, "destination_id")
    refused(bob.get(f"replays/{identity}"), 404, None)
    refused(bob.post(f"replays/{identity}/cancel"), 404, None)
    assert bob.get("replays").get_json() == []
