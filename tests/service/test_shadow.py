"""Shadow subscriptions: what they would have sent is recorded, and nothing is sent until they are live."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.domain.errors import Conflict
from integration.domain.retry import DAY
from integration.service import destinations, hooks, overview, subscribe
from integration.service.observe import observe
from integration.store.database import Database
from integration.store.queries import deliveries, outbox, rules
from integration.store.tables import delivery, subscription
from tests.market import asked
from tests.service.script import Script, script

URL = "http://127.0.0.1:9/"


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(database, tmp_path) as made:
        yield made


def place(here: Script) -> str:
    return str(destinations.create_destination(here.gradewire, here.account, "webhook", {"url": URL})["id"])


def wish(here: Script, where: str, *, shadow: bool = True, corrections: bool = False, **options: Any) -> dict[str, Any]:
    given = ("sharpe_threshold", asked("sharpe_threshold", options), {}, where)
    return subscribe.create_subscription(here.gradewire, here.account, *given, shadow=shadow, corrections=corrections)


def states(here: Script) -> list[int]:
    return sorted(row.state for row in here.rows(delivery))


def claimed(here: Script) -> int:
    """How many deliveries a worker finds due, however long it waits."""
    with here.gradewire.database.write() as connection:
        return len(outbox.claim(connection, lease="x", now=here.wall() + 400 * DAY, until=here.wall() + 500 * DAY, most=100))


def test_what_it_would_send_is_recorded_and_never_due(here: Script) -> None:
    made = wish(here, place(here))
    assert made["status"] == "shadow"
    here.day(0, {1: 0.9})
    ended = here.day(1, {1: 1.2})
    assert (ended.events, ended.owed) == (1, 0)
    (row,) = here.rows(delivery)
    assert (row.state, row.reason, row.done_at, row.attempts) == (deliveries.SHADOW, "shadow", row.created_at, 0)
    assert claimed(here) == 0
    with here.gradewire.database.read() as connection:
        assert deliveries.oldest_due(connection, here.wall() + 400 * DAY) is None
        assert {state: n for state, n in deliveries.counts(connection).items() if n} == {"shadow": 1}


def test_its_owner_sees_what_it_would_have_sent(here: Script) -> None:
    made = wish(here, place(here))
    here.day(0, {1: 0.9})
    here.day(1, {1: 1.2})
    (told,) = overview.list_deliveries(here.gradewire, here.account, limit=10, state="shadow")
    assert (told["subscription_id"], told["state"], told["next_attempt_at"]) == (made["id"], "shadow", None)
    assert told["done_at"] == told["created_at"]
    assert overview.list_deliveries(here.gradewire, here.account, limit=10, state="pending") == []
    assert overview.latest_deliveries(here.gradewire, here.account)["rows"][0]["state"] == "shadow"


def test_beside_a_live_one_of_the_same_rule_each_gets_its_own(here: Script) -> None:
    shadow, live = wish(here, place(here)), wish(here, place(here), shadow=False)
    here.day(0, {1: 0.9})
    assert here.day(1, {1: 1.2}).owed == 1
    by_subscription = {row.subscription_id: row.state for row in here.rows(delivery)}
    assert by_subscription == {shadow["id"]: deliveries.SHADOW, live["id"]: deliveries.PENDING}
    assert claimed(here) == 1


def test_changed_to_be_none_it_tells_from_the_next_event_on_and_the_record_stays(here: Script) -> None:
    made = wish(here, place(here))
    here.day(0, {1: 0.9})
    here.day(1, {1: 1.2})
    live = subscribe.edit_subscription(here.gradewire, here.account, made["id"], shadow=False)
    assert (live["status"], live["shadow"]) == ("active", False)
    assert (claimed(here), states(here)) == (0, [deliveries.SHADOW])
    assert here.day(2, {1: 0.9}).owed == 1
    assert (claimed(here), states(here)) == (1, [deliveries.PENDING, deliveries.SHADOW])
    with pytest.raises(Conflict):
        subscribe.edit_subscription(here.gradewire, here.account, made["id"], shadow=True)


def test_resumed_after_a_pause_it_is_a_shadow_again(here: Script) -> None:
    made = wish(here, place(here), corrections=True)
    here.day(0, {1: 0.9})
    paused = subscribe.set_subscription(here.gradewire, here.account, made["id"], "paused")
    assert (paused["status"], paused["shadow"]) == ("paused", True)
    for _ in range(2):  # asked for twice, it does not go live either
        resumed = subscribe.set_subscription(here.gradewire, here.account, made["id"], "active")
        assert (resumed["status"], resumed["shadow"]) == ("shadow", True)
    assert {row.status for row in here.rows(subscription)} == {"shadow"}
    assert here.day(1, {1: 1.2}).owed == 0
    assert (claimed(here), states(here)) == (0, [deliveries.SHADOW])


def test_wished_for_live_while_it_is_paused_it_is_live_once_it_is_resumed(here: Script) -> None:
    where = place(here)
    made = wish(here, where)
    subscribe.set_subscription(here.gradewire, here.account, made["id"], "paused")
    assert wish(here, where)["status"] == "paused"
    assert (wish(here, where, shadow=False)["status"], wish(here, where, shadow=False)["shadow"]) == ("paused", False)
    assert subscribe.set_subscription(here.gradewire, here.account, made["id"], "active")["status"] == "active"


def test_paused_it_records_nothing(here: Script) -> None:
    made = wish(here, place(here))
    here.day(0, {1: 0.9})
    assert subscribe.set_subscription(here.gradewire, here.account, made["id"], "paused")["status"] == "paused"
    here.day(1, {1: 1.2})
    assert here.rows(delivery) == []


def test_it_is_polled_for_like_any_other(here: Script) -> None:
    def read() -> int:
        with here.gradewire.database.read() as connection:
            return len(rules.wanted_scopes(connection, here.wall()))

    assert read() == 0
    wish(here, place(here))
    assert read() == 1


def test_the_same_wish_without_shadow_makes_it_live_and_never_the_other_way_round(here: Script) -> None:
    where = place(here)
    made = wish(here, where)
    assert wish(here, where)["id"] == made["id"]
    assert (wish(here, where, shadow=False)["id"], len(here.rows(subscription))) == (made["id"], 1)
    assert subscribe.get_subscription(here.gradewire, here.account, made["id"])["status"] == "active"
    with pytest.raises(Conflict):
        wish(here, where)


def test_corrections_to_what_a_shadow_would_have_sent_are_only_recorded_too(here: Script) -> None:
    where = place(here)
    wish(here, where, corrections=True)
    assert {row.status for row in here.rows(subscription)} == {"shadow"}
    here.day(0, {1: 0.9})
    here.day(1, {1: 1.2})
    here.say("quantmetrics", 1, {1: 0.9})
    here.go_to(1.2)
    assert observe(here.gradewire, here.catalogue.sources["quantmetrics"], again=True).owed == 0
    assert states(here) == [deliveries.SHADOW, deliveries.SHADOW]
    wish(here, where, shadow=False, corrections=True)
    assert [row.status for row in here.rows(subscription)] == ["active", "active"]


def test_a_hook_at_the_same_place_is_live(here: Script) -> None:
    hook, _ = hooks.create_hook(
        here.gradewire, here.account, URL, "sharpe_threshold", asked("sharpe_threshold", {"level": 2}), {}
    )
    where = here.rows(subscription)[0].destination_id
    made = wish(here, where)
    assert (made["status"], hook["status"]) == ("shadow", "active")
    again, fresh = hooks.create_hook(here.gradewire, here.account, URL, "sharpe_threshold", asked("sharpe_threshold", {}), {})
    assert (again["id"], again["status"], fresh) == (made["id"], "active", False)


def test_a_record_is_not_sent_by_hand_nor_woken(here: Script) -> None:
    made = wish(here, place(here))
    here.day(0, {1: 0.9})
    here.day(1, {1: 1.2})
    (row,) = here.rows(delivery)
    with here.gradewire.database.write() as connection:
        assert deliveries.retry_one(connection, here.account, row.id, here.wall())
        deliveries.wake_subscription(connection, made["id"], here.wall())
        deliveries.wake_destination(connection, row.destination_id, here.wall())
    assert here.rows(delivery) == [row]
    assert claimed(here) == 0


def test_ended_it_keeps_its_record(here: Script) -> None:
    made = wish(here, place(here))
    here.day(0, {1: 0.9})
    here.day(1, {1: 1.2})
    subscribe.delete_subscription(here.gradewire, here.account, made["id"])
    with here.gradewire.database.write() as connection:
        outbox.end_subscription(connection, made["id"], "gone", here.wall())
    assert states(here) == [deliveries.SHADOW]
    here.day(2, {1: 0.9})
    assert states(here) == [deliveries.SHADOW]
