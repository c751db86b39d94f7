"""Destinations, subscriptions and hooks: the same wish once, to their owner alone, until they end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from integration.domain.errors import Conflict, InvalidInput, NotFound
from integration.service import destinations, hooks, subscribe
from integration.store.database import Database
from integration.store.tables import delivery, destination, subscription
from tests.market import asked, at_once
from tests.service.script import Script, script

URL = "http://127.0.0.1:9/hook"


@pytest.fixture
def here(sqlite_database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(sqlite_database, tmp_path) as made:
        yield made


def hook(here: Script, url: str = URL, trigger: str = "sharpe_threshold", **options: Any) -> tuple[dict[str, Any], bool]:
    return hooks.create_hook(here.gradewire, here.account, url, trigger, asked(trigger, options), {})


def place(here: Script, account: str = "") -> str:
    made = destinations.create_destination(here.gradewire, account or here.account, "webhook", {"url": URL})
    return str(made["id"])


def lasting(shown: dict[str, Any]) -> dict[str, Any]:
    """Without what depends on what is there: what it adds to the plan's calls, and the secret, which is shown once."""
    return {name: value for name, value in shown.items() if name not in ("cost", "secret")}


def test_the_same_hook_again_is_the_same_hook(here: Script) -> None:
    first, fresh = hook(here)
    again, fresh_again = hook(here, level="1.00")
    assert (again["id"], again["secret"], fresh, fresh_again) == (first["id"], None, True, False)
    other, fresh_other = hook(here, level=2)
    assert other["id"] != first["id"]
    seen = [(lasting(shown), fresh) for shown, fresh in (hook(here, level=2), hook(here))]
    assert seen == [(lasting(other), False), (lasting(first), False)]
    assert fresh_other
    assert hook(here, URL + "2")[1]
    assert len(here.rows(destination)) == 2


def test_the_same_hook_asked_for_many_times_at_once_is_one(database: Database, tmp_path: Path) -> None:
    with script(database, tmp_path) as here:
        workers = [here, *(here.worker() for _ in range(3))]
        for round_ in range(4):
            url = f"{URL}/{round_}"
            made = at_once(*[partial(hook, worker, url) for worker in workers])
            assert len({shown["id"] for shown, _ in made}) == 1
            assert [shown["secret"] is None for shown, _ in made] == [not fresh for _, fresh in made]
            assert [fresh for _, fresh in made].count(True) == 1
        assert len(here.rows(subscription)) == len(here.rows(destination)) == 4
        for worker in workers[1:]:
            worker.gradewire.close()


def test_the_same_subscription_asked_for_many_times_at_once_is_one(database: Database, tmp_path: Path) -> None:
    with script(database, tmp_path) as here:
        workers, where = [here, *(here.worker() for _ in range(3))], place(here)

        def wish(worker: Script) -> Any:
            made = subscribe.create_subscription(worker.gradewire, here.account, "grade_changed", {}, {}, where)
            return made["id"]

        assert len(set(at_once(*[partial(wish, worker) for worker in workers]))) == 1
        for worker in workers[1:]:
            worker.gradewire.close()


def test_unsubscribing_is_idempotent_and_ends_what_is_owed(here: Script) -> None:
    made, _ = hook(here)
    here.day(0, {1: 0.9})
    assert here.day(1, {1: 1.2}).owed == 1
    for _ in range(3):
        hooks.delete_hook(here.gradewire, here.account, made["id"])
    hooks.delete_hook(here.gradewire, here.account, "sub_none")
    assert here.rows(delivery) == []
    assert hooks.list_hooks(here.gradewire, here.account) == []
    assert {row.status for row in here.rows(destination)} == {"ended"}
    with pytest.raises(NotFound):
        hooks.get_hook(here.gradewire, here.account, made["id"])
    again, fresh = hook(here)
    assert fresh
    assert again["id"] != made["id"]
    assert here.day(2, {1: 0.9}).owed == 1


def test_one_of_two_hooks_of_an_address_ends_alone(here: Script) -> None:
    first, second = hook(here)[0], hook(here, level=2)[0]
    hooks.delete_hook(here.gradewire, here.account, first["id"])
    assert [shown["id"] for shown in hooks.list_hooks(here.gradewire, here.account)] == [second["id"]]
    assert {row.status for row in here.rows(destination)} == {"active"}


def test_a_hook_with_a_bad_scope_leaves_no_destination_behind(here: Script) -> None:
    for scope in ({"tokens": ["nobody"]}, {"indices": [1]}, {"nonsense": 1}):
        with pytest.raises(InvalidInput):
            hooks.create_hook(here.gradewire, here.account, URL, "sharpe_threshold", asked("sharpe_threshold", {}), scope)
    assert here.rows(destination) == here.rows(subscription) == []


def test_a_deleted_destination_takes_its_subscriptions_and_what_they_are_owed_along(here: Script) -> None:
    where = place(here)
    subscribe.create_subscription(here.gradewire, here.account, "sharpe_threshold", asked("sharpe_threshold", {}), {}, where)
    here.day(0, {1: 0.9})
    here.day(1, {1: 1.2})
    for _ in range(2):
        destinations.delete_destination(here.gradewire, here.account, where)
    assert here.rows(delivery) == here.rows(subscription) == here.rows(destination) == []
    assert here.day(2, {1: 0.9}).owed == 0


def test_an_ended_subscription_stays_ended(here: Script) -> None:
    wish = here.subscribed("sharpe_threshold")
    subscribe.delete_subscription(here.gradewire, here.account, wish)
    subscribe.delete_subscription(here.gradewire, here.account, wish)
    with pytest.raises(Conflict):
        subscribe.set_subscription(here.gradewire, here.account, wish, "active")


def test_a_paused_destination_is_still_owed(here: Script) -> None:
    where = place(here)
    subscribe.create_subscription(here.gradewire, here.account, "sharpe_threshold", asked("sharpe_threshold", {}), {}, where)
    destinations.set_destination(here.gradewire, here.account, where, "paused")
    here.day(0, {1: 0.9})
    assert here.day(1, {1: 1.2}).owed == 1


LOOKS: list[Callable[[Script, str, str], Any]] = [
    lambda here, who, which: destinations.get_destination(here.gradewire, who, which),
    lambda here, who, which: destinations.set_destination(here.gradewire, who, which, "paused"),
    lambda here, who, which: subscribe.get_subscription(here.gradewire, who, which),
    lambda here, who, which: subscribe.set_subscription(here.gradewire, who, which, "paused"),
    lambda here, who, which: hooks.get_hook(here.gradewire, who, which),
    lambda here, who, which: subscribe.create_subscription(
        here.gradewire, who, "sharpe_threshold", asked("sharpe_threshold", {}), {}, which
    ),
]


@pytest.mark.parametrize("look", LOOKS)
def test_what_belongs_to_another_account_is_not_there(here: Script, look: Callable[[Script, str, str], Any]) -> None:
    made, _ = hook(here)
    mallory = here.account_of("mallory@example.com")
    for which in (made["id"], here.rows(destination)[0].id):
        with pytest.raises(NotFound):
            look(here, mallory, which)


def test_another_account_cannot_end_or_see_anything(here: Script) -> None:
    made, _ = hook(here)
    where = here.rows(destination)[0].id
    mallory = here.account_of("mallory@example.com")
    before = (here.rows(destination), here.rows(subscription))
    hooks.delete_hook(here.gradewire, mallory, made["id"])
    subscribe.delete_subscription(here.gradewire, mallory, made["id"])
    destinations.delete_destination(here.gradewire, mallory, where)
    assert (here.rows(destination), here.rows(subscription)) == before
    for listed in (destinations.list_destinations, subscribe.list_subscriptions, hooks.list_hooks):
        assert listed(here.gradewire, mallory) == []


def test_the_same_address_of_two_accounts_are_two_hooks(here: Script) -> None:
    first, _ = hook(here)
    other = here.account_of("other@example.com")
    second, fresh = hooks.create_hook(here.gradewire, other, URL, "sharpe_threshold", asked("sharpe_threshold", {}), {})
    assert fresh
    assert second["secret"] != first["secret"]


def test_settings_are_sealed_and_only_a_hint_is_shown(here: Script) -> None:
    made = destinations.create_destination(here.gradewire, here.account, "webhook", {"url": URL + "/very-secret"})
    assert made["secret"].startswith("whsec_")
    (row,) = here.rows(destination)
    assert b"very-secret" not in bytes(row.config)
    shown = str(destinations.list_destinations(here.gradewire, here.account))
    assert "very-secret" not in shown
    assert "whsec_" not in shown


def test_a_private_address_is_refused_unless_the_operator_allows_it(sqlite_database: Database, tmp_path: Path) -> None:
    with script(sqlite_database, tmp_path, allow_private=False) as here:
        for url in ("https://127.0.0.1/", "https://10.0.0.1/", "http://127.0.0.1:9/", "https://[::1]/"):
            with pytest.raises(InvalidInput) as raised:
                hook(here, url)
            assert raised.value.field == "target_url"


# -- edits -------------------------------------------------------------------------------------------------------------


def test_rule_13_an_edit_points_at_another_rule_from_the_next_event_on(here: Script) -> None:
    wish = here.subscribed("sharpe_threshold", level=1.0)
    here.day(0, {1: 0.5})
    here.day(1, {1: 1.2})
    edited = subscribe.edit_subscription(here.gradewire, here.account, wish, asked("sharpe_threshold", {"level": 2.0}))
    assert (edited["id"], edited["options"]["level"]) == (wish, 2)
    assert [owner for owner, _ in here.owed()] == [wish]  # what it is owed stays, and the new rule's past is told to nobody
    here.day(2, {1: 0.5})
    here.day(3, {1: 1.5})
    here.day(4, {1: 2.5})
    told = [here.identity("sharpe_threshold", "token:1", day, level=level) for day, level in ((1, 1.0), (4, 2.0))]
    assert here.owed() == [(wish, identity) for identity in told]


def test_an_edit_keeps_what_is_left_out_and_its_corrections(here: Script) -> None:
    place_ = place(here)
    made = subscribe.create_subscription(here.gradewire, here.account, "grade_changed", {"points": 7}, {}, place_)
    assert made["corrections"]
    edited = subscribe.edit_subscription(here.gradewire, here.account, made["id"], scope={"top": 3})
    assert (edited["options"], edited["scope"], edited["corrections"]) == (made["options"], {"kind": "top", "n": 3}, True)
    statuses = sorted((row.origin.partition(":")[0], row.status) for row in here.rows(subscription))
    assert statuses == [("api", "active"), ("corrections", "active"), ("corrections", "ended")]
    other = subscribe.create_subscription(here.gradewire, here.account, "grade_changed", {"points": 9}, {}, place_)
    with pytest.raises(Conflict, match="wants just that already"):
        subscribe.edit_subscription(here.gradewire, here.account, other["id"], {"points": 7}, {"top": 3})
    with pytest.raises(InvalidInput, match="points"):
        subscribe.edit_subscription(here.gradewire, here.account, other["id"], {"points": "many"})
    subscribe.delete_subscription(here.gradewire, here.account, other["id"])
    with pytest.raises(Conflict, match="has ended"):
        subscribe.edit_subscription(here.gradewire, here.account, other["id"], {"points": 3})
