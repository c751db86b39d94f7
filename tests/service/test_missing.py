"""Replaying what was never owed: the same events by the same ids as if there had been no pause."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select, update

from integration.domain.retry import DAY
from integration.service import accounts, destinations, replaying, subscribe
from integration.service.wiring import Gradewire
from integration.store.queries import deliveries
from integration.store.tables import delivery, event, reading, subscription
from tests.web.conftest import HOOK, NOW, Market, Wall, small_market

BTC, ETH = 3375, 3306


class Ada:
    """An account with one destination, in the small market."""

    def __init__(self, here: Gradewire, wall: Wall) -> None:
        self.here, self.wall = here, wall
        self.market: Market = small_market(here, wall)
        self.account = accounts.authenticate(here, accounts.create_key(here, "ada@example.com")).account_id
        self.place = destinations.create_destination(here, self.account, "webhook", {"url": HOOK})["id"]

    def wants(self, scope: dict[str, Any] | None = None, **options: Any) -> str:
        what = ("grade_changed", options, scope or {}, self.place)
        return str(subscribe.create_subscription(self.here, self.account, *what, corrections=False)["id"])

    def set(self, identity: str, status: str) -> None:
        subscribe.set_subscription(self.here, self.account, identity, status)

    def days(self, first: int, *grades: float) -> list[int]:
        """Bitcoin's grade on days from the first on; Ethereum moves with it. When each became known."""
        known = []
        for day, grade in enumerate(grades, first):
            self.wall.ms = max(self.wall(), NOW + day * DAY)
            self.market.read("trader_grades", "tm_trader_grade", day, {BTC: grade, ETH: grade - 20})
            known.append(self.wall())
        return known

    def ask(self, **more: Any) -> Any:
        return replaying.ask(self.here, self.account, "missing", **{"destination_id": self.place, "since": NOW, **more})

    def work(self) -> None:
        for _ in range(5):
            replaying.work_off(self.here)
            with self.here.database.write() as connection:
                connection.execute(update(delivery).where(delivery.c.state == 0).values(state=deliveries.DELIVERED))

    def owed(self, identity: str) -> list[tuple[str, str]]:
        """(subject, date) of what a subscription is owed."""
        query = select(event.c.payload).join(delivery, delivery.c.event_seq == event.c.seq)
        with self.here.database.read() as connection:
            rows = connection.scalars(query.where(delivery.c.subscription_id == identity))
            told = [json.loads(row) for row in rows]
        return sorted((each["subject"], each["as_of"][:10]) for each in told)

    def ids(self, identity: str) -> set[str]:
        query = select(event.c.id).join(delivery, delivery.c.event_seq == event.c.seq)
        with self.here.database.read() as connection:
            return set(connection.scalars(query.where(delivery.c.subscription_id == identity)))


@pytest.fixture
def ada(both: Gradewire, wall: Wall) -> Ada:
    return Ada(both, wall)


def stored(here: Gradewire) -> int:
    with here.database.read() as connection:
        return len(connection.execute(select(event)).all())


def test_what_happened_while_it_was_paused_comes_by_the_ids_it_would_have_had(ada: Ada, both: Gradewire):
    mine = ada.wants({"tokens": [str(BTC)]})
    ada.set(mine, "paused")
    ada.days(0, 80.0, 60.0, 61.0)
    assert (stored(both), ada.owed(mine)) == (0, [])
    ada.set(mine, "active")
    ada.days(3, 90.0)
    assert len(ada.owed(mine)) == 1
    other = ada.wants()  # shares the rule, and never had a pause: but it is new, so it is owed nothing of the past
    assert ada.ask(dry_run=True)["counted"] == 2
    asked = ada.ask()
    ada.work()
    assert replaying.get_replay(both, ada.account, asked["id"])["done"] == 2
    assert len(ada.owed(mine)) == 3
    assert ada.owed(other) == []
    assert ada.ask(dry_run=True)["counted"] == 0


def test_the_ids_are_those_of_one_who_was_told_at_the_time(ada: Ada, both: Gradewire):
    paused, awake = ada.wants({"tokens": [str(BTC)]}), ada.wants({"tokens": [str(BTC), str(ETH)]})
    ada.set(paused, "paused")
    ada.days(0, 80.0, 60.0)
    assert len(ada.owed(awake)) == 4
    before = stored(both)
    assert ada.ask(subscription_id=paused, destination_id=None)["counted"] == 2
    ada.work()
    assert stored(both) == before
    assert ada.ids(paused) < ada.ids(awake)
    assert {subject for subject, _ in ada.owed(paused)} == {f"token:{BTC}"}


def test_it_is_known_in_the_period_that_counts(ada: Ada):
    mine = ada.wants({"tokens": [str(BTC)]})
    ada.set(mine, "paused")
    first, second, third = ada.days(0, 80.0, 60.0, 80.0)
    assert ada.ask(since=first, dry_run=True)["counted"] == 3
    assert ada.ask(since=second, dry_run=True)["counted"] == 2
    assert ada.ask(since=first, until=third, dry_run=True)["counted"] == 2


def test_nothing_from_before_it_was_made_is_missing(ada: Ada):
    first = ada.wants({"tokens": [str(BTC)]})
    ada.days(0, 80.0)
    second = ada.wants({"tokens": [str(ETH), str(BTC)]})
    assert (len(ada.owed(first)), ada.owed(second)) == (1, [])
    assert ada.ask(dry_run=True)["counted"] == 0


def test_history_from_before_a_subjects_first_live_reading_is_nobodys(ada: Ada, both: Gradewire):
    mine = ada.wants()
    ada.set(mine, "paused")
    ada.days(0, 80.0)
    with both.database.write() as connection:  # as if the jump had come with a backfill
        connection.execute(update(reading).values(origin="backfill", known_at=reading.c.as_of))
        connection.execute(update(subscription).values(created_at=NOW - 30 * DAY))
    assert ada.ask(since=ada.wall() - 10 * DAY, dry_run=True)["counted"] == 0


def test_shadows_and_ended_ones_miss_nothing(ada: Ada):
    mine = ada.wants({"tokens": [str(BTC)]})
    ada.set(mine, "paused")
    ada.days(0, 80.0)
    assert ada.ask(dry_run=True)["counted"] == 1
    for status in ("shadow", "ended"):
        with ada.here.database.write() as connection:
            connection.execute(update(subscription).values(status=status))
        assert ada.ask(dry_run=True)["counted"] == 0


def test_a_crash_while_the_past_is_looked_at_costs_nothing(ada: Ada, both: Gradewire, monkeypatch: pytest.MonkeyPatch):
    mine = ada.wants({"tokens": [str(BTC)]})
    ada.set(mine, "paused")
    ada.days(0, 80.0, 60.0)
    ada.set(mine, "active")
    ada.ask()
    real = deliveries.insert_deliveries

    def dies(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(deliveries, "insert_deliveries", dies)
    with pytest.raises(KeyboardInterrupt):
        replaying.work_off(both)
    monkeypatch.setattr(deliveries, "insert_deliveries", real)
    ada.wall.ms += replaying.LEASE + 100
    ada.work()
    assert len(ada.owed(mine)) == stored(both) == 2


def test_many_batches_of_what_is_missing(ada: Ada, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(replaying, "BATCH", 2)
    mine = ada.wants()
    ada.set(mine, "paused")
    ada.days(0, 80.0, 60.0, 80.0, 60.0)
    asked = ada.ask()
    assert asked["counted"] == 8
    replaying.work_off(ada.here)
    assert len(ada.owed(mine)) == 2
    ada.work()
    assert len(ada.owed(mine)) == 8
