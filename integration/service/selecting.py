"""How what is wanted of a source is read with the fewest calls: all pages of it, or some ids in portions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import fmean

from sqlalchemy import Connection

from integration.domain.catalogue import MARKET, Source
from integration.domain.retry import DAY
from integration.store.queries import overview, polls, subjects
from integration.tokenmetrics.asks import asks, pages

ALL, NAMED = "all", "named"


@dataclass(frozen=True, slots=True)
class Selection:
    """What one poll of a source reads: all of it (`ids` None), or some ids. `name` is that of its polls."""

    name: str = ALL
    ids: tuple[int, ...] | None = None


EVERYTHING = Selection()


def selected(connection: Connection, source: Source, ids: set[int] | None) -> list[Selection]:
    """How to read some ids of a source, or all of them (None). Where it takes as many calls, all are read."""
    if source.selection == "ids":
        numbers = _known(connection, source) if ids is None else sorted(ids)
        if source.ids_per_call == 1:
            return [Selection(str(number), (number,)) for number in numbers]
        return [Selection(NAMED, tuple(numbers))] if numbers else []
    if ids is None or source.selection == "one" or source.ids_per_call == 1:
        return [EVERYTHING]
    everyone = size(connection, source)
    ways = (EVERYTHING, Selection(NAMED, tuple(sorted(ids))))
    return [min(ways, key=lambda way: calls_a_look(source, way, everyone))] if ids else []


def _known(connection: Connection, source: Source) -> list[int]:
    return sorted(int(name.partition(":")[2]) for name in subjects.load(connection, kind=source.subject))


def size(connection: Connection, source: Source) -> int:
    """How many rows all of a source has, of one time: as many as the last whole poll had, else as there are subjects."""
    rows = polls.last_rows(connection, source.key, ALL)
    if rows is not None:
        return rows
    if source.subject == MARKET and source.names is None:
        return 1
    return overview.count_subjects(connection, "index" if source.subject == "index" else "token")


def calls_a_look(source: Source, selection: Selection, everyone: int, interval: int = 0) -> float:
    """How many upstream calls one poll of a selection takes on average, where polls are an interval (ms) apart.

    `everyone` is how many rows all of the source has. One that takes dates is asked for the days since the newest that is
    stored, and for that one again.
    """
    if not source.ranged:
        return sum(pages(source, portion) for portion in _portions(source, selection, everyone, None))
    between = max(interval, source.cadence)
    # at one and a half of the cadence there are one and two new rows by turns
    times: Sequence[int] = (1 + between // source.cadence, 1 + math.ceil(between / source.cadence))
    days = 1 + math.ceil(between / DAY)
    if source.cadence < DAY:
        times, days = range(1, DAY // source.cadence + 1), 1  # just after midnight a day has one row, at noon twelve
    portions = _portions(source, selection, everyone, days)
    return fmean(sum(pages(source, portion * rows) for portion in portions) for rows in times)


def _portions(source: Source, selection: Selection, everyone: int, days: int | None) -> list[int]:
    """How many subjects each ask is about."""
    first = date(2000, 1, 1)
    dates = (None, None) if days is None else (first, first + timedelta(days - 1))
    return [ask.ids.count(",") + 1 if ask.ids else everyone for ask in asks(source, selection.ids, *dates)]
