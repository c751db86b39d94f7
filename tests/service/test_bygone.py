"""What a backtest computes of derived sources is what would have been stored of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from integration.domain.errors import InvalidInput
from integration.domain.retry import DAY
from integration.service import bygone
from integration.service.bygone import Past
from integration.service.deriving import Changed, derive
from integration.service.evaluate import polled
from integration.service.filling import fill
from integration.store.database import Database
from integration.store.queries import events, past, readings
from tests.market import Town, quiet, town

DAYS = 4


def watched(here: Town, bases: set[str]) -> None:
    """Some days of every polled source that anything is derived from; of prices a longer past."""
    here.poll("tokens", again=True)
    for _ in range(DAYS):
        for base in sorted(bases):
            here.poll(base, again=True)
        here.pass_days()
    now = here.gradewire.clock.at(here.gradewire.now())
    fill(here.gradewire, here.catalogue.sources["daily_ohlcv"], None, now - 100 * DAY, now - 2 * DAY)


def plain(rows: Any) -> set[tuple[Any, ...]]:
    return {(row[0], row[1], row[2], bytes(row[3]), row[4]) for row in rows}


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_what_is_computed_is_what_would_be_stored(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    database: Database = request.getfixturevalue(f"{kind}_database")
    with town(database, tmp_path, sandbox=quiet(start=date(2024, 1, 1))) as here:
        derived = [source for source in here.catalogue.sources.values() if source.derivation is not None]
        watched(here, {base for source in derived for base in polled(here.catalogue, source.key)})
        said = 0
        for source in derived:
            assert source.derivation is not None
            clock = source.derivation.inputs[0].source
            if here.catalogue.sources[clock].derivation is not None:
                continue
            with here.gradewire.database.write() as connection:
                names = ["market"] if source.subject == "market" else past.stored_subjects(connection, clock)
                computed = Past(connection, here.catalogue, names, 0, memory={}).rows(source, names)
                times = past.stored_times(connection, clock, since=0)
                events.lock(connection)
                changed = Changed(past.stored_subjects(connection, clock), times)
                list(
                    derive(connection, here.catalogue, here.catalogue.sources[clock], changed, want={source.key}, now=here.wall())
                )
                stored = readings.log(connection, source.key, since=0, subjects=names)
                again = Past(connection, here.catalogue, names, 0, memory={}).rows(source, names)
            first = min((row[1] for row in stored), default=0)  # of what is newly wanted not all the past is stored
            assert plain(row for row in computed if row[1] >= first) == plain(stored), source.key
            assert plain(computed) == plain(again), source.key
            said += len(stored) > 0
        assert said >= 4


def test_what_follows_from_too_much_at_once_is_refused_with_the_remedy(
    sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with town(sqlite_database, tmp_path, sandbox=quiet(start=date(2024, 1, 1))) as here:
        here.poll("indices", again=True)
        source = here.catalogue.sources["index_ranks"]
        monkeypatch.setattr(bygone, "MOST_AT_ONCE", 1)
        with here.gradewire.database.read() as connection:
            names = past.stored_subjects(connection, "indices")
            shelf = Past(connection, here.catalogue, names, 0, memory={})
            with pytest.raises(InvalidInput, match="Read the feed") as raised:
                shelf.rows(source, names)
        assert raised.value.field == "trigger"
