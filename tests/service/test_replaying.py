"""Sending again: what failed, what is held; in small steps that survive crashes, other workers and second thoughts."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import insert, update

from integration.config import load
from integration.domain.errors import Conflict, InvalidInput, NotFound
from integration.domain.payload import iso
from integration.domain.retry import DAY, HOUR
from integration.service import replaying
from integration.service.wiring import Gradewire
from integration.store.database import Database
from integration.store.queries import replays
from integration.store.secrets import Vault
from integration.store.tables import account, delivery, destination, replay, subscription
from tests.receiver import Receiver
from tests.service.given import ACCOUNT, NOW, Given


@pytest.fixture
def given(database: Database) -> Iterator[Given]:
    here = Given(database)
    yield here
    here.close()


@pytest.fixture
def gradewire(given: Given) -> Gradewire:
    return Gradewire(load({}), given.database, Vault([Fernet.generate_key().decode()]), now=given.clock)


def ask(here: Gradewire, name: str = "a", kind: str = "failed", since: int | None = NOW, **more: Any) -> Any:
    return replaying.ask(here, ACCOUNT, kind, destination_id=f"dst_{name}", since=since, **more)


def undo(given: Given, *ids: int, state: int = 2, done_at: int | None = NOW, **more: Any) -> None:
    """Make deliveries failed (2, 5) or held (6) ones."""
    values = {"state": state, "attempts": 10, "done_at": done_at, "reason": "exhausted", "lease": None}
    query = update(delivery).values(**values | more)
    given.change(query.where(delivery.c.id.in_(ids)) if ids else query)


def ids_at(receiver: Receiver) -> list[str]:
    return [request.headers["webhook-id"] for request in receiver.requests]


def work(given: Given, here: Gradewire, rounds: int = 50) -> None:
    """Ticks and deliveries in turn until nothing is left to do."""
    for _ in range(rounds):
        replaying.work_off(here)
        given.drain()
        with given.database.read() as connection:
            if not replays.any_open(connection):
                return
    pytest.fail("the replay does not end")


def test_what_failed_is_sent_again_under_the_same_ids(given: Given, gradewire: Gradewire, receiver: Receiver):
    given.receives("a", receiver.url())
    ids = given.owes("a", events=5)
    undo(given, 1, 2)
    undo(given, 3, state=5)
    undo(given, 4, state=1)
    undo(given, 5, state=2, done_at=NOW - 1)
    asked = ask(gradewire)
    assert (asked["counted"], asked["done"], asked["status"], asked["since"]) == (3, 0, "waiting", iso(NOW))
    given.clock.ms += HOUR
    work(given, gradewire)
    over = replaying.get_replay(gradewire, ACCOUNT, asked["id"])
    assert (over["done"], over["status"], over["ended_at"]) == (3, "done", iso(NOW + HOUR))
    assert sorted(ids_at(receiver)) == ids[:3]
    assert given.state() == {"delivered": 4, "dead": 1}
    assert {row.attempts for row in given.rows() if row.id <= 3} == {1}


def test_a_dry_run_only_counts(given: Given, gradewire: Gradewire, receiver: Receiver):
    given.receives("a", receiver.url())
    given.owes("a", events=3)
    undo(given)
    told = ask(gradewire, dry_run=True)
    assert (told["id"], told["status"], told["counted"]) == (None, "dry_run", 3)
    assert given.rows(replay) == []
    assert given.state() == {"dead": 3}


def test_what_is_held_goes_out_once_its_destination_is_mended(given: Given, gradewire: Gradewire, receiver: Receiver):
    given.receives("a", receiver.url())
    ids = given.owes("a", events=3)
    undo(given, state=6, done_at=None)
    given.change(update(destination).values(status="disabled"))
    assert ask(gradewire, kind="held", since=None, dry_run=True)["counted"] == 3
    with pytest.raises(Conflict, match="resume it first: POST /v1/destinations/dst_a/resume"):
        ask(gradewire, kind="held", since=None)
    given.change(update(destination).values(status="active"))
    assert ask(gradewire, kind="failed")["counted"] == 0
    work(given, gradewire)
    assert ask(gradewire, kind="held", since=None)["counted"] == 3
    work(given, gradewire)
    assert sorted(ids_at(receiver)) == ids
    assert given.state() == {"delivered": 3}


def test_one_subscription_of_a_destination_with_its_companion(given: Given, gradewire: Gradewire, receiver: Receiver):
    given.receives("a", receiver.url())
    common = {"account_id": ACCOUNT, "status": "active", "created_at": NOW, "changed_at": NOW, "rule_id": "rul_1", "scope": "{}"}
    for identity, origin in (("sub_other", "api"), ("sub_fix", "corrections:sub_a")):
        given.change(insert(subscription).values(id=identity, destination_id="dst_a", origin=origin, **common))
    given.owes("a", events=1)
    for number, whose in enumerate(("sub_other", "sub_fix"), 2):
        row = {"event_seq": 1, "subscription_id": whose, "destination_id": "dst_a", "next_attempt_at": NOW, "created_at": NOW}
        given.change(insert(delivery).values(id=number, **row))
    undo(given)
    asked = replaying.ask(gradewire, ACCOUNT, "failed", subscription_id="sub_a", since=NOW)
    assert (asked["counted"], asked["destination_id"]) == (2, "dst_a")
    work(given, gradewire)
    assert {row.subscription_id: row.state for row in given.rows()} == {"sub_a": 1, "sub_other": 2, "sub_fix": 1}


def test_what_an_ended_subscription_was_owed_stays_as_it_is(given: Given, gradewire: Gradewire, receiver: Receiver):
    given.receives("a", receiver.url())
    given.owes("a")
    undo(given)
    given.change(update(subscription).values(status="ended"))
    assert ask(gradewire)["counted"] == 0
    work(given, gradewire)
    assert given.state() == {"dead": 1}


def test_a_digest_that_failed_is_told_one_by_one_and_one_that_waits_is_left_alone(
    given: Given, gradewire: Gradewire, receiver: Receiver
):
    given.receives("a", receiver.url())
    given.owes("a", events=6)
    undo(given, 1, 2, 3, lead_id=1)
    given.change(update(delivery).where(delivery.c.id.in_([5, 6])).values(state=4, lead_id=4))
    given.change(update(delivery).where(delivery.c.id == 4).values(lead_id=4, next_attempt_at=NOW + DAY))
    assert ask(gradewire)["counted"] == 3
    replaying.work_off(gradewire)
    assert [(row.state, row.lead_id) for row in given.rows()] == [(0, None)] * 3 + [(0, 4), (4, 4), (4, 4)]


def test_a_batch_waits_until_the_one_before_was_tried(
    given: Given, gradewire: Gradewire, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(replaying, "BATCH", 10)
    given.receives("a", receiver.url())
    given.owes("a", events=25)
    undo(given)
    asked = ask(gradewire)
    for made, left in ((10, 15), (20, 5), (25, 0)):
        for _ in range(2):  # a second look changes nothing
            replaying.work_off(gradewire)
        found = replaying.get_replay(gradewire, ACCOUNT, asked["id"])
        assert (found["done"], given.state().get("dead", 0)) == (made, left)
        assert found["status"] == "waiting"
        given.drain()
    replaying.work_off(gradewire)
    assert replaying.get_replay(gradewire, ACCOUNT, asked["id"])["status"] == "done"
    assert len(receiver.requests) == 25


def test_one_that_fails_again_is_not_sent_a_third_time_by_the_same_replay(given: Given, gradewire: Gradewire, receiver: Receiver):
    given.receives("a", receiver.url())
    given.owes("a", events=2)
    undo(given)
    ask(gradewire)
    replaying.work_off(gradewire)
    undo(given, done_at=NOW + 5)
    given.clock.ms += 10
    work(given, gradewire)
    assert given.state() == {"dead": 2}


def test_cancelled_it_leaves_the_rest_as_it_is(
    given: Given, gradewire: Gradewire, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(replaying, "BATCH", 2)
    given.receives("a", receiver.url())
    given.owes("a", events=5)
    undo(given)
    asked = ask(gradewire)
    replaying.work_off(gradewire)
    assert replaying.cancel(gradewire, ACCOUNT, asked["id"])["status"] == "cancelled"
    given.drain()
    replaying.work_off(gradewire)
    assert given.state() == {"delivered": 2, "dead": 3}
    again = replaying.cancel(gradewire, ACCOUNT, asked["id"])
    assert (again["status"], again["done"]) == ("cancelled", 2)
    assert ask(gradewire)["counted"] == 3


def test_a_destination_that_is_disabled_meanwhile_ends_it(given: Given, gradewire: Gradewire, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(replaying, "BATCH", 2)
    given.receives("a", "http://127.0.0.1:9/")
    given.owes("a", events=5)
    undo(given)
    asked = ask(gradewire)
    replaying.work_off(gradewire)
    given.change(update(destination).values(status="disabled"))
    replaying.work_off(gradewire)
    over = replaying.get_replay(gradewire, ACCOUNT, asked["id"])
    assert (over["status"], over["done"]) == ("failed", 2)
    assert "disabled" in over["error"]
    assert given.state() == {"pending": 2, "dead": 3}


class Crash(BaseException):
    """A worker dies here."""


@pytest.mark.parametrize("point", ["claim", "is_untried", "next_undone", "set_back", "step"])
def test_a_crash_at_any_point_loses_nothing_and_sends_nothing_twice(
    given: Given, gradewire: Gradewire, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, point: str
):
    monkeypatch.setattr(replaying, "BATCH", 2)
    given.receives("a", receiver.url())
    ids = given.owes("a", events=5)
    undo(given)
    asked = ask(gradewire)
    real, chance = getattr(replays, point), random.Random(point)

    def dying(*arguments: Any, **more: Any) -> Any:
        found = real(*arguments, **more)
        if chance.random() < 0.5:
            raise Crash
        return found

    monkeypatch.setattr(replays, point, dying)
    for _ in range(60):
        try:
            replaying.work_off(gradewire)
        except Crash:
            given.clock.ms += replaying.LEASE + 100
        given.drain()
    over = replaying.get_replay(gradewire, ACCOUNT, asked["id"])
    assert (over["status"], over["done"]) == ("done", 5)
    assert Counter(ids_at(receiver)) == Counter(ids)


def test_a_worker_that_lost_its_replay_changes_nothing_more(given: Given, gradewire: Gradewire):
    given.receives("a", "http://127.0.0.1:9/")
    given.owes("a", events=3)
    undo(given)
    ask(gradewire)
    with given.database.write() as connection:
        slow = replays.claim(connection, NOW, replaying.LEASE, [])
    given.clock.ms += replaying.LEASE + 100
    with given.database.write() as connection:
        assert replays.claim(connection, NOW, replaying.LEASE, []) is None
        fast = replays.claim(connection, given.clock(), replaying.LEASE, [])
    assert fast is not None
    assert replaying._go_on(gradewire, slow) == 0
    assert given.state() == {"dead": 3}
    assert replaying._go_on(gradewire, fast) == 3


def test_a_clock_that_was_set_back_does_not_strand_it(given: Given, gradewire: Gradewire):
    given.receives("a", "http://127.0.0.1:9/")
    given.owes("a", events=1)
    undo(given)
    ask(gradewire)
    with given.database.write() as connection:
        replays.claim(connection, NOW + HOUR, replaying.LEASE, [])
    replaying.work_off(gradewire)
    assert given.state() == {"pending": 1}


def test_several_workers_at_once_send_each_delivery_once(
    given: Given, gradewire: Gradewire, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(replaying, "BATCH", 7)
    ids = []
    for name in ("a", "b", "c"):
        given.receives(name, receiver.url(f"/{name}"))
    ids = given.owes("a", "b", "c", events=20)
    undo(given)
    asked = [ask(gradewire, name)["id"] for name in ("a", "b", "c")]
    stop, failures = threading.Event(), list[BaseException]()

    def worker() -> None:
        try:
            while not stop.is_set():
                replaying.work_off(gradewire)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(200):
        given.drain()
        if all(replaying.get_replay(gradewire, ACCOUNT, one)["status"] == "done" for one in asked):
            break
    stop.set()
    for thread in threads:
        thread.join()
    given.drain()
    assert not failures
    for name in ("a", "b", "c"):
        assert Counter(request.headers["webhook-id"] for request in receiver.at(f"/{name}")) == Counter(ids)
    assert sum(replaying.get_replay(gradewire, ACCOUNT, one)["done"] for one in asked) == 60


@pytest.mark.parametrize(
    ("asked", "field", "remedy"),
    [
        ({"since": NOW - 15 * DAY}, "since", "14 days at most"),
        ({"since": NOW + 1}, "since", "nothing after now"),
        ({"since": NOW - 5, "until": NOW - 5}, "until", "ends before it begins"),
        ({"since": None}, "since", "2024-01-31T12:00:00Z"),
        ({"kind": "lost"}, "kind", "failed, held, missing"),
    ],
)
def test_what_cannot_be_asked_names_the_field_and_the_remedy(
    given: Given, gradewire: Gradewire, asked: dict[str, Any], field: str, remedy: str
):
    given.receives("a", "http://127.0.0.1:9/")
    with pytest.raises(InvalidInput, match=remedy) as refused:
        ask(gradewire, **asked)
    assert refused.value.field == field


def test_where_it_may_not_be_asked(given: Given, gradewire: Gradewire):
    given.receives("a", "http://127.0.0.1:9/")
    given.receives("b", "http://127.0.0.1:9/")
    given.change(insert(account).values(id="acc_2", email="b@example.com", created_at=NOW))
    with pytest.raises(InvalidInput, match="destination_id or a subscription_id"):
        replaying.ask(gradewire, ACCOUNT, "failed", since=NOW - 1)
    with pytest.raises(InvalidInput, match="at another destination"):
        replaying.ask(gradewire, ACCOUNT, "failed", destination_id="dst_b", subscription_id="sub_a", since=NOW - 1)
    with pytest.raises(NotFound):
        replaying.ask(gradewire, "acc_2", "failed", destination_id="dst_a", since=NOW - 1)
    with pytest.raises(NotFound):
        replaying.ask(gradewire, "acc_2", "failed", subscription_id="sub_a", since=NOW - 1)
    asked = ask(gradewire, since=NOW - 1)
    with pytest.raises(Conflict, match=f"POST /v1/replays/{asked['id']}/cancel"):
        ask(gradewire, since=NOW - 1)
    assert ask(gradewire, "b", since=NOW - 1)["status"] == "waiting"
    with pytest.raises(NotFound):
        replaying.get_replay(gradewire, "acc_2", asked["id"])
    with pytest.raises(NotFound):
        replaying.cancel(gradewire, "acc_2", asked["id"])
    assert replaying.list_replays(gradewire, "acc_2", limit=10) == []
    for status, remedy in (("shadow", "A shadow only records"), ("ended", "make a new one")):
        given.change(update(subscription).where(subscription.c.id == "sub_a").values(status=status))
        with pytest.raises(Conflict, match=remedy):
            replaying.ask(gradewire, ACCOUNT, "failed", subscription_id="sub_a", since=NOW - 1)
