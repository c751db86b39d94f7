"""Feeds: filled once from the past, then growing; read by a cursor behind which nothing ever appears."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.domain.errors import NotFound, TooMany
from integration.domain.retry import DAY, HOUR
from integration.domain.scope import Scope
from integration.service import feeds
from integration.service.asking import ask
from integration.service.selecting import EVERYTHING
from integration.service.wanting import selections
from integration.store.database import Database
from integration.store.queries import events, rules
from integration.store.tables import call, event, feed, feed_item, feed_reader
from tests.market import asked
from tests.service.script import START, Script, happened, script

SHARPE = "quantmetrics"


@pytest.fixture
def here(sqlite_database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(sqlite_database, tmp_path) as made:
        yield made


def page(here: Script, **window: Any) -> list[str]:
    """The ids of one page."""
    found = feeds.read(
        here.gradewire,
        here.account,
        "sharpe_threshold",
        asked("sharpe_threshold", {"cooldown_hours": 0}),
        {},
        feeds.Window(**window),
    )
    return [json.loads(text)["id"] for text in found]


def swing(here: Script, first: int, last: int, token: int = 1) -> list[str]:
    """Days on which a token changes sides each time; the ids, oldest first."""
    for day in range(first, last):
        here.day(day, {token: 1.2 if day % 2 else 0.9})
    firsts = range(max(first, 1), last)
    return [here.identity("sharpe_threshold", f"token:{token}", day, cooldown_hours=0) for day in firsts]


def test_newest_come_first_and_the_page_is_as_long_as_asked(here: Script) -> None:
    page(here)
    ids = swing(here, 0, 8)
    assert page(here) == ids[::-1]
    assert page(here, limit=3) == ids[:-4:-1]


def test_who_goes_on_from_the_newest_id_misses_none(here: Script) -> None:
    page(here)
    ids = swing(here, 0, 10)
    seen = page(here, limit=2, after_id=ids[0])
    assert seen == [ids[2], ids[1]]
    while more := page(here, limit=2, after_id=seen[0]):
        seen = more + seen
    assert seen == ids[:0:-1]
    assert page(here, after_id=ids[-1]) == []


def test_an_id_that_is_not_there_is_not_found(here: Script) -> None:
    for unknown in ("evt_" + "a" * 26, "x" * 5000):
        with pytest.raises(NotFound):
            page(here, after_id=unknown)


def test_since_counts_from_when_an_event_was_known(here: Script) -> None:
    page(here)
    ids = swing(here, 0, 5)
    known = [row.known_at for row in here.events()]
    assert page(here, since=known[2]) == [ids[3], ids[2]]
    assert page(here, since=known[-1] + 1) == []


def test_the_past_of_thirty_days_fills_a_feed_once_with_the_ids_of_live_evaluation(here: Script) -> None:
    here.subscribed("sharpe_threshold", cooldown_hours=0)
    live = swing(here, 0, 45)
    assert page(here) == live[:-32:-1]
    assert happened(here) == live


def test_a_fill_that_nobody_evaluated_before_gives_the_same_ids(here: Script) -> None:
    never_live = swing(here, 0, 45)
    assert happened(here) == []
    assert page(here) == never_live[:-32:-1]
    assert all(row.known_at == row.as_of for row in here.events())


def test_a_fill_keeps_to_the_newest_thousand(here: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "FILL_EVENTS", 4)
    ids = swing(here, 0, 20)
    assert page(here) == ids[:-5:-1]


def test_a_feed_is_not_widened_by_a_second_reader(here: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    swing(here, 0, 40)
    first = page(here)
    here.go_to(39.5)
    monkeypatch.setattr(feeds, "FILL_DAYS", 400)
    other = here.account_of("other@example.com")
    assert [told["id"] for told in here.feed("sharpe_threshold", account=other, cooldown_hours=0)] == first


def test_a_narrow_feed_is_filled_though_the_rule_has_many_newer_events(here: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "FILL_EVENTS", 5)
    page(here)
    for day in range(4):
        here.day(day, {1: 0.9 if day % 2 else 1.2, **dict.fromkeys(range(2, 30), 1.2 if day % 2 else 0.9)})
    with here.gradewire.database.write() as connection:
        rule = ask(here.gradewire, "sharpe_threshold", asked("sharpe_threshold", {"cooldown_hours": 0}))
        events.lock(connection)
        scope = Scope("tokens", (1,))
        rules.restart_feed(connection, "fed_1", rule.id, scope.text, here.wall())
        feeds.fill(here.gradewire, connection, "fed_1", rule, scope, here.wall())
        found = rules.read_feed(connection, "fed_1", limit=10)
    assert [json.loads(text)["as_of"][:10] for _, text in found] == ["2024-01-04", "2024-01-03", "2024-01-02"]


def test_two_hundred_feeds_are_the_most_and_one_that_sleeps_makes_room(here: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "MOST_FEEDS", 5)
    for number in range(5):
        here.feed("sharpe_threshold", level=number)
    with pytest.raises(TooMany) as raised:
        here.feed("sharpe_threshold", level=9)
    assert raised.value.retry_after > 0
    assert here.feed("sharpe_threshold", level=3) == []
    assert len(here.rows(feed)) == 5
    here.feed("sharpe_threshold", account=here.account_of("other@example.com"), level=9)
    here.go_to(20)
    here.feed("sharpe_threshold", level=0)
    here.go_to(29.9)
    with pytest.raises(TooMany):
        here.feed("sharpe_threshold", level=10)
    here.go_to(30.1)
    here.feed("sharpe_threshold", level=10)


def test_the_limit_is_two_hundred() -> None:
    assert (feeds.MOST_FEEDS, feeds.FILL_DAYS, feeds.FILL_EVENTS, rules.FEED_SLEEPS_AFTER) == (200, 30, 1_000, 30 * DAY)


def test_a_feed_unread_for_thirty_days_sleeps_and_wakes_with_the_past_of_thirty(here: Script) -> None:
    page(here)
    ids = swing(here, 0, 35)
    assert len(happened(here)) == 29
    assert selections(here.gradewire, here.catalogue.sources[SHARPE]) == []
    assert page(here) == ids[:-32:-1]
    assert selections(here.gradewire, here.catalogue.sources[SHARPE]) == [EVERYTHING]


def test_a_feed_that_is_read_stays_awake(here: Script) -> None:
    for day in range(0, 70, 10):
        here.go_to(day)
        page(here)
        assert selections(here.gradewire, here.catalogue.sources[SHARPE]) == [EVERYTHING]


def test_reading_causes_no_call_and_writes_a_reader_down_at_most_once_an_hour(here: Script) -> None:
    page(here)
    before = here.rows(feed_reader)
    here.wall.ms += HOUR - 1  # type: ignore[attr-defined]
    page(here)
    assert here.rows(feed_reader) == before
    here.wall.ms += 2  # type: ignore[attr-defined]
    page(here)
    assert here.rows(feed_reader) != before
    assert here.upstream.asked == here.rows(call) == []


def test_readers_share_a_feed(here: Script) -> None:
    here.feed("sharpe_threshold")
    here.feed("sharpe_threshold", account=here.account_of("other@example.com"))
    assert len(here.rows(feed)) == 1


def test_two_first_readers_at_once_fill_one_feed_once(database: Database, tmp_path: Path) -> None:
    with script(database, tmp_path) as here:
        ids = swing(here, 0, 12)
        other, account = here.worker(), here.account_of("other@example.com")
        gate, found = threading.Barrier(2), {}

        def read(reader: Script, who: str) -> None:
            gate.wait(10)
            found[who] = [told["id"] for told in reader.feed("sharpe_threshold", account=who, cooldown_hours=0)]

        threads = [threading.Thread(target=read, args=pair) for pair in ((here, here.account), (other, account))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert found == {here.account: ids[::-1], account: ids[::-1]}
        assert happened(here) == ids
        assert len(here.rows(feed_item)) == len(ids)
        other.gradewire.close()


def test_nothing_ever_appears_behind_a_readers_cursor(database: Database, tmp_path: Path) -> None:
    with script(database, tmp_path) as here:
        page(here)
        seen = swing(here, 0, 2)
        rule = ask(here.gradewire, "sharpe_threshold", asked("sharpe_threshold", {"cooldown_hours": 0}))
        identity = here.rows(feed)[0].id

        def write(worker: Script, part: int) -> None:
            for number in range(40):
                moment = START + part * 1_000_000 + number
                with worker.gradewire.database.write() as connection:
                    events.lock(connection)
                    new = [_event(rule.id, part, number * 3 + k, moment) for k in range(3)]
                    seqs = events.add(connection, new)
                    rules.add_feed_items(connection, [(identity, seq) for seq in seqs.values()])

        writers = [here.worker() for _ in range(3)]
        threads = [threading.Thread(target=write, args=(worker, part)) for part, worker in enumerate(writers)]
        for thread in threads:
            thread.start()
        while True:
            last = not any(thread.is_alive() for thread in threads)
            while more := page(here, limit=4, after_id=seen[-1]):
                seen += more[::-1]
            if last:
                break
        assert seen == happened(here)
        assert len(seen) == 361
        with here.gradewire.database.read() as connection:
            assert [row.seq for row in connection.execute(event.select().order_by(event.c.seq))] == list(range(1, 362))
        for worker in writers:
            worker.gradewire.close()


def _event(rule_id: str, part: int, number: int, moment: int) -> events.NewEvent:
    identity = f"evt_{part}{number:025d}"
    subject, as_of = f"token:{part}", START + number
    return events.NewEvent(identity, rule_id, "sharpe_threshold", subject, as_of, moment, moment, json.dumps({"id": identity}))
