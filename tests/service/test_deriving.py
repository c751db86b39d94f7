"""What is derived is there when what it is derived from is evaluated, and is known when that is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from integration.domain.catalogue import Options
from integration.domain.history import Firing, History
from integration.service import filling
from integration.service.evaluate import Catalogue
from integration.store.database import Database
from integration.store.tables import reading
from tests.market import Town, quiet, town

CLOCK, BESIDE = "daily_ohlcv", "risk_30d"


@pytest.fixture
def here(sqlite_database: Database, tmp_path: Path) -> Iterator[Town]:
    with town(sqlite_database, tmp_path, sandbox=quiet(start=date(2024, 1, 1))) as made:
        made.poll("tokens")
        yield made


def test_a_reading_is_evaluated_with_what_is_derived_from_it_beside_it(here: Town) -> None:
    seen: list[tuple[int, int]] = []

    def scan(history: History, options: Options) -> list[Firing]:
        seen.append((int(history.as_of[-1]), int(history.of(BESIDE).as_of[-1])))
        return []

    known = here.catalogue.triggers["price_moved"]
    probe = replace(known, scan=scan, sources=lambda _: (CLOCK, BESIDE), watch=None)
    triggers = {**here.catalogue.triggers, "price_moved": probe}
    here.gradewire.__dict__["catalogue"] = Catalogue(triggers, here.catalogue.sources, True)
    here.gradewire.__dict__.pop("asked", None)
    here.subscribed("price_moved")
    here.poll(CLOCK)
    filling.fill_due(here.gradewire)
    seen.clear()
    for _ in range(2):
        here.pass_days()
        here.poll(CLOCK)
    assert len(seen) == 80
    assert all(clock == beside for clock, beside in seen)


def test_it_has_the_known_at_and_origin_of_what_it_is_derived_from(here: Town) -> None:
    here.subscribed("sharpe_threshold", window="30d")
    here.poll(CLOCK)
    filling.fill_due(here.gradewire)
    here.pass_days()
    here.poll(CLOCK)
    bars = {(r.subject, r.as_of): (r.known_at, r.origin) for r in here.rows(reading, reading.c.source == CLOCK)}
    derived = here.rows(reading, reading.c.source == BESIDE)
    assert {r.origin for r in derived} == {"backfill", "live"}
    assert all(bars[r.subject, r.as_of] == (r.known_at, r.origin) for r in derived if r.version == 0)


def test_a_restated_bar_changes_what_follows_from_it_from_then_on(here: Town) -> None:
    here.subscribed("sharpe_threshold", {"tokens": "BTC"}, window="30d")
    here.poll(CLOCK)
    filling.fill_due(here.gradewire)
    here.pass_days()
    here.fault("restated", "daily-ohlcv")
    here.poll(CLOCK)
    restated = {(r.subject, r.as_of) for r in here.rows(reading, reading.c.source == CLOCK, reading.c.version > 0)}
    assert restated
    again = here.rows(reading, reading.c.source == BESIDE, reading.c.version > 0)
    assert {(r.subject, r.as_of) for r in again} & restated
    assert all(np.isfinite(np.frombuffer(r[7], dtype=np.float64)).any() for r in again)
    assert len({r.known_at for r in again}) == 1
