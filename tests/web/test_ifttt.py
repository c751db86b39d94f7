"""IFTTT's service protocol: what its endpoint tests ask of a service, and that it is told when there is more."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from integration.domain.retry import DAY, SCHEDULE
from integration.service import accounts, errands
from integration.service.ifttt import TEST_ACCOUNT
from integration.service.wiring import Gradewire
from integration.store.tables import ifttt_identity
from integration.web import create_app
from tests.receiver import Answer, Receiver
from tests.web.conftest import Market, Wall, small_market

SERVICE = "service-key-of-ours"
TRIGGER = "triggers/grade_changed"


@dataclass
class Ifttt:
    """IFTTT, with its own key and a user's."""

    client: FlaskClient
    token: str

    def service(self, method: str, path: str, key: str | None = SERVICE) -> TestResponse:
        headers = {"IFTTT-Service-Key": key} if key else {}
        return self.client.open(f"/ifttt/v1/{path}", method=method, headers=headers)

    def user(self, method: str, path: str, body: Any = None, token: str | None = None) -> TestResponse:
        headers = {"Authorization": f"Bearer {token or self.token}"}
        return self.client.open(f"/ifttt/v1/{path}", method=method, headers=headers, json={} if body is None else body)

    def poll(self, path: str = TRIGGER, **body: Any) -> list[dict[str, Any]]:
        answer = self.user("POST", path, {"triggerFields": {"tokens": "3375"}, **body})
        assert answer.status_code == 200, answer.get_data(as_text=True)
        assert answer.content_type == "application/json; charset=utf-8"
        found: list[dict[str, Any]] = answer.get_json()["data"]
        return found


@pytest.fixture
def here(both: Gradewire, wall: Wall) -> Gradewire:
    both.settings = both.settings.replace(ifttt_service_key=SERVICE, allow_private=True)
    return both


@pytest.fixture
def market(here: Gradewire, wall: Wall) -> Market:
    return small_market(here, wall)


@pytest.fixture
def ifttt(here: Gradewire, market: Market) -> Ifttt:
    return Ifttt(create_app(here).test_client(), accounts.create_key(here, "ada@example.com"))


def failed(answer: TestResponse, status: int) -> str:
    assert answer.status_code == status, answer.get_data(as_text=True)
    (error,) = answer.get_json()["errors"]
    assert error["message"]
    return str(error["message"])


# -- the service -------------------------------------------------------------------------------------------------------


def test_the_status_is_good_with_the_service_key_alone(ifttt: Ifttt) -> None:
    assert ifttt.service("GET", "status").status_code == 200
    for wrong in ("", "other", None):
        failed(ifttt.service("GET", "status", wrong), 401)
        failed(ifttt.service("POST", "test/setup", wrong), 401)


def test_without_a_service_key_there_is_no_adapter(here: Gradewire, ifttt: Ifttt) -> None:
    here.settings = here.settings.replace(ifttt_service_key="")
    for answer in (ifttt.service("GET", "status", ""), ifttt.user("GET", "user/info"), ifttt.user("POST", TRIGGER)):
        assert "GRADEWIRE_IFTTT_SERVICE_KEY" in failed(answer, 404)


def test_the_user_is_the_account_of_the_bearer_token(ifttt: Ifttt) -> None:
    told = ifttt.user("GET", "user/info").get_json()["data"]
    assert told["name"] == "ada@example.com"
    assert told["id"].startswith("acc_")
    failed(ifttt.user("GET", "user/info", token="gw_live_wrong"), 401)
    failed(ifttt.user("POST", TRIGGER, token="gw_live_wrong"), 401)


def test_the_endpoint_test_gets_a_key_and_fields_with_which_every_trigger_answers_three_events(
    here: Gradewire, ifttt: Ifttt
) -> None:
    setup = ifttt.service("POST", "test/setup").get_json()["data"]
    token, samples = setup["accessToken"], setup["samples"]["triggers"]
    assert ifttt.user("GET", "user/info", token=token).get_json()["data"]["name"] == TEST_ACCOUNT
    assert len(samples) > 10
    for slug, fields in samples.items():
        answer = ifttt.user("POST", f"triggers/{slug}", {"triggerFields": fields}, token=token)
        assert answer.status_code == 200, (slug, answer.get_data(as_text=True))
        events = answer.get_json()["data"]
        assert len(events) >= 3, slug
        assert len({event["meta"]["id"] for event in events}) == len(events)
        assert all(isinstance(event["meta"]["timestamp"], int) for event in events)
    again = ifttt.service("POST", "test/setup").get_json()["data"]["accessToken"]
    assert again != token
    failed(ifttt.user("GET", "user/info", token=token), 401)


# -- triggers ----------------------------------------------------------------------------------------------------------


def test_a_trigger_is_a_timeline_newest_first_that_stays_the_same(ifttt: Ifttt, market: Market) -> None:
    first = ifttt.poll()
    market.read("trader_grades", "tm_trader_grade", 0, {3375: 80.0})
    told = ifttt.poll()
    assert told[1:] == first
    assert len(told) == 3
    times = [event["meta"]["timestamp"] for event in told]
    assert times == sorted(times, reverse=True)
    assert times[0] == int(datetime.fromisoformat(told[0]["created_at"]).timestamp())


def test_ingredients_are_flat(ifttt: Ifttt) -> None:
    event = ifttt.poll()[0]
    assert all(isinstance(value, str | int | float) for name, value in event.items() if name != "meta")
    assert (event["subject_name"], event["is_sample"], event["url"]) == (
        "Bitcoin", "false", f"http://localhost/events/{event['meta']['id']}",
    )  # fmt: skip


@pytest.mark.parametrize(("limit", "count"), [(0, 0), (1, 1), (2, 2), (50, 2), (10_000, 2)])
def test_the_limit_holds(ifttt: Ifttt, limit: int, count: int) -> None:
    assert len(ifttt.poll(limit=limit)) == count


def test_what_ifttt_adds_is_passed_over(ifttt: Ifttt) -> None:
    extra = {"user": {"timezone": "Pacific Time"}, "ifttt_source": {"id": "2", "url": "https://ifttt.com"}, "new": [1]}
    assert len(ifttt.poll(trigger_identity="abc", **extra)) == 2


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        (TRIGGER, {}, 400),
        (TRIGGER, {"triggerFields": []}, 400),
        (TRIGGER, {"triggerFields": {"tokens": "nothing"}}, 400),
        (TRIGGER, {"triggerFields": {"points": "many"}}, 400),
        (TRIGGER, {"triggerFields": {"pionts": "5"}}, 400),
        (TRIGGER, {"triggerFields": {}, "limit": "5"}, 400),
        (TRIGGER, {"triggerFields": {}, "limit": -1}, 400),
        (TRIGGER, {"triggerFields": {}, "trigger_identity": 5}, 400),
        (TRIGGER, ["no object"], 400),
        ("triggers/nothing", {"triggerFields": {}}, 404),
        ("triggers/nothing/fields/points/options", {}, 404),
        (f"{TRIGGER}/fields/nothing/options", {}, 404),
    ],
)
def test_what_is_wrong_is_said_in_ifttts_form(ifttt: Ifttt, path: str, body: Any, status: int) -> None:
    failed(ifttt.user("POST", path, body), status)


def test_a_fields_choices_have_labels_and_values(ifttt: Ifttt) -> None:
    def values(field: str) -> list[str]:
        return [choice["value"] for choice in ifttt.user("POST", f"{TRIGGER}/fields/{field}/options").get_json()["data"]]

    assert values("grade") == ["trader", "investor", "tm"]
    assert values("tokens") == ["3375", "3306", "77"]
    assert values("category") == ["layer-1"]
    assert values("points") == []


# -- realtime ----------------------------------------------------------------------------------------------------------


def listening(here: Gradewire, receiver: Receiver, *answers: Answer) -> None:
    receiver.on("/realtime", *answers)
    here.settings = here.settings.replace(ifttt_url=receiver.url("/realtime"))


def identities(here: Gradewire) -> list[Any]:
    with here.database.read() as connection:
        return list(connection.execute(select(ifttt_identity)))


def test_ifttt_is_told_once_that_there_is_more_and_not_what(
    here: Gradewire, ifttt: Ifttt, market: Market, receiver: Receiver
) -> None:
    listening(here, receiver)
    ifttt.poll(trigger_identity="abc")
    assert errands.run(here) == 0
    market.read("trader_grades", "tm_trader_grade", 0, {3375: 80.0})
    assert (errands.run(here), errands.run(here)) == (1, 0)
    (request,) = receiver.requests
    assert json.loads(request.body) == {"data": [{"trigger_identity": "abc"}]}
    assert request.headers["ifttt-service-key"] == SERVICE
    assert request.headers["x-request-id"]
    assert request.headers["content-type"] == "application/json"


def test_what_ifttt_has_read_itself_it_is_not_told_of(here: Gradewire, ifttt: Ifttt, market: Market, receiver: Receiver) -> None:
    listening(here, receiver)
    ifttt.poll(trigger_identity="abc")
    market.read("trader_grades", "tm_trader_grade", 0, {3375: 80.0})
    ifttt.poll(trigger_identity="abc")
    assert errands.run(here) == 0


def test_word_that_did_not_get_through_is_sent_again_and_given_up_at_the_end(
    here: Gradewire, ifttt: Ifttt, market: Market, receiver: Receiver, wall: Wall
) -> None:
    listening(here, receiver, Answer(status=503))
    ifttt.poll(trigger_identity="abc")
    market.read("trader_grades", "tm_trader_grade", 0, {3375: 80.0})
    for _ in range(len(SCHEDULE) + 3):
        errands.run(here)
        wall.ms += DAY
    assert len(receiver.requests) == len(SCHEDULE) + 1
    receiver.on("/realtime", Answer(status=200))
    market.read("trader_grades", "tm_trader_grade", 1, {3375: 50.0})
    assert (errands.run(here), errands.run(here)) == (1, 0)


def test_an_identity_that_is_deleted_is_told_nothing_more(
    here: Gradewire, ifttt: Ifttt, market: Market, receiver: Receiver
) -> None:
    listening(here, receiver)
    ifttt.poll(trigger_identity="abc")
    for _ in range(2):
        assert ifttt.user("DELETE", f"{TRIGGER}/trigger_identity/abc").status_code == 200
    assert identities(here) == []
    market.read("trader_grades", "tm_trader_grade", 0, {3375: 80.0})
    assert errands.run(here) == 0


def test_an_identity_is_its_accounts_own(here: Gradewire, ifttt: Ifttt) -> None:
    ifttt.poll(trigger_identity="abc")
    other = accounts.create_key(here, "bob@example.com")
    ifttt.user("DELETE", f"{TRIGGER}/trigger_identity/abc", token=other)
    assert len(identities(here)) == 1
