"""Readings: every version of what a source said about a subject."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, CursorResult, LargeBinary, and_, case, delete, func, select, text, tuple_

from integration.store.queries._dialect import array, insert
from integration.store.tables import poll, reading, revision

_MOMENT = "moment"


class Row(NamedTuple):
    """One version of one reading; `values` is packed float64. `stored_at` is given where that is later than `known_at`."""

    source: str
    subject: str
    as_of: int
    version: int
    known_at: int
    origin: str
    poll_id: int | None
    values: bytes
    text: str | None
    stored_at: int | None = None


class Version(NamedTuple):
    """The newest version that is stored for a subject and as_of."""

    version: int
    values: bytes
    text: str | None


class Newest(NamedTuple):
    """The newest that is known of a subject; `values` is packed float64."""

    as_of: int
    values: bytes
    text: str | None


def newest_versions(connection: Connection, source: str, times: Iterable[int]) -> dict[tuple[str, int], Version]:
    """The newest version of every subject at some as_of, by (subject, as_of)."""
    columns = (reading.c.subject, reading.c.as_of, reading.c.version, reading.c["values"], reading.c.text)
    query = (
        select(*columns).where(reading.c.source == source, reading.c.as_of.in_(sorted(set(times)))).order_by(reading.c.version)
    )
    return {(r.subject, r.as_of): Version(r.version, bytes(r[3]), r.text) for r in connection.execute(query)}


def add(connection: Connection, rows: Sequence[Row]) -> None:
    """Store new versions."""
    if rows:
        connection.execute(reading.insert(), [row._asdict() for row in rows])


def known_subjects(connection: Connection, source: str, among: Sequence[str] | None = None) -> set[str]:
    """Subjects, of all or among some, of which a source has said anything live."""
    query = select(reading.c.subject).where(reading.c.source == source, reading.c.origin == "live").distinct()
    if among is not None:
        query = query.where(reading.c.subject.in_(among))
    return set(connection.scalars(query))


def lately(connection: Connection, source: str, subjects: Sequence[str], since: int) -> int:
    """How many of some subjects a source has said anything live of since an as_of."""
    c = reading.c
    mine = (c.source == source, c.subject.in_(subjects), c.as_of >= since, c.origin == "live")
    return int(connection.scalar(select(func.count(c.subject.distinct())).where(*mine)) or 0)


def told_of(connection: Connection, source: str, since: int, *, live: bool = False) -> list[str]:
    """The subjects that a source has readings of since an as_of, of any origin or only live ones."""
    c = reading.c
    query = select(c.subject).where(c.source == source, c.as_of >= since).distinct()
    return list(connection.scalars(query.where(c.origin == "live") if live else query))


def newest_live(connection: Connection, source: str, subjects: Sequence[str], *, since: int) -> dict[str, int]:
    """The newest as_of that each of some subjects has a live reading of, of those after an as_of."""
    c = reading.c
    query = select(c.subject, func.max(c.as_of)).where(c.source == source, c.subject.in_(subjects), c.as_of > since)
    return {row[0]: row[1] for row in connection.execute(query.where(c.origin == "live").group_by(c.subject))}


def newest_as_of(connection: Connection, source: str) -> int | None:
    """The newest as_of that a source has, over all subjects."""
    newest: int | None = connection.scalar(select(func.max(reading.c.as_of)).where(reading.c.source == source))
    return newest


def log(
    connection: Connection, source: str, *, since: int, subjects: Sequence[str], reconstructed: bool = False
) -> Sequence[Any]:
    """Rows of (subject, as_of, known_at, values, text, stored_at, origin) that live evaluation sees, by subject, then (as_of,
    version).

    What was filled in later inside the live period (origin `reconstructed`) is part of it only where that is asked for.
    """
    c = reading.c
    query = select(c.subject, c.as_of, c.known_at, c["values"], c.text, c.stored_at, c.origin)
    mine = (c.source == source, c.subject.in_(subjects), c.as_of >= since)
    query = query.where(*mine) if reconstructed else query.where(*mine, c.origin != "reconstructed")
    return _tuples(connection.execute(query.order_by(c.subject, c.as_of, c.version)))


def _tuples(found: CursorResult[Any]) -> Sequence[Any]:
    """Rows as the driver gives them: of hundreds of thousands, making each a Row costs more than reading them."""
    if found.cursor is None:
        raise TypeError("this statement returns no rows")
    rows: Sequence[Any] = found.cursor.fetchall()
    found.close()
    return rows


def one_metric(
    connection: Connection, source: str, column: int, *, since: int, until: int, subjects: Sequence[str]
) -> Sequence[Any]:
    """Rows of (subject, as_of, known_at, float64 bytes) of one metric, by its position: by subject, as_of and version.

    What was filled in later counts as known at its as_of.
    """
    c = reading.c
    known_at = case((c.origin == "reconstructed", c.as_of), else_=c.known_at)
    value = func.substr(c["values"], 8 * column + 1, 8, type_=LargeBinary)
    query = select(c.subject, c.as_of, known_at, value).where(c.source == source, c.subject.in_(subjects))
    return _tuples(connection.execute(query.where(c.as_of.between(since, until)).order_by(c.subject, c.as_of, c.version)))


_THEN = """
    SELECT a.place, r.as_of, r."values", r.text FROM {asked} AS a
    JOIN reading r ON r.source = :source AND r.subject = a.subject AND r.as_of = (
        SELECT e.as_of FROM reading e WHERE e.source = :source AND e.subject = a.subject AND {e_there}
        ORDER BY e.as_of DESC LIMIT 1
    )
    WHERE {r_there} ORDER BY r.version"""
_THERE = """coalesce({0}.stored_at, {0}.known_at) <= a.moment AND (
        {0}.known_at <= a.known_at OR ({0}.origin = 'reconstructed' AND {0}.as_of <= a.as_of))"""
_ASKED = {
    "sqlite": "(SELECT key AS place, json_extract(value, '$[0]') AS subject, json_extract(value, '$[1]') AS as_of, "
    "json_extract(value, '$[2]') AS known_at, json_extract(value, '$[3]') AS moment FROM json_each(:asked))",
    "postgresql": "(SELECT * FROM unnest(CAST(:subjects AS text[]), CAST(:as_of AS bigint[]), CAST(:known_at AS bigint[]), "
    "CAST(:moments AS bigint[])) WITH ORDINALITY AS u (subject, as_of, known_at, moment, place))",
}
_THENS = {
    name: text(_THEN.format(asked=asked, e_there=_THERE.format("e"), r_there=_THERE.format("r")))
    for name, asked in _ASKED.items()
}


class Then(NamedTuple):
    """A subject at a past time: what was known at `known_at` is asked for, as far as it was stored by `moment` (ms)."""

    subject: str
    as_of: int
    known_at: int
    moment: int


def at_the_time(connection: Connection, source: str, asked: Sequence[Then]) -> dict[int, Newest]:
    """What a source's newest reading was at each of some times, by position, where there was one.

    What was filled in later (origin `reconstructed`) counts as known from its as_of on.
    """
    if not asked:
        return {}
    query = _THENS[connection.dialect.name]
    if connection.dialect.name == "sqlite":
        given = {"source": source, "asked": json.dumps(asked)}
        return {row[0]: Newest(*row[1:]) for row in connection.execute(query, given)}
    columns = dict(zip(("subjects", "as_of", "known_at", "moments"), map(array, zip(*asked, strict=True)), strict=True))
    found = connection.execute(query, {"source": source, **columns})
    return {row[0] - 1: Newest(row[1], bytes(row[2]), row[3]) for row in found}


def settled(connection: Connection, source: str, *, since: int, until: int, subjects: Sequence[str] | None) -> Sequence[Any]:
    """Rows of (subject, as_of, values, text) between two as_of, both included: of each the newest version, of any origin."""
    c = reading.c
    query = select(c.subject, c.as_of, c["values"], c.text).where(c.source == source, c.as_of.between(since, until))
    if subjects is not None:
        query = query.where(c.subject.in_(subjects))
    rows = _tuples(connection.execute(query.order_by(c.version)))
    return list({(row[0], row[1]): row for row in rows}.values())


def provenance(connection: Connection, source: str, times: Iterable[int]) -> dict[tuple[str, int], tuple[int, str, int | None]]:
    """(known_at, origin, poll id) of the newest version of each (subject, as_of); and of each as_of as a whole, under "market".

    A whole as_of is known once the last of its readings is, and is live where any of them is.
    """
    c = reading.c
    query = select(c.subject, c.as_of, c.known_at, c.origin, c.poll_id).where(c.source == source, c.as_of.in_(sorted(set(times))))
    found: dict[tuple[str, int], tuple[int, str, int | None]] = {}
    for subject, as_of, known_at, origin, poll_id in connection.execute(query.order_by(c.version)):
        found[subject, as_of] = (known_at, origin, poll_id)
        if subject == "market":
            continue
        whole = found.get(("market", as_of))
        if whole is None or (origin == "live", known_at) > (whole[1] == "live", whole[0]):
            found["market", as_of] = (known_at, origin, poll_id)
    return found


def evenly(connection: Connection, source: str, cadence: int, since: int, subjects: Sequence[str]) -> set[str]:
    """Those of whom any two readings since an as_of lie at least a cadence (ms) apart: all at the same time within it."""
    c = reading.c
    offset = c.as_of % cadence
    query = select(c.subject).where(c.source == source, c.subject.in_(subjects), c.as_of >= since).group_by(c.subject)
    return set(connection.scalars(query.having(func.min(offset) == func.max(offset))))


def recent(connection: Connection, source: str, *, since: int, subjects: Sequence[str]) -> Sequence[Any]:
    """Rows of (subject, as_of, version, known_at, values, text) since an as_of, in that order, without what was filled in."""
    c = reading.c
    query = select(c.subject, c.as_of, c.version, c.known_at, c["values"], c.text)
    query = query.where(c.source == source, c.subject.in_(subjects), c.as_of >= since, c.origin != "reconstructed")
    return _tuples(connection.execute(query.order_by(c.subject, c.as_of, c.version)))


def latest(connection: Connection, source: str, subjects: Sequence[str]) -> dict[str, Newest]:
    """The newest reading of each subject."""
    c = reading.c
    newest = (
        select(c.subject, func.max(c.as_of).label("as_of"))
        .where(c.source == source, c.subject.in_(subjects))
        .group_by(c.subject)
        .subquery()
    )
    query = (
        select(c.subject, c.as_of, c["values"], c.text)
        .join(newest, and_(c.subject == newest.c.subject, c.as_of == newest.c.as_of))
        .where(c.source == source)
        .order_by(c.version)
    )
    return {row[0]: Newest(row[1], bytes(row[2]), row[3]) for row in connection.execute(query)}


def count_by_source(connection: Connection) -> Mapping[str, Any]:
    """How many readings each source has, and its newest as_of: {source: (count, as_of)}."""
    c = reading.c
    query = select(c.source, func.count(), func.max(c.as_of)).group_by(c.source)
    return {row[0]: (row[1], row[2]) for row in connection.execute(query)}


def moment(connection: Connection, now: int) -> int:
    """The moment (ms) of a transaction that stores readings: now, but later than that of any such before, whatever clocks say.

    So what was there at a moment can be told from what came after. The caller holds the event lock.
    """
    found = max(now, last_moment(connection) + 1)
    statement = insert(connection, revision).values(name=_MOMENT, value=found)
    connection.execute(statement.on_conflict_do_update(index_elements=[revision.c.name], set_={"value": found}))
    return found


def last_moment(connection: Connection) -> int:
    """The moment (ms) of the last transaction that stored readings; 0 before the first."""
    last = connection.scalar(select(revision.c.value).where(revision.c.name == _MOMENT))
    if last is None:  # the database is new, or from before moments were kept
        last = connection.scalar(select(func.max(poll.c.finished_at)).where(poll.c.status == "done"))
    return int(last or 0)


def prune(connection: Connection, source: str, before: int, *, most: int) -> int:
    """Delete at most `most` readings of a source with as_of before a time (ms), oldest first; how many were deleted."""
    c = reading.c
    keys = (c.source, c.subject, c.as_of, c.version)
    old = select(*keys).where(c.source == source, c.as_of < before).order_by(c.as_of).limit(most)
    return connection.execute(delete(reading).where(tuple_(*keys).in_(old))).rowcount
