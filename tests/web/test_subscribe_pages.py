"""Subscribing on the page: a form for every trigger, rules inside rules included."""

from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from flask.testing import FlaskClient

from integration import triggers
from integration.service import accounts, destinations, subscribe
from integration.service.wiring import Gradewire
from integration.web import create_app
from tests.web.conftest import HOOK, Market


class Ada:
    def __init__(self, here: Gradewire) -> None:
        self.here = here
        key = accounts.create_key(here, "ada@example.com")
        self.account = str(accounts.authenticate(here, key).account_id)
        self.place = destinations.create_destination(here, self.account, "webhook", {"url": HOOK})["id"]
        self.client: FlaskClient = create_app(here).test_client()
        self.client.post("/login", data={"key": key})

    def send(self, trigger: str, action: str = "subscribe", **fields: str) -> tuple[int, str]:
        data = {"trigger": trigger, "action": action, "destination_id": self.place, **fields}
        answer = self.client.post("/subscribe", data=data)
        return answer.status_code, html.unescape(answer.get_data(as_text=True))

    def wishes(self) -> list[dict[str, Any]]:
        return subscribe.list_subscriptions(self.here, self.account)


@pytest.fixture
def ada(gradewire: Gradewire, market: Market) -> Ada:
    return Ada(gradewire)


def fields(page: str) -> dict[str, str]:
    """What a browser would send of a form as it stands there."""
    found = {name: html.unescape(text) for name, text in re.findall(r'<input name="([^"]+)" value="([^"]*)"', page)}
    found |= {
        name: html.unescape(text) for name, text in re.findall(r'<textarea name="([^"]+)"[^>]*>(.*?)</textarea>', page, re.S)
    }
    for name, inner in re.findall(r'<select name="((?:option|scope)\.[^"]+)">(.*?)</select>', page, re.S):
        chosen = re.search(r"<option(?: value=\"([^\"]*)\")? selected>([^<]*)", inner) or re.search(
            r"<option(?: value=\"([^\"]*)\")?>([^<]*)", inner
        )
        assert chosen
        found[name] = chosen[2] if chosen[1] is None else chosen[1]
    return found


@pytest.mark.parametrize("key", triggers.load())
def test_the_form_of_each_trigger_as_it_stands_asks_for_the_trigger_as_it_is_by_default(ada: Ada, key: str):
    ada.here.settings = ada.here.settings.replace(plan="vip", watched_tokens=1000)
    page = ada.client.get("/subscribe", query_string={"trigger": key})
    assert page.status_code == 200
    given = fields(page.get_data(as_text=True))
    assert {name for name in given if name.startswith("option.")} == {
        f"option.{k}" for k in triggers.load()[key].options().fields
    }
    if triggers.load()[key].subject == "token":
        given["scope.tokens"] = "3306"
    status, told = ada.send(key, **given)
    assert status == 200, re.findall(r'role="alert">([^<]*)', told)
    (made,) = ada.wishes()
    assert made["trigger"] == key
    scope = {"tokens": ["3306"]} if "scope.tokens" in given else {}
    default = subscribe.preview_subscription(ada.here, key, {}, scope)
    assert made["options"] == default["options"]


def test_conditions_and_what_is_corrected_are_written_as_json(ada: Ada):
    rules = [{"trigger": "grade_threshold", "options": {"grade": grade}} for grade in ("trader", "investor")]
    ada.here.settings = ada.here.settings.replace(plan="vip")
    status, _ = ada.send("all_of", **{"option.conditions": json.dumps(rules), "scope.tokens": "3375, ETH"})
    assert status == 200
    status, _ = ada.send("data_corrected", **{"option.of": '{"trigger": "grade_changed", "options": {"points": 5}}'})
    assert status == 200
    wishes = {wish["trigger"]: wish for wish in ada.wishes()}
    corrected, compound = wishes["data_corrected"], wishes["all_of"]
    assert [rule["options"]["grade"] for rule in compound["options"]["conditions"]] == ["investor", "trader"]
    assert compound["scope"] == {"kind": "tokens", "ids": [3306, 3375]}
    assert corrected["options"]["of"]["options"]["points"] == 5


@pytest.mark.parametrize(
    ("trigger", "given", "says"),
    [
        ("all_of", {"option.conditions": "[{"}, "no JSON"),
        ("all_of", {"option.conditions": '[{"trigger": "grade_threshold"}]'}, "2 to 5 conditions"),
        ("all_of", {"option.conditions": '[{"trigger": "grade_treshold"}, {"trigger": "sharpe_threshold"}]'}, "grade_threshold"),
        ("data_corrected", {"option.of": '{"trigger": "data_corrected"}'}, "not corrected"),
        ("grade_changed", {"option.points": "much"}, "points"),
        ("grade_changed", {"scope.tokens": "Dogecion"}, "Unknown token"),
        ("grade_changed", {"destination_id": ""}, "Choose where"),
        ("grade_changed", {"destination_id": "dst_other"}, "dst_other"),
        ("grade_chang", {}, "Did you mean grade_changed"),
    ],
)
def test_what_is_wrong_is_said_and_what_was_written_stays(ada: Ada, trigger: str, given: dict[str, str], says: str):
    status, page = ada.send(trigger, **given)
    assert (status, says in page) == (422, True), re.findall(r'role="alert">([^<]*)', page)
    assert all(text in page for name, text in given.items() if "." in name)
    assert ada.wishes() == []


def test_a_preview_makes_nothing_and_says_what_it_costs(ada: Ada):
    status, page = ada.send("grade_changed", "preview", destination_id="", **{"option.points": "15"})
    assert status == 200
    assert "It would be" in page
    assert "calls a month" in page
    assert '"points": 15' in page
    assert ada.wishes() == []


def test_a_shadow_is_one(ada: Ada):
    _, page = ada.send("grade_changed", shadow="1")
    assert "records what it would send" in page
    assert [wish["status"] for wish in ada.wishes()] == ["shadow"]


def test_a_form_of_another_site_makes_nothing(ada: Ada):
    data = {"trigger": "grade_changed", "action": "subscribe", "destination_id": ada.place}
    assert ada.client.post("/subscribe", data=data, headers={"Origin": "https://evil.example"}).status_code == 422
    assert ada.wishes() == []


def test_an_unknown_trigger_in_the_address_is_said(ada: Ada):
    assert ada.client.get("/subscribe", query_string={"trigger": "x"}).status_code == 422
