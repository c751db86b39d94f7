"""What is old goes in small batches and what is needed stays: ids, cursors, what is still owed, whatever runs beside it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import Table, func, insert, select, update

from integration.config import load
from integration.domain.payload import EventPayload
from integration.domain.retry import DAY
from integration.service import feeds, overview, retention
from integration.service.retention import tidy
from integration.service.wiring import Gradewire
from integration.store.database import Database
from integration.store.queries import calls, deliveries, events, inbox, notices, spoilt
from integration.store.secrets import Vault
from integration.store.tables import (
    attempt,
    call,
    delivery,
    event,
    feed,
    feed_item,
    feed_reader,
    inbox_hook,
    inbox_mail,
    metadata,
    notice,
    owner_notice,
    past_wish,
    replay,
    spoilt_answer,
)
from tests.market import asked
from tests.receiver import Receiver
from tests.service.given import ACCOUNT, NOW, Given
from tests.service.script import Script, script


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 20)
    monkeypatch.setattr(retention, "RESTS_S", (0.0, 0.0))


@pytest.fixture
def given(database: Database, receiver: Receiver) -> Iterator[Given]:
    with closing(Given(database)) as ready:
        ready.receives("a", receiver.url("/a"))
        ready.receives("b", receiver.url("/b"))
        yield ready


@pytest.fixture
def here(given: Given) -> Gradewire:
    """Ages are counted by the clock of `given`."""
    return Gradewire(load({}), given.database, Vault([Fernet.generate_key().decode()]), now=given.clock)


def count(here: Gradewire, table: Table, *where: Any) -> int:
    with here.database.read() as connection:
        return int(connection.scalar(select(func.count()).select_from(table).where(*where)) or 0)


# -- attempts and deliveries


def test_attempts_go_after_30_days_and_settled_deliveries_after_90(given: Given, here: Gradewire) -> None:
    given.owes("a", "b", events=50)
    given.drain()
    given.clock.ms += 60 * DAY
    given.owes("a", events=10, now=given.clock.ms)
    given.drain()
    assert (count(here, attempt), count(here, delivery)) == (110, 110)
    gone = tidy(here)
    assert (gone["attempts"], gone["deliveries"]) == (100, 0)
    assert (count(here, attempt), count(here, delivery)) == (10, 110)
    given.clock.ms += 31 * DAY
    gone = tidy(here)
    assert (gone["attempts"], gone["deliveries"]) == (10, 100)
    assert {row.event_seq for row in given.rows()} == set(range(51, 61))
    assert count(here, event) == 60


@pytest.mark.parametrize("state", [deliveries.PENDING, deliveries.HELD])
def test_what_is_still_owed_stays_however_old_it_is_and_so_does_its_event(given: Given, here: Gradewire, state: int) -> None:
    given.owes("a", "b", events=30)
    given.change(update(delivery).values(state=deliveries.DELIVERED, done_at=NOW))
    owed = (delivery.c.event_seq.in_((7, 25)), delivery.c.subscription_id == "sub_a")
    given.change(update(delivery).where(*owed).values(state=state, done_at=None))
    given.clock.ms += 500 * DAY
    gone = tidy(here)
    assert (gone["deliveries"], gone["payloads"]) == (58, 28)
    assert sorted(row.event_seq for row in given.rows()) == [7, 25]
    given.change(update(delivery).values(state=deliveries.DELIVERED))
    gone = tidy(here)  # the payloads come first: they see the deliveries as they were
    assert (gone["deliveries"], gone["payloads"]) == (2, 2)
    assert tidy(here)["payloads"] == 0


def test_every_other_state_goes(given: Given, here: Gradewire) -> None:
    states = [deliveries.DELIVERED, deliveries.DEAD, deliveries.SHADOW, deliveries.GROUPED, deliveries.EXPIRED]
    given.owes("a", events=len(states))
    for seq, state in enumerate(states, 1):
        given.change(update(delivery).where(delivery.c.event_seq == seq).values(state=state, done_at=NOW))
    given.clock.ms += 91 * DAY
    assert tidy(here)["deliveries"] == len(states)


def test_an_event_is_not_owed_anew_once_its_delivery_is_gone(given: Given, here: Gradewire, receiver: Receiver) -> None:
    given.owes("a")
    given.drain()
    given.clock.ms += 91 * DAY
    tidy(here)
    given.drain()
    assert len(receiver.requests) == 1


def test_the_settings_say_how_long(given: Given, here: Gradewire) -> None:
    given.owes("a", events=10)
    given.drain()
    given.clock.ms += 8 * DAY
    assert tidy(here)["attempts"] == 0
    here.settings = load({"GRADEWIRE_KEEP_ATTEMPTS": "7"})
    assert tidy(here)["attempts"] == 10


def test_a_run_that_is_to_stop_stops_and_the_next_goes_on(given: Given, here: Gradewire) -> None:
    given.owes("a", events=100)
    given.drain()
    given.clock.ms += 40 * DAY
    assert tidy(here, stop=lambda: count(here, attempt) < 70)["attempts"] == 40
    assert tidy(here)["attempts"] == 60
    assert count(here, attempt) == 0


def test_a_drain_beside_it_loses_nothing(given: Given, here: Gradewire, receiver: Receiver) -> None:
    """Old rows go while new ones are claimed, sent and written down in the same tables."""
    given.owes("a", "b", events=400)
    given.drain()
    given.clock.ms += 100 * DAY
    given.owes("a", "b", events=400, now=given.clock.ms)
    beside = threading.Thread(target=tidy, args=(here,))
    beside.start()
    counts = given.drain()
    beside.join(30)
    assert counts.delivered == 800
    assert len(receiver.requests) == 1_600
    assert (count(here, delivery), count(here, attempt)) == (800, 800)
    assert given.state() == {"delivered": 800}


# -- all the other tables


def old_rows(given: Given) -> None:
    """One of each kind that is 100 days old, and one that is new."""
    common = {"account_id": ACCOUNT, "status": "done"}
    for at, name in ((NOW, "old"), (NOW + 100 * DAY, "new")):
        with given.database.write() as connection:
            calls.record(connection, at=at, endpoint="tokens", status=200, duration_ms=1, rows=1)
            spoilt.keep(connection, at=at, endpoint="tokens", error="x", body=b"x", poll_id=None)
            mail = {"message_id": name, "sender": "s", "recipient": "r", "subject": "t", "text": "", "html": ""}
            inbox.add_mail(connection, at=at, **mail)
            inbox.add_hook(connection, at=at, webhook_id=name, verified=1, body="{}")
            notices.put(connection, name, "plan", at, "text")
            told = {"key": name, "account_id": ACCOUNT, "kind": "k", "at": at, "title": "t", "text": "t"}
            connection.execute(insert(owner_notice).values(**told))
            wish = {"source": "prices", "subjects": "[]", "since": 0, "until": 1, "calls": 1, "asked_at": at, "ended_at": at}
            connection.execute(insert(past_wish).values(id=name, **common, **wish))
            job = {"destination_id": "dst_a", "kind": "failed", "since": 0, "until": 1, "counted": 1, "created_at": at}
            connection.execute(insert(replay).values(id=name, **common, **job, changed_at=at, ended_at=at))


def test_of_every_other_kind_the_old_go_and_the_new_stay(given: Given, here: Gradewire) -> None:
    old_rows(given)
    given.clock.ms += 100 * DAY
    gone = tidy(here)
    kinds = ("calls", "spoilt", "mails", "hooks", "notices", "owner_notices", "past_wishes", "replays")
    assert {kind: gone[kind] for kind in kinds} == dict.fromkeys(kinds, 1)
    tables = (call, spoilt_answer, inbox_mail, inbox_hook, notice, owner_notice, past_wish, replay)
    assert [count(here, table) for table in tables] == [1] * len(tables)


def test_what_is_not_over_stays(given: Given, here: Gradewire) -> None:
    old_rows(given)
    given.change(update(past_wish).values(status="waiting", ended_at=None))
    given.change(update(replay).values(status="running", ended_at=None))
    given.change(update(owner_notice).values(next_mail_at=NOW))
    given.clock.ms += 300 * DAY
    tidy(here)
    assert [count(here, table) for table in (past_wish, replay, owner_notice)] == [2, 2, 2]


def test_every_table_either_has_an_age_or_says_what_is_so_now() -> None:
    """A new table has to be thought of here."""
    aging = {what.table.name for what in (*retention.retention.NUMBERED.values(), *retention.retention.NAMED.values())}
    elsewhere = {"reading", "poll", "feed", "feed_item", "feed_reader", "event"}
    now = {
        "installation", "subject", "revision", "budget", "account", "api_key", "rule", "destination", "subscription", "fill",
        "tally", "heartbeat", "feed_link", "ifttt_identity",
    }  # fmt: skip
    assert aging | elsewhere | now == set(metadata.tables)
    assert retention.KEPT.keys() == {*retention.retention.NUMBERED, *retention.retention.NAMED}


# -- events and feeds


@pytest.fixture
def town(database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(database, tmp_path) as made:
        yield made


def swing(town: Script, first: int, last: int) -> None:
    """Days on which a token changes sides each time: an event a day, but for the first."""
    for day in range(first, last):
        town.day(day, {1: 1.2 if day % 2 else 0.9})


def page(town: Script, **window: Any) -> list[dict[str, Any]]:
    options = asked("sharpe_threshold", {"cooldown_hours": 0})
    found = feeds.read(town.gradewire, town.account, "sharpe_threshold", options, {}, feeds.Window(**window))
    return [json.loads(text) for text in found]


def a_month_later(town: Script) -> list[dict[str, Any]]:
    """Eleven events of the days 1 to 11 as the feed had them, newest first; on day 34 three of them are older than 30 days."""
    town.gradewire.settings = town.gradewire.settings.replace(keep_payloads=30)
    page(town)
    swing(town, 0, 12)
    whole = page(town)
    assert len(whole) == 11
    town.go_to(34)
    assert page(town) == whole
    return whole


def test_an_old_event_leaves_the_feed_and_keeps_its_id_its_place_and_its_sentence(town: Script) -> None:
    whole = a_month_later(town)
    seqs = {row.id: row.seq for row in town.events()}
    assert tidy(town.gradewire)["payloads"] == 3
    assert page(town) == whole[:8]
    old = json.loads(overview.event_text(town.gradewire, whole[-1]["id"], town.account))
    assert EventPayload().validate({name: value for name, value in old.items() if name != "pruned"}) == {}
    assert old.pop("pruned") is True
    assert old == {**{name: whole[-1][name] for name in EventPayload().fields}, "snapshot": {}}
    assert {row.id: row.seq for row in town.events()} == seqs
    with town.gradewire.database.read() as connection:
        assert events.payloads(connection, list(seqs)).keys() == {entry["id"] for entry in whole[:8]}


def test_a_cursor_that_is_older_than_what_is_kept_goes_on_without_an_error(town: Script) -> None:
    whole = a_month_later(town)
    tidy(town.gradewire)
    assert page(town, after_id=whole[-1]["id"]) == whole[:8]
    assert page(town, after_id=whole[-1]["id"], limit=3) == whole[5:8]
    assert page(town, after_id=whole[4]["id"]) == whole[:4]


def test_what_is_evaluated_afterwards_is_as_if_nothing_had_gone(town: Script) -> None:
    a_month_later(town)
    tidy(town.gradewire)
    swing(town, 36, 39)  # after a gap, the first only takes a side
    assert [row.seq for row in town.events()] == list(range(1, 14))
    assert [entry["id"] for entry in page(town)[:2]] == [row.id for row in town.events()[:-3:-1]]


def test_a_feed_that_nobody_reads_is_forgotten_and_comes_back_filled(town: Script) -> None:
    page(town)
    swing(town, 0, 6)
    town.go_to(50)
    assert tidy(town.gradewire)["feeds"] == 0
    swing(town, 60, 64)
    assert tidy(town.gradewire)["feeds"] == 1
    assert [len(town.rows(table)) for table in (feed, feed_item, feed_reader)] == [0, 0, 0]
    days = (63, 62, 61)
    wanted = [town.identity("sharpe_threshold", "token:1", day, cooldown_hours=0) for day in days]
    assert [entry["id"] for entry in page(town)][:3] == wanted


def test_a_feed_that_someone_reads_stays(town: Script) -> None:
    page(town)
    swing(town, 0, 6)
    town.go_to(50)
    page(town)
    town.go_to(70)
    assert tidy(town.gradewire)["feeds"] == 0
    assert len(town.rows(feed)) == 1


def test_a_shortened_payload_is_shortened_once(given: Given, here: Gradewire) -> None:
    given.owes(
        "a", events=5, body=json.dumps({"schema": 1, "id": "evt_x", "summary": "It rose.", "sharpe": 1.2, "snapshot": {"a": 1}})
    )
    given.drain()
    given.clock.ms += 401 * DAY
    assert tidy(here)["payloads"] == 5
    assert {row[0] for row in given.query(lambda c: c.execute(select(event.c.payload)).all())} == {
        '{"pruned":true,"schema":1,"id":"evt_x","summary":"It rose.","snapshot":{}}'
    }
    assert tidy(here)["payloads"] == 0
