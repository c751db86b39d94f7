"""The past as a backtest sees it: what is stored, what was filled in later, and what follows from both though it is not stored.

Live evaluation stores what derived sources say only while somebody wants them; a backtest computes the rest as it would
have been stored, and writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
from sqlalchemy import Connection

from integration.domain.backtest import Prices, counted_from
from integration.domain.catalogue import MARKET, Derivation, Input, Panel, Source, split_source
from integration.domain.errors import InvalidInput
from integration.domain.history import Ints
from integration.domain.retry import DAY
from integration.service.deriving import grid, panel_of
from integration.service.evaluate import Catalogue, Shelf
from integration.store.queries import past, readings, subjects

#: The source of closes, which returns are measured with.
CLOSES = "daily_ohlcv"
#: The most readings that what is derived from all subjects at once is computed from.
MOST_AT_ONCE = 1_500_000
#: The origin of what was filled in later.
FILLED = "reconstructed"
EMPTY: Ints = np.empty(0, dtype=np.int64)

#: (subject, as_of, known_at, values, text, stored_at, origin)
Row = Sequence[Any]
#: What was computed from all subjects at once, by (source, since).
Memory = dict[tuple[str, int], Sequence[Row]]


class Past(Shelf):
    """The logs of some subjects, readings that were filled in later included, unless `filled` is false.

    Such readings count from the time they are of: see `domain.backtest.counted_from`. `memory` is shared by all of a run.
    """

    def __init__(
        self,
        connection: Connection,
        catalogue: Catalogue,
        names: Sequence[str],
        since: int,
        *,
        memory: Memory,
        filled: bool = True,
    ) -> None:
        super().__init__(connection, catalogue.sources, names, since)
        self._catalogue, self._memory, self._filled = catalogue, memory, filled
        self._mended: dict[str, set[str]] = {}

    def rows(self, source: Source, names: Sequence[str]) -> Sequence[Row]:
        """As a `Shelf`, with what is derived, though it is not stored, and what was filled in later."""
        since = self._since - source.age
        rows: Sequence[Row] = readings.log(self._connection, source.key, since=since, subjects=names, reconstructed=True)
        if source.derivation is not None:
            rows = _merged(rows, list(self._unsaid(source, source.derivation, names, rows)))
        mended = {row[0] for row in rows if row[6] == FILLED}
        if not mended:
            return rows
        self._mended.setdefault(source.key, set()).update(mended)
        if not self._filled:
            return [row for row in rows if row[6] != FILLED]
        parts = [(name, list(part)) for name, part in groupby(rows, key=itemgetter(0))]
        return [row for name, part in parts for row in (_in_place(part) if name in mended else part)]

    def mended(self, inputs: Sequence[str], subject: str) -> bool:
        """Whether any log that a subject's was made of has readings that were filled in later."""
        for name in inputs:
            key, one = split_source(name)
            whose = one or (MARKET if self._sources[key].subject == MARKET else subject)
            if whose in self._mended.get(key, ()):
                return True
        return False

    def _unsaid(self, source: Source, how: Derivation, names: Sequence[str], said: Sequence[Row]) -> Iterator[Row]:
        """What a derived source has to say of the stored readings that it is derived from, and has not said yet."""
        since = self._since - source.age
        base = self._sources[how.inputs[0].source]
        missing = _not_said(names, said, self._base_times(base, names, since))
        if not missing:
            return
        if how.whole:
            rows = self._from_all(source, how, base, since)
        else:
            rows = list(self._computed(source, how, sorted(missing), np.unique(np.concatenate(list(missing.values())))))
        there = {(row[0], row[1]) for row in said}
        yield from (row for row in rows if row[0] in missing and (row[0], row[1]) not in there)

    def _from_all(self, source: Source, how: Derivation, base: Source, since: int) -> Sequence[Row]:
        """What follows from all subjects at once: computed once in a run."""
        key = source.key, since
        if key not in self._memory:
            if past.count(self._connection, base.key, since=since) > MOST_AT_ONCE:
                text = f"{source.label} follow from all there is of {base.label}, too much to be computed at once. Read the feed "
                raise InvalidInput(text + "of this trigger: from then on they are kept. Then ask again.", field="trigger")
            times = np.array(past.stored_times(self._connection, base.key, since=since), dtype=np.int64)
            self._memory[key] = list(self._computed(source, how, None, times)) if len(times) else []
        return self._memory[key]

    def _computed(self, source: Source, how: Derivation, names: Sequence[str] | None, times: Ints) -> Iterator[Row]:
        """The readings of a derived source at some times, as they would be stored; names None means of all subjects."""
        base = how.inputs[0].source
        panels = {each.source: self._panel(each, names, int(times[0]), int(times[-1])) for each in how.inputs}
        mine = panels[base].subjects if names is None else [name for name in names if name in panels[base].subjects]
        if not len(mine):
            return
        batch = how.compute(panels, subjects.load(self._connection, None if how.whole else list(mine)), mine, times)
        known = _known(self._rows_of(self._sources[base], names, int(times[0])), whole=source.subject == MARKET)
        values = np.ascontiguousarray(batch.values, dtype=np.float64) + 0.0
        says = np.asarray(np.isfinite(values).any(axis=1)).tolist()
        for at, key in enumerate(zip(batch.subjects, np.asarray(batch.as_of).tolist(), strict=True)):
            if says[at] or batch.texts[at] is not None:
                yield (*key, known[key][0], values[at].tobytes(), batch.texts[at], None, FILLED if known[key][1] else "live")

    def _base_times(self, base: Source, names: Sequence[str], since: int) -> dict[str, Ints]:
        """The times at which a derived source's clock said something of each subject, or of anything."""
        if base.derivation is not None:
            return _times(self._rows_of(base, names, since))
        if names == [MARKET]:
            return {MARKET: np.array(past.stored_times(self._connection, base.key, since=since), dtype=np.int64)}
        return past.stored_days(self._connection, base.key, since=since, subjects=names)

    def _panel(self, each: Input, names: Sequence[str] | None, since: int, until: int) -> Panel:
        """An input's newest versions between two times, and from as many days before as it looks back."""
        source, first = self._sources[each.source], since - each.days * DAY
        own = None if names is None else sorted({*names, *each.always})
        if source.derivation is None:
            return panel_of(self._connection, source, own, first, until)
        rows = [row for row in self._rows_of(source, own, first) if row[1] <= until]
        newest = {(row[0], row[1]): (row[0], row[1], row[3], row[4]) for row in rows}
        return grid(source, list(newest.values()))

    def _rows_of(self, source: Source, names: Sequence[str] | None, since: int) -> Sequence[Row]:
        mine = past.stored_subjects(self._connection, source.key) if names is None else names
        return Past(self._connection, self._catalogue, mine, since + source.age, memory=self._memory).rows(source, mine)


def _merged(stored: Sequence[Row], computed: Sequence[Row]) -> Sequence[Row]:
    return sorted([*stored, *computed], key=itemgetter(0, 2, 1)) if computed else stored


def _in_place(part: Sequence[Row]) -> Sequence[Row]:
    """One subject's rows with the times they count from, in their order."""
    as_of, known_at = (np.array([row[at] for row in part], dtype=np.int64) for at in (1, 2))
    counted = counted_from(as_of, known_at, np.array([row[6] == FILLED for row in part], dtype=bool))
    order = np.lexsort((as_of, counted))  # stable: of one as_of, versions stay in their order
    return [(*part[at][:2], int(counted[at]), *part[at][3:]) for at in order.tolist()]


def _not_said(names: Sequence[str], said: Sequence[Row], base: Mapping[str, Ints]) -> dict[str, Ints]:
    """The times of its clock at which a derived source has said nothing, of subjects that have such."""
    told, found = _times(said), {}
    for name in names:
        times, own = base.get(name, EMPTY), told.get(name, EMPTY)
        silent = times if not len(own) else times[~np.isin(times, own)]
        if len(silent):
            found[name] = silent
    return found


def _times(rows: Sequence[Sequence[Any]]) -> dict[str, Ints]:
    return {
        name: np.unique(np.array([row[1] for row in part], dtype=np.int64)) for name, part in groupby(rows, key=itemgetter(0))
    }


def _known(clock: Sequence[Row], *, whole: bool) -> dict[tuple[str, int], tuple[int, bool]]:
    """(known_at, filled in later) of what is computed at each reading of the clock; of a whole time once its last is known."""
    found: dict[tuple[str, int], tuple[int, bool]] = {}
    for subject, as_of, known_at, *_, origin in clock:
        filled = origin == FILLED
        key = (MARKET if whole else subject, as_of)
        before = found.get(key) if whole else None
        if before is None or (not filled, known_at) > (not before[1], before[0]):
            found[key] = (known_at, filled)
    return found


def prices(connection: Connection, catalogue: Catalogue, names: Sequence[str], since: int, until: int) -> dict[str, Prices]:
    """The stored daily closes of tokens between two as_of, each in its newest version."""
    column = catalogue.sources[CLOSES].column("close")
    rows = readings.one_metric(connection, CLOSES, column, since=since, until=until, subjects=names)
    found = {}
    for subject, part in groupby(rows, key=itemgetter(0)):
        _, as_of, known_at, packed = zip(*part, strict=True)
        days = np.array(as_of, dtype=np.int64) // DAY
        first = np.flatnonzero(np.diff(days, prepend=-1))
        last = np.append(first[1:], len(days)) - 1
        closes = np.frombuffer(b"".join(packed), dtype=np.float64)[last]
        found[subject] = Prices(days[first], np.array(known_at, dtype=np.int64)[first], closes)
    return found
