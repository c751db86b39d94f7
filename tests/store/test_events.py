from __future__ import annotations

import threading

from integration.store.database import Database
from integration.store.queries import events, rules


def new(number: int, rule: str = "rul_1") -> events.NewEvent:
    return events.NewEvent(f"evt_{number}", rule, "t", f"token:{number}", 5, 6, 7, "{}")


def rule(database: Database, *identities: str) -> None:
    with database.write() as connection:
        for identity in identities or ("rul_1",):
            rules.ensure(connection, identity, "t", 1, f'"{identity}"', 1)


def test_events_are_numbered_in_order_and_stored_once(database: Database) -> None:
    rule(database)
    with database.write() as connection:
        events.lock(connection)
        assert events.add(connection, [new(1), new(2), new(1)]) == {"evt_1": 1, "evt_2": 2}
    with database.write() as connection:
        events.lock(connection)
        assert events.add(connection, [new(2), new(3), new(1)]) == {"evt_3": 3}
        assert events.add(connection, [new(3)]) == {}
    with database.read() as connection:
        assert events.known(connection, ["evt_1", "evt_3", "evt_9"]) == {"evt_1": 1, "evt_3": 3}
        assert events.known(connection, [f"evt_{n}" for n in range(2_000)]) == {"evt_1": 1, "evt_2": 2, "evt_3": 3}
        assert [row.id for row in events.newest(connection, limit=2)] == ["evt_3", "evt_2"]
        found = events.one(connection, "evt_2")
        assert found is not None
        assert (found.seq, found.subject) == (2, "token:2")
        assert events.one(connection, "evt_9") is None


def test_what_is_rolled_back_leaves_no_gap(database: Database) -> None:
    rule(database)
    try:
        with database.write() as connection:
            events.lock(connection)
            events.add(connection, [new(1)])
            raise ZeroDivisionError
    except ZeroDivisionError:
        pass
    with database.write() as connection:
        events.lock(connection)
        assert events.add(connection, [new(2)]) == {"evt_2": 1}


def test_whoever_holds_the_lock_numbers_alone_and_what_is_seen_never_grows_from_behind(database: Database) -> None:
    rule(database)
    gate, highest = threading.Barrier(5), []

    def write(part: int) -> None:
        gate.wait(10)
        for number in range(12):
            with database.write() as connection:
                events.lock(connection)
                events.add(connection, [new(part * 1_000 + number * 10 + k) for k in range(1 + number % 3)])

    threads = [threading.Thread(target=write, args=(part,)) for part in range(4)]
    for thread in threads:
        thread.start()
    gate.wait(10)
    seen: list[int] = []
    while any(thread.is_alive() for thread in threads):
        with database.read() as connection:
            now = sorted(row.seq for row in events.newest(connection, limit=1_000))
        assert now[: len(seen)] == seen
        assert now == list(range(1, len(now) + 1))
        seen = now
        highest.append(len(now))
    for thread in threads:
        thread.join()
    with database.read() as connection:
        assert len(events.newest(connection, limit=1_000)) == 4 * 24
