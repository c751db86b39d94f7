"""Delivering: what is sent, what is written down, and what every kind of answer makes of it; on both databases."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from types import SimpleNamespace
from typing import Any, cast

import pytest
import standardwebhooks
from sqlalchemy import delete, select, text, update
from sqlalchemy.exc import DBAPIError

from integration.domain.message import Message, Retry
from integration.domain.retry import DAY, HOUR, MINUTE, SCHEDULE, SECOND
from integration.service import deliver, pipeline
from integration.service.claiming import BATCH, HOLD_MS, LEASE_MS, claim
from integration.service.deliver import drain, send_over
from integration.service.sending import FLUSH_MS
from integration.service.settling import Counts
from integration.service.ways import WIDTH
from integration.service.wiring import Gradewire
from integration.store.database import Database
from integration.store.queries import deliveries, outbox
from integration.store.tables import account, delivery, destination, owner_notice, subscription
from integration.wire.http import Transport
from tests.receiver import Answer, Receiver
from tests.servers import free_port
from tests.service.given import ACCOUNT, NOW, SECRET, Given, channel


@pytest.fixture
def given(database: Database) -> Iterator[Given]:
    with closing(Given(database)) as ready:
        yield ready


@pytest.fixture
def one(given: Given, receiver: Receiver) -> Given:
    """One delivery owed to one receiver at /a."""
    given.receives("a", receiver.url("/a"))
    given.owes("a")
    return given


# -- delivered -------------------------------------------------------------------------------------------------------


def test_what_is_owed_arrives_signed_and_byte_for_byte(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    given.clock.ms = int(time.time() * 1000)
    body = '{"id": "evt_x",  "summary":"Grüße — not re-serialised"}'
    (identity,) = given.owes("a", body=body, now=given.clock.ms)
    assert given.drain().delivered == 1
    (got,) = receiver.requests
    assert got.body == body.encode()
    assert got.headers["webhook-id"] == identity
    standardwebhooks.Webhook(SECRET).verify(got.body, got.headers)


def test_a_delivery_leaves_an_outcome_and_an_attempt(one: Given, receiver: Receiver) -> None:
    receiver.on("/a", Answer(201, body=b"z" * 5_000))
    one.drain()
    row, (tried,) = one.row(), one.attempts()
    assert (row.state, row.attempts, row.lease, row.done_at, row.reason) == (deliveries.DELIVERED, 1, None, NOW, None)
    assert (tried.delivery_id, tried.at, tried.status, tried.outcome, tried.error) == (row.id, NOW, 201, "delivered", None)
    assert tried.head == b"z" * 4096
    assert 0 <= tried.duration_ms < 5_000


def test_everything_due_is_delivered_once_over_many_claims(given: Given, receiver: Receiver) -> None:
    names = [str(n) for n in range(7)]
    for name in names:
        given.receives(name, receiver.url(f"/{name}"))
    ids = given.owes(*names, events=190)
    assert given.drain().delivered == 7 * 190 > 2 * BATCH
    got = sorted((r.path, r.headers["webhook-id"]) for r in receiver.requests)
    assert got == sorted((f"/{name}", identity) for name in names for identity in ids)
    assert given.state() == {"delivered": 1330}
    assert len(given.attempts()) == 1330


def test_a_drain_ends_with_its_last_answer(one: Given, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "LOOK_S", 600.0)
    receiver.on("/a", Answer(held=True))
    draining = threading.Thread(target=one.drain)
    draining.start()
    receiver.wait_for(1)
    time.sleep(0.5)  # by now it has found nothing more, and waits for this answer alone
    receiver.release()
    draining.join(30)
    assert not draining.is_alive()
    assert one.state() == {"delivered": 1}


def test_sending_goes_on_while_another_process_writes(one: Given, receiver: Receiver) -> None:
    one.owes("a", events=3)
    one.change(update(destination).values(concurrency=1))
    receiver.on("/a", Answer(held=True))
    elsewhere = Database(one.database.url.render_as_string(hide_password=False))
    draining = threading.Thread(target=one.drain)
    draining.start()
    receiver.wait_for(1)
    with elsewhere.write() as connection:
        connection.execute(update(account).values(email="b@example.com"))
        time.sleep(1.2)  # by now the worker has wanted to say again that it delivers
        receiver.release()
        receiver.wait_for(4)
    draining.join(30)
    assert not draining.is_alive()
    assert one.state() == {"delivered": 4}
    elsewhere.close()


def test_who_comes_while_a_drain_runs_leaves_it_the_word_to_look_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    here, came = cast("Gradewire", SimpleNamespace(memory={}, database=None, now=lambda: NOW, wake=lambda: None)), [0, 0]

    def once(*_args: Any, **_more: Any) -> Counts:
        came[0] += 1
        if came[0] == 1:
            came[1] = deliver.drain_all(here).delivered
        return Counts(delivered=5)

    monkeypatch.setattr(deliver, "drain", once)
    monkeypatch.setattr(deliver, "ways_of", lambda _here: None)
    assert deliver.drain_all(here).delivered == 10
    assert came == [2, 0]
    assert deliver.drain_all(here).delivered == 5


def test_what_is_not_due_yet_waits(one: Given, receiver: Receiver) -> None:
    one.change(update(delivery).values(next_attempt_at=NOW + 1))
    assert one.drain().delivered == 0
    one.clock.ms += 1
    assert one.drain().delivered == 1


def test_a_new_address_counts_for_what_is_owed_already(one: Given, receiver: Receiver) -> None:
    receiver.on("/a", Answer(500))
    one.drain()
    config = json.dumps({"url": receiver.url("/moved"), "secret": SECRET}).encode()
    one.change(update(destination).values(config=config, changed_at=NOW + 1))
    one.clock.ms += MINUTE
    one.drain()
    assert [r.path for r in receiver.requests] == ["/a", "/moved"]


# -- tried again -----------------------------------------------------------------------------------------------------


def test_a_failed_attempt_is_repeated_under_the_same_id_and_a_new_signature(one: Given, receiver: Receiver) -> None:
    receiver.on("/a", Answer(500, body=b"oops"), Answer(200))
    assert one.drain().retried == 1
    row, (tried,) = one.row(), one.attempts()
    assert (row.state, row.attempts, row.reason) == (deliveries.PENDING, 1, "HTTP 500")
    assert NOW + SCHEDULE[0] <= row.next_attempt_at <= NOW + SCHEDULE[0] * 1.2
    assert (tried.status, tried.outcome, tried.head) == (500, "retry", b"oops")
    one.clock.ms = row.next_attempt_at
    assert one.drain().delivered == 1
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert int(second.headers["webhook-timestamp"]) > int(first.headers["webhook-timestamp"])
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]


def test_the_schedule_ends_after_its_last_retry(one: Given, receiver: Receiver) -> None:
    receiver.on("/a", Answer(500))
    times = []
    while one.row().state == deliveries.PENDING:
        one.clock.ms = one.row().next_attempt_at
        times.append(one.clock.ms)
        one.drain()
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert len(receiver.requests) == len(SCHEDULE) + 1 == len(one.attempts())
    assert all(base <= wait <= base * 1.2 + 1 for base, wait in zip(SCHEDULE, waits, strict=True))
    assert (one.row().state, one.row().reason) == (deliveries.DEAD, "exhausted: HTTP 500")
    assert one.attempts()[-1].outcome == "dead"
    one.clock.ms += 30 * DAY
    assert one.drain().delivered == 0
    assert len(receiver.requests) == 10


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("120", 2 * MINUTE, 2.4 * MINUTE),
        ("1", 5 * SECOND, 6 * SECOND),
        ("43200", 12 * HOUR, 14.4 * HOUR),
        ("999999", DAY, 1.2 * DAY),
        ("a date in two hours", 1.9 * HOUR, 2.4 * HOUR),
        ("soon", 5 * SECOND, 6 * SECOND),
    ],
)
def test_the_receiver_says_how_long_to_wait(
    one: Given, receiver: Receiver, status: int, header: str, least: float, most: float
) -> None:
    if header == "a date in two hours":
        header = format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True)
    receiver.on("/a", Answer(status, headers=(("Retry-After", header),)))
    one.drain()
    assert least <= one.row().next_attempt_at - NOW <= most


def test_who_asks_for_a_pause_gets_it_for_all_that_waits(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    receiver.on("/a", Answer(429, headers=(("Retry-After", "600"),)), Answer(200))
    given.owes("a", events=50)
    given.drain()
    assert len(receiver.requests) <= WIDTH
    given.owes("a", events=5)
    given.clock.ms += 9 * MINUTE
    given.drain()
    assert len(receiver.requests) <= WIDTH
    assert sum(row.attempts for row in given.rows()) == len(receiver.requests)
    given.clock.ms += 4 * MINUTE
    given.drain()
    assert given.state() == {"delivered": 55}


@pytest.mark.parametrize(("fault", "error"), [("reset", "reset"), ("close", "reset"), (None, "connect")])
def test_no_answer_is_tried_again(given: Given, receiver: Receiver, fault: str | None, error: str) -> None:
    given.receives("a", receiver.url("/a") if fault else f"http://127.0.0.1:{free_port()}/")
    receiver.on("/a", Answer(fault=fault))
    given.owes("a")
    given.drain()
    (tried,) = given.attempts()
    assert (tried.status, tried.outcome) == (0, "retry")
    assert tried.error.startswith(error)
    assert given.row().state == deliveries.PENDING


# -- ended -----------------------------------------------------------------------------------------------------------


def test_gone_ends_a_rest_hook_and_all_it_was_owed(given: Given, receiver: Receiver) -> None:
    for name in ("a", "b"):
        given.receives(name, receiver.url(f"/{name}"))
    receiver.on("/a", Answer(410))
    given.change(update(subscription).where(subscription.c.id == "sub_a").values(origin="hook"))
    given.owes("a", "b", events=600)
    given.change(update(delivery).where(delivery.c.id > 1000).values(next_attempt_at=NOW + DAY))
    given.drain()
    asked = len(receiver.at("/a"))
    assert 1 <= asked <= WIDTH
    with given.database.read() as connection:
        ended, other = connection.execute(select(subscription).order_by(subscription.c.id))
    assert (ended.status, ended.reason, ended.changed_at, other.status) == ("ended", "gone", NOW, "active")
    mine = [row for row in given.rows() if row.subscription_id == "sub_a"]
    assert {(row.state, row.reason) for row in mine} == {(deliveries.DEAD, "gone")}
    given.clock.ms += 2 * DAY
    given.drain()
    assert len(receiver.at("/a")) == asked
    assert len(receiver.at("/b")) == 600


def test_what_an_ended_subscription_is_still_owed_is_dead(one: Given, receiver: Receiver) -> None:
    one.change(update(subscription).values(status="ended", reason="you ended it"))
    assert one.drain().dead == 1
    assert (one.row().state, one.row().reason, one.row().done_at) == (deliveries.DEAD, "you ended it", NOW)
    assert receiver.requests == []


def test_a_refused_message_dies_alone(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    receiver.on("/a", Answer(400, body=b"why"), Answer(200))
    given.owes("a", events=3)
    counts = given.drain()
    assert (counts.dead, counts.delivered) == (1, 2)
    (dead,) = [row for row in given.rows() if row.state == deliveries.DEAD]
    assert (dead.reason, dead.attempts) == ("bad message", 1)


@pytest.mark.parametrize("status", [403, 410])
def test_a_destination_that_is_broken_or_gone_is_disabled_and_what_it_is_owed_is_held(
    given: Given, receiver: Receiver, status: int
) -> None:
    given.receives("a", receiver.url("/a"))
    receiver.on("/a", Answer(status))
    given.owes("a", events=20)
    given.drain()
    asked = len(receiver.requests)
    assert asked <= WIDTH
    with given.database.read() as connection:
        place = connection.execute(select(destination)).one()
    assert (place.status, place.reason) == ("disabled", "not allowed" if status == 403 else "gone")
    assert place.disabled_at == NOW
    given.clock.ms += 3 * HOLD_MS
    given.drain()
    assert len(receiver.requests) == asked
    states = Counter(row.state for row in given.rows())
    dead = asked if status == 410 else 0
    assert states == {deliveries.HELD: 20 - dead, **({deliveries.DEAD: dead} if dead else {})}
    (told,) = given.rows(owner_notice, owner_notice.c.key)
    assert (told.kind, told.account_id, told.mail_to, told.next_mail_at) == ("disabled", ACCOUNT, "a@example.com", NOW)


# -- paused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", [destination, subscription])
def test_paused_things_wait_unspent_and_resume(one: Given, receiver: Receiver, what: Any) -> None:
    one.change(update(what).values(status="paused"))
    counts = one.drain()
    assert (counts.held, counts.delivered) == (1, 0)
    assert (one.row().state, one.row().attempts, one.row().lease) == (deliveries.PENDING, 0, None)
    with one.database.write() as connection:
        connection.execute(update(what).values(status="active"))
        if what is destination:
            deliveries.wake_destination(connection, "dst_a", NOW)
        else:
            deliveries.wake_subscription(connection, "sub_a", NOW)
    assert one.drain().delivered == 1
    assert len(receiver.requests) == 1


def test_paused_things_resume_by_themselves_if_nobody_wakes_them(one: Given, receiver: Receiver) -> None:
    one.change(update(destination).values(status="paused"))
    one.drain()
    one.change(update(destination).values(status="active"))
    one.clock.ms += HOLD_MS
    assert one.drain().delivered == 1


# -- neighbours ------------------------------------------------------------------------------------------------------


def test_a_dead_receiver_stops_nobody_and_is_left_alone(given: Given, receiver: Receiver) -> None:
    given.receives("dead", f"http://127.0.0.1:{free_port()}/")
    given.receives("fine", receiver.url("/fine"))
    given.owes("dead", "fine", events=200)
    given.drain()
    assert len(receiver.at("/fine")) == 200
    waiting = [row for row in given.rows() if row.subscription_id == "sub_dead"]
    assert {row.state for row in waiting} == {deliveries.PENDING}
    assert 1 <= sum(row.attempts for row in waiting) <= WIDTH
    assert all(NOW + SCHEDULE[0] <= row.next_attempt_at for row in waiting)


def test_one_destination_has_few_requests_under_way(given: Given, receiver: Receiver) -> None:
    given.receives("slow", receiver.url("/slow"))
    given.receives("fine", receiver.url("/fine"))
    receiver.on("/slow", Answer(held=True))
    given.owes("slow", "fine", events=30)
    worker = threading.Thread(target=given.drain)
    worker.start()
    receiver.wait_for(30 + WIDTH)
    assert receiver.waiting == WIDTH
    assert len(receiver.at("/fine")) == 30
    receiver.release()
    worker.join()
    assert given.state() == {"delivered": 60}


def test_what_arrived_is_written_down_while_a_slow_receiver_keeps_the_worker(given: Given, receiver: Receiver) -> None:
    given.receives("slow", receiver.url("/slow"))
    given.receives("fine", receiver.url("/fine"))
    receiver.on("/slow", Answer(held=True))
    given.owes("slow", "fine", events=3)
    worker = threading.Thread(target=given.drain)
    worker.start()
    receiver.wait_for(6)
    until = time.monotonic() + 10
    while given.state().get("delivered") != 3 and time.monotonic() < until:
        given.clock.ms += FLUSH_MS
        time.sleep(0.05)
    assert receiver.waiting == 3
    assert given.state() == {"pending": 3, "delivered": 3}
    receiver.release()
    worker.join()
    assert given.state() == {"delivered": 6}


# -- mistakes of ours ------------------------------------------------------------------------------------------------


def test_a_message_that_cannot_be_rendered_dies_alone(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    given.owes("a", events=3)
    given.owes("a", body='{"poison": true}')
    counts = given.drain()
    assert (counts.dead, counts.delivered) == (1, 3)
    (dead,) = [row for row in given.rows() if row.state == deliveries.DEAD]
    assert dead.reason == "could not be rendered: ValueError: this one cannot be told"
    assert dead.attempts == 0


WORDS = 'NUL \0, half \ud83d, "quoted", {braces}, back\\slash, NULL, ünï' + "x" * 1000


def test_any_words_of_a_receiver_can_be_written_down(given: Given, receiver: Receiver) -> None:
    given.channels["webhook"] = channel(verdict=lambda reply: Retry(reason=WORDS))
    given.receives("a", receiver.url("/a"))
    receiver.on("/a", Answer(500, body=bytes(range(256))))
    given.owes("a", events=2)
    given.drain()
    for row, tried in zip(given.rows(), given.attempts(), strict=True):
        assert row.reason.startswith('NUL , half ?, "quoted", {braces}, back\\slash, NULL, ünïx')
        assert len(row.reason) < 501
        assert tried.head == bytes(range(256))


def test_settings_that_cannot_be_opened_hold_their_own_destination_only(given: Given, receiver: Receiver) -> None:
    for name in ("a", "b"):
        given.receives(name, receiver.url(f"/{name}"))
    given.change(update(destination).where(destination.c.id == "dst_a").values(config=b"sealed with another key"))
    given.owes("a", "b")
    counts = given.drain()
    assert (counts.held, counts.delivered) == (1, 1)
    (held,) = [row for row in given.rows() if row.state == deliveries.PENDING]
    assert "decrypted" in held.reason
    assert held.attempts == 0


def test_a_channel_this_version_does_not_have_holds_its_own_only(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"), channel="pigeon")
    given.receives("b", receiver.url("/b"))
    given.owes("a", "b")
    given.drain()
    assert given.state() == {"pending": 1, "delivered": 1}
    assert [row.reason for row in given.rows() if row.reason] == ["this version has no channel named pigeon"]


def test_a_removed_destination_ends_what_was_owed_to_it(one: Given, receiver: Receiver) -> None:
    one.change(update(delivery).values(destination_id="dst_removed"))
    one.drain()
    assert (one.row().state, one.row().reason) == (deliveries.DEAD, "the destination was removed")


def test_a_private_address_is_refused_and_the_destination_disabled(one: Given, receiver: Receiver) -> None:
    with closing(Transport[Any]()) as public:
        one.ways.transport = public
        one.drain()
    assert receiver.requests == []
    (tried,) = one.attempts()
    assert (tried.status, tried.error, tried.head) == (0, "refused: the address is not public", None)
    with one.database.read() as connection:
        assert connection.scalar(select(destination.c.status)) == "disabled"


# -- leases ----------------------------------------------------------------------------------------------------------


def test_what_is_claimed_is_nobody_elses_until_the_lease_ends(one: Given, receiver: Receiver) -> None:
    assert claim(one.database, one.ways, NOW).claimed == 1
    assert one.drain().delivered == 0
    one.clock.ms += LEASE_MS - 1
    assert one.drain().delivered == 0
    one.clock.ms += 1
    assert one.drain().delivered == 1
    assert len(receiver.requests) == 1


def test_the_lease_is_longer_than_any_attempt_takes() -> None:
    with closing(Transport[Any]()) as transport:
        assert transport.total_ms * 2 < LEASE_MS


def test_a_worker_whose_lease_ran_out_changes_nothing_that_another_settled(one: Given, receiver: Receiver) -> None:
    ((_, (late,), _),) = claim(one.database, one.ways, NOW).ready
    one.clock.ms += LEASE_MS
    one.drain()
    settled = one.row()
    with one.database.write() as connection:
        outbox.settle(connection, [late.becomes(deliveries.DEAD, NOW, attempts=7, reason="too late")])
    assert one.row() == settled


def test_nothing_is_sent_that_would_outlive_its_lease(one: Given, receiver: Receiver) -> None:
    """Time jumps while a batch waits for its turn: it goes back unspent instead of being sent beside another worker."""
    start, jumps = NOW, iter([0, LEASE_MS])
    counts = drain(one.database, one.ways, now=lambda: start + next(jumps, LEASE_MS), limit=1)
    assert (counts.delivered, counts.held) == (0, 1)
    assert receiver.requests == []
    assert (one.row().state, one.row().attempts, one.row().lease) == (deliveries.PENDING, 0, None)


def test_settling_is_the_same_for_one_row_and_for_many(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    given.owes("a", events=330)
    ((_, owed, _),) = claim(given.database, given.ways, NOW).ready
    with given.database.write() as connection:
        outbox.settle(connection, [])
        outbox.settle(connection, [one.becomes(deliveries.DEAD, NOW + 5, attempts=3, reason=f"no {one.id}") for one in owed])
    for row in given.rows():
        assert (row.state, row.attempts, row.reason, row.done_at, row.lease) == (2, 3, f"no {row.id}", NOW + 5, None)


# -- bounds of a drain -----------------------------------------------------------------------------------------------


def test_a_full_claim_wakes_another_worker_once(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    given.owes("a", events=2 * BATCH + 1)
    woken: list[int] = []
    given.more = lambda: woken.append(1)
    given.drain()
    assert woken == [1]
    given.owes("a", events=3)
    given.drain()
    assert woken == [1]


def test_a_drain_claims_no_more_than_it_is_told(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    given.owes("a", events=30)
    assert given.drain(limit=12).delivered == 12
    assert given.drain(seconds=0).delivered == 0
    assert given.state() == {"pending": 18, "delivered": 12}


def test_a_worker_that_must_stop_finishes_what_is_under_way_and_gives_back_the_rest(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    receiver.on("/a", Answer(held=True))
    given.owes("a", events=100)
    stopping, asked = threading.Event(), threading.Semaphore(0)

    def stop() -> bool:
        if stopping.is_set():
            asked.release()
        return stopping.is_set()

    worker = threading.Thread(target=given.drain, kwargs={"stop": stop})
    worker.start()
    receiver.wait_for(WIDTH)
    stopping.set()
    for _ in range(5):  # the claimer asks once, the sender again and again: by now it has given back
        assert asked.acquire(timeout=10)
    receiver.release()
    worker.join()
    assert given.state() == {"pending": 100 - WIDTH, "delivered": WIDTH}
    assert {(row.lease, row.attempts) for row in given.rows() if row.state == 0} == {(None, 0)}


def test_two_drains_at_once_deliver_everything_once(given: Given, receiver: Receiver) -> None:
    names = [str(n) for n in range(8)]
    for name in names:
        given.receives(name, receiver.url(f"/{name}"))
    given.owes(*names, events=150)
    other = Database(given.database.url.render_as_string(hide_password=False))
    with closing(Transport[Any](allow_private=True)) as transport:
        ways = type(given.ways)(given.channels, json.loads, transport)
        second = threading.Thread(target=drain, args=(other, ways), kwargs={"now": given.clock})
        second.start()
        given.drain()
        second.join()
    other.close()
    got = [(r.path, r.headers["webhook-id"]) for r in receiver.requests]
    assert len(got) == len(set(got)) == 1200
    assert given.state() == {"delivered": 1200}


def test_a_failing_database_ends_the_drain_and_loses_nothing(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    ids = given.owes("a", events=700)
    given.change(text("ALTER TABLE attempt RENAME TO attempt_away"))
    with pytest.raises(DBAPIError):
        given.drain()
    assert given.state() == {"pending": 700}
    given.change(text("ALTER TABLE attempt_away RENAME TO attempt"))
    given.clock.ms += LEASE_MS
    assert given.drain().delivered == 700
    assert {r.headers["webhook-id"] for r in receiver.requests} == set(ids)


def test_a_failing_claim_ends_the_drain(one: Given) -> None:
    one.change(text("ALTER TABLE destination RENAME TO destination_away"))
    with pytest.raises(DBAPIError):
        one.drain()
    assert one.row().lease is None


def test_a_drain_that_failed_leaves_nothing_under_way(one: Given, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one.ways.transport, "finished", _boom)
    with pytest.raises(ZeroDivisionError):
        one.drain()
    assert one.ways.transport.in_flight == 0
    monkeypatch.undo()
    one.clock.ms += LEASE_MS
    assert one.drain().delivered == 1


def _boom(_timeout: float) -> Any:
    raise ZeroDivisionError


# -- by hand ---------------------------------------------------------------------------------------------------------


def test_resuming_leaves_alone_what_is_under_way(one: Given, receiver: Receiver) -> None:
    receiver.on("/a", Answer(held=True))
    worker = threading.Thread(target=one.drain)
    worker.start()
    receiver.wait_for(1)
    with one.database.write() as connection:
        deliveries.wake_destination(connection, "dst_a", NOW)
        deliveries.wake_subscription(connection, "sub_a", NOW)
        deliveries.retry_one(connection, ACCOUNT, 1, NOW)
    assert claim(one.database, one.ways, NOW).claimed == 0
    receiver.release()
    worker.join()
    assert one.state() == {"delivered": 1}
    assert len(receiver.requests) == 1


def test_a_delivery_can_be_made_due_again_by_its_owner_only(one: Given, receiver: Receiver) -> None:
    receiver.on("/a", Answer(400), Answer(200))
    one.drain()
    with one.database.write() as connection:
        assert not deliveries.retry_one(connection, "acc_other", one.row().id, NOW)
        assert deliveries.retry_one(connection, ACCOUNT, one.row().id, NOW)
    assert one.drain().delivered == 1
    first, second = receiver.requests
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


def test_sending_now_says_what_came_back_and_writes_nothing(one: Given, receiver: Receiver) -> None:
    receiver.on("/test", Answer(410, body=b"bye"))
    message = Message("evt_test", "sub_a", NOW, b"{}", {})
    config = {"url": receiver.url("/test"), "secret": SECRET}
    reply, verdict = send_over(one.ways, [message], one.channels["webhook"], config, NOW)
    assert (reply.status, reply.head) == (410, b"bye")
    assert verdict.scope == "gone"  # type: ignore[union-attr]
    assert receiver.requests[0].headers["webhook-id"] == "evt_test"
    assert one.attempts() == []
    assert one.row().state == deliveries.PENDING


# -- queries ---------------------------------------------------------------------------------------------------------


def test_owing_twice_owes_once(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    given.owes("a")
    with given.database.write() as connection:
        deliveries.insert_deliveries(connection, [(1, "sub_a", "dst_a")], NOW + 5)
        deliveries.insert_deliveries(connection, [], NOW)
    assert given.row().created_at == NOW


def test_an_account_sees_its_own_deliveries_newest_first(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    given.receives("b", receiver.url("/b"))
    given.owes("a", "b", events=3)
    given.drain(limit=2)
    with given.database.read() as connection:
        rows = deliveries.deliveries(connection, ACCOUNT, limit=4)
        assert [row.id for row in rows] == [6, 5, 4, 3]
        assert [row.id for row in deliveries.deliveries(connection, ACCOUNT, limit=4, before=3)] == [2, 1]
        assert [row.id for row in deliveries.deliveries(connection, ACCOUNT, limit=9, state=deliveries.DELIVERED)] == [2, 1]
        mine = deliveries.deliveries(connection, ACCOUNT, limit=9, subscription_id="sub_a")
        assert [row.subscription_id for row in mine] == ["sub_a"] * 3
        assert deliveries.deliveries(connection, "acc_other", limit=4) == []
        assert len(deliveries.attempts(connection, 1)) == 1
        assert deliveries.one(connection, "acc_other", 1) is None
        assert deliveries.counts(connection, ACCOUNT) == dict.fromkeys(deliveries.STATES.values(), 0) | {
            "pending": 4,
            "delivered": 2,
        }
        assert not any(deliveries.counts(connection, "acc_other").values())
        assert deliveries.oldest_due(connection, NOW) == NOW
        assert deliveries.oldest_due(connection, NOW - 1) is None


def test_removing_a_subscription_while_it_is_served_does_no_harm(one: Given, receiver: Receiver) -> None:
    receiver.on("/a", Answer(held=True))
    worker = threading.Thread(target=one.drain)
    worker.start()
    receiver.wait_for(1)
    one.change(delete(delivery))
    receiver.release()
    worker.join()
    assert one.rows() == []
