"""Rules 12 and 14 of the alert semantics: many events of a poll, a storm of notices, and old notices go as digests."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from integration.domain.digest import BUDGET, SINGLY, compose
from integration.domain.errors import InvalidInput
from integration.domain.ids import digest_id
from integration.domain.retry import DAY, HOUR, MINUTE, SCHEDULE
from integration.service import deliver, destinations, hooks, subscribe
from integration.service.grouping import group
from integration.store.database import Database
from integration.store.queries import deliveries
from integration.store.tables import delivery, event, subscription
from tests.market import asked
from tests.receiver import Answer, Receiver
from tests.service.given import NOW, Given, channel
from tests.service.script import START, Script, script


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(database, tmp_path) as made:
        yield made


@pytest.fixture
def given(database: Database) -> Iterator[Given]:
    made = Given(database, {"webhook": channel(stale_after=6 * HOUR)})
    yield made
    made.close()


def wish(here: Script, receiver: Receiver, manner: str | None = "grouped", **options: Any) -> dict[str, Any]:
    made = destinations.create_destination(here.gradewire, here.account, "webhook", {"url": receiver.url("/hook")})
    given = ("sharpe_threshold", asked("sharpe_threshold", {"direction": "up", **options}), {}, made["id"])
    return subscribe.create_subscription(here.gradewire, here.account, *given, corrections=False, manner=manner)


def crossed(here: Script, tokens: int, day: int, *, lately: bool = False) -> None:
    """So many tokens rise over the level on a day; of five at least, the others stay under it.

    Days are days of the wall, too: `lately` lets all that was told before have been told just now.
    """
    low = dict.fromkeys(range(1, max(tokens, SINGLY) + 1), 0.9)
    here.day(day, low)
    if lately:
        with here.gradewire.database.write() as connection:
            connection.execute(update(delivery).values(created_at=START + (day + 1) * DAY - 10 * MINUTE))
    assert here.day(day + 1, low | dict.fromkeys(range(1, tokens + 1), 1.2)).events == tokens


def arrived(here: Script, receiver: Receiver) -> list[dict[str, Any]]:
    deliver.drain_all(here.gradewire)
    got = [json.loads(request.body) for request in receiver.requests]
    receiver.requests.clear()
    return got


def states(here: Script | Given) -> dict[str, int]:
    database = here.database if isinstance(here, Given) else here.gradewire.database
    with database.read() as connection:
        return {name: n for name, n in deliveries.counts(connection).items() if n}


# -- many events of one poll -------------------------------------------------------------------------------------------


def test_up_to_five_events_of_a_poll_go_singly(here: Script, receiver: Receiver) -> None:
    wish(here, receiver)
    crossed(here, SINGLY, 0)
    got = arrived(here, receiver)
    assert [one["trigger"] for one in got] == ["sharpe_threshold"] * SINGLY
    assert states(here) == {"delivered": SINGLY}


def test_more_become_one_digest_that_holds_each_event_byte_for_byte(here: Script, receiver: Receiver) -> None:
    wish(here, receiver)
    crossed(here, SINGLY + 1, 0)
    deliver.drain_all(here.gradewire)
    (request,) = receiver.requests
    stored = [row.payload for row in here.rows(event)]
    told = json.loads(request.body)
    assert [json.loads(payload) for payload in stored] == told["events"]
    assert all(payload.encode() in request.body for payload in stored)
    assert told["id"] == request.headers["webhook-id"] == digest_id([one["id"] for one in told["events"]])
    assert (told["type"], told["count"], told["delayed"], told["schema"]) == ("digest", SINGLY + 1, False, 1)
    assert told["summary"].startswith("6 × Sharpe Ratio Crossing: ")
    assert told["summary"].endswith(" and 3 more")
    assert states(here) == {"delivered": SINGLY + 1}
    assert {row.done_at for row in here.rows(delivery)} == {here.wall()}


def test_webhooks_get_one_for_each_event_unless_grouping_is_asked_for(here: Script, receiver: Receiver) -> None:
    assert wish(here, receiver, manner=None)["manner"] == "each"
    crossed(here, SINGLY + 3, 0)
    assert len(arrived(here, receiver)) == SINGLY + 3


def test_chat_and_mail_group_unless_each_is_asked_for_and_sheets_cannot(here: Script) -> None:
    for key, manners in (("email", ("grouped", "each")), ("slack", ("grouped", "each")), ("sheets", ("each",))):
        assert here.gradewire.channels[key].manners == manners
    assert subscribe.manner_of(here.gradewire, "email", None) == "grouped"
    assert subscribe.manner_of(here.gradewire, "email", "each") == "each"
    with pytest.raises(InvalidInput) as refused:
        subscribe.manner_of(here.gradewire, "sheets", "grouped")
    assert refused.value.field == "manner"


def test_the_manner_can_be_changed_from_the_next_event_on(here: Script, receiver: Receiver) -> None:
    made = wish(here, receiver)
    edited = subscribe.edit_subscription(here.gradewire, here.account, made["id"], manner="each")
    assert (edited["id"], edited["manner"], edited["options"]) == (made["id"], "each", made["options"])
    crossed(here, SINGLY + 1, 0)
    assert len(arrived(here, receiver)) == SINGLY + 1


def test_a_repeat_of_a_digest_has_the_same_id_and_members(here: Script, receiver: Receiver) -> None:
    receiver.on("/hook", Answer(500), Answer(200))
    wish(here, receiver)
    crossed(here, SINGLY + 1, 0)
    (first,) = arrived(here, receiver)
    assert states(here) == {"pending": 1, "grouped": SINGLY}
    here.wall.ms += round(SCHEDULE[0] * 1.3)  # type: ignore[attr-defined]
    (again,) = arrived(here, receiver)
    assert again == first
    assert states(here) == {"delivered": SINGLY + 1}


def test_what_is_grouped_shares_the_end_of_its_lead(here: Script, receiver: Receiver) -> None:
    receiver.on("/hook", Answer(410))
    made = wish(here, receiver)
    crossed(here, SINGLY + 1, 0)
    arrived(here, receiver)
    assert "pending" not in states(here)
    assert "grouped" not in states(here)
    assert made["id"] in {row.subscription_id for row in here.rows(delivery)}


def test_an_ended_subscription_is_owed_nothing_of_a_digest(here: Script, receiver: Receiver) -> None:
    made = wish(here, receiver)
    crossed(here, SINGLY + 1, 0)
    subscribe.delete_subscription(here.gradewire, here.account, made["id"])
    assert arrived(here, receiver) == []
    assert states(here) == {}


def test_one_of_a_digest_can_be_sent_again_by_itself(here: Script, receiver: Receiver) -> None:
    wish(here, receiver)
    crossed(here, SINGLY + 1, 0)
    arrived(here, receiver)
    lead, member, *_ = here.rows(delivery)
    for row, kind in ((lead, "digest"), (member, None)):
        with here.gradewire.database.write() as connection:
            assert deliveries.retry_one(connection, here.account, row.id, here.wall())
        (told,) = arrived(here, receiver)
        assert told.get("type") == kind


# -- a storm of notices ------------------------------------------------------------------------------------------------


def storm(here: Script, receiver: Receiver) -> None:
    """Use up the hour's budget: thirty notices, five a poll."""
    for day in range(BUDGET // SINGLY):
        crossed(here, SINGLY, 2 * day, lately=True)
    assert len(arrived(here, receiver)) == BUDGET


def test_beyond_thirty_notices_an_hour_events_wait_for_a_digest_and_none_is_lost(here: Script, receiver: Receiver) -> None:
    wish(here, receiver)
    storm(here, receiver)
    crossed(here, 2, 20, lately=True)
    assert arrived(here, receiver) == []
    told = [one for _ in range(80) for one in _later(here, receiver, MINUTE)]
    members = [one["id"] for digest in told for one in (digest["events"] if digest.get("type") == "digest" else [digest])]
    assert len(members) == len(set(members)) == 2
    assert [one["type"] for one in told] == ["digest"]
    assert set(states(here)) == {"delivered"}


def _later(here: Script, receiver: Receiver, ms: int) -> list[dict[str, Any]]:
    here.wall.ms += ms  # type: ignore[attr-defined]
    return arrived(here, receiver)


def test_a_storm_of_one_subscription_is_no_other_ones(here: Script, receiver: Receiver) -> None:
    wish(here, receiver)
    storm(here, receiver)
    other = destinations.create_destination(here.gradewire, here.account, "webhook", {"url": receiver.url("/other")})
    given = ("sharpe_threshold", asked("sharpe_threshold", {"direction": "up"}), {}, other["id"])
    subscribe.create_subscription(here.gradewire, here.account, *given, corrections=False, manner="grouped")
    crossed(here, 2, 20, lately=True)
    deliver.drain_all(here.gradewire)
    assert [request.path for request in receiver.requests].count("/other") == 2


def test_what_comes_while_a_digest_waits_joins_it(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    full = {"sub_a": [NOW - 10 * MINUTE] * BUDGET}
    ids = []
    for events in (2, 7, 1):
        first = len(given.rows(event, event.c.seq)) + 1
        ids += given.owes("a", events=events)
        with given.database.write() as connection:
            group(connection, {"sub_a": range(first, first + events)}, full, due=NOW, hour=HOUR)
    given.drain()
    assert receiver.requests == []
    given.clock.ms += 50 * MINUTE
    given.drain()
    (told,) = [json.loads(request.body) for request in receiver.requests]
    assert [one["id"] for one in told["events"]] == ids


# -- old notices -------------------------------------------------------------------------------------------------------


def late(given: Given, receiver: Receiver, hours: float, events: int = 3) -> list[dict[str, Any]]:
    """Owed at one time, and sent so many hours later."""
    given.owes("a", events=events)
    given.clock.ms += round(hours * HOUR)
    given.drain()
    return [json.loads(request.body) for request in receiver.requests]


def test_old_notices_go_as_one_digest_that_says_it_is_delayed(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    (told,) = late(given, receiver, 6.1)
    assert (told["type"], told["delayed"], told["count"]) == ("digest", True, 3)
    assert told["summary"].startswith("Delayed: ")
    assert states(given) == {"delivered": 3}


def test_younger_ones_go_singly(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    assert [one.get("type") for one in late(given, receiver, 5.9)] == [None] * 3


def test_each_subscription_has_a_digest_of_its_own(given: Given, receiver: Receiver) -> None:
    for name in "ab":
        given.receives(name, receiver.url(f"/{name}"))
    given.owes("a", "b", events=700)
    given.clock.ms += 7 * HOUR
    given.drain()
    told = [(request.path, json.loads(request.body)) for request in receiver.requests]
    by_path = {path: sum(one["count"] for where, one in told if where == path) for path in ("/a", "/b")}
    assert by_path == {"/a": 700, "/b": 700}
    assert len(told) <= 6
    assert all(one["delayed"] for _, one in told)
    assert states(given) == {"delivered": 1400}


def test_rest_hooks_are_sent_event_by_event_however_late(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    given.change(update(subscription).values(origin="hook"))
    assert [one.get("type") for one in late(given, receiver, 100)] == [None] * 3


def test_what_its_owner_asked_for_is_sent_as_it_is(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    given.owes("a")
    given.change(update(delivery).values(wished=1))
    given.clock.ms += 100 * HOUR
    given.drain()
    assert "type" not in json.loads(receiver.requests[0].body)


def test_what_may_have_arrived_already_keeps_its_own_id(given: Given, receiver: Receiver) -> None:
    given.receives("a", receiver.url("/a"))
    given.owes("a")
    given.change(update(delivery).values(ambiguous=1, attempts=1))
    given.clock.ms += 100 * HOUR
    given.drain()
    assert receiver.requests[0].headers["webhook-id"].startswith("evt_")


def test_chat_and_mail_wait_six_hours_webhooks_three_days(here: Script) -> None:
    after = {key: one.stale_after for key, one in here.gradewire.channels.items()}
    assert after == {"email": 6 * HOUR, "slack": 6 * HOUR, "webhook": 72 * HOUR, "sheets": None}


# -- how a digest reads ------------------------------------------------------------------------------------------------


def test_hooks_made_in_one_call_are_never_grouped(here: Script, receiver: Receiver) -> None:
    url = receiver.url("/hook")
    hooks.create_hook(here.gradewire, here.account, url, "sharpe_threshold", asked("sharpe_threshold", {}), {})
    crossed(here, SINGLY + 2, 0)
    assert len(arrived(here, receiver)) == SINGLY + 2


def test_the_id_of_a_digest_follows_from_its_members_alone() -> None:
    one, other = json.dumps({"id": "evt_a", "label": "New X"}), json.dumps({"id": "evt_b", "label": "New X"})
    assert compose([one, other], delayed=False)[0] == compose([other, one], delayed=True)[0]
    assert compose([one], delayed=False)[0] != compose([one, other], delayed=False)[0]
