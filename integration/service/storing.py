"""Storing what a poll brought: each reading once, in portions that are short transactions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from sqlalchemy import Connection

from integration.domain.catalogue import Batch, Source
from integration.domain.history import Ints
from integration.store.queries import readings

#: Readings that one transaction takes in, if they are of more than one time: few enough that nobody waits long for it.
PORTION = 2_000


def portions(batch: Batch) -> list[Batch]:
    """A batch in parts by time, oldest first: about equal ones of no more than `PORTION` readings, but of at least one time."""
    as_of = np.asarray(batch.as_of)
    times, counts = np.unique(as_of, return_counts=True)
    most = max(1, PORTION // max(int(counts.max(initial=1)), 1))
    if len(times) <= most:
        return [batch]
    return [_between(batch, as_of, part[0], part[-1]) for part in np.array_split(times, -(-len(times) // most))]


def _between(batch: Batch, as_of: Ints, first: int, last: int) -> Batch:
    rows = np.flatnonzero((as_of >= first) & (as_of <= last))
    subjects = [batch.subjects[row] for row in rows.tolist()]
    texts = [batch.texts[row] for row in rows.tolist()]
    return replace(batch, subjects=subjects, as_of=as_of[rows], values=batch.values[rows], texts=texts)


def newest_of(batch: Batch) -> dict[str, int]:
    """The newest as_of of each subject."""
    newest: dict[str, int] = {}
    for subject, as_of in zip(batch.subjects, np.asarray(batch.as_of).tolist(), strict=True):
        newest[subject] = max(as_of, newest.get(subject, as_of))
    return newest


class Stored(NamedTuple):
    """What a batch brought: subjects with new live readings, the oldest new as_of (ms), how many readings were new, and how
    many came late: older than what their subject told live before."""

    names: list[str]
    oldest: int
    fresh: int
    late: int


def store_batch(
    connection: Connection,
    source: Source,
    batch: Batch,
    poll_id: int | None,
    *,
    now: int,
    newest: Mapping[str, int] | None = None,
) -> Stored:
    """Store the readings of a batch that say something new.

    An identical (subject, as_of, values) adds none; a different one is a new version. Of a subject that this source
    never told of before, all but the newest reading are history from before its first live one (origin backfill). Of a
    batch that is part of a larger one, `newest` says which as_of (ms) that is.
    """
    times = [int(t) for t in np.asarray(batch.as_of).tolist()]
    values = np.where(np.isfinite(batch.values), batch.values, np.nan) + 0.0 if len(times) else batch.values
    there = readings.newest_versions(connection, source.key, times)
    newest = newest_of(batch) if newest is None else newest
    fresh = []
    for position, (subject, as_of) in enumerate(zip(batch.subjects, times, strict=True)):
        packed, text = np.ascontiguousarray(values[position], dtype=np.float64).tobytes(), batch.texts[position]
        before = there.get((subject, as_of))
        if before is not None and before.values == packed and before.text == text:
            continue
        version = before.version + 1 if before is not None else 0
        fresh.append(readings.Row(source.key, subject, as_of, version, now, "live", poll_id, packed, text))
    earlier = sorted({row.subject for row in fresh if row.as_of < newest[row.subject]})
    unseen = set(earlier) - readings.known_subjects(connection, source.key, earlier) if earlier else set()
    live = [row for row in fresh if row.subject not in unseen or row.as_of == newest[row.subject]]
    before_live = [row for row in fresh if row.subject in unseen and row.as_of < newest[row.subject]]
    past = [row._replace(origin="backfill", known_at=min(row.as_of, now - 1), stored_at=now) for row in before_live]
    late = _late(connection, source, live)
    readings.add(connection, live + past)
    names, oldest = sorted({row.subject for row in live}), min((row.as_of for row in live), default=0)
    return Stored(names, oldest, len(fresh), late)


def _late(connection: Connection, source: Source, live: Sequence[readings.Row]) -> int:
    """How many of new readings are older than what was evaluated of their subject; what restates an old one is not late."""
    newest = readings.newest_as_of(connection, source.key) or 0
    older = [row for row in live if row.as_of < newest and not row.version]
    if not older:
        return 0
    names = sorted({row.subject for row in older})
    told = readings.newest_live(connection, source.key, names, since=min(row.as_of for row in older))
    return sum(row.as_of < told.get(row.subject, 0) for row in older)
