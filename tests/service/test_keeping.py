"""Old readings go; whatever a live rule can look back to stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration.service import keeping
from integration.store.database import Database
from integration.store.tables import poll, reading
from tests.service.script import Script, script


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(database, tmp_path) as made:
        yield made


def days(here: Script) -> int:
    return len(here.rows(reading))


def test_readings_and_polls_older_than_400_days_go_and_newer_ones_stay(here: Script) -> None:
    here.subscribed("sharpe_threshold", cooldown_hours=0)
    for day in (0, 1, 300, 440):
        here.day(day, {1: 0.9})
    assert days(here) == 4
    assert keeping.prune(here.gradewire) == 4
    assert [row.as_of for row in here.rows(reading)] == sorted(row.as_of for row in here.rows(reading))
    assert (days(here), len(here.rows(poll))) == (2, 2)
    assert keeping.prune(here.gradewire) == 0


def test_a_rule_that_looks_back_further_keeps_what_it_needs(here: Script) -> None:
    here.subscribed("sharpe_threshold", cooldown_hours=24 * 30)
    for day in (0, 20, 465):
        here.day(day, {1: 0.9})
    horizon = keeping.horizon(here.gradewire)
    assert here.gradewire.clock.at(here.gradewire.now()) - horizon > 420 * 86_400_000
    keeping.prune(here.gradewire)
    assert days(here) == 2


def test_many_go_in_small_batches(here: Script, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "BATCH", 3)
    here.subscribed("sharpe_threshold", cooldown_hours=0)
    tokens = dict.fromkeys(range(1, 11), 0.5)
    here.day(0, tokens)
    here.day(500, tokens)
    assert keeping.prune(here.gradewire) == 11
    assert days(here) == 10


def test_what_fires_afterwards_is_what_would_have_fired(here: Script) -> None:
    here.subscribed("sharpe_threshold")
    for day, value in ((0, 0.5), (1, 0.5), (430, 0.5), (431, 1.2)):
        if day == 431:
            keeping.prune(here.gradewire)
        here.day(day, {1: value})
    assert here.told() == [("token:1", 431.0)]
