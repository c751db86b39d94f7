"""How far back the past of a source was asked for, and what of it is stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from sqlalchemy import Connection, Text, cast, func, select

from integration.domain.history import Ints
from integration.store.queries._dialect import insert
from integration.store.tables import fill, reading

#: The row that stands for every subject of a source.
ALL = "all"


def filled(connection: Connection, source: str) -> dict[str, int]:
    """The as_of (ms) back to which each subject's past was asked for, "all" for every subject."""
    return {row.subject: row.since for row in connection.execute(select(fill).where(fill.c.source == source))}


def last_filled(connection: Connection, source: str) -> int:
    """When the past of any subject of a source was last noted as asked for (ms); 0 before."""
    return int(connection.scalar(select(func.max(fill.c.filled_at)).where(fill.c.source == source)) or 0)


def note(connection: Connection, source: str, subjects: Sequence[str], since: int, now: int) -> None:
    """The past of these subjects was asked for back to an as_of."""
    statement = insert(connection, fill)
    upsert = statement.on_conflict_do_update(
        index_elements=[fill.c.source, fill.c.subject],
        set_={"since": statement.excluded.since, "filled_at": statement.excluded.filled_at},
        where=fill.c.since > statement.excluded.since,
    )
    rows = [{"source": source, "subject": subject, "since": since, "filled_at": now} for subject in subjects]
    if rows:
        connection.execute(upsert, rows)


def first_live(connection: Connection, source: str, subjects: Sequence[str] | None = None) -> dict[str, int]:
    """The first as_of at which each subject was read live, of all or among some."""
    c = reading.c
    query = select(c.subject, func.min(c.as_of)).where(c.source == source, c.origin == "live").group_by(c.subject)
    if subjects is not None:
        query = query.where(c.subject.in_(subjects))
    return {row[0]: row[1] for row in connection.execute(query)}


def present(connection: Connection, source: str, times: Iterable[int]) -> set[tuple[str, int]]:
    """The (subject, as_of) that are stored, of some as_of."""
    c = reading.c
    query = select(c.subject, c.as_of).where(c.source == source, c.as_of.in_(sorted(set(times)))).distinct()
    return {(row[0], row[1]) for row in connection.execute(query)}


def stored_days(
    connection: Connection, source: str, *, since: int, subjects: Sequence[str], until: int | None = None
) -> dict[str, Ints]:
    """Every as_of that is stored of each subject between two, both included, of any origin: rising, each once.

    A subject's come as one text: a row for each would cost several times as much.
    """
    c = reading.c
    query = select(c.subject, func.aggregate_strings(cast(c.as_of, Text), ",")).group_by(c.subject)
    query = query.where(c.source == source, c.subject.in_(subjects), c.as_of >= since)
    if until is not None:
        query = query.where(c.as_of <= until)
    return {row[0]: np.unique(np.fromstring(row[1], dtype=np.int64, sep=",")) for row in connection.execute(query)}


def stored_times(connection: Connection, source: str, *, since: int) -> list[int]:
    """Every as_of that a source has a reading of since one of them, rising."""
    c = reading.c
    return sorted(connection.scalars(select(c.as_of).where(c.source == source, c.as_of >= since).distinct()))


def count(connection: Connection, source: str, *, since: int) -> int:
    """How many readings a source has since an as_of, every version counted."""
    c = reading.c
    return int(connection.scalar(select(func.count()).where(c.source == source, c.as_of >= since)) or 0)


def stored_subjects(connection: Connection, source: str, among: Sequence[str] | None = None) -> list[str]:
    """The subjects, of all or among some, of which a source has a reading of any origin."""
    query = select(reading.c.subject).where(reading.c.source == source).distinct()
    return sorted(connection.scalars(query if among is None else query.where(reading.c.subject.in_(among))))
