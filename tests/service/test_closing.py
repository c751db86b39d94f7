"""An account is deleted with all that is its own, while workers deliver; others, events and rules do not notice."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import insert, select, update

from integration.config import load
from integration.domain.errors import NotFound, Unauthenticated
from integration.service import accounts, errands, firing, hooks, overview, retention
from integration.service import closing as service
from integration.service.claiming import LEASE_MS
from integration.service.closing import belongings, delete_account
from integration.service.wiring import Gradewire
from integration.store.database import Database
from integration.store.queries import deliveries, inbox
from integration.store.secrets import Vault
from integration.store.tables import (
    delivery,
    destination,
    event,
    farewell,
    feed,
    feed_link,
    feed_reader,
    ifttt_identity,
    metadata,
    owner_notice,
    past_wish,
    replay,
    rule,
    subscription,
)
from tests.receiver import Answer, Receiver
from tests.service.given import NOW, Given

EVE, BOB = "eve@example.com", "bob@example.com"


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "RESTS_S", (0.0, 0.0))
    monkeypatch.setattr(service, "LOOK_S", 0.02)
    monkeypatch.setattr(service, "BATCH", 7)


@pytest.fixture
def given(database: Database) -> Iterator[Given]:
    with closing(Given(database)) as ready:
        yield ready


@pytest.fixture
def here(given: Given) -> Gradewire:
    return Gradewire(load({}), given.database, Vault([Fernet.generate_key().decode()]), now=given.clock)


@pytest.fixture
def keys(here: Gradewire, given: Given, receiver: Receiver) -> dict[str, str]:
    """Eve and Bob, each with a key, two destinations and everything else that an account can have."""
    found = {}
    for email in (EVE, BOB):
        found[email] = accounts.create_key(here, email)
        owner, name = accounts.account_id(here, email), email[:3]
        for number in (1, 2):
            given.receives(f"{name}{number}", receiver.url(f"/{name}{number}"))
        mine = destination.c.id.startswith(f"dst_{name}")
        given.change(update(destination).where(mine).values(account_id=owner))
        given.change(update(subscription).where(subscription.c.id.startswith(f"sub_{name}")).values(account_id=owner))
        add_the_rest(given, owner, name, email)
    return found


def add_the_rest(given: Given, owner: str, name: str, email: str) -> None:
    with given.database.write() as connection:
        told = {"key": name, "account_id": owner, "kind": "k", "at": NOW, "title": "t", "text": "t"}
        connection.execute(insert(owner_notice).values(**told))
        wish = {"source": "prices", "subjects": "[]", "since": 0, "until": 1, "calls": 1, "asked_at": NOW, "status": "done"}
        connection.execute(insert(past_wish).values(id=name, account_id=owner, **wish))
        job = {"destination_id": f"dst_{name}1", "kind": "failed", "status": "done", "since": 0, "until": 1, "counted": 1}
        connection.execute(insert(replay).values(id=name, account_id=owner, **job, created_at=NOW, changed_at=NOW))
        connection.execute(insert(feed).values(id=f"feed_{name}", rule_id="rul_1", scope=name, created_at=NOW))
        connection.execute(insert(feed_reader).values(account_id=owner, feed_id=f"feed_{name}", read_at=NOW))
        link = {"rule_id": "rul_1", "scope": name, "prefix": "p", "sha256": name.encode(), "created_at": NOW}
        connection.execute(insert(feed_link).values(id=f"lnk_{name}", account_id=owner, **link))
        told_of = {"feed_id": f"feed_{name}", "told_seq": 0, "created_at": NOW}
        connection.execute(insert(ifttt_identity).values(account_id=owner, identity=name, **told_of))
        bye = {"subscription_id": f"sub_{name}1", "target": b"sealed", "created_at": NOW, "status": 204}
        connection.execute(insert(farewell).values(**bye))
        mail = {"message_id": name, "sender": "s", "subject": "t", "text": "", "html": ""}
        inbox.add_mail(connection, at=NOW, recipient=email, **mail)


def everything(given: Given) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables, but for what only counts how often something changed."""
    with given.database.read() as connection:
        return {
            name: sorted(map(tuple, connection.execute(select(table))), key=str)
            for name, table in metadata.tables.items()
            if name not in ("revision", "installation")
        }


def traces(given: Given, *words: str) -> list[str]:
    """The tables in which any of some words is still to be found."""
    return [name for name, rows in everything(given).items() if any(word in str(row) for row in rows for word in words)]


def test_all_that_is_its_own_goes_and_all_else_stays(given: Given, here: Gradewire, keys: dict[str, str]) -> None:
    before = everything(given)
    given.owes("eve1", "eve2", "bob1", events=20)
    given.drain()
    shown = belongings(here, EVE)
    assert shown == {"keys": 1, "destinations": 2, "subscriptions": 2, "deliveries": 40}
    eve = accounts.account_id(here, EVE)
    gone = delete_account(here, f" {EVE.title()}")
    assert gone == {"deliveries": 40, "attempts": 40, "subscriptions": 2}
    assert traces(given, eve, EVE, "eve") == ["feed"]  # which is a view of the market, and falls asleep
    after = everything(given)
    assert len(after["event"]) == 20
    assert after["rule"] == before["rule"]
    assert (len(after["delivery"]), len(after["attempt"])) == (20, 20)
    for name, rows in before.items():
        assert [row for row in rows if "bob" in str(row)] == [row for row in after[name] if "bob" in str(row) and row in rows]
    assert accounts.authenticate(here, keys[BOB]).email == BOB
    with pytest.raises(Unauthenticated):
        accounts.authenticate(here, keys[EVE])
    with pytest.raises(NotFound):
        delete_account(here, EVE)


def test_what_is_being_sent_is_waited_for_and_leaves_nothing_behind(
    given: Given, here: Gradewire, keys: dict[str, str], receiver: Receiver
) -> None:
    """A drain is under way at three of four destinations when the account is deleted."""
    receiver.on("/eve1", *[Answer()] * 10, Answer(held=True))
    given.owes("eve1", "eve2", "bob1", "bob2", events=60)
    drain = threading.Thread(target=given.drain, daemon=True)
    drain.start()
    receiver.wait_for(10 + 60 + 120)
    results: list[dict[str, int]] = []
    leave = threading.Thread(target=lambda: results.append(delete_account(here, EVE)), daemon=True)
    leave.start()
    time.sleep(0.3)
    assert not results
    with given.database.read() as connection:
        assert connection.scalar(select(subscription.c.id).where(subscription.c.id == "sub_eve1")) == "sub_eve1"
    receiver.release()
    leave.join(20)
    drain.join(20)
    assert results
    assert results[0]["deliveries"] == 120
    assert traces(given, "eve") == ["feed"]
    assert Counter(request.path for request in receiver.requests if "bob" in request.path) == {"/bob1": 60, "/bob2": 60}
    rows = given.rows()
    assert {(row.state, row.attempts) for row in rows} == {(deliveries.DELIVERED, 1)}
    assert sorted(row.delivery_id for row in given.attempts()) == sorted(row.id for row in rows)
    assert len(rows) == 120


def test_what_a_worker_died_over_is_taken_once_its_lease_is_over(given: Given, here: Gradewire, keys: dict[str, str]) -> None:
    given.owes("eve1", events=3)
    given.change(update(delivery).where(delivery.c.event_seq == 2).values(lease="dead", next_attempt_at=NOW + LEASE_MS))
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        given.clock.ms += LEASE_MS // 4

    assert delete_account(here, EVE, sleep=sleep)["deliveries"] == 3
    assert len(slept) == 4
    assert traces(given, "eve") == ["feed"]


def test_nothing_is_sent_any_more_once_it_has_begun(
    given: Given, here: Gradewire, keys: dict[str, str], receiver: Receiver
) -> None:
    given.owes("eve1", "bob1", events=5)
    given.change(update(delivery).where(delivery.c.event_seq == 1).values(lease="other", next_attempt_at=NOW + LEASE_MS))

    def sleep(_seconds: float) -> None:
        given.drain()
        with pytest.raises(Unauthenticated):
            accounts.authenticate(here, keys[EVE])
        given.clock.ms += LEASE_MS

    delete_account(here, EVE, sleep=sleep)
    given.drain()
    assert Counter(request.path for request in receiver.requests) == {"/bob1": 5}


def test_one_that_was_broken_off_is_begun_again(given: Given, here: Gradewire, keys: dict[str, str]) -> None:
    given.owes("eve1", "eve2", events=30)
    given.change(update(delivery).where(delivery.c.event_seq == 30).values(lease="other", next_attempt_at=NOW + LEASE_MS))

    def stop(_seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        delete_account(here, EVE, sleep=stop)
    given.clock.ms += LEASE_MS
    assert delete_account(here, EVE)["deliveries"] == 2
    assert traces(given, "eve") == ["feed"]


def test_events_of_a_rule_that_only_it_wanted_stay(given: Given, here: Gradewire, keys: dict[str, str]) -> None:
    given.owes("eve1", events=2)
    delete_account(here, EVE)
    with given.database.read() as connection:
        assert connection.execute(select(event.c.seq)).all() == [(1,), (2,)]
        assert connection.execute(select(rule.c.id)).all() == [("rul_1",)]


def test_its_hooks_are_told_that_they_have_ended_once_for_each_address(
    given: Given, here: Gradewire, keys: dict[str, str], receiver: Receiver
) -> None:
    here.settings = here.settings.replace(allow_private=True)
    eve, bob = (accounts.account_id(here, email) for email in (EVE, BOB))
    for trigger in ("grade_changed", "sharpe_threshold"):
        hooks.create_hook(here, eve, receiver.url("/zap-eve"), trigger, {}, {})
    hooks.create_hook(here, eve, receiver.url("/zap-eve2"), "grade_changed", {}, {})
    hooks.create_hook(here, bob, receiver.url("/zap-bob"), "grade_changed", {}, {})
    delete_account(here, EVE)
    assert errands.run(here) == 2
    assert Counter((r.method, r.path) for r in receiver.requests) == {("DELETE", "/zap-eve"): 1, ("DELETE", "/zap-eve2"): 1}
    assert len(hooks.list_hooks(here, bob)) == 1


def test_its_test_events_stay_in_their_place_and_are_seen_by_nobody(given: Given, here: Gradewire, keys: dict[str, str]) -> None:
    eve, bob = (accounts.account_id(here, email) for email in (EVE, BOB))
    given.owes("bob1")
    made = firing.fire(here, eve, "grade_changed")["event"]["id"]
    assert overview.event_text(here, made, eve)
    delete_account(here, EVE)
    with given.database.read() as connection:
        rows = connection.execute(select(event.c.seq, event.c.account_id).order_by(event.c.seq))
        assert [tuple(row) for row in rows] == [(1, None), (2, "")]
    with pytest.raises(NotFound):
        overview.event_text(here, made, bob)


def test_what_it_wished_to_be_sent_again_is_not(given: Given, here: Gradewire, keys: dict[str, str]) -> None:
    given.owes("eve1", events=3)
    given.drain()
    given.change(update(replay).where(replay.c.id == "eve").values(status="running"))
    given.change(update(delivery).where(delivery.c.event_seq == 1).values(state=0, lease="x", next_attempt_at=NOW + LEASE_MS))

    def sleep(_seconds: float) -> None:
        with given.database.read() as connection:
            assert connection.scalar(select(replay.c.status).where(replay.c.id == "eve")) == "cancelled"
        given.clock.ms += LEASE_MS

    delete_account(here, EVE, sleep=sleep)
