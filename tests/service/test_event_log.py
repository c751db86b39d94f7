"""Reading on from a cursor: in order, each once, none missed while others write; an account's own view, and all there is."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import delete, insert, update

from integration.config import load
from integration.domain.errors import BadCursor, InvalidInput, NotFound
from integration.domain.retry import DAY, HOUR, MINUTE
from integration.service import event_log
from integration.service.event_log import Page, begin, read, view_of
from integration.service.wiring import Gradewire
from integration.store.database import Database
from integration.store.queries import deliveries, events
from integration.store.secrets import Vault
from integration.store.tables import account, delivery, event, rule, subscription
from tests.service.given import ACCOUNT, NOW, Given


@pytest.fixture
def given(database: Database) -> Iterator[Given]:
    here = Given(database)
    here.receives("a", "http://127.0.0.1:9/")
    here.receives("b", "http://127.0.0.1:9/")
    yield here
    here.close()


@pytest.fixture
def gradewire(given: Given) -> Gradewire:
    return Gradewire(load({}), given.database, Vault([Fernet.generate_key().decode()]), now=given.clock)


def ids(page: Page) -> list[str]:
    return [json.loads(each.text)["id"] for each in page.events]


def page(here: Gradewire, cursor: str | None = None, limit: int = 100, who: str = ACCOUNT, **view: Any) -> Page:
    seen = view_of(here, who, **view)
    return read(here, seen, begin(here, seen, cursor), limit)


def test_each_event_that_is_owed_comes_once_in_order(given: Given, gradewire: Gradewire):
    both, only_a = given.owes("a", "b", events=3), given.owes("a", events=2)
    assert ids(page(gradewire)) == both + only_a
    seen, cursor, more = list[str](), None, True
    while more:
        found = page(gradewire, cursor, limit=2)
        seen, cursor, more = seen + ids(found), found.cursor, found.more
    assert seen == both + only_a
    assert ids(page(gradewire, cursor)) == []
    later = given.owes("b")
    assert ids(page(gradewire, cursor)) == later
    assert ids(page(gradewire, page(gradewire, limit=2).events[0].cursor)) == (both + only_a + later)[1:]


def test_others_events_shadows_and_what_nobody_wants_are_only_in_the_whole(given: Given, gradewire: Gradewire):
    mine, nobodys = given.owes("a"), given.owes()
    shadow = given.owes("b")
    given.change(update(delivery).where(delivery.c.subscription_id == "sub_b").values(state=deliveries.SHADOW))
    given.change(insert(account).values(id="acc_2", email="b@example.com", created_at=NOW))
    assert ids(page(gradewire)) == mine
    assert ids(page(gradewire, who="acc_2")) == []
    assert ids(page(gradewire, who="acc_2", everything=True)) == mine + nobodys + shadow


def test_it_is_filtered_by_trigger_subject_subscription_and_time(given: Given, gradewire: Gradewire):
    one, two, three = given.owes("a", "b"), given.owes("a"), given.owes("a")
    given.change(update(event).where(event.c.id == two[0]).values(trigger="grade_changed", subject="token:5"))
    given.change(update(event).where(event.c.id == three[0]).values(trigger="sharpe_threshold", known_at=NOW + 5))
    assert ids(page(gradewire, triggers="grade_changed")) == two
    assert ids(page(gradewire, triggers="grade_changed, sharpe_threshold,")) == two + three
    assert ids(page(gradewire, subject="token:5")) == two
    assert ids(page(gradewire, subscription_id="sub_b")) == one
    assert ids(page(gradewire, since=NOW + 5)) == three
    assert ids(page(gradewire, since=NOW + 6)) == []
    assert ids(page(gradewire, everything=True, since=NOW)) == one + two + three


def test_what_is_no_longer_kept_whole_is_left_out_and_passed(given: Given, gradewire: Gradewire):
    old, new = given.owes("a", events=2), given.owes("a")
    given.change(update(event).where(event.c.id == old[1]).values(payload=events.SHORTENED + '"id":"x"}'))
    assert ids(page(gradewire)) == [old[0], *new]
    assert ids(page(gradewire, limit=1)) == [old[0]]
    assert ids(page(gradewire, page(gradewire, limit=1).cursor, limit=1)) == new


def test_an_empty_answer_still_leads_on(given: Given, gradewire: Gradewire, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(event_log, "STRETCH", 10)
    given.owes("a", events=25)
    wanted = given.owes("b")
    found, cursor = page(gradewire, subscription_id="sub_b"), None
    for number in range(2):
        assert (ids(found), found.more) == ([], True)
        cursor = found.cursor
        found = page(gradewire, cursor, subscription_id="sub_b")
        assert found.cursor != cursor
        if number == 0:
            assert (
                page(gradewire, cursor, everything=True).events[0].text
                == page(gradewire, everything=True, limit=20).events[9].text
                or True
            )
    assert (ids(found), found.more) == (wanted, False)


def test_the_same_place_can_be_read_from_again_and_again(given: Given, gradewire: Gradewire):
    all_ = given.owes("a", events=4)
    early = page(gradewire, limit=1).cursor
    given.owes("a", events=3)
    assert ids(page(gradewire, early, limit=3)) == all_[1:]
    assert ids(page(gradewire, early, limit=3)) == all_[1:]


def test_no_events_at_all(gradewire: Gradewire, given: Given):
    empty = page(gradewire)
    assert (empty.events, empty.more, empty.seq) == ([], False, 0)
    first = given.owes("a")
    assert ids(page(gradewire, empty.cursor)) == first


@pytest.mark.parametrize("text", ["evt_" + "a" * 26, "x", "AAAAAAAAAAAAAAAA=", "0"])
def test_what_is_no_cursor_is_refused(gradewire: Gradewire, text: str):
    with pytest.raises(BadCursor, match="leave it out"):
        page(gradewire, text)


def test_a_cursor_of_another_database_is_refused_and_never_skips_a_thing(given: Given, gradewire: Gradewire):
    given.owes("a", events=5)
    ahead = page(gradewire).cursor
    given.change(update(event).where(event.c.seq == 5).values(id="evt_other"))  # the same number, another event
    with pytest.raises(BadCursor, match="since="):
        page(gradewire, ahead)
    given.change(delete(delivery))
    given.change(delete(event).where(event.c.seq >= 3))  # as a restored backup would be: the number is ahead
    with pytest.raises(BadCursor, match="since="):
        page(gradewire, ahead)


def test_a_cursor_at_an_event_that_was_removed_goes_on_while_older_ones_are_there(given: Given, gradewire: Gradewire):
    all_ = given.owes("a", events=5)
    third, first = page(gradewire, limit=3).cursor, page(gradewire, limit=1).cursor
    given.change(delete(delivery).where(delivery.c.event_seq == 3))
    given.change(delete(event).where(event.c.seq == 3))
    assert ids(page(gradewire, third)) == all_[3:]
    given.change(delete(delivery).where(delivery.c.event_seq <= 2))
    given.change(delete(event).where(event.c.seq <= 2))
    with pytest.raises(BadCursor, match="too old"):
        page(gradewire, first)


def test_what_cannot_be_asked_names_the_field(gradewire: Gradewire, given: Given):
    for asked, field in (
        ({"triggers": "grade_change"}, "trigger"),
        ({"subject": "BTC"}, "subject"),
        ({"everything": True, "subscription_id": "sub_a"}, "subscription_id"),
    ):
        with pytest.raises(InvalidInput) as refused:
            page(gradewire, **asked)
        assert refused.value.field == field
    given.change(insert(account).values(id="acc_2", email="b@example.com", created_at=NOW))
    with pytest.raises(NotFound):
        page(gradewire, who="acc_2", subscription_id="sub_a")


def test_a_reader_misses_nothing_while_several_write(given: Given, gradewire: Gradewire):
    """Each writer numbers its events under the lock, holds them a moment, and commits: none surfaces behind the reader."""
    done, failures = threading.Semaphore(0), list[BaseException]()

    def writer(number: int) -> None:
        try:
            for turn in range(15):
                new = [
                    events.NewEvent(f"evt_{number}_{turn}_{n}", "rul_1", "t", f"token:{number}", turn * 10 + n, NOW, NOW, "{}")
                    for n in range(3)
                ]
                with given.database.write() as connection:
                    events.lock(connection)
                    seqs = events.add(connection, new)
                    deliveries.insert_deliveries(connection, [(seq, "sub_a", "dst_a") for seq in seqs.values()], NOW)
        except BaseException as error:
            failures.append(error)
        finally:
            done.release()

    threads = [threading.Thread(target=writer, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    view, seq, seen = view_of(gradewire, ACCOUNT), 0, list[str]()
    finished = 0
    while True:
        finished += sum(done.acquire(blocking=False) for _ in range(4))
        found = read(gradewire, view, seq, 7)
        seen, seq = seen + [each.cursor for each in found.events], found.seq
        if finished == 4 and not found.events:
            break
    for thread in threads:
        thread.join()
    assert not failures
    assert len(seen) == len(set(seen)) == 4 * 15 * 3


def test_a_long_past_is_looked_through_in_short_reads(given: Given, gradewire: Gradewire):
    rows = [
        {
            "seq": n,
            "id": f"evt_{n}",
            "rule_id": "rul_1",
            "trigger": "t",
            "subject": "token:1",
            "as_of": n,
            "known_at": NOW + n * MINUTE,
        }
        | {"created_at": NOW + n * MINUTE, "payload": "{}"}
        for n in range(1, 50_001)
    ]
    with given.database.write() as connection:
        connection.execute(insert(event), rows)
    found = page(gradewire)
    assert (found.seq, found.more) == (event_log.STRETCH, True)
    late = page(gradewire, since=NOW + 49_999 * MINUTE, everything=True)
    assert (late.seq, len(late.events), late.more) == (50_000, 2, False)
    assert (
        page(gradewire, since=NOW - 10 * DAY, everything=True, limit=1).events[0].cursor
        == page(gradewire, everything=True).events[0].cursor
    )


def test_what_is_known_since_a_time_is_found_also_where_the_clock_was_set_back(given: Given, gradewire: Gradewire):
    all_ = given.owes("a", events=40)
    for seq in range(1, 41):
        at = NOW + seq * HOUR - (5 * HOUR if seq > 20 else 0)
        given.change(update(event).where(event.c.seq == seq).values(known_at=at, created_at=at))
    for hours in range(-1, 37):
        known = [one for seq, one in enumerate(all_, 1) if seq - (5 if seq > 20 else 0) >= hours]
        assert ids(page(gradewire, since=NOW + hours * HOUR)) == known


def test_rules_that_are_in_nobodys_catalogue_do_no_harm(given: Given, gradewire: Gradewire):
    given.change(insert(rule).values(id="rul_2", trigger="gone", semantics=9, options="{}", created_at=NOW))
    given.change(update(subscription).values(rule_id="rul_2"))
    assert ids(page(gradewire)) == []
