from __future__ import annotations

from typing import Any

from sqlalchemy import insert

from integration.store.database import Database
from integration.store.queries import events, rules, subscriptions
from integration.store.queries.rules import FEED_SLEEPS_AFTER, Wish
from integration.store.tables import account

NOW = FEED_SLEEPS_AFTER * 10

ANY = '{"kind":"any"}'


def given(database: Database) -> None:
    """Two accounts, three rules, a destination."""
    with database.write() as connection:
        for who in ("a", "b"):
            connection.execute(insert(account).values(id=who, email=who, created_at=1))
        for n in (1, 2, 3):
            rules.ensure(connection, f"rul_{n}", "t", 1, f'{{"n":{n}}}', 1)
            rules.ensure(connection, f"rul_{n}", "t", 1, f'{{"n":{n}}}', 2)
        more: dict[str, Any] = {"label": "", "hint": "", "config": b"", "status": "active", "created_at": 1, "changed_at": 1}
        subscriptions.add_destination(connection, id="dst", account_id="a", channel="webhook", **more)


def subscribe(database: Database, identity: str, rule: str, status: str = "active", scope: str = '{"kind":"any"}') -> None:
    more: dict[str, Any] = {"origin": "api", "created_at": 1, "changed_at": 1, "destination_id": "dst", "account_id": "a"}
    with database.write() as connection:
        subscriptions.add(connection, id=identity, rule_id=rule, scope=scope, status=status, **more)


def feed(database: Database, identity: str, rule: str, read_at: int, who: str = "a") -> None:
    with database.write() as connection:
        rules.restart_feed(connection, identity, rule, '{"kind":"any"}', 1)
        rules.note_reader(connection, who, identity, read_at)


def test_a_rule_lives_while_a_subscription_or_an_awake_feed_wants_it(database: Database) -> None:
    given(database)
    subscribe(database, "sub_1", "rul_1", "paused")
    subscribe(database, "sub_2", "rul_2", "ended")
    feed(database, "fed_2", "rul_2", NOW - FEED_SLEEPS_AFTER)
    feed(database, "fed_3", "rul_3", NOW - FEED_SLEEPS_AFTER + 1)
    with database.read() as connection:
        assert [row.id for row in rules.live_rules(connection, NOW)] == ["rul_1", "rul_3"]
        assert sorted(rule for rule, _ in rules.wanted_scopes(connection, NOW)) == ["rul_1", "rul_3"]
        assert [rule for rule, _ in rules.wanted_scopes(connection, NOW + 1)] == ["rul_1"]
        everyone = [(f"rul_{number}", ANY) for number in (1, 2, 3)]
        assert rules.wishes(connection, NOW, everyone) == ([], [Wish("fed_3", "rul_3", ANY)])


def test_only_active_subscriptions_are_delivered_to(database: Database) -> None:
    given(database)
    for status in ("active", "paused", "ended", "shadow"):
        subscribe(database, f"sub_{status}", "rul_1", status)
    subscribe(database, "sub_other", "rul_2")
    with database.read() as connection:
        wanting, feeding = rules.wishes(connection, NOW, [("rul_1", ANY)])
        everyone, _ = rules.wishes(connection, NOW, [("rul_1", ANY), ("rul_2", ANY)])
        assert rules.wishes(connection, NOW, []) == ([], [])
        assert rules.wishes(connection, NOW, [("rul_1", '{"kind":"top","n":3}')]) == ([], [])
    assert feeding == []
    assert wanting == [Wish("sub_active", "rul_1", ANY, "dst"), Wish("sub_shadow", "rul_1", ANY, "dst", True)]
    assert [wish.id for wish in everyone] == ["sub_active", "sub_other", "sub_shadow"]


def test_feeds_are_counted_by_account_while_they_are_awake(database: Database) -> None:
    given(database)
    feed(database, "fed_1", "rul_1", NOW)
    feed(database, "fed_2", "rul_2", NOW - FEED_SLEEPS_AFTER)
    feed(database, "fed_3", "rul_3", NOW, who="b")
    with database.read() as connection:
        assert [rules.live_feeds(connection, who, NOW) for who in ("a", "b", "c")] == [1, 1, 0]
        assert [rules.is_awake(connection, f"fed_{n}", NOW) for n in (1, 2, 3, 4)] == [True, False, True, False]
        assert rules.reader(connection, "a", "fed_1") == NOW
        assert rules.reader(connection, "b", "fed_1") is None


def test_a_feed_is_read_newest_first_and_from_a_cursor_on_without_a_gap(database: Database) -> None:
    given(database)
    feed(database, "fed_1", "rul_1", NOW)
    with database.write() as connection:
        events.lock(connection)
        added = [events.NewEvent(f"evt_{n}", "rul_1", "t", f"token:{n}", n, n, n, str(n)) for n in range(1, 9)]
        seqs = events.add(connection, added)
        pairs = [("fed_1", seq) for seq in seqs.values() if seq % 2]
        rules.add_feed_items(connection, pairs)
        rules.add_feed_items(connection, pairs)

    def read(**window: int) -> list[int]:
        with database.read() as connection:
            found = rules.read_feed(connection, "fed_1", **{"limit": 10, **window})
        assert [str(seq) for seq, _ in found] == [payload for _, payload in found]
        return [seq for seq, _ in found]

    assert read() == [7, 5, 3, 1]
    assert read(limit=2) == [7, 5]
    assert read(after=1, limit=2) == [5, 3]
    assert read(after=2) == [7, 5, 3]
    assert read(since=5) == [7, 5]
    assert read(since=5, after=5) == [7]
    with database.write() as connection:
        rules.restart_feed(connection, "fed_1", "rul_1", "{}", 2)
    assert read() == []
