"""The newest of a feed as one text: in order, cut where asked, and as it is stored."""

from __future__ import annotations

from integration.store.database import Database
from integration.store.queries import events, feed_text, rules
from integration.store.queries.events import NewEvent

NOW = 1_700_000_000_000


def filled(database: Database, count: int) -> list[str]:
    texts = [f'{{"schema":1,"id":"evt_{n}","name":"Żółw → 北京 {n}"}}' for n in range(count)]
    with database.write() as connection:
        rules.ensure(connection, "rul_1", "t", 1, "{}", NOW)
        for feed in ("fed_1", "fed_2"):
            rules.restart_feed(connection, feed, "rul_1", feed, NOW)
        events.lock(connection)
        new = [NewEvent(f"evt_{n}", "rul_1", "t", "token:1", n, n, NOW, each) for n, each in enumerate(texts)]
        numbers = events.add(connection, new)
        rules.add_feed_items(connection, [("fed_1", numbers[f"evt_{n}"]) for n in range(count)])
    return texts[::-1]


def test_the_newest_come_first_and_as_many_as_asked_byte_for_byte(database: Database) -> None:
    newest_first = filled(database, 300)
    for limit in (1, 7, 100, 1_000):
        ends, array = feed_text.array(database, "fed_1", limit)
        assert array == f"[{','.join(newest_first[:limit])}]".encode()
        assert ends == (1, 300) == feed_text.ends(database, "fed_1")


def test_an_empty_feed_is_an_empty_array(database: Database) -> None:
    filled(database, 1)
    assert feed_text.array(database, "fed_2", 100) == ((0, 0), b"[]")
    assert feed_text.ends(database, "fed_none") == (0, 0)


def test_it_is_found_by_the_feeds_index(sqlite_database: Database) -> None:
    filled(sqlite_database, 1)
    sql, given = feed_text._JOINED, ("fed_1", 100)
    plan = " ".join(row[3].decode() for row in sqlite_database.peek(f"EXPLAIN QUERY PLAN {sql}", given))
    assert "SCAN feed_item" not in plan
    assert "SCAN event" not in plan
    assert "TEMP B-TREE" not in plan
