"""How far back the past of a source was asked for, and what of it is stored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

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
