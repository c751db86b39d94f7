"""A clock that was put back holds up nothing for as long as it takes to catch up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import update

from integration.domain.retry import HOUR, MINUTE, SECOND
from integration.service.claiming import LEASE_MS
from integration.service.timekeeping import note
from integration.store.database import Database
from integration.store.queries import installation, outbox
from integration.store.tables import delivery, destination
from tests.receiver import Receiver
from tests.service.given import NOW, Given


@pytest.fixture
def given(database: Database, receiver: Receiver) -> Iterator[Given]:
    with closing(Given(database)) as ready:
        ready.receives("a", receiver.url("/a"))
        yield ready


def tell(given: Given, machine: str, now: int) -> int:
    """A machine tells its time; by how much its clock was put back lately."""
    with given.database.write() as connection:
        return note(connection, machine, now)[0]


def lease(given: Given, now: int) -> None:
    with given.database.write() as connection:
        outbox.claim(connection, lease="lease", now=now, until=now + LEASE_MS, most=10)


def test_what_a_worker_held_when_the_clock_was_put_back_comes_due_within_a_lease(given: Given, receiver: Receiver) -> None:
    given.owes("a", events=3)
    tell(given, "one", NOW)
    lease(given, NOW)
    given.clock.ms = NOW - HOUR
    assert tell(given, "one", given.clock.ms) == HOUR
    given.drain()
    assert receiver.requests == []
    given.clock.ms += LEASE_MS
    given.drain()
    assert len(receiver.requests) == 3


def test_repeats_and_places_left_alone_wait_as_long_as_they_had_to(given: Given) -> None:
    given.owes("a", events=2)
    given.change(update(delivery).where(delivery.c.id == 1).values(attempts=3, next_attempt_at=NOW + 20 * MINUTE))
    given.change(update(destination).values(next_send_at=NOW + 30 * MINUTE))
    tell(given, "one", NOW)
    tell(given, "one", NOW - HOUR)
    assert [row.next_attempt_at for row in given.rows()] == [NOW - HOUR + 20 * MINUTE, NOW - HOUR]
    assert [row.next_send_at for row in given.rows(destination)] == [NOW - HOUR + 30 * MINUTE]


def test_what_was_under_way_and_is_written_down_later_by_the_clock_that_was_does_not_wait_either(
    given: Given, receiver: Receiver
) -> None:
    tell(given, "one", NOW)
    tell(given, "one", NOW - HOUR)
    given.owes("a", events=2, now=NOW - SECOND)
    given.change(update(delivery).where(delivery.c.id == 2).values(attempts=3, next_attempt_at=NOW + 20 * MINUTE))
    given.clock.ms = NOW - HOUR + SECOND
    tell(given, "one", given.clock.ms)
    given.drain()
    assert len(receiver.requests) == 1
    assert given.rows()[1].next_attempt_at == NOW + 20 * MINUTE


def test_ten_minutes_after_it_was_put_back_all_is_by_the_clock_that_is(given: Given) -> None:
    tell(given, "one", NOW)
    tell(given, "one", NOW - HOUR)
    given.owes("a")
    given.change(update(delivery).values(attempts=3, next_attempt_at=NOW))
    assert [tell(given, "one", NOW - HOUR + minutes * MINUTE) for minutes in (11, 12)] == [0, 0]
    assert given.row().next_attempt_at == NOW


def test_a_clock_that_goes_on_moves_nothing(given: Given) -> None:
    given.owes("a")
    given.change(update(delivery).values(attempts=3, next_attempt_at=NOW + 20 * MINUTE))
    assert [tell(given, "one", NOW + seconds * SECOND) for seconds in (0, 1, 3600)] == [0, 0, 0]
    assert given.row().next_attempt_at == NOW + 20 * MINUTE


def test_machines_whose_clocks_differ_are_not_taken_for_one_whose_clock_was_put_back(given: Given) -> None:
    given.owes("a")
    given.change(update(delivery).values(attempts=3, next_attempt_at=NOW + 20 * MINUTE))
    for machine, now in (("fast", NOW + MINUTE), ("slow", NOW), ("fast", NOW + MINUTE + 1)):
        assert tell(given, machine, now) == 0
    assert given.row().next_attempt_at == NOW + 20 * MINUTE


def test_what_other_machines_hold_is_left_to_them(given: Given) -> None:
    given.owes("a")
    tell(given, "fast", NOW + HOUR)
    lease(given, NOW)
    assert tell(given, "fast", NOW) == HOUR
    assert given.row().next_attempt_at == NOW + LEASE_MS


def test_a_machine_that_is_gone_is_forgotten_and_clocks_are_no_parts(given: Given) -> None:
    for machine, now in (("gone", NOW), ("one", NOW + 8 * 24 * HOUR), ("gone", NOW)):
        assert tell(given, machine, now) == 0
    with given.database.read() as connection:
        assert installation.beats(connection) == {}
