"""The newest readings of a poll's subjects, and what of them is new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from integration.domain.catalogue import Bools, Source
from integration.domain.history import Ints, Log
from integration.domain.screen import Recent
from integration.store.queries import readings

#: Readings beyond what the screen needs at least, for those that are null.
SPARE = 3


@dataclass(frozen=True, slots=True)
class New:
    """What a poll brought of a source: subjects with new live readings, their oldest new as_of, when they became known (ms)."""

    source: Source
    names: Sequence[str]
    oldest: int
    now: int
    poll_id: int | None = None


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest readings of a poll's subjects.

    `plain`: one reading is new, it is the newest, and none before it came late or was restated. `unclear`: it takes a
    longer look to say what is new. Where neither, only something older came, which fires nothing by itself. `irregular`: a
    reading came late or restates one. `texts` holds those that there are by (place, column of the recent readings).
    """

    new: New
    recent: Recent
    plain: Bools
    unclear: Bools
    irregular: Bools
    texts: Mapping[tuple[int, int], str]
    places: Mapping[str, int]

    def log(self, subject: str) -> Log | None:
        """The recent readings of a subject whose newest is plainly new and restates none, as a log; None of another."""
        place = self.places[subject]
        if not self.plain[place] or self.irregular[place]:
            return None
        times = self.recent.times[place]
        first = int(np.searchsorted(times, 0))
        columns = range(first, len(times))
        texts = tuple(self.texts.get((place, column)) for column in columns) if self.texts else (None,) * len(columns)
        as_of = times[first:]
        known_at = np.minimum(as_of, self.new.now - 1)  # before the newest, also where the clock is behind the data
        known_at[-1] = self.new.now
        metrics, cadence = self.recent.metrics, self.recent.cadence
        return Log(subject, metrics, cadence, as_of, known_at, self.recent.values[place, first:], texts)


def look(connection: Connection, new: New, depth: int) -> Newest:
    """The newest readings of the subjects, so many before the newest as the screen looks at and some to spare."""
    source, count = new.source, len(new.names)
    reach = depth + 1 + SPARE
    rows = readings.recent(connection, source.key, since=new.oldest - reach * source.cadence, subjects=new.names)
    place = {name: at for at, name in enumerate(new.names)}
    whose = np.fromiter((place[row[0]] for row in rows), dtype=np.int64, count=len(rows))
    as_of, version, known = (np.fromiter((row[at] for row in rows), dtype=np.int64, count=len(rows)) for at in (1, 2, 3))
    values = np.frombuffer(b"".join(row[4] for row in rows), dtype=np.float64).reshape(len(rows), len(source.metrics))
    same, more = whose[1:] == whose[:-1], len(rows) > 0
    ends, last = np.append(~same, [True] * more), np.append(~same | (as_of[1:] != as_of[:-1]), [True] * more)
    newest_as_of, newest_before = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=np.int64)
    newest_as_of[whose[ends]] = as_of[ends]
    older, fresh = as_of < newest_as_of[whose], known == new.now
    np.maximum.at(newest_before, whose[~fresh], as_of[~fresh])

    def any_of(rows_: Bools) -> Bools:
        return np.bincount(whose[rows_], minlength=count) > 0

    amiss = any_of((version > 0) & older) | any_of(np.append([False] * more, same & (known[1:] < known[:-1])))
    several, current = np.bincount(whose[fresh], minlength=count) > 1, any_of(ends & fresh)
    unclear = several | (current & amiss)
    plain = current & ~unclear
    times, grid = np.full((count, reach), -1, dtype=np.int64), np.full((count, reach, len(source.metrics)), np.nan)
    kept = np.flatnonzero(last)
    backwards = _from_end(whose[kept])
    fits = (backwards < reach) & plain[whose[kept]]
    picked, column = kept[fits], reach - 1 - backwards[fits]
    times[whose[picked], column], grid[whose[picked], column] = as_of[picked], values[picked]
    texts = {
        (int(whose[row]), int(at)): rows[row][5]
        for row, at in zip(picked.tolist(), column.tolist(), strict=True)
        if rows[row][5] is not None
    }
    recent = Recent(times, tuple(metric.name for metric in source.metrics), grid, source.cadence)
    return Newest(new, recent, plain, unclear, any_of(fresh & ((version > 0) | (as_of < newest_before[whose]))), texts, place)


def _from_end(whose: Ints) -> Ints:
    """How many rows of the same subject follow each row; rows of one subject stand together."""
    if not len(whose):
        return np.empty(0, dtype=np.int64)
    ends = np.append(whose[1:] != whose[:-1], True)
    number = np.cumsum(ends) - ends
    following: Ints = np.flatnonzero(ends)[number] - np.arange(len(whose))
    return following
