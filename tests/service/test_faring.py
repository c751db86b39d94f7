"""A destination's limits, its breaker, and what becomes of one that fails for days."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import select, update

from integration.domain.breaker import DISABLED_AFTER, FAILURES, FIRST_MS, WARNED_AFTER
from integration.domain.message import Limits
from integration.domain.retry import DAY, HOUR, MINUTE
from integration.service.claiming import EXPIRES_AFTER, PROBE_MS, claim
from integration.store.database import Database
from integration.store.queries import deliveries
from integration.store.tables import delivery, destination, owner_notice
from integration.wire.http import Transport
from tests.receiver import Answer, Receiver
from tests.service.given import ACCOUNT, NOW, Given, channel


@pytest.fixture
def given(database: Database) -> Iterator[Given]:
    with closing(Given(database)) as made:
        yield made


def place(given: Given, name: str = "a") -> Any:
    with given.database.read() as connection:
        return connection.execute(select(destination).where(destination.c.id == f"dst_{name}")).one()


def fresh(given: Given) -> None:
    """All that is owed comes due, as if no attempt had been made."""
    given.change(update(delivery).where(delivery.c.state == 0).values(next_attempt_at=given.clock.ms, attempts=0))


def notices(given: Given) -> list[Any]:
    return given.rows(owner_notice, owner_notice.c.at)


# -- limits ------------------------------------------------------------------------------------------------------------


def test_no_more_requests_start_in_a_second_than_a_destination_allows(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    given.change(update(destination).values(rate=20))
    given.owes("a", events=60)
    began = time.monotonic()
    assert given.drain().delivered == 20
    assert time.monotonic() - began >= 0.95  # the first goes at once, each other a twentieth of a second after the one before
    held = sorted(row.next_attempt_at for row in given.rows() if row.state == deliveries.PENDING)
    assert held[0] == NOW + 1_000
    assert {late - early for early, late in pairwise(held)} == {50}


def test_the_limit_holds_for_all_workers_together(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    given.change(update(destination).values(rate=10))
    given.owes("a", events=30)
    first = claim(given.database, given.ways, NOW, most=15)
    second = claim(given.database, given.ways, NOW, most=15)
    assert [len(owed) for _, owed, _ in first.ready] == [10]
    assert second.ready == []
    assert place(given).next_send_at == NOW + 1_000


def test_one_event_at_a_time_is_not_held_up(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    given.change(update(destination).values(rate=10))
    for _ in range(5):
        given.owes("a")
        assert given.drain().delivered == 1


def test_a_fast_destination_is_paced_by_each_worker_s_share(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    given.change(update(destination).values(rate=200))
    given.owes("a", events=60)
    given.ways.peers = 2
    began = time.monotonic()
    batch = claim(given.database, given.ways, NOW)
    assert [len(owed) for _, owed, _ in batch.ready] == [60]
    given.change(update(delivery).values(next_attempt_at=NOW, lease=None))
    assert given.drain().delivered == 60
    assert time.monotonic() - began >= 59 / 200  # alone again, it has the whole rate


def test_no_more_requests_are_under_way_than_a_destination_allows(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    given.change(update(destination).values(concurrency=2))
    receiver.on("/a", Answer(held=True))
    given.owes("a", events=12)
    given.drain(seconds=0.1)
    assert len(receiver.at("/a")) <= 4  # two, and after their time is over two more
    receiver.release()


def test_a_channel_s_published_rate_is_never_exceeded_by_a_destination_s_own(given: Given, receiver: Receiver) -> None:
    given.channels["chat"] = channel("chat", limits=Limits(per_second=1.0))
    given.receives("a", receiver.url("/a"), channel="chat")
    given.change(update(destination).values(rate=500))
    given.owes("a", events=5)
    assert given.drain().delivered == 1


# -- the breaker -------------------------------------------------------------------------------------------------------


def broken(given: Given, receiver: Receiver, *, events: int = 40) -> int:
    """A destination whose breaker has opened; how many requests that took."""
    given.receives("a", receiver.url("/a"))
    receiver.on("/a", Answer(500))
    given.owes("a", events=events)
    given.drain()
    assert place(given).opened == 1
    return len(receiver.at("/a"))


def test_it_opens_after_a_few_failures_and_the_rest_wait_with_their_attempts_unspent(given: Given, receiver: Receiver) -> None:
    asked = broken(given, receiver)
    assert FAILURES <= asked <= FAILURES + 4
    rows = given.rows()
    assert sum(row.attempts for row in rows) == asked
    assert {row.state for row in rows} == {deliveries.PENDING}
    assert place(given).next_send_at == NOW + FIRST_MS
    assert place(given).failing_since == NOW


def test_nothing_is_sent_while_it_is_open(given: Given, receiver: Receiver) -> None:
    asked = broken(given, receiver)
    given.clock.ms += FIRST_MS - 1_000
    fresh(given)
    given.drain()
    assert len(receiver.at("/a")) == asked


def test_then_one_request_probes_and_the_rest_wait_for_it(given: Given, receiver: Receiver) -> None:
    asked = broken(given, receiver)
    given.clock.ms += FIRST_MS
    fresh(given)
    given.drain()
    assert len(receiver.at("/a")) == asked + 1
    assert place(given).opened == 2
    assert place(given).next_send_at == given.clock.ms + 2 * FIRST_MS


def test_a_probe_that_succeeds_lets_everything_go(given: Given, receiver: Receiver) -> None:
    broken(given, receiver)
    receiver.on("/a", Answer(200))
    given.clock.ms += FIRST_MS
    fresh(given)
    assert given.drain().delivered == 1
    assert (place(given).opened, place(given).failing_since) == (0, None)
    given.clock.ms += PROBE_MS + MINUTE
    fresh(given)
    assert given.drain().delivered == 39


def test_one_destination_s_breaker_is_no_other_one_s(given: Given, receiver: Receiver) -> None:
    broken(given, receiver)
    given.receives("b", receiver.url("/b"))
    given.owes("b", events=40)
    assert given.drain().delivered == 40


def test_another_worker_sees_that_it_is_open(given: Given, receiver: Receiver) -> None:
    asked = broken(given, receiver)
    given.ways.targets.clear()  # a worker that knows nothing yet
    fresh(given)
    given.drain()
    assert len(receiver.at("/a")) == asked


# -- failing for days --------------------------------------------------------------------------------------------------


def failing(given: Given, receiver: Receiver, since: int, status: int = 500) -> None:
    """A destination that has failed for so long (ms), and fails once more."""
    given.receives("a", receiver.url("/a"))
    receiver.on("/a", Answer(status))
    given.change(update(destination).values(failing_since=NOW - since))
    given.owes("a")
    given.change(update(delivery).values(attempts=5))
    given.drain()


def test_its_owner_is_warned_at_half_time_once(given: Given, receiver: Receiver) -> None:
    failing(given, receiver, WARNED_AFTER + HOUR)
    for _ in range(2):
        given.change(update(delivery).values(attempts=5, next_attempt_at=given.clock.ms))
        given.clock.ms += HOUR
        given.drain()
    (told,) = notices(given)
    assert (told.kind, told.account_id, told.mail_to) == ("failing", ACCOUNT, "a@example.com")
    assert "2.5 days" in told.text
    assert place(given).status == "active"


def test_after_five_days_it_is_disabled_and_its_owner_told(given: Given, receiver: Receiver) -> None:
    failing(given, receiver, DISABLED_AFTER)
    assert (place(given).status, place(given).disabled_at) == ("disabled", NOW)
    assert "HTTP 500" in place(given).reason
    assert [told.kind for told in notices(given)] == ["disabled"]
    given.owes("a", events=3)
    given.clock.ms += DAY
    given.drain()
    assert {row.state for row in given.rows()} == {deliveries.HELD}


def test_a_first_failure_after_a_long_silence_disables_nothing(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    receiver.on("/a", Answer(500))
    given.change(update(destination).values(failing_since=NOW - 2 * DISABLED_AFTER))
    given.owes("a")
    given.drain()
    assert place(given).status == "active"


def test_a_success_clears_it_and_the_owner_hears_of_that_where_they_were_warned(given: Given, receiver: Receiver) -> None:
    failing(given, receiver, WARNED_AFTER + HOUR)
    receiver.on("/a", Answer(200))
    given.clock.ms += DAY
    given.drain()
    assert (place(given).failing_since, place(given).warned_at) == (None, None)
    assert [told.kind for told in notices(given)] == ["failing", "recovered"]


def test_the_owner_s_own_address_is_warned_where_one_is_set(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    given.change(update(destination).values(owner_email="ops@example.com"))
    receiver.on("/a", Answer(403))
    given.owes("a")
    given.drain()
    assert [told.mail_to for told in notices(given)] == ["ops@example.com"]


def test_a_receiver_that_refuses_is_reported_early_and_once_a_day(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    receiver.on("/a", Answer(404))
    given.owes("a", events=2)
    for _ in range(2):
        given.change(update(delivery).values(attempts=3, next_attempt_at=given.clock.ms))
        given.drain()
    assert [told.kind for told in notices(given)] == ["refused"]


# -- too old -----------------------------------------------------------------------------------------------------------


def test_what_could_not_be_sent_for_two_weeks_is_expired_visibly(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    given.change(update(destination).values(status="paused"))
    given.owes("a")
    given.clock.ms += EXPIRES_AFTER + 1
    given.drain()
    (row,) = given.rows()
    assert (deliveries.STATES[row.state], row.reason, row.done_at) == ("expired", "not sent within 14 days", given.clock.ms)
    assert receiver.requests == []


# -- isolation ---------------------------------------------------------------------------------------------------------


def test_while_one_receiver_hangs_others_get_what_comes_meanwhile(given: Given, receiver: Receiver) -> None:
    for name in "ab":
        given.receives(name, receiver.url(f"/{name}"))
    receiver.on("/a", Answer(held=True))
    given.owes("a", events=10)
    worker = threading.Thread(target=given.drain)
    worker.start()
    wait_for(lambda: receiver.waiting == 4)
    given.owes("b", events=3)
    wait_for(lambda: len(receiver.at("/b")) == 3)
    assert receiver.waiting == 4
    receiver.release()
    worker.join()


def test_repeated_attempts_never_take_all_places(given: Given, receiver: Receiver) -> None:
    given.transport.close()
    given.ways.transport = given.transport = Transport(allow_private=True, total_ms=3_000)
    given.transport.most = 8
    names = [str(number) for number in range(8)]
    for name in names:
        given.receives(name, receiver.url("/hangs"))
    given.receives("fine", receiver.url("/fine"))
    receiver.on("/hangs", Answer(held=True))
    given.owes(*names)
    given.change(update(delivery).values(attempts=2))
    given.owes("fine", events=5)
    worker = threading.Thread(target=given.drain)
    worker.start()
    wait_for(lambda: len(receiver.at("/fine")) == 5)
    assert receiver.waiting <= 4
    receiver.release()
    worker.join()


def wait_for(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)
