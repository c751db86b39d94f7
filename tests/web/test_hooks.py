"""REST hooks, destinations, subscriptions and deliveries; every account sees only its own."""

from __future__ import annotations

import json
from collections.abc import Callable

from standardwebhooks import Webhook

from integration.service import accounts
from integration.service.wiring import Gradewire, wall_clock
from integration.web import create_app
from tests.receiver import Answer, Receiver
from tests.web.conftest import HOOK, Asker, Market, asker, small_market


def test_a_hook_is_made_looked_at_and_ended(both: Gradewire, wall):
    small_market(both, wall)
    ada = asker(create_app(both), both, "ada@example.com")
    body = {"target_url": HOOK, "event": "sharpe_threshold", "options": {"level": "1.5"}, "scope": {"tokens": ["Ethereum"]}}
    made = ada.post("hooks", body)
    assert made.status_code == 201
    hook = made.get_json()
    assert hook["id"].startswith("sub_")
    assert hook["secret"].startswith("whsec_")
    assert (hook["event"], hook["target_url"], hook["status"]) == ("sharpe_threshold", HOOK, "active")
    assert hook["options"]["level"] == 1.5
    assert hook["scope"] == {"kind": "tokens", "ids": [3306]}
    assert hook["cost"]["added_calls_a_month"] == 31
    assert hook["cost"]["text"].startswith("+31 calls a month (")
    seen = {key: value for key, value in hook.items() if key not in ("secret", "cost")}
    assert ada.get("hooks").get_json() == [seen]
    assert ada.get("hooks", target_url=HOOK, event="sharpe_threshold").get_json() == [seen]
    assert ada.get("hooks", target_url=HOOK + "x").get_json() == ada.get("hooks", event="grade_changed").get_json() == []
    assert ada.get(f"hooks/{hook['id']}").get_json() == seen
    for _ in range(2):
        gone = ada.delete(f"hooks/{hook['id']}")
        assert (gone.status_code, gone.get_data()) == (204, b"")
    assert ada.get(f"hooks/{hook['id']}").status_code == 404
    assert ada.get("hooks").get_json() == []


def test_the_same_hook_again_is_the_same_hook_and_another_address_is_another(ada: Asker, market: Market):
    body = {"target_url": HOOK, "event": "grade_changed", "options": {"points": 5}}
    first, again = ada.post("hooks", body), ada.post("hooks", {**body, "options": {"points": "5.0"}})
    assert (first.status_code, again.status_code) == (201, 200)
    once, twice = first.get_json(), again.get_json()
    assert (once.pop("cost")["added_calls_a_month"], twice.pop("cost")["added_calls_a_month"]) == (31, 0)
    assert (once.pop("secret")[:6], twice.pop("secret")) == ("whsec_", None)
    assert once == twice
    others = [ada.post("hooks", {**body, "target_url": HOOK + "2"}), ada.post("hooks", {**body, "options": {"points": 6}})]
    assert [other.status_code for other in others] == [201, 201]
    assert len({hook["id"] for hook in ada.get("hooks").get_json()}) == 3


def test_a_hook_whose_filters_name_nobody_by_mistake_is_refused(ada: Asker, refused: Callable[..., str], market: Market):
    for filters in ({"tokens": ""}, {"tokens": []}, {"points": 5, "category": ""}):
        name = "category" if "category" in filters else "tokens"
        wish = {"target_url": HOOK, "event": "grade_changed", "filters": filters}
        assert "leave it out to watch all" in refused(ada.post("hooks", wish), 422, name)
    assert ada.get("hooks").get_json() == []


def test_filters_mix_options_and_scope_as_one_form_sends_them(ada: Asker, market: Market):
    filters = {"points": "7", "tokens": "3375,Ethereum", "category": "", "hysteresis": None}
    hook = ada.post("hooks", {"target_url": HOOK, "event": "grade_changed", "filters": filters}).get_json()
    assert (hook["options"]["points"], hook["options"]["hysteresis"]) == (7, 2)
    assert hook["scope"] == {"kind": "tokens", "ids": [3306, 3375]}


def test_a_secret_of_ones_own_is_taken(ada: Asker):
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    body = {"target_url": HOOK, "event": "grade_changed", "secret": secret}
    assert ada.post("hooks", body).get_json()["secret"] == secret


def test_hooks_tell_of_corrections_where_that_is_asked_for(ada: Asker, market: Market):
    body = {"target_url": HOOK, "event": "grade_changed"}
    assert ada.post("hooks", body).get_json()["corrections"] is False
    asked_for = ada.post("hooks", {**body, "corrections": True})
    assert (asked_for.status_code, asked_for.get_json()["corrections"]) == (200, True)
    assert [hook["corrections"] for hook in ada.get("hooks").get_json()] == [True]
    assert ada.post("hooks", {**body, "corrections": False}).status_code == 409
    wrong = ada.post("hooks", {**body, "corrections": "yes"})
    assert (wrong.status_code, wrong.get_json()["error"]["field"]) == (422, "corrections")


def test_a_hook_ends_with_its_key_and_its_secret_is_rotated_like_any_other(ada: Asker, gradewire: Gradewire, market: Market):
    hook = ada.post("hooks", {"target_url": HOOK, "event": "grade_changed"}).get_json()
    rotated = ada.post(f"destinations/{hook['destination_id']}/rotate")
    assert rotated.get_json()["secret"] not in (None, hook["secret"])
    accounts.revoke_key(gradewire, ada.key[:12])
    again = asker(ada.app, gradewire, ada.email)
    assert again.get("hooks").get_json() == []
    gone = again.get(f"hooks/{hook['id']}")
    assert (gone.status_code, gone.get_json()["error"]["field"]) == (404, "hook_id")


def test_a_destination_serves_many_subscriptions(ada: Asker, market: Market):
    made = ada.post("destinations", {"channel": "email", "label": "Me", "config": {"to": "ada@example.com"}})
    assert made.status_code == 201
    destination = made.get_json()
    assert (destination["channel"], destination["label"], destination["status"]) == ("email", "Me", "active")
    wish = {"trigger": "grade_changed", "options": {}, "scope": {"top": 10}, "destination_id": destination["id"]}
    first = ada.post("subscriptions", wish)
    assert first.status_code == 201
    subscription = first.get_json()
    # the grades, and the market cap ranks that the scope goes by, which are polled anyway
    cost = subscription["cost"]
    assert (cost["calls_a_month"], cost["added_calls_a_month"]) == (61, 31)
    assert ada.post("subscriptions", {**wish, "scope": {}}).get_json()["cost"]["added_calls_a_month"] == 0
    ada.post("subscriptions", {**wish, "trigger": "sharpe_threshold"})
    assert len(ada.get("subscriptions").get_json()) == 3
    seen = ada.get(f"subscriptions/{subscription['id']}").get_json()
    assert seen == {key: value for key, value in subscription.items() if key != "cost"}
    assert ada.delete(f"destinations/{destination['id']}").status_code == 204
    assert ada.delete(f"destinations/{destination['id']}").status_code == 204
    assert ada.get("destinations").get_json() == ada.get("subscriptions").get_json() == []


def test_a_preview_says_what_a_wish_costs_and_makes_nothing(ada: Asker, market: Market):
    wish = {"trigger": "grade_changed", "options": {"points": "7"}, "scope": {"tokens": "Ethereum"}}
    seen = ada.post("subscriptions/preview", wish)
    assert seen.status_code == 200
    told = seen.get_json()
    assert (told["trigger"], told["options"]["points"], told["scope"]) == ("grade_changed", 7, {"kind": "tokens", "ids": [3306]})
    cost = told["cost"]
    assert (cost["calls_a_month"], cost["added_calls_a_month"], cost["plan_calls_a_month"]) == (31, 31, 5_000)
    assert cost["data_age_days"] == 30
    assert cost["text"].startswith(f"+31 calls a month ({cost['total_calls_a_month']:,} of 5,000), data 30 days old on this plan")
    assert ada.get("subscriptions").get_json() == []
    wrong = ada.post("subscriptions/preview", {**wish, "options": {"piont": 7}})
    assert (wrong.status_code, wrong.get_json()["error"]["field"]) == (422, "piont")


def test_what_the_plan_has_not_is_refused_where_it_is_chosen(ada: Asker, market: Market):
    hook = ada.post("hooks", {"target_url": HOOK, "event": "index_ranking"})
    assert (hook.status_code, hook.get_json()["error"]["field"]) == (422, "event")
    assert "from the Advanced plan of Token Metrics on" in hook.get_json()["error"]["message"]
    feed = ada.get("triggers/index_ranking")
    assert (feed.status_code, feed.get_json()["error"]["field"]) == (422, "trigger")
    found = {trigger["key"]: trigger for trigger in ada.get("triggers").get_json()}
    assert found["index_ranking"]["available"] is False
    assert "Advanced plan" in found["index_ranking"]["reason"]
    assert found["grade_changed"]["available"] is True


def test_pause_and_resume(ada: Asker, market: Market):
    destination = ada.post("destinations", {"channel": "email", "config": {"to": "ada@example.com"}}).get_json()["id"]
    wish = {"trigger": "grade_changed", "destination_id": destination}
    subscription = ada.post("subscriptions", wish).get_json()["id"]
    for path in (f"destinations/{destination}", f"subscriptions/{subscription}"):
        assert ada.post(f"{path}/pause").get_json()["status"] == "paused"
        assert ada.get(path).get_json()["status"] == "paused"
        assert ada.post(f"{path}/resume").get_json()["status"] == "active"
    assert ada.delete(f"subscriptions/{subscription}").status_code == 204
    assert ada.post(f"subscriptions/{subscription}/resume").status_code == 409


def test_a_test_send_says_what_became_of_it(gradewire: Gradewire, receiver: Receiver):
    gradewire.settings, gradewire.now = gradewire.settings.replace(allow_private=True), wall_clock
    app = create_app(gradewire)
    ada, bob = asker(app, gradewire, "ada@example.com"), asker(app, gradewire, "bob@example.com")
    made = ada.post("destinations", {"channel": "webhook", "config": {"url": receiver.url("/test")}}).get_json()
    receiver.on("/test", Answer(204), Answer(503), Answer(410))
    path = f"destinations/{made['id']}/test"
    told = [ada.post(path) for _ in range(3)]
    assert [answer.status_code for answer in told] == [200, 200, 200]
    assert [(answer.get_json()["outcome"], answer.get_json()["status"]) for answer in told] == [
        ("delivered", 204), ("retry", 503), ("dead", 410),
    ]  # fmt: skip
    assert bob.post(path).status_code == 404
    first, *rest = receiver.at("/test")
    assert len(rest) == 2
    assert json.loads(first.body)["is_sample"]
    Webhook(made["secret"]).verify(first.body, first.headers)


def test_secrets_are_shown_once_and_addresses_never(ada: Asker, gradewire: Gradewire):
    made = ada.post("destinations", {"channel": "webhook", "config": {"url": HOOK}}).get_json()
    assert made["secret"].startswith("whsec_")
    for answer in (ada.get("destinations"), ada.get(f"destinations/{made['id']}")):
        assert "whsec_" not in answer.get_data(as_text=True)
        assert "/hook" not in answer.get_data(as_text=True)
    with gradewire.database.read() as connection:
        stored = "\n".join(str(row) for row in connection.exec_driver_sql("SELECT * FROM destination"))
        keys = str(list(connection.exec_driver_sql("SELECT * FROM api_key")))
    assert made["secret"] not in stored
    assert HOOK not in stored
    assert ada.key not in keys


def test_deliveries_with_their_attempts(ada: Asker, bob: Asker, market: Market):
    hook = ada.post("hooks", {"target_url": HOOK, "event": "grade_changed"}).get_json()
    market.read("trader_grades", "tm_trader_grade", 0, {3375: 80.0, 3306: 90.0})
    told = ada.get("deliveries").get_json()
    assert [(row["subject"], row["state"], row["attempts"]) for row in told] == [
        ("token:3375", "pending", 0), ("token:3306", "pending", 0),
    ]  # fmt: skip
    assert {row["subscription_id"] for row in told} == {hook["id"]}
    assert ada.get("deliveries", limit=1).get_json() == told[:1]
    assert ada.get("deliveries", before=told[0]["id"]).get_json() == told[1:]
    assert ada.get("deliveries", state="pending", subscription_id=hook["id"]).get_json() == told
    assert ada.get("deliveries", state="dead").get_json() == []
    assert ada.get(f"deliveries/{told[0]['id']}").get_json() == {**told[0], "made": []}
    assert bob.get("deliveries").get_json() == []
    assert bob.get(f"deliveries/{told[0]['id']}").status_code == ada.get("deliveries/99999999999999999999999").status_code == 404


def test_what_is_anothers_is_as_if_it_were_not_there(ada: Asker, bob: Asker, market: Market):
    hook = ada.post("hooks", {"target_url": HOOK, "event": "grade_changed"}).get_json()["id"]
    destination = ada.post("destinations", {"channel": "email", "config": {"to": "ada@example.com"}}).get_json()["id"]
    wish = {"trigger": "grade_changed", "destination_id": destination}
    subscription = ada.post("subscriptions", wish).get_json()["id"]
    for kind, mine in (("hooks", hook), ("destinations", destination), ("subscriptions", subscription)):
        strange = mine[:4] + "0" * 20
        seen, none = bob.get(f"{kind}/{mine}"), bob.get(f"{kind}/{strange}")
        assert seen.status_code == none.status_code == 404
        assert seen.get_data(as_text=True).replace(mine, "") == none.get_data(as_text=True).replace(strange, "")
        assert bob.delete(f"{kind}/{mine}").status_code == bob.delete(f"{kind}/{strange}").status_code == 204
        assert bob.get(kind).get_json() == []
        for verb in () if kind == "hooks" else ("pause", "resume"):
            assert bob.post(f"{kind}/{mine}/{verb}").status_code == 404
        assert ada.get(f"{kind}/{mine}").get_json()["status"] == "active"
    assert bob.post("subscriptions", wish).status_code == 404


def test_a_subscription_is_edited_from_the_next_event_on(ada: Asker, bob: Asker, market: Market):
    destination = ada.post("destinations", {"channel": "email", "config": {"to": "ada@example.com"}}).get_json()["id"]
    made = ada.post("subscriptions", {"trigger": "grade_changed", "destination_id": destination}).get_json()
    path = f"/v1/subscriptions/{made['id']}"
    edited = ada.client.patch(path, json={"options": {"points": 7}, "scope": {"top": 3}}, headers={"X-Api-Key": ada.key})
    assert edited.status_code == 200
    told = edited.get_json()
    assert (told["id"], told["options"]["points"], told["scope"]) == (made["id"], 7, {"kind": "top", "n": 3})
    wrong = ada.client.patch(path, json={"options": {"piont": 7}}, headers={"X-Api-Key": ada.key})
    assert (wrong.status_code, wrong.get_json()["error"]["field"]) == (422, "piont")
    nothing = ada.client.patch(path, headers={"X-Api-Key": ada.key})
    assert (nothing.status_code, nothing.get_json()["error"]["field"]) == (422, "options")
    assert bob.client.patch(path, json={}, headers={"X-Api-Key": bob.key}).status_code == 404
