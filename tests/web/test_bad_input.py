"""Bad input gets a clear 4xx that names the field; nothing gets a 500."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from integration.service import accounts
from integration.service.wiring import Gradewire
from integration.web import create_app
from tests.web.conftest import HOOK, Asker, Market, Wall, asker, small_market

Refused = Callable[..., str]


@pytest.mark.parametrize(
    ("query", "field", "says"),
    [
        ({"piont": "3"}, "piont", "Did you mean points?"),
        ({"tokns": "BTC"}, "tokns", "Did you mean tokens?"),
        ({"points": "much"}, "points", "Not a valid number"),
        ({"points": "1000"}, "points", "less than or equal to 100"),
        ({"points": "nan"}, "points", ""),
        ({"window": "1.5"}, "window", "Must be a whole number, such as 2."),
        ({"window": "1_0"}, "window", "Not a whole number"),
        ({"window": "\u0663"}, "window", "Not a whole number"),
        ({"points": "1_0"}, "points", "Not a valid number"),
        ({"points": "\u0661\u0660"}, "points", "write it in digits"),
        ({"class_change_only": "perhaps"}, "class_change_only", "Not a valid boolean"),
        ({"grade": "best"}, "grade", "Must be one of: trader, investor, tm"),
        ({"bearish_at": "79"}, "bearish_at", "below bullish_at"),
        ({"tokens": "Dogecion"}, "tokens", "Unknown token"),
        ({"tokens": "BTC"}, "tokens", "give the id: Bitcoin = 3375"),
        ({"tokens": "9" * 5000}, "tokens", "Unknown token"),
        ({"category": "layer1"}, "category", "Did you mean layer-1?"),
        ({"top": "ten"}, "top", "whole number"),
        ({"top": "1_0"}, "top", "whole number from 1 to 1000, such as 10"),
        ({"top": "\u0661\u0660"}, "top", "whole number"),
        ({"top": "1.5"}, "top", "whole number"),
        ({"top": "0"}, "top", "from 1 to 1000: use 1."),
        ({"top": "10", "category": "layer-1"}, "top", "Choose one"),
        ({"indices": "5"}, "indices", "about each token"),
        ({"grade": "tm"}, "tokens", "name the tokens"),
        ({"limit": "1001"}, "limit", "1 to 1000"),
        ({"limit": "0"}, "limit", "1 to 1000"),
        ({"limit": "ten"}, "limit", "1 to 1000"),
        ({"since": "yesterday"}, "since", "2024-01-31T12:00:00Z"),
        ({"points": "1\0"}, "points", "NUL"),
        ({"q\0": "1"}, "q\ufffd", "NUL"),
    ],
)
def test_a_query_that_is_wrong(ada: Asker, market: Market, refused: Refused, query: dict[str, str], field: str, says: str):
    assert says in refused(ada.get("triggers/grade_changed", **query), 422, field)


@pytest.mark.parametrize(
    ("change", "field", "says"),
    [
        ({"target_url": None}, "target_url", "null"),
        ({"target_url": "ftp"}, "target_url", "https://"),
        ({"target_url": 5}, "target_url", "Not a valid string: write it as text."),
        ({"target_url": "http://example.com/hook"}, "target_url", "must begin with https://"),
        ({"target_url": "https://10.0.0.1/hook"}, "target_url", "private"),
        ({"target_url": "https://127.0.0.1/hook"}, "target_url", "private"),
        ({"target_url": "https://169.254.169.254/latest"}, "target_url", "private"),
        ({"target_url": "https://[::1]/hook"}, "target_url", "private"),
        ({"target_url": "https://2130706433/hook"}, "target_url", "private"),
        ({"target_url": "https://localhost/hook"}, "target_url", "private"),
        ({"target_url": "https://u:p@example.com/"}, "target_url", "user name"),
        ({"target_url": "https://example.com/" + "x" * 2000}, "target_url", ""),
        ({"event": "sharpe_treshold"}, "event", "Did you mean sharpe_threshold?"),
        ({"event": "grade\0"}, "event", "NUL"),
        ({"options": {"level": "one"}}, "level", "Not a valid number"),
        ({"options": {"min_observations": 1.5}}, "min_observations", "such as 2"),
        ({"scope": {"top": 1.5}}, "top", "whole number"),
        ({"scope": {"top": True}}, "top", "whole number"),
        ({"options": {"levle": 1}}, "levle", "Did you mean level?"),
        ({"options": {"level": {"deep": ["\ud800"]}}}, "options", "surrogates"),
        ({"options": []}, "options", "Not a valid mapping"),
        ({"scope": {"tokens": ["Nocoin"]}}, "tokens", "Unknown token"),
        ({"scope": {"planet": "mars"}}, "planet", "Use one of tokens"),
        ({"filters": {"levle": 1}}, "levle", "Did you mean level?"),
        ({"secret": "short"}, "secret", "whsec_"),
        ({"colour": "red"}, "colour", "Unknown field"),
    ],
)
def test_a_hook_that_is_wrong(ada: Asker, market: Market, refused: Refused, change: dict[str, Any], field: str, says: str):
    body = {"target_url": HOOK, "event": "sharpe_threshold", **change}
    assert says in refused(ada.post("hooks", body), 422, field)
    assert ada.get("hooks").get_json() == []
    assert ada.get("destinations").get_json() == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"channel": "pigeon", "config": {}}, "channel"),
        ({"channel": "email", "config": {"to": "nobody"}}, "to"),
        ({"channel": "email", "config": {}}, "to"),
        ({"channel": "email", "config": {"to": "a@example.com", "cc": "b@example.com"}}, "cc"),
        ({"channel": "slack", "config": {"url": "https://example.com/slack"}}, "url"),
        ({"channel": "webhook", "config": {"url": "https://192.168.1.1/"}}, "url"),
        ({"channel": "email"}, "config"),
        ({"channel": "email", "label": "x" * 81, "config": {"to": "a@example.com"}}, "label"),
    ],
)
def test_a_destination_that_is_wrong(ada: Asker, refused: Refused, body: dict[str, Any], field: str):
    refused(ada.post("destinations", body), 422, field)


def test_bitcoin_against_itself_is_refused_at_every_door(ada: Asker, market: Market, refused: Refused):
    place = ada.post("destinations", {"channel": "email", "config": {"to": "a@example.com"}}).get_json()["id"]
    wish = {"trigger": "btc_relative", "destination_id": place}
    made = ada.post("subscriptions", {**wish, "scope": {"tokens": ["3375", "ETH"]}}).get_json()["id"]
    other = ada.post("subscriptions", {**wish, "trigger": "sharpe_threshold", "scope": {"tokens": "3375"}}).get_json()["id"]
    scope = {"tokens": "3375"}
    headers = {"X-Api-Key": ada.key}
    for answer in (
        ada.get("triggers/btc_relative", **scope),
        ada.post("hooks", {"target_url": HOOK, "event": "btc_relative", "filters": scope}),
        ada.post("subscriptions", {**wish, "scope": scope}),
        ada.post("subscriptions/preview", {"trigger": "btc_relative", "scope": scope}),
        ada.post("backtests", {"trigger": "btc_relative", "scope": scope}),
        ada.client.patch(f"/v1/subscriptions/{made}", json={"scope": scope}, headers=headers),
        ada.client.patch(f"/v1/subscriptions/{other}", json={"options": {"relative_to_btc": True}}, headers=headers),
    ):
        assert "This compares with Bitcoin, which never moves against itself" in refused(answer, 422, "tokens")


def test_a_body_that_is_no_json_object(ada: Asker, refused: Refused):
    deep = "[" * 100_000
    object_, no_json = "The body must be a JSON object", "The body is not JSON: "
    for text, says in (
        ("{", no_json + "expecting property name enclosed in double quotes at line 1, column 2"),
        ('{"a": 1,\n "b" 2}', no_json + "expecting ':' delimiter at line 2, column 6"),
        ("[]", object_),
        ("5", object_),
        ('"x"', object_),
        (deep, no_json + "it is nested too deeply"),
        ('{"a": ' + deep, no_json + "it is nested too deeply"),
        ("\xff", no_json + "it is not utf-8 at byte 0"),
        ('{"top": ' + "9" * 5000 + "}", no_json + "a number is too long"),
    ):
        answer = ada.post("hooks", data=text.encode("latin-1"), content_type="application/json")
        assert says in refused(answer, 400, None)
    refused(ada.post("hooks", data=b"", content_type="application/json"), 422, "target_url")
    refused(ada.post("hooks", data="event=x", content_type="application/x-www-form-urlencoded"), 415, None)


def test_a_destination_that_is_not_there_is_named_by_the_field_it_was_asked_for_by(ada: Asker, refused: Refused, market: Market):
    wish = {"trigger": "grade_changed", "destination_id": "dst_none"}
    assert "You have no destination 'dst_none'" in refused(ada.post("subscriptions", wish), 404, "destination_id")
    refused(ada.get("destinations/dst_none"), 404, "destination_id")


def test_a_condition_that_the_plan_has_not_is_named_with_what_may_stand_there_instead(
    ada: Asker, refused: Refused, market: Market
):
    fine = {"trigger": "grade_threshold"}
    published = {"trigger": "sharpe_threshold", "options": {"window": "published"}}
    index = {"trigger": "price_level", "options": {"line": "resistance"}}  # its own line needs nothing
    wish = {"trigger": "all_of", "options": {"conditions": [published, fine]}}
    says = refused(ada.post("subscriptions/preview", wish), 422, "conditions.0.options.window")
    assert "Choose another window: 30d, 90d, 365d." in says
    wish["options"] = {"conditions": [fine, published]}
    refused(ada.post("subscriptions/preview", wish), 422, "conditions.1.options.window")
    corrected = {"of": {"trigger": "all_of", "options": {"conditions": [fine, published]}}}
    field = "of.options.conditions.1.options.window"
    refused(ada.get("triggers/data_corrected", of=json.dumps(corrected["of"])), 422, field)
    refused(
        ada.get("triggers/all_of", conditions=json.dumps([fine, {"trigger": "market_regime_changed"}])),
        422,
        "conditions.1.trigger",
    )
    says = refused(ada.get("triggers/all_of", conditions=json.dumps([fine, index])), 422, "conditions.1.options.line")
    assert "Choose another line: own." in says


def test_who_is_watched_is_no_option(ada: Asker, refused: Refused):
    for name, says in (("indices", "as ids or names"), ("tokens", "as ids, symbols or names"), ("top", "as a whole number")):
        hook = {"target_url": HOOK, "event": "sharpe_threshold", "options": {name: 1}}
        assert f"{name} says who is watched: it belongs to the scope, {says}" in refused(ada.post("hooks", hook), 422, name)


def test_a_huge_body_is_refused_unread(ada: Asker, refused: Refused):
    body = json.dumps({"event": "x" * 300_000})
    assert "256 KiB" in refused(ada.post("hooks", data=body, content_type="application/json"), 413, None)


def test_an_unknown_trigger_is_not_found(ada: Asker, refused: Refused):
    assert "Did you mean grade_changed?" in refused(ada.get("triggers/grade_change"), 404, "trigger")
    refused(ada.get("triggers/nothing/sample"), 404, "trigger")


def test_an_unknown_event_is_not_found(both: Gradewire, wall: Wall, refused: Refused):
    small_market(both, wall)
    ada = asker(create_app(both), both, "ada@example.com")
    refused(ada.get("triggers/grade_changed", after_id="evt_none"), 404, "after_id")
    refused(ada.get("events/evt_none"), 404, None)
    refused(ada.get("events/evt%00"), 404, None)
    refused(ada.get("triggers/grade_changed", after_id="\0"), 422, "after_id")
    refused(ada.post("hooks", {"target_url": HOOK, "event": "grade_changed", "scope": {"tokens": ["\0"]}}), 422, "scope")


def test_unknown_addresses_and_methods_have_the_same_shape(ada: Asker, refused: Refused):
    refused(ada.get("nothing"), 404, None)
    answer = ada.client.put("/v1/hooks", headers={"X-Api-Key": ada.key})
    refused(answer, 405, None)
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


@pytest.mark.parametrize("headers", [{}, {"X-Api-Key": "gw_live_wrong"}, {"Authorization": "Basic abc"}, {"X-Api-Key": "ż"}])
def test_without_a_live_key_there_is_nothing(app, refused: Refused, headers: dict[str, str]):
    for path in ("me", "triggers", "triggers/grade_changed", "hooks", "deliveries", "events/evt_x", "lists/tokens"):
        answer = app.test_client().get(f"/v1/{path}", headers=headers)
        assert "X-Api-Key" in refused(answer, 401, None)
        assert "WWW-Authenticate" in answer.headers


def test_a_revoked_key_is_refused(ada: Asker, gradewire: Gradewire, refused: Refused):
    assert ada.get("me").status_code == 200
    accounts.revoke_key(gradewire, ada.key[:12])
    refused(ada.get("me"), 401, None)


def test_a_bearer_token_does_as_well(ada: Asker):
    answer = ada.client.get("/v1/me", headers={"Authorization": f"Bearer {ada.key}"})
    assert answer.get_json()["email"] == ada.email


def test_too_many_requests_wait_whole_seconds(gradewire: Gradewire, wall: Wall, refused: Refused):
    app = create_app(gradewire, requests_a_minute=3)
    ada, bob = asker(app, gradewire, "ada@example.com"), asker(app, gradewire, "bob@example.com")
    for _ in range(3):
        assert ada.get("me").status_code == 200
    wall.ms += 20_500
    answer = ada.get("me")
    refused(answer, 429, None)
    assert answer.headers["Retry-After"] == "40"
    assert bob.get("me").status_code == 200
    wall.ms += 39_500
    assert ada.get("me").status_code == 200


def test_an_account_may_read_two_hundred_feeds(ada: Asker, market: Market, refused: Refused, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("integration.service.feeds.MOST_FEEDS", 2)
    for points in (5, 6):
        assert ada.get("triggers/grade_changed", points=points).status_code == 200
    answer = ada.get("triggers/grade_changed", points=7)
    refused(answer, 429, None)
    assert answer.headers["Retry-After"].isdigit()
    assert ada.get("triggers/grade_changed", points=5).status_code == 200


def test_what_is_not_expected_tells_nothing(ada: Asker, refused: Refused, monkeypatch: pytest.MonkeyPatch, capsys):
    def broken(*_: object) -> None:
        raise RuntimeError(f"cannot use {ada.key}")

    monkeypatch.setattr("integration.web.api.offer.catalogue", broken)
    answer = ada.get("triggers")
    refused(answer, 500, None)
    told = answer.get_data(as_text=True) + "".join(capsys.readouterr())
    assert "RuntimeError" in told
    assert ada.key not in told


def test_head_and_options(ada: Asker):
    head = ada.client.head("/v1/me", headers={"X-Api-Key": ada.key})
    assert (head.status_code, head.get_data()) == (200, b"")
    options = ada.client.options("/v1/hooks")
    assert options.status_code == 200
    assert "POST" in options.headers["Allow"]
