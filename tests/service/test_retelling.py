"""What was stored later than it counts as known changes nothing that was told before, and is the past of whoever asks later."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from integration.domain.catalogue import SubjectRow
from integration.domain.retry import DAY
from integration.service.observe import observe
from integration.store.database import Database
from integration.store.queries import readings
from integration.store.queries.readings import Row
from tests.service.bygone import tried
from tests.service.replayed import told_again, told_live
from tests.service.script import START, Script, script

SHARPE = "quantmetrics"


@pytest.fixture
def here(database: Database, tmp_path: Path) -> Iterator[Script]:
    with script(database, tmp_path) as made:
        made.upstream.names["tokens"] = [SubjectRow("token:1", "token", "One", "ONE")]
        observe(made.gradewire, made.catalogue.sources["tokens"])
        yield made


def fill_in(here: Script, values: dict[int, float], *, known: float = 0, origin: str = "backfill") -> None:
    """Store the past of token 1 now: known when it was true, or so many days later."""
    source = here.catalogue.sources[SHARPE]
    with here.gradewire.database.write() as connection:
        now = readings.moment(connection, here.wall())
        for day, value in values.items():
            numbers = np.full(len(source.metrics), np.nan)
            numbers[source.column("sharpe")] = value
            as_of = START + day * DAY
            row = Row(SHARPE, "token:1", as_of, 0, as_of + round(known * DAY), origin, None, numbers.tobytes(), None, now)
            readings.add(connection, [row])


def days(told: dict[str, list[dict[str, str]]]) -> list[tuple[str, bool]]:
    """(day, whether it is marked as reconstructed) of each firing, newest first."""
    return [(firing["as_of"][8:10], bool(firing["reconstructed"])) for firing in told["firings"]]


def test_a_past_that_is_fetched_later_inserts_no_event_where_none_was_told(here: Script) -> None:
    here.go_to(4)
    here.subscribed("sharpe_threshold", {"tokens": [1]})
    here.day(5, {1: 1.2})
    fill_in(here, {3: 0.9, 4: 0.9})
    here.day(6, {1: 0.8})
    assert here.told() == [("token:1", 6)]
    assert told_again(here) == told_live(here)
    assert days(tried(here, "sharpe_threshold", {"tokens": [1]})) == [("07", False)]


def test_who_had_not_asked_before_sees_all_of_it(here: Script) -> None:
    here.go_to(4)
    here.feed("sharpe_threshold")
    here.day(5, {1: 1.2})
    fill_in(here, {3: 0.9, 4: 0.9})
    assert days(tried(here, "sharpe_threshold", {"tokens": [1]}, level=1.1)) == [("06", False)]
    assert [event["as_of"][8:10] for event in here.feed("sharpe_threshold", level=1.1)] == ["06"]


def test_what_was_told_stays_told_though_a_past_that_came_later_says_otherwise(here: Script) -> None:
    here.subscribed("sharpe_threshold", {"tokens": [1]}, cooldown_hours=72)
    here.day(5, {1: 0.9})
    here.day(6, {1: 1.2})
    fill_in(here, {3: 0.9, 4: 1.2})  # with these, day 5 had been told and day 6 kept quiet
    assert here.told() == [("token:1", 6)]
    assert told_again(here) == told_live(here)
    assert days(tried(here, "sharpe_threshold", {"tokens": [1]}, cooldown_hours=72)) == [("07", False), ("05", False)]


def test_what_was_computed_too_late_for_those_who_had_asked_is_marked_and_not_fed(here: Script) -> None:
    here.subscribed("sharpe_threshold", {"tokens": [1]})
    fill_in(here, {1: 0.9})
    here.go_to(5)
    fill_in(here, {2: 1.2}, known=0.1, origin="live")
    here.day(5, {1: 1.3})
    assert days(tried(here, "sharpe_threshold", {"tokens": [1]})) == [("03", True)]
    assert here.feed("sharpe_threshold", {"tokens": [1]}) == []
