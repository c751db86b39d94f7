"""A rule that flaps without a quiet cooldown stays silent after the first; its owner is told so, once (rule 5)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration.service import destinations, subscribe
from integration.service.flapping import SEVERAL
from integration.store.database import Database
from integration.store.tables import owner_notice
from tests.market import asked
from tests.service.script import Script, script


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(database, tmp_path) as made:
        yield made


def wish(here: Script, account: str | None = None, *, shadow: bool = False, **options: Any) -> None:
    owner = account or here.account
    made = destinations.create_destination(here.gradewire, owner, "webhook", {"url": "http://127.0.0.1:9/"})
    given = ("sharpe_threshold", asked("sharpe_threshold", {"cooldown_hours": 72, **options}), {}, made["id"])
    subscribe.create_subscription(here.gradewire, owner, *given, corrections=False, shadow=shadow)


def swing(here: Script, days: int, first: int = 0) -> int:
    """The ratio crosses the level each day; how many events that made."""
    return sum(here.day(day, {1: 1.2 if day % 2 else 0.9}).events for day in range(first, first + days))


def notices(here: Script) -> list[Any]:
    return [row for row in here.rows(owner_notice) if row.kind == "flapping"]


def test_the_owner_is_told_after_several_crossings_in_silence(here: Script) -> None:
    wish(here)
    assert swing(here, SEVERAL + 1) == 1
    assert notices(here) == []
    assert swing(here, 1, first=SEVERAL + 1) == 0
    (told,) = notices(here)
    assert told.account_id == here.account
    assert told.title.startswith("Sharpe Ratio Crossing flaps for ")
    assert f"{SEVERAL} times since it was last told, for 2024-01-02T00:00:00Z" in told.text
    assert "72 hours" in told.text


def test_they_are_told_once_until_it_falls_silent_again(here: Script) -> None:
    wish(here)
    swing(here, 12)
    assert len(notices(here)) == 1
    here.day(12, {1: 1.2})
    here.day(13, {1: 1.2})
    here.day(14, {1: 1.2})
    swing(here, 8, first=16)
    assert len(notices(here)) == 2


def test_everyone_who_is_told_of_it_hears_of_it_and_shadows_do_not(here: Script) -> None:
    other, third = here.account_of("bob@example.com"), here.account_of("eve@example.com")
    wish(here)
    wish(here, other)
    wish(here, third, shadow=True)
    swing(here, SEVERAL + 2)
    assert sorted(row.account_id for row in notices(here)) == sorted([here.account, other])


@pytest.mark.parametrize("options", [{"cooldown_hours": 0}, {"cooldown_hours": 6}])
def test_a_rule_that_tells_each_crossing_does_not_flap(here: Script, options: dict[str, Any]) -> None:
    wish(here, **options)
    assert swing(here, 8) == 7
    assert notices(here) == []
