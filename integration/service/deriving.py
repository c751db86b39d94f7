"""Readings that follow from other readings: computed where those are stored, in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import Connection

from integration.domain.catalogue import MARKET, Batch, Derivation, Panel, Source
from integration.domain.retry import DAY
from integration.service.evaluate import Catalogue, polled
from integration.store.queries import past, readings, subjects

#: Of a subject that a derived source said nothing of yet, so much past is computed (ms).
PAST = 400 * DAY


@dataclass(frozen=True, slots=True)
class Changed:
    """What of a source is new: subjects and times (as_of in ms). Nothing is computed of times after `until`, if given."""

    subjects: Sequence[str]
    times: Sequence[int]
    until: int | None = None


def wanted(catalogue: Catalogue, read: Iterable[str]) -> set[str]:
    """The derived sources among those that rules read, and what these are derived from in turn."""
    names = set(read)
    while True:
        more = {
            each.source for name in names if (how := catalogue.sources[name].derivation) is not None for each in how.inputs
        } - names
        if not more:
            return {name for name in names if catalogue.sources[name].derivation is not None}
        names |= more


def derive(
    connection: Connection,
    catalogue: Catalogue,
    base: Source,
    changed: Changed,
    *,
    want: set[str],
    now: int,
    whole: bool | None = None,
) -> Iterator[tuple[Source, list[str], int]]:
    """Compute and store what follows from new readings: (source, subjects with new live readings, their oldest as_of) each.

    A derived reading is known when the reading it is computed at was; where it changes later, from then on. The caller
    holds the event lock. `want` are the derived sources to compute; `whole` true means only those that look at all subjects at
    once, false only the others.
    """
    waiting = [(base, changed)]
    while waiting:
        source, fresh = waiting.pop(0)
        for key in sorted(want):
            derived = catalogue.sources[key]
            how = _how(derived)
            if how.inputs[0].source != source.key or not fresh.subjects or whole not in (None, how.whole):
                continue
            stored = _store(connection, derived, _compute(connection, catalogue, derived, fresh), source, now=now)
            live, oldest = _live(stored)
            yield derived, live, oldest
            waiting.append((derived, Changed(sorted({row.subject for row in stored}), sorted({row.as_of for row in stored}))))


def _compute(connection: Connection, catalogue: Catalogue, derived: Source, fresh: Changed) -> list[Batch]:
    """The readings that follow: of subjects it told of before from the first change on, of others from all their past."""
    how = _how(derived)
    clock = how.inputs[0]
    start, latest = min(fresh.times), max(fresh.times)
    end = latest + clock.days * DAY if fresh.until is None else fresh.until
    newest = readings.newest_as_of(connection, derived.key)
    anew = latest - PAST
    going_on = anew if newest is None else min(start, newest + 1)  # it may have been unwanted for a while
    if how.whole:
        return [_part(connection, catalogue, derived, None, going_on, end)]
    told = set(past.stored_subjects(connection, derived.key, fresh.subjects))
    parts = []
    for names, first in ((sorted(told), going_on), (sorted(set(fresh.subjects) - told), anew)):
        if names:
            parts.append(_part(connection, catalogue, derived, names, first, end))
    return parts


def _how(derived: Source) -> Derivation:
    if derived.derivation is None:
        raise TypeError(f"{derived.key} is not derived")
    return derived.derivation


def _part(
    connection: Connection, catalogue: Catalogue, derived: Source, names: Sequence[str] | None, first: int, last: int
) -> Batch:
    how = _how(derived)
    panels = {}
    for each in how.inputs:
        source = catalogue.sources[each.source]
        only = None if names is None else sorted({*names, *each.always})
        panels[each.source] = panel_of(connection, source, only, first - each.days * DAY, last)
    clock = panels[how.inputs[0].source]
    mine = clock.subjects if names is None else [name for name in names if name in clock.subjects]
    times = clock.times[clock.times >= first]
    if not len(times) or not len(mine):
        return Batch((), np.empty(0, dtype=np.int64), np.empty((0, len(derived.metrics))), ())
    known = subjects.load(connection, None if how.whole else list(mine))
    return how.compute(panels, known, mine, times)


def panel_of(connection: Connection, source: Source, names: Sequence[str] | None, since: int, until: int) -> Panel:
    """A source's newest versions between two times, both included, as a grid."""
    return grid(source, readings.settled(connection, source.key, since=since, until=until, subjects=names))


def grid(source: Source, rows: Sequence[Any]) -> Panel:
    """Rows of (subject, as_of, values, text), one for each subject and as_of, as a grid."""
    found = sorted({row[0] for row in rows})
    place = {name: at for at, name in enumerate(found)}
    as_of = np.fromiter((row[1] for row in rows), dtype=np.int64, count=len(rows))
    times = np.unique(as_of)
    where = np.fromiter((place[row[0]] for row in rows), dtype=np.int64, count=len(rows)), np.searchsorted(times, as_of)
    metrics = tuple(metric.name for metric in source.metrics)
    values = np.full((len(found), len(times), len(metrics)), np.nan)
    there = np.zeros((len(found), len(times)), dtype=bool)
    if rows:
        values[where] = np.frombuffer(b"".join(row[2] for row in rows), dtype=np.float64).reshape(len(rows), len(metrics))
        there[where] = True
    texts = {(row[0], row[1]): row[3] for row in rows if row[3] is not None}
    return Panel(tuple(found), times, metrics, values, there, texts)


def _store(connection: Connection, derived: Source, batches: Sequence[Batch], clock: Source, *, now: int) -> list[readings.Row]:
    """Store what says something new, with the clock reading's own known_at and origin."""
    fresh: list[readings.Row] = []
    for batch in batches:
        times = [int(time) for time in np.asarray(batch.as_of).tolist()]
        if not times:
            continue
        there = readings.newest_versions(connection, derived.key, times)
        known = readings.provenance(connection, clock.key, times)
        for position, (subject, as_of) in enumerate(zip(batch.subjects, times, strict=True)):
            values = np.ascontiguousarray(batch.values[position], dtype=np.float64) + 0.0
            before, text = there.get((subject, as_of)), batch.texts[position]
            if before is None and text is None and not np.isfinite(values).any():
                continue  # nothing can be said yet
            packed = values.tobytes()
            if before is not None and before.values == packed and before.text == text:
                continue
            known_at, origin, poll_id = known[subject if derived.subject != "market" else MARKET, as_of]
            version = 0 if before is None else before.version + 1
            when = known_at if before is None or origin == "backfill" else now
            stored_at = None if when == now else now
            fresh.append(readings.Row(derived.key, subject, as_of, version, when, origin, poll_id, packed, text, stored_at))
    readings.add(connection, fresh)
    return fresh


def _live(rows: Sequence[readings.Row]) -> tuple[list[str], int]:
    live = [row for row in rows if row.origin == "live"]
    return sorted({row.subject for row in live}), min((row.as_of for row in live), default=0)


def needed_past(catalogue: Catalogue, names: Iterable[str]) -> dict[str, int]:
    """How many days of past each polled source needs, so that these derived sources can say something at once."""
    days: dict[str, int] = {}
    for name in names:
        how = catalogue.sources[name].derivation
        for each in how.inputs if how is not None else ():
            further = max(needed_past(catalogue, [each.source]).values(), default=0)
            for base in polled(catalogue, each.source):
                days[base] = max(days.get(base, 0), each.days + further)
    return days
