"""What an account is owed and what was tried: looked at, filtered, sent again."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import insert, update

from integration.domain.payload import iso
from integration.service import deliver
from integration.service.wiring import Gradewire
from integration.store.tables import attempt, delivery, destination, event, subscription
from integration.web import create_app
from tests.receiver import Answer, Receiver
from tests.web.conftest import HOOK, NOW, Asker, Wall, asker, small_market

TOKENS = {"tokens": ["3375", "77", "3306"]}


@pytest.fixture
def ada_is_owed(both: Gradewire, wall: Wall) -> Asker:
    """Ada, with three events owed to her at one destination and one of them at another."""
    market = small_market(both, wall)
    ada = asker(create_app(both), both, "ada@example.com")
    ada.post("hooks", {"target_url": HOOK, "event": "grade_changed", "scope": TOKENS})
    ada.post("hooks", {"target_url": HOOK + "2", "event": "grade_changed", "scope": {"tokens": ["3375"]}})
    market.read("trader_grades", "tm_trader_grade", 0, {3375: 80.0, 3306: 90.0, 77: 10.0})
    return ada


def change(here: Gradewire, identity: int, **values: Any) -> None:
    with here.database.write() as connection:
        connection.execute(update(delivery).where(delivery.c.id == identity).values(**values))


def states(ada: Asker, **query: Any) -> list[str]:
    return [row["state"] for row in ada.get("deliveries", **query).get_json()]


def test_deliveries_are_filtered_by_state_destination_subscription_event_and_time(ada_is_owed: Asker, both: Gradewire):
    ada, all_ = ada_is_owed, ada_is_owed.get("deliveries").get_json()
    assert len(all_) == 4
    newest = all_[0]
    for field in ("destination_id", "subscription_id", "event_id"):
        found = ada.get("deliveries", **{field: newest[field]}).get_json()
        assert found == [row for row in all_ if row[field] == newest[field]]
        assert 0 < len(found) < 4
    for number, state in ((2, "dead"), (5, "expired"), (6, "held"), (4, "grouped")):
        change(both, newest["id"], state=number, lead_id=None if number != 4 else all_[1]["id"])
        (found,) = ada.get("deliveries", state=state).get_json()
        assert (found["id"], found["told_with"]) == (newest["id"], all_[1]["id"] if state == "grouped" else None)
    change(both, all_[3]["id"], created_at=NOW - 1000)
    assert [row["id"] for row in ada.get("deliveries", until=iso(NOW)).get_json()] == [all_[3]["id"]]
    assert len(ada.get("deliveries", since=NOW).get_json()) == 3
    assert len(ada.get("deliveries", since="", until="").get_json()) == 4
    assert len(ada.get("deliveries", since=NOW - 1000, until=NOW).get_json()) == 1


def test_filters_that_are_none_are_refused(ada: Asker, refused: Any):
    assert "like 2024-01-31" in refused(ada.get("deliveries", since="yesterday"), 422, "since")
    assert "like 2024-01-31" in refused(ada.get("deliveries", until="now"), 422, "until")
    refused(ada.get("deliveries", state="lost"), 422, "state")


def test_another_accounts_deliveries_are_not_seen_and_not_sent_again(ada_is_owed: Asker, both: Gradewire, refused: Any):
    bob = asker(ada_is_owed.app, both, "bob@example.com")
    one = ada_is_owed.get("deliveries").get_json()[0]
    change(both, one["id"], state=2)
    assert bob.get("deliveries", event_id=one["event_id"]).get_json() == []
    refused(bob.get(f"deliveries/{one['id']}"), 404, None)
    refused(bob.post(f"deliveries/{one['id']}/retry"), 404, None)
    assert states(ada_is_owed, state="dead") == ["dead"]


def try_out(here: Gradewire, receiver: Receiver, wall: Wall, *answers: Answer) -> Any:
    """Send one event to a receiver that answers so, and look at what became of it."""
    here.settings = here.settings.replace(allow_private=True)
    market = small_market(here, wall)
    ada = asker(create_app(here), here, "ada@example.com")
    receiver.on("/secret-path-1", *answers)
    hook = {"target_url": receiver.url("/secret-path-1"), "event": "grade_changed", "scope": {"tokens": ["3375"]}}
    ada.post("hooks", hook)
    market.read("trader_grades", "tm_trader_grade", 0, {3375: 80.0})
    deliver.drain_all(here)
    (row,) = ada.get("deliveries").get_json()
    return ada, ada.get(f"deliveries/{row['id']}").get_json()


def test_each_attempt_shows_status_time_duration_class_and_how_the_answer_began(both: Gradewire, wall: Wall, receiver: Receiver):
    _, shown = try_out(both, receiver, wall, Answer(404, b"no such hook: /secret-path-1 \x00\xff" + b"x" * 9000))
    (made,) = shown["made"]
    assert made["at"] == iso(wall())
    assert (made["status"], made["outcome"], made["error_class"], made["error"]) == (404, "retry", "status", None)
    assert 0 <= made["duration_ms"] < 10_000
    assert made["head"].startswith("no such hook: … \ufffd\ufffdxxx")
    assert len(made["head"]) < 4096
    assert (shown["state"], shown["attempts"]) == ("pending", 1)


def test_no_answer_has_a_class_too(both: Gradewire, wall: Wall, receiver: Receiver):
    _, shown = try_out(both, receiver, wall, Answer(fault="reset"))
    (made,) = shown["made"]
    assert (made["status"], made["error_class"], made["head"]) == (0, "reset", None)
    assert made["error"].startswith("reset")


def test_an_answer_of_an_address_that_is_refused_is_shown_to_nobody(ada_is_owed: Asker, both: Gradewire):
    one = ada_is_owed.get("deliveries").get_json()[0]["id"]
    common = {"delivery_id": one, "at": NOW, "duration_ms": 3}
    with both.database.write() as connection:
        connection.execute(insert(attempt).values(**common, status=500, outcome="retry", head=b"the inner page"))
    made = ada_is_owed.get(f"deliveries/{one}").get_json()["made"]
    assert [each["head"] for each in made] == ["the inner page"]
    with both.database.write() as connection:
        connection.execute(
            insert(attempt).values(**common, status=0, outcome="retry", error="refused: the address is not public")
        )
    made = ada_is_owed.get(f"deliveries/{one}").get_json()["made"]
    assert [(each["error_class"], each["head"]) for each in made] == [("status", None), ("refused", None)]


def test_a_dead_or_delivered_one_is_sent_again_under_the_same_id(both: Gradewire, wall: Wall, receiver: Receiver):
    ada, shown = try_out(both, receiver, wall, Answer(200))
    assert shown["state"] == "delivered"
    again = ada.post(f"deliveries/{shown['id']}/retry").get_json()
    assert (again["state"], again["attempts"], again["next_attempt_at"]) == ("pending", 0, iso(wall()))
    deliver.drain_all(both)
    first, second = (request.headers["webhook-id"] for request in receiver.requests)
    assert first == second == shown["event_id"]
    assert len(ada.get(f"deliveries/{shown['id']}").get_json()["made"]) == 2


@pytest.mark.parametrize(
    ("spoil", "remedy"),
    [
        (update(delivery).values(state=3), "resume its subscription"),
        (update(delivery).values(state=4, lead_id=7), "with delivery 7"),
        (update(subscription).values(status="ended"), "make a new one"),
        (update(event).values(payload='{"pruned":true,"summary":""}'), "no longer kept whole"),
        (update(destination).values(status="disabled"), "resume it first: POST /v1/destinations/dst_"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_the_remedy(
    ada_is_owed: Asker, both: Gradewire, refused: Any, spoil: Any, remedy: str
):
    one = ada_is_owed.get("deliveries").get_json()[0]["id"]
    with both.database.write() as connection:
        connection.execute(spoil)
    assert remedy in refused(ada_is_owed.post(f"deliveries/{one}/retry"), 409, None)


def test_one_that_is_being_sent_is_left_to_that(ada_is_owed: Asker, both: Gradewire):
    one = ada_is_owed.get("deliveries").get_json()[0]["id"]
    change(both, one, attempts=1, lease="held", next_attempt_at=NOW + 10**9)
    again = ada_is_owed.post(f"deliveries/{one}/retry")
    assert (again.status_code, again.get_json()["attempts"], again.get_json()["next_attempt_at"]) == (200, 1, iso(NOW + 10**9))


def test_after_many_pages_every_delivery_came_once(ada_is_owed: Asker):
    seen: list[int] = []
    while page := ada_is_owed.get("deliveries", limit=1, **({"before": seen[-1]} if seen else {})).get_json():
        seen += [row["id"] for row in page]
    assert seen == [row["id"] for row in ada_is_owed.get("deliveries").get_json()]
