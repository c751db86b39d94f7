"""The list of events over HTTP: spliced as stored, on from a cursor, each account its own view."""

from __future__ import annotations

from typing import Any

import pytest

from integration.service.wiring import Gradewire
from integration.store.queries import events
from integration.web import create_app
from tests.web.conftest import HOOK, Asker, Market, Wall, asker, small_market


def test_events_come_as_stored_and_the_cursor_leads_on(both: Gradewire, wall: Wall):
    market = small_market(both, wall)
    ada = asker(create_app(both), both, "ada@example.com")
    empty = ada.get("events").get_json()
    assert (empty["events"], empty["more"]) == ([], False)
    for path in ("", "2"):  # two subscriptions, one event: it comes once
        ada.post("hooks", {"target_url": HOOK + path, "event": "grade_changed", "scope": {"tokens": ["3375", "77"]}})
    market.read("trader_grades", "tm_trader_grade", 0, {3375: 80.0, 77: 10.0})
    answer = ada.get("events", cursor=empty["cursor"], limit=1)
    first = answer.get_json()
    assert (len(first["events"]), first["more"]) == (1, True)
    with both.database.read() as connection:
        stored = events.one(connection, first["events"][0]["id"]).payload
    assert stored in answer.get_data(as_text=True)
    second = ada.get("events", cursor=first["cursor"]).get_json()
    assert {event["subject_id"] for event in first["events"] + second["events"]} == {3375, 77}
    assert not second["more"]
    rewound = ada.get("events", cursor=empty["cursor"]).get_json()
    assert rewound["events"] == first["events"] + second["events"]
    assert rewound["cursor"] == second["cursor"]
    assert ada.get("events", since=stored[stored.index("known_at") + 11 :][:20]).get_json()["events"] == rewound["events"]
    bob = asker(ada.app, both, "bob@example.com")
    assert bob.get("events").get_json()["events"] == []
    assert bob.get("events", all="true").get_json()["events"] == rewound["events"]
    assert ada.get("events", trigger="sharpe_threshold").get_json()["events"] == []
    assert [e["subject_id"] for e in ada.get("events", subject="token:77").get_json()["events"]] == [77]


@pytest.mark.parametrize(
    ("query", "status", "field", "says"),
    [
        ({"cursor": "evt_x"}, 400, "cursor", "leave it out"),
        ({"cursor": "A" * 15 + "B"}, 400, "cursor", "since="),
        ({"trigger": "grade_chang"}, 422, "trigger", "Did you mean grade_changed?"),
        ({"subject": "BTC"}, 422, "subject", "token:3375"),
        ({"since": "yesterday"}, 422, "since", "2024-01-31"),
        ({"limit": "1001"}, 422, "limit", "1000"),
        ({"subscription_id": "sub_x"}, 404, None, "sub_x"),
        ({"subscription_id": "sub_x", "all": "true"}, 422, "subscription_id", "either"),
        ({"triger": "grade_changed"}, 422, "triger", "Did you mean trigger?"),
    ],
)
def test_a_query_that_is_wrong(
    ada: Asker, market: Market, refused: Any, query: dict[str, str], status: int, field: str | None, says: str
):
    assert says in refused(ada.get("events", **query), status, field)


def test_parameters_left_empty_count_as_not_given(ada: Asker, market: Market):
    query = {"trigger": "", "subject": "", "subscription_id": "", "since": "", "cursor": ""}
    assert ada.get("events", **query).status_code == 200


def test_lists_of_deliveries_and_replays_know_their_parameters_too(ada: Asker, refused: Any):
    assert "Did you mean destination_id?" in refused(ada.get("deliveries", destination="dst_x"), 422, "destination")
    refused(ada.get("replays", state="done"), 422, "state")


def test_a_test_event_over_http(both: Gradewire, wall: Wall, refused: Any):
    small_market(both, wall)
    ada = asker(create_app(both), both, "ada@example.com")
    place = ada.post("destinations", {"channel": "webhook", "config": {"url": HOOK}}).get_json()["id"]
    made = ada.post("events/test", {"trigger": "grade_changed", "destination_id": place, "subject": "ETH"})
    assert made.status_code == 201
    event = made.get_json()["event"]
    assert {"new_grade", "change", "summary"} < event.keys()
    assert ada.get(f"deliveries/{made.get_json()['delivery_id']}").get_json()["event_id"] == event["id"]
    assert ada.get("events").get_json()["events"] == [event]
    assert ada.get("events", all="true").get_json()["events"] == []
    assert ada.get(f"events/{event['id']}").get_json() == event
    refused(asker(ada.app, both, "bob@example.com").get(f"events/{event['id']}"), 404, None)
    refused(ada.post("events/test", {"trigger": "grade_chang"}), 422, "trigger")
    refused(ada.post("events/test", {}), 422, "trigger")
    assert ada.get("events/test").status_code == 405
