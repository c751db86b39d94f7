"""How far back the past of a source was asked for, and what of it is stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

from sqlalchemy import Connection, func, select

from integration.store.queries._dialect import insert
from integration.store.tables import fill, reading

#: The row that stands for every subject of a source.
ALL = "all"


def filled(connection: Connection, source: str) -> dict[str, int]:
    """The as_of (ms) back to which each subject's past was asked for, "all" for every subject."""
    return {row.subject: row.since for row in connection.execute(select(fill).where(fill.c.source == source))}


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
    connection: Connection, source: str, *, since: int, subjects: Sequence[str] | None, until: int | None = None
) -> Sequence[tuple[str, int]]:
    """The (subject, as_of) that are stored since an as_of, of any origin, by subject and as_of; each version is a row."""
    c = reading.c
    query = select(c.subject, c.as_of).where(c.source == source, c.as_of >= since)
    if subjects is not None:
        query = query.where(c.subject.in_(subjects))
    if until is not None:
        query = query.where(c.as_of <= until)
    return cast("Sequence[tuple[str, int]]", connection.execute(query.order_by(c.subject, c.as_of)).all())


def stored_times(connection: Connection, source: str, *, since: int) -> list[int]:
    """Every as_of that a source has a reading of since one of them, rising."""
    c = reading.c
    return sorted(connection.scalars(select(c.as_of).where(c.source == source, c.as_of >= since).distinct()))


def count(connection: Connection, source: str, *, since: int) -> int:
    """How many readings a source has since an as_of, every version counted."""
    c = reading.c
    return int(connection.scalar(select(func.count()).where(c.source == source, c.as_of >= since)) or 0)


def stored_subjects(connection: Connection, source: str) -> list[str]:
    """Every subject of which a source has a reading of any origin."""
    return sorted(connection.scalars(select(reading.c.subject).where(reading.c.source == source).distinct()))
