"""Indices through the sandbox: ranked among all where any of them changes, watched for what they hold, earn and lead."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from integration.domain.retry import DAY
from integration.sandbox.settings import SandboxSettings
from integration.store.database import Database
from integration.store.tables import reading
from tests.market import Town, town

START = date(2024, 1, 1)


@pytest.fixture
def here(sqlite_database: Database, tmp_path: Path) -> Iterator[Town]:
    settings = SandboxSettings(tokens=120, paused=True, start=START, plan="vip", calls_per_minute=100_000)
    with town(sqlite_database, tmp_path, sandbox=settings) as made:
        yield made


def figures(here: Town, source: str, metric: str) -> dict[int, dict[str, float]]:
    """By day since the first: each index's newest figure."""
    column = here.catalogue.sources[source].column(metric)
    rows = sorted(here.rows(reading, reading.c.source == source), key=lambda row: (row.as_of, row.version))
    first = min((row.as_of for row in rows), default=0)
    found: dict[int, dict[str, float]] = {}
    for row in rows:
        found.setdefault((row.as_of - first) // DAY, {})[row.subject] = float(np.frombuffer(row[7], dtype=np.float64)[column])
    return found


def found(here: Town, trigger: str) -> list[dict[str, Any]]:
    """The events of a trigger, oldest first, whoever is told."""
    return [json.loads(row.payload) for row in here.events() if row.trigger == trigger]


def live(here: Town, days: int, *sources: str) -> None:
    for day in range(days):
        if day:
            here.pass_days()
        for source in sources:
            here.poll(source)


def places(figure: dict[str, float]) -> dict[str, int]:
    return {subject: place for place, subject in enumerate(sorted(figure, key=lambda s: (-figure[s], s)), 1)}


def test_every_index_is_ranked_among_all_whenever_they_are_read(here: Town) -> None:
    here.subscribed("index_ranking", rank_of="indices", index_metric="change_7d", top=1, exit_buffer=0)
    live(here, 12, "indices")
    returns, ranks = figures(here, "indices", "change_7d"), figures(here, "index_ranks", "rank_by_change_7d")
    assert ranks == {day: places(figure) for day, figure in returns.items()}
    leads = [min(each, key=each.__getitem__) for each in ranks.values()]
    changes = sum(before != after for before, after in pairwise(leads))
    moved = [event["move"] for event in found(here, "index_ranking")]
    assert changes
    assert (moved.count("enter"), moved.count("leave")) == (changes, changes)


def test_the_index_that_takes_the_lead_is_told_once(here: Town) -> None:
    here.subscribed("index_performance", kind="lead", period="7d", direction="up")
    live(here, 12, "indices")
    ranks = figures(here, "index_ranks", "rank_by_change_7d")
    leads = [min(each, key=each.__getitem__) for each in ranks.values()]
    assert [event["subject"] for event in found(here, "index_performance")] == [
        after for before, after in pairwise(leads) if before != after
    ]


def test_a_rebalance_of_the_sandboxs_is_found_on_the_day_it_happens(here: Town) -> None:
    """The momentum index buys anew every second day; on the days between, prices alone move its weights."""
    here.poll("indices")
    here.subscribed("index_rebalanced", {"indices": "5"}, min_weight_change=100, cooldown_hours=0)
    live(here, 7, "indices_holdings")
    days = [row.as_of // DAY for row in here.events()]
    assert len(days) >= 2
    assert len({day % 2 for day in days}) == 1
    assert all(event["added_count"] == event["removed_count"] for event in found(here, "index_rebalanced"))


def test_returns_of_an_index_follow_from_its_performance(here: Town) -> None:
    here.poll("indices")
    here.subscribed("index_performance", {"indices": "1"}, period="1d", level=0, hysteresis=0, cooldown_hours=0)
    live(here, 10, "indices_performance")
    earned = [1 + each["index:1"] for each in figures(here, "indices_performance", "cumulative_roi").values()]
    returns = [round(after / before - 1, 10) for before, after in pairwise(earned)]
    turns = [after for before, after in pairwise(returns) if (before >= 0) != (after >= 0)]
    assert turns
    assert [event["value"] for event in found(here, "index_performance")] == turns


def test_an_index_that_flees_into_stablecoins_is_told(here: Town) -> None:
    here.poll("indices")
    here.subscribed("index_rebalanced", {"indices": "7"}, kind="stablecoin_share", cooldown_hours=0)
    live(here, 60, "indices_holdings")
    events = found(here, "index_rebalanced")
    assert {event["direction"] for event in events} == {"up", "down"}
    assert all((event["stablecoin_share"] > 0.4) == (event["direction"] == "up") for event in events)
