"""Backtests and shadow subscriptions over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from apiflask import APIFlask

from integration.service.wiring import Gradewire
from integration.store.tables import past_wish
from integration.web import create_app
from tests.web.conftest import HOOK, Asker, Market, Wall, asker, small_market

Refused = Callable[..., str]
GRADE = {"trigger": "grade_changed", "options": {"points": 10}}


def test_a_backtest_has_the_events_of_the_feed(both: Gradewire, wall: Wall) -> None:
    small_market(both, wall)
    ada = asker(create_app(both), both, "ada@example.com")
    answer = ada.post("backtests", GRADE)
    assert answer.status_code == 200, answer.get_data(as_text=True)
    told = answer.get_json()
    fed = ada.get("triggers/grade_changed", points=10).get_json()
    assert [event["id"] for event in told["events"]] == [event["id"] for event in fed]
    assert (told["count"], told["watched"], told["left_out"]) == (len(fed), 3, 0)
    assert told["count"] > 1
    assert (told["options"]["points"], told["scope"]) == (10, {"kind": "any"})
    again = ada.post("backtests", GRADE).get_json()
    assert again["events"] == fed
    assert all(firing["stored"] for firing in again["firings"])


def test_filters_mix_options_and_scope_as_one_form_sends_them(ada: Asker, market: Market) -> None:
    body = {"trigger": "grade_changed", "filters": {"points": "10", "tokens": "3375", "category": ""}}
    told = ada.post("backtests", body).get_json()
    assert (told["options"]["points"], told["scope"]) == (10, {"kind": "tokens", "ids": [3375]})
    assert told["watched"] == 1
    assert told["series"]["metric"] == "tm_trader_grade"
    assert {mark["id"] for mark in told["series"]["marks"]} == {event["id"] for event in told["events"]}


def test_period_flap_days_and_limit_are_taken(ada: Asker, market: Market) -> None:
    whole = ada.post("backtests", GRADE).get_json()
    days = sorted(event["as_of"][:10] for event in whole["events"])
    part = ada.post("backtests", {**GRADE, "from": days[-1], "to": days[-1], "flap_days": 1, "limit": 1}).get_json()
    assert (part["from"], part["to"], part["flaps"]["within_days"], len(part["events"])) == (days[-1], days[-1], 1, 1)
    assert part["count"] == days.count(days[-1])


def test_what_is_missing_is_wished_for_once(ada: Asker, gradewire: Gradewire, market: Market) -> None:
    body = {**GRADE, "scope": {"tokens": ["Ethereum"]}}
    told = ada.post("backtests", body).get_json()["missing"]
    assert told["calls"] > 0
    assert told["wish"] is told["status"] is None
    wished = [ada.post("backtests", {**body, "fetch": True}).get_json()["missing"] for _ in range(2)]
    assert wished[0]["status"] == "waiting"
    assert wished[0] == wished[1]
    with gradewire.database.read() as connection:
        (row,) = connection.execute(past_wish.select())
    assert (row.id, row.calls, row.status) == (wished[0]["wish"], told["calls"], "waiting")


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"trigger": "grade_change"}, "trigger", "Did you mean grade_changed?"),
        ({"trigger": None}, "trigger", "null"),
        ({"options": {"piont": 3}}, "piont", "Did you mean points?"),
        ({"options": {"points": 1000}}, "points", "100"),
        ({"scope": {"tokens": ["Nocoin"]}}, "tokens", "Unknown token"),
        ({"scope": {"planet": "mars"}}, "planet", "Use one of tokens"),
        ({"filters": {"pionts": 3}}, "pionts", "Did you mean points?"),
        ({"from": "yesterday"}, "from", "Not a valid date"),
        ({"from": "2001-01-01"}, "from", "400 days"),
        ({"to": "0001-01-01"}, "to", "400 days"),
        ({"from": "2001-01-01", "to": "2001-01-01"}, "to", "400 days"),
        (
            {"trigger": "all_of", "options": {"conditions": '[{"trigger": "grade_changed", "options": {"\\ud800": 1}}]'}},
            "conditions",
            "no JSON",
        ),
        ({"flap_days": 0}, "flap_days", ""),
        ({"limit": -1}, "limit", ""),
        ({"fetch": "perhaps"}, "fetch", "Not a valid boolean"),
        ({"colour": "red"}, "colour", "Unknown field"),
    ],
)
def test_a_backtest_that_is_wrong(
    ada: Asker, market: Market, refused: Refused, change: dict[str, Any], field: str, says: str
) -> None:
    assert says in refused(ada.post("backtests", {**GRADE, **change}), 422, field)


def test_another_backtest_of_the_account_at_the_same_time_waits(
    ada: Asker, market: Market, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("integration.service.backtest._running", {ada.get("me").get_json()["id"]})
    answer = ada.post("backtests", GRADE)
    assert "still running" in refused(answer, 429, None)
    assert answer.headers["Retry-After"].isdigit()


def test_without_a_key_there_is_no_backtest(app: APIFlask, refused: Refused) -> None:
    refused(app.test_client().post("/v1/backtests", json=GRADE), 401, None)


def test_every_trigger_can_be_tried(ada: Asker, gradewire: Gradewire, market: Market) -> None:
    for key, trigger in gradewire.catalogue.triggers.items():
        scope = {"tokens": [3375, 3306]} if trigger.subject == "token" else {}
        answer = ada.post("backtests", {"trigger": key, "scope": scope, "fetch": False})
        body = answer.get_json()
        assert answer.status_code == 200 or body["error"]["code"] == "invalid_input", (key, body)
        if answer.status_code == 200:
            assert body["count"] == len(body["events"]) == len(body["firings"])


# -- shadows -----------------------------------------------------------------------------------------------------------


def test_a_shadow_subscription_records_and_is_made_live(ada: Asker, market: Market, refused: Refused) -> None:
    destination = ada.post("destinations", {"channel": "webhook", "config": {"url": HOOK}}).get_json()["id"]
    wish = {**GRADE, "destination_id": destination, "shadow": True}
    made = ada.post("subscriptions", wish).get_json()
    assert made["status"] == "shadow"
    market.read("trader_grades", "tm_trader_grade", 0, {3375: 80.0})
    (row,) = ada.get("deliveries", state="shadow").get_json()
    assert (row["subscription_id"], row["state"], row["reason"], row["next_attempt_at"]) == (made["id"], "shadow", "shadow", None)
    assert ada.get("deliveries", state="pending").get_json() == []
    assert ada.post(f"subscriptions/{made['id']}/pause").get_json()["status"] == "paused"
    resumed = ada.post(f"subscriptions/{made['id']}/resume").get_json()
    assert (resumed["status"], resumed["shadow"]) == ("shadow", True)
    path = f"/v1/subscriptions/{made['id']}"
    live = ada.client.patch(path, json={"shadow": False}, headers={"X-Api-Key": ada.key}).get_json()
    assert (live["status"], live["shadow"]) == ("active", False)
    refused(ada.client.patch(path, json={"shadow": True}, headers={"X-Api-Key": ada.key}), 409, None)
    assert refused(ada.post("subscriptions", wish), 409, None)
    assert ada.get(f"deliveries/{row['id']}").get_json()["made"] == []


def test_a_hook_is_never_a_shadow(ada: Asker, market: Market, refused: Refused) -> None:
    refused(ada.post("hooks", {"target_url": HOOK, "event": "grade_changed", "shadow": True}), 422, "shadow")
