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
from integration.domain.retry import DAY
from integration.service import filling
from integration.service.evaluate import Catalogue
from integration.store.database import Database
from integration.store.tables import delivery, reading
from tests.market import Town, quiet, town
from tests.service.replayed import told_again, told_live

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
    filling.fill_due(here.gradewire)
    here.poll(CLOCK)
    seen.clear()
    for _ in range(2):
        here.pass_days()
        here.poll(CLOCK)
    assert len(seen) == 80
    assert all(clock == beside for clock, beside in seen)


def test_it_has_the_known_at_and_origin_of_what_it_is_derived_from(here: Town) -> None:
    here.subscribed("sharpe_threshold", window="30d")
    filling.fill_due(here.gradewire)
    here.poll(CLOCK)
    here.pass_days()
    here.poll(CLOCK)
    bars = {(r.subject, r.as_of): (r.known_at, r.origin) for r in here.rows(reading, reading.c.source == CLOCK)}
    derived = here.rows(reading, reading.c.source == BESIDE)
    assert {r.origin for r in derived} == {"backfill", "live"}
    assert all(bars[r.subject, r.as_of] == (r.known_at, r.origin) for r in derived if r.version == 0)


def test_a_restated_bar_changes_what_follows_from_it_from_then_on(here: Town) -> None:
    here.subscribed("sharpe_threshold", {"tokens": "BTC"}, window="30d")
    filling.fill_due(here.gradewire)
    here.poll(CLOCK)
    here.pass_days()
    here.fault("restated", "daily-ohlcv")
    here.poll(CLOCK)
    restated = {(r.subject, r.as_of) for r in here.rows(reading, reading.c.source == CLOCK, reading.c.version > 0)}
    assert restated
    again = here.rows(reading, reading.c.source == BESIDE, reading.c.version > 0)
    assert {(r.subject, r.as_of) for r in again} & restated
    assert all(np.isfinite(np.frombuffer(r[7], dtype=np.float64)).any() for r in again)
    assert len({r.known_at for r in again}) == 1


def test_a_fill_that_changes_the_newest_of_what_is_derived_tells_what_follows_from_it(
    sqlite_database: Database, tmp_path: Path, postgresql_database: Database
) -> None:
    with town(postgresql_database, tmp_path, sandbox=quiet(start=date(2024, 1, 1))) as before:
        before.subscribed("sharpe_threshold", window="30d")
        read_with_most_of_the_past(before)
        filling.fill_due(before.gradewire)
        subject, level = one_that_rises(before)
    with town(sqlite_database, tmp_path, sandbox=quiet(start=date(2024, 1, 1))) as here:
        here.poll("tokens")
        wanted = {"tokens": subject.partition(":")[2]}
        here.subscribed("sharpe_threshold", wanted, window="30d", level=level, direction="up", hysteresis=0)
        read_with_most_of_the_past(here)
        (live,) = here.rows(reading, reading.c.source == BESIDE, reading.c.subject == subject, reading.c.origin == "live")
        assert not here.events()
        filling.fill_due(here.gradewire)
        (told,) = here.events()
        assert (told.subject, told.as_of) == (subject, live.as_of)
        assert told.known_at > live.known_at
        assert len(here.rows(delivery)) == 1
        assert told_again(here) == told_live(here)


def read_with_most_of_the_past(here: Town) -> None:
    """Daily prices are read live when 28 of the 30 days before are there."""
    here.poll("tokens", again=True)
    today = here.gradewire.clock.at(here.wall())
    filling.fill(here.gradewire, here.catalogue.sources[CLOCK], None, today - 29 * DAY, today - 2 * DAY)
    here.poll(CLOCK, again=True)  # whoever looks now does not wait


def one_that_rises(here: Town) -> tuple[str, float]:
    """A token whose newest Sharpe ratio rises above a level as the rest of the past comes; before, all were below."""
    column = here.catalogue.sources[BESIDE].column("sharpe")
    found: dict[str, dict[int, list[float]]] = {}
    for row in sorted(here.rows(reading, reading.c.source == BESIDE), key=lambda r: (r.as_of, r.version)):
        value = float(np.frombuffer(row[7], dtype=np.float64)[column])
        found.setdefault(row.subject, {}).setdefault(row.as_of, []).append(value)
    for subject, values in found.items():
        *_, before, (first, last) = [values[as_of] for as_of in sorted(values)]
        if last > max(first, *before) + 1e-4:
            return subject, (last + max(first, *before)) / 2
    raise AssertionError("none rises")
