"""A subject's readings as a trigger sees them, and the order in which the past became known."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class History:
    """What was settled about one subject: as_of rises strictly; `values` is rows × metrics, NaN = missing.

    `cadence` is the source's, in milliseconds; readings further apart than `max_gap` do not speak to each other.
    """

    subject: str
    metrics: tuple[str, ...]
    cadence: int
    as_of: Ints
    values: Floats
    texts: tuple[str | None, ...]

    @property
    def max_gap(self) -> int:
        """The longest silence across which a crossing still counts: 48 h or three intervals."""
        return max_gap(self.cadence)

    def column(self, metric: str) -> Floats:
        """One metric over time; infinities count as missing."""
        values = self.values[:, self.metrics.index(metric)]
        return np.where(np.isfinite(values), values, np.nan)


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
    if len(picked) == len(log.as_of) and (picked == np.arange(len(picked))).all():
        as_of, values, texts = log.as_of, log.values, log.texts
    else:
        as_of, values = log.as_of[picked], log.values[picked]
        texts = tuple(log.texts[i] for i in order) if log.texts else ()
    known = dict(zip(log.as_of[picked[start:]].tolist(), log.known_at[picked[start:]].tolist(), strict=True))
    history = History(log.subject, log.metrics, log.cadence, as_of, values, texts)
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
