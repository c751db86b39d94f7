from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from integration.store.database import Database
from integration.store.queries import calls, polls, readings

NOW = 1_000_000


def claim(database: Database, lease: str, now: int = NOW, slot: int = 0, until: int = NOW + 10) -> int | None:
    with database.write() as connection:
        return polls.claim(connection, "s", "all", slot, lease=lease, now=now, until=until)


def settle(database: Database, poll_id: int, lease: str, status: str, **values: int) -> None:
    with database.write() as connection:
        polls.settle(connection, poll_id, lease, status, **{"now": NOW, **values})


def mine(database: Database, poll_id: int, lease: str) -> bool:
    with database.write() as connection:
        return polls.is_mine(connection, poll_id, lease)


def test_a_slot_is_claimed_by_one_of_many_at_once(database: Database) -> None:
    with ThreadPoolExecutor(8) as pool:
        for slot in range(5):
            got = list(pool.map(lambda k, slot=slot: claim(database, f"lease {k}", slot=slot), range(8)))
            (mine_is,) = [k for k, identity in enumerate(got) if identity is not None]
            settle(database, got[mine_is] or 0, f"lease {mine_is}", "done")


def test_another_slot_waits_while_one_is_being_read_so_that_none_comes_late(database: Database) -> None:
    first = claim(database, "a", slot=0)
    assert first is not None
    assert claim(database, "b", slot=1) is None
    assert claim(database, "b", slot=1, now=NOW + 11) is not None  # the lease of the first ran out
    settle(database, first, "a", "done")


def test_another_slot_is_claimed_once_the_one_before_ended(database: Database) -> None:
    first = claim(database, "a", slot=0)
    assert first is not None
    settle(database, first, "a", "failed")
    assert claim(database, "b", slot=1) is not None


def test_with_each_call_a_poll_goes_on_and_one_that_makes_none_is_given_up(database: Database) -> None:
    first, last = claim(database, "a", until=NOW + polls.LEASE), NOW + polls.LEASE - 1
    assert first is not None
    with database.write() as connection:
        calls.record(connection, at=last - 5, endpoint="e", status=200, duration_ms=5, rows=1, poll_id=first)
    assert claim(database, "b", slot=1, now=last + polls.LEASE) is None
    assert claim(database, "b", slot=1, now=last + polls.LEASE + 1) is not None


def test_a_lease_that_ran_out_is_taken_over_by_one_and_lost_by_the_other(database: Database) -> None:
    first = claim(database, "a")
    assert first is not None
    assert claim(database, "b", now=NOW + 10) is None
    assert mine(database, first, "a")
    with ThreadPoolExecutor(4) as pool:
        got = list(pool.map(lambda k: claim(database, f"b{k}", now=NOW + 11, until=NOW + 99), range(4)))
    assert [identity for identity in got if identity is not None] == [first]
    assert not mine(database, first, "a")
    settle(database, first, "a", "done")
    assert mine(database, first, f"b{got.index(first)}")


@pytest.mark.parametrize("status", ["failed", "partial"])
def test_what_did_not_end_well_can_be_repeated_after_its_pause(database: Database, status: str) -> None:
    first = claim(database, "a")
    assert first is not None
    settle(database, first, "a", status, lease_until=NOW + 50)
    with database.read() as connection:
        assert polls.state(connection, "s", "all", 0, NOW + 50) == "waiting"
        assert polls.state(connection, "s", "all", 0, NOW + 51) is None
    assert claim(database, "b", now=NOW + 50) is None
    assert claim(database, "b", now=NOW + 51) == first


def test_what_is_done_is_done(database: Database) -> None:
    first = claim(database, "a")
    assert first is not None
    settle(database, first, "a", "done", rows=5)
    assert claim(database, "b", now=NOW * 9) is None
    assert not mine(database, first, "a")
    with database.read() as connection:
        assert polls.state(connection, "s", "all", 0, NOW * 9) == "done"
        assert polls.state(connection, "s", "all", 1, NOW) is None
        assert readings.last_moment(connection) == NOW


def test_selections_and_slots_are_polls_of_their_own(database: Database) -> None:
    with database.write() as connection:
        ids = {
            polls.claim(connection, source, selection, slot, lease="a", now=NOW + slot, until=NOW)
            for source in ("s", "t")
            for selection in ("1", "2")
            for slot in (0, 1)
        }
    assert len(ids - {None}) == 8


def test_recent_polls_are_those_that_ended_with_an_answer_newest_first(database: Database) -> None:
    for slot, status in enumerate(["done", "failed", "partial", "done", "running"]):
        identity = claim(database, "a", slot=slot)
        assert identity is not None
        if status != "running":
            settle(database, identity, "a", status, rows=slot)
    with database.read() as connection:
        assert polls.recent(connection, "s", "all", limit=9) == [("done", 3), ("partial", 2), ("done", 0)]
        assert polls.recent(connection, "s", "all", limit=1) == [("done", 3)]
        assert [row.slot for row in polls.troubled(connection, 0)] in ([1, 2], [2, 1])
