"""A subject's readings as a trigger sees them, and the order in which the past became known."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Joined:
    """What another source had said at each time of a clock: its last version then, row by row beside the clock's.

    `as_of` is -1, values are NaN and texts None where it had said nothing, or nothing recent enough.
    """

    metrics: tuple[str, ...]
    as_of: Ints
    values: Floats
    texts: tuple[str | None, ...]

    def column(self, metric: str) -> Floats:
        """One metric over the clock's time; infinities count as missing."""
        return _column(self.metrics, self.values, metric)

    def take(self, rows: slice | Ints) -> Joined:
        """Some of the rows, in the order given."""
        return replace(self, as_of=self.as_of[rows], values=self.values[rows], texts=_taken(self.texts, rows))


@dataclass(frozen=True, slots=True)
class History:
    """What was settled about one subject: as_of rises strictly; `values` is rows × metrics, NaN = missing.

    `cadence` is the source's, in milliseconds; readings further apart than `max_gap` do not speak to each other.
    `joined` holds the other sources that a trigger names, by the name it uses.
    """

    subject: str
    metrics: tuple[str, ...]
    cadence: int
    as_of: Ints
    values: Floats
    texts: tuple[str | None, ...]
    joined: Mapping[str, Joined] = field(default_factory=dict)

    @property
    def max_gap(self) -> int:
        """The longest silence across which a crossing still counts: 48 h or three intervals."""
        return max_gap(self.cadence)

    def column(self, metric: str) -> Floats:
        """One metric over time; infinities count as missing."""
        return _column(self.metrics, self.values, metric)

    def of(self, source: str) -> Joined:
        """A source beside the clock."""
        return self.joined[source]

    def take(self, rows: slice | Ints) -> History:
        """Some of the rows, in the order given."""
        joined = {name: other.take(rows) for name, other in self.joined.items()}
        return replace(self, as_of=self.as_of[rows], values=self.values[rows], texts=_taken(self.texts, rows), joined=joined)


def _column(metrics: tuple[str, ...], values: Floats, metric: str) -> Floats:
    column = values[:, metrics.index(metric)]
    return np.where(np.isfinite(column), column, np.nan)


def _taken(texts: tuple[str | None, ...], rows: slice | Ints) -> tuple[str | None, ...]:
    if not texts:
        return ()
    if isinstance(rows, slice):
        return texts[rows]
    return tuple(texts[row] for row in rows.tolist())


@dataclass(frozen=True, slots=True)
class Firing:
    """A rule came true at `as_of`; `fields` are the trigger's own flat payload fields."""

    as_of: int
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Told:
    """A firing, the moment the reading that made it fire was known, and whether that reading restated an earlier one."""

    firing: Firing
    known_at: int
    restated: bool = False


@dataclass(frozen=True, slots=True)
class Log:
    """Every version of one subject's readings, in the order of (known_at, as_of, version)."""

    subject: str
    metrics: tuple[str, ...]
    cadence: int
    as_of: Ints
    known_at: Ints
    values: Floats
    texts: tuple[str | None, ...] = field(default=())
    joined: Mapping[str, Joined] = field(default_factory=dict)

    def history(self, rows: slice | Ints) -> History:
        """Some of the rows as a trigger sees them."""
        joined = {name: other.take(rows) for name, other in self.joined.items()}
        texts = _taken(self.texts, rows)
        return History(self.subject, self.metrics, self.cadence, self.as_of[rows], self.values[rows], texts, joined)


def join(log: Log, name: str, other: Log | None, metrics: tuple[str, ...], max_age: int) -> Log:
    """The log with another source beside it, under a name.

    At each row stands the other's newest as_of, in its last version, of what was known by the row's known_at and is not
    dated after the row's as_of nor more than `max_age` ms before it. None stands for a subject it says nothing of.
    """
    count = len(log.as_of)
    picked = np.full(count, -1, dtype=np.int64) if other is None or not len(other.as_of) else _beside(log, other)
    there = picked >= 0
    as_of, values = np.full(count, -1, dtype=np.int64), np.full((count, len(metrics)), np.nan)
    texts: list[str | None] = [None] * count
    if other is not None and there.any():
        there &= log.as_of - other.as_of[picked] <= max_age
        as_of[there], values[there] = other.as_of[picked[there]], other.values[picked[there]]
        if other.texts:
            for row in np.flatnonzero(there).tolist():
                texts[row] = other.texts[picked[row]]
    return replace(log, joined={**log.joined, name: Joined(metrics, as_of, values, tuple(texts))})


def _beside(log: Log, other: Log) -> Ints:
    """The position in the other log that stands beside each row of a log, -1 where none does."""
    if (np.diff(other.as_of) > 0).all() and (np.diff(other.known_at) >= 0).all():  # nothing late, nothing restated
        by_date = np.searchsorted(other.as_of, log.as_of, side="right")
        by_knowledge = np.searchsorted(other.known_at, log.known_at, side="right")
        return np.minimum(by_date, by_knowledge) - 1
    order = np.lexsort((np.arange(len(other.as_of)), other.as_of))  # by as_of, then by version
    dates, known = other.as_of[order], other.known_at[order]
    found = np.full(len(log.as_of), -1, dtype=np.int64)
    for row, (as_of, known_at) in enumerate(zip(log.as_of.tolist(), log.known_at.tolist(), strict=True)):
        may = np.flatnonzero((dates <= as_of) & (known <= known_at))
        if may.size:
            found[row] = order[may[-1]]
    return found


def max_gap(cadence: int) -> int:
    """max(48 h, 3 × cadence), in milliseconds."""
    return max(48 * 3_600_000, 3 * cadence)


@dataclass(frozen=True, slots=True)
class Epoch:
    """A stretch of the log in which nothing already evaluated changed.

    Evaluating `history` gives the firings of this stretch: those at `first` (an as_of) and later. `restated` says that
    the stretch begins by restating the newest as_of.
    """

    history: History
    known_at: Mapping[int, int]
    first: int
    restated: bool


def epochs(log: Log) -> Iterator[Epoch]:
    """Split a log where the past changes: at a restated newest value, and at a late one that takes its place.

    A reading newer than all before it is appended. One with the newest as_of replaces it and is evaluated again. An
    older one that was not there yet takes its place for later evaluations if it is at most one interval late; any
    other older one stays out. The last version known before any later as_of is what history keeps.
    """
    if len(log.as_of) and (np.diff(log.as_of) > 0).all():  # nothing late, nothing restated: as most logs are
        yield _epoch(log, range(len(log.as_of)), 0, False)
        return
    order: list[int] = []  # positions in the log, by rising as_of
    start = 0  # first position in `order` that was not evaluated yet
    restated = False
    times = log.as_of.tolist()
    for position, as_of in enumerate(times):
        place = bisect_right(order, as_of, key=times.__getitem__)
        present = place > 0 and times[order[place - 1]] == as_of
        if place == len(order) and not present:
            order.append(position)
            continue
        if (present and place < len(order)) or (not present and times[order[-1]] - as_of > log.cadence):
            continue  # an older value restated, or one that is too late: history does not change
        if start < len(order):
            yield _epoch(log, order, start, restated)
        if present:
            order[-1] = position
            start, restated = len(order) - 1, True
        else:
            order.insert(place, position)
            start, restated = len(order), False
    if start < len(order):
        yield _epoch(log, order, start, restated)


def _epoch(log: Log, order: Sequence[int], start: int, restated: bool) -> Epoch:
    picked = np.asarray(order, dtype=np.int64)
    whole = len(picked) == len(log.as_of) and bool((picked == np.arange(len(picked))).all())
    known = dict(zip(log.as_of[picked[start:]].tolist(), log.known_at[picked[start:]].tolist(), strict=True))
    history = log.history(slice(None) if whole else picked)
    return Epoch(history, known, int(log.as_of[order[start]]), restated)


def replay(log: Log, scan: Callable[[History], list[Firing]]) -> list[Told]:
    """The firings of a log as they would have been told live, at most one an as_of, in the order they became known."""
    return tell(epochs(log), scan)


def tell(stretches: Iterable[Epoch], scan: Callable[[History], list[Firing]]) -> list[Told]:
    """`replay`, of a log that was split already: the same for every rule."""
    told: dict[int, Told] = {}
    for epoch in stretches:
        for firing in scan(epoch.history):
            if firing.as_of >= epoch.first and firing.as_of not in told:
                again = epoch.restated and firing.as_of == epoch.first
                told[firing.as_of] = Told(firing, epoch.known_at[firing.as_of], again)
    return list(told.values())
