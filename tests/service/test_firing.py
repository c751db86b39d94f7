"""A test event goes the way of a real one, and nowhere that tells what happened."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select, update

from integration import triggers
from integration.cli import main
from integration.domain.errors import Conflict, InvalidInput, NotFound
from integration.service import accounts, deliver, destinations, event_log, feeds, firing, hooks, overview, subscribe, wanting
from integration.service.wiring import Gradewire
from integration.store.queries import samples
from integration.store.tables import delivery, event, subscription
from tests.receiver import Receiver
from tests.web.conftest import Market, Wall, small_market


class Ada:
    """An account with a destination and a subscription of grade changes there."""

    def __init__(self, here: Gradewire, receiver: Receiver, market: Market) -> None:
        here.settings = here.settings.replace(allow_private=True)
        self.here, self.receiver, self.market = here, receiver, market
        self.account = self.account_of("ada@example.com")
        self.place = destinations.create_destination(here, self.account, "webhook", {"url": receiver.url("/ada")})["id"]
        self.wish = self.subscribed()

    def account_of(self, email: str) -> str:
        return str(accounts.authenticate(self.here, accounts.create_key(self.here, email)).account_id)

    def subscribed(self, **how: Any) -> str:
        scope = {"tokens": ["3375"]}
        made = subscribe.create_subscription(self.here, self.account, "grade_changed", {}, scope, self.place, **how)
        return str(made["id"])

    def fire(self, trigger: str = "grade_changed", **where: Any) -> Any:
        return firing.fire(self.here, self.account, trigger, **where)

    def seen(self, account: str | None = None, **view: Any) -> list[str]:
        found = event_log.view_of(self.here, account or self.account, **view)
        return [json.loads(each.text)["id"] for each in event_log.read(self.here, found, 0, 100).events]


@pytest.fixture
def ada(both: Gradewire, wall: Wall, receiver: Receiver) -> Ada:
    return Ada(both, receiver, small_market(both, wall))


def test_it_is_delivered_to_a_destination_as_a_real_one_is(ada: Ada):
    made = ada.fire("sharpe_threshold", destination_id=ada.place)
    deliver.drain_all(ada.here)
    (request,) = ada.receiver.requests
    told = json.loads(request.body)
    assert told == made["event"]
    assert (told["is_sample"], told["trigger"], request.headers["webhook-id"]) == (True, "sharpe_threshold", told["id"])
    shown = overview.get_delivery(ada.here, ada.account, made["delivery_id"])
    assert (shown["state"], shown["event_id"], len(shown["made"])) == ("delivered", told["id"], 1)


def test_it_is_delivered_as_a_subscriptions(ada: Ada):
    made = ada.fire(subscription_id=ada.wish)
    deliver.drain_all(ada.here)
    assert [request.headers["webhook-id"] for request in ada.receiver.requests] == [made["event"]["id"]]
    assert overview.get_delivery(ada.here, ada.account, made["delivery_id"])["subscription_id"] == ada.wish
    assert ada.seen(subscription_id=ada.wish) == [made["event"]["id"]]


def test_a_shadow_only_records_it(ada: Ada):
    subscribe.delete_subscription(ada.here, ada.account, ada.wish)
    made = ada.fire(subscription_id=ada.subscribed(shadow=True))
    deliver.drain_all(ada.here)
    assert overview.get_delivery(ada.here, ada.account, made["delivery_id"])["state"] == "shadow"
    assert ada.receiver.requests == []


def test_its_account_reads_it_and_nobody_else_does(ada: Ada):
    bob = ada.account_of("bob@example.com")
    made = [ada.fire()["event"]["id"], ada.fire(destination_id=ada.place)["event"]["id"]]
    assert ada.seen(tests=True) == made
    assert ada.seen(tests=True, triggers="sharpe_threshold") == []
    for account, view in (
        (bob, {"tests": True}),
        (bob, {"everything": True, "tests": True}),
        (ada.account, {"everything": True}),
    ):
        assert ada.seen(account, **view) == []
    assert overview.event_text(ada.here, made[0], ada.account)
    for looks in (overview.event_text, overview.event_page):
        with pytest.raises(NotFound):
            looks(ada.here, made[0], bob)


def test_it_is_no_part_of_what_happened(ada: Ada):
    ada.fire(subscription_id=ada.wish)
    ada.fire(destination_id=ada.place)
    assert overview.latest_events(ada.here) == []
    window = feeds.Window()
    before = feeds.read(ada.here, ada.account, "grade_changed", {}, {}, window)
    ada.fire(subscription_id=ada.wish)
    assert feeds.read(ada.here, ada.account, "grade_changed", {}, {}, window) == before
    assert all(not json.loads(text)["is_sample"] for text in before)


def test_real_events_come_as_before(ada: Ada):
    ada.fire(subscription_id=ada.wish)
    ada.fire(destination_id=ada.place)
    ada.market.read("trader_grades", "tm_trader_grade", 0, {3375: 80.0})
    deliver.drain_all(ada.here)
    samples_ = [json.loads(request.body)["is_sample"] for request in ada.receiver.requests]
    assert sorted(samples_) == [False, True, True]


def test_many_at_one_time_have_ids_that_no_real_event_can_have(ada: Ada):
    ids = {ada.fire(subject="token:3375")["event"]["id"] for _ in range(20)}
    assert len(ids) == 20
    assert all(len(one) == 30 and one.startswith("evt_test0") for one in ids)  # base32 has no 0


@pytest.mark.parametrize("key", triggers.load())
def test_every_trigger_can_be_tried(gradewire: Gradewire, key: str):
    account = accounts.authenticate(gradewire, accounts.create_key(gradewire, "ada@example.com")).account_id
    made = firing.fire(gradewire, account, key)["event"]
    assert (made["trigger"], made["is_sample"]) == (key, True)
    assert made["summary"] == gradewire.catalogue.triggers[key].sample["summary"]


def test_its_subject_can_be_chosen(ada: Ada):
    for said in ("token:3306", "ETH", "ethereum"):
        made = ada.fire(subject=said)["event"]
        assert (made["subject"], made["subject_id"], made["subject_symbol"]) == ("token:3306", 3306, "ETH")
        assert made["summary"].startswith("Ethereum")
    assert ada.fire(subject="token:99999")["event"]["subject_name"] == "Token 99999"
    assert ada.fire("market_regime_changed", subject="market")["event"]["subject"] == "market"


@pytest.mark.parametrize(
    ("trigger", "where", "field"),
    [
        ("grade_chang", {}, "trigger"),
        ("grade_changed", {"subject": "index:5"}, "subject"),
        ("grade_changed", {"subject": "token:x"}, "subject"),
        ("grade_changed", {"subject": "Dogecion"}, "subject"),
        ("market_regime_changed", {"subject": "BTC"}, "subject"),
        ("grade_changed", {"destination_id": "dst_x", "subscription_id": "sub_x"}, "subscription_id"),
    ],
)
def test_what_cannot_be_made_names_the_field(ada: Ada, trigger: str, where: dict[str, Any], field: str):
    with pytest.raises(InvalidInput) as refused:
        ada.fire(trigger, **where)
    assert refused.value.field == field
    with ada.here.database.read() as connection:
        assert connection.execute(select(event)).all() == []


def test_where_it_cannot_go_is_said_with_the_remedy(ada: Ada):
    with pytest.raises(InvalidInput, match="grade_changed; fire that"):
        ada.fire("sharpe_threshold", subscription_id=ada.wish)
    bob = ada.account_of("bob@example.com")
    for where in ({"destination_id": ada.place}, {"subscription_id": ada.wish}):
        with pytest.raises(NotFound):
            firing.fire(ada.here, bob, "grade_changed", **where)
    subscribe.set_subscription(ada.here, ada.account, ada.wish, "paused")
    with pytest.raises(Conflict, match="resume it first"):
        ada.fire(subscription_id=ada.wish)
    destinations.set_destination(ada.here, ada.account, ada.place, "disabled")
    with pytest.raises(Conflict, match="/resume"):
        ada.fire(destination_id=ada.place)


def test_what_carries_it_to_a_destination_is_made_once_and_seen_nowhere(ada: Ada):
    with ada.here.database.read() as connection:
        before = wanting.wanted(ada.here, connection)
    for _ in range(3):
        ada.fire(destination_id=ada.place)
    with ada.here.database.read() as connection:
        carriers = connection.execute(select(subscription).where(subscription.c.rule_id == samples.RULE)).all()
        assert wanting.wanted(ada.here, connection) == before
    assert len(carriers) == 1
    assert {row["id"] for row in subscribe.list_subscriptions(ada.here, ada.account)} == {ada.wish}


def test_a_hook_that_was_tried_still_takes_its_destination_with_it(ada: Ada):
    made, _ = hooks.create_hook(ada.here, ada.account, ada.receiver.url("/hook"), "grade_changed", {}, {})
    place = next(row["id"] for row in destinations.list_destinations(ada.here, ada.account) if row["label"] == "Hook")
    ada.fire(destination_id=place)
    hooks.delete_hook(ada.here, ada.account, made["id"])
    assert [row["id"] for row in destinations.list_destinations(ada.here, ada.account)] == [ada.place]


def test_the_command_makes_one_for_the_owner_of_what_it_is_for(ada: Ada, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("integration.service.wiring.build", lambda _settings: ada.here)
    monkeypatch.setattr(ada.here, "close", lambda: None)

    def run(*arguments: str) -> Any:
        return CliRunner().invoke(main, ["fire", "grade_changed", *arguments])

    told = run("--subscription", ada.wish, "--subject", "ETH")
    assert told.exit_code == 0, told.output
    made = json.loads(told.output)
    assert made["event"]["subject_symbol"] == "ETH"
    assert overview.get_delivery(ada.here, ada.account, made["delivery_id"])["subscription_id"] == ada.wish
    assert run().exit_code == 0  # the only account there is
    ada.account_of("bob@example.com")
    for arguments, says in (
        ((), "--account"),
        (("--destination", "dst_x"), "no destination"),
        (("--account", "eve@x.org"), "keys create"),
    ):
        ended = run(*arguments)
        assert (ended.exit_code, says in ended.output) == (1, True), ended.output
    assert run("--account", "ada@example.com").exit_code == 0


def test_it_can_be_sent_again(ada: Ada):
    from integration.service import repeating

    made = ada.fire(destination_id=ada.place)
    deliver.drain_all(ada.here)
    repeating.retry(ada.here, ada.account, made["delivery_id"])
    deliver.drain_all(ada.here)
    assert {request.headers["webhook-id"] for request in ada.receiver.requests} == {made["event"]["id"]}
    assert len(ada.receiver.requests) == 2


def test_a_carrier_that_was_ended_is_made_anew(ada: Ada):
    ada.fire(destination_id=ada.place)
    with ada.here.database.write() as connection:
        connection.execute(update(subscription).where(subscription.c.rule_id == samples.RULE).values(status="ended"))
        connection.execute(update(delivery).values(state=1))
    ada.fire(destination_id=ada.place)
    deliver.drain_all(ada.here)
    assert len(ada.receiver.requests) == 1
