"""Subjects: names for people, and what scopes select by."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, or_, select

from integration.domain.catalogue import SubjectRow
from integration.store.queries._dialect import insert
from integration.store.tables import subject


def keep(connection: Connection, rows: Sequence[SubjectRow], now: int) -> None:
    """Insert or refresh. What a row does not say (no categories, no rank) stays as it was."""
    for part in (
        [r for r in rows if r.market_rank is None and not (r.categories or r.exchanges)],
        [r for r in rows if r.market_rank is None and (r.categories or r.exchanges)],
        [r for r in rows if r.market_rank is not None and not (r.categories or r.exchanges)],
        [r for r in rows if r.market_rank is not None and (r.categories or r.exchanges)],
    ):
        if not part:
            continue
        statement = insert(connection, subject)
        told = {"name", "symbol", "seen_at"}
        told |= {"market_rank"} if part[0].market_rank is not None else set()
        told |= {"categories", "exchanges"} if part[0].categories or part[0].exchanges else set()
        upsert = statement.on_conflict_do_update(
            index_elements=[subject.c.subject], set_={name: statement.excluded[name] for name in told}
        )
        connection.execute(upsert, [_values(row, now) for row in part])


def _values(row: SubjectRow, now: int) -> dict[str, Any]:
    return {
        "subject": row.subject,
        "kind": row.kind,
        "name": row.name,
        "symbol": row.symbol,
        "categories": json.dumps(sorted(row.categories)),
        "exchanges": json.dumps(sorted(row.exchanges)),
        "market_rank": row.market_rank,
        "seen_at": now,
    }


def forget_ranks(connection: Connection, except_for: Sequence[str]) -> None:
    """Clear the market rank of subjects that are no longer ranked."""
    ranked = connection.scalars(select(subject.c.subject).where(subject.c.market_rank.is_not(None)))
    gone = sorted(set(ranked) - set(except_for))
    if gone:
        connection.execute(subject.update().where(subject.c.subject.in_(gone)).values(market_rank=None))


def load(connection: Connection, subjects: Sequence[str] | None = None, kind: str | None = None) -> dict[str, SubjectRow]:
    """Subjects by key: those named, or all of a kind, or all."""
    query = select(subject)
    if subjects is not None:
        query = query.where(subject.c.subject.in_(subjects))
    if kind is not None:
        query = query.where(subject.c.kind == kind)
    return {row.subject: _row(row) for row in connection.execute(query)}


def _row(row: Any) -> SubjectRow:
    lists = tuple(json.loads(row.categories)), tuple(json.loads(row.exchanges))
    return SubjectRow(row.subject, row.kind, row.name, row.symbol, *lists, row.market_rank)


def facts(connection: Connection, names: Sequence[str]) -> dict[str, tuple[str, str, int | None]]:
    """(categories, exchanges, market rank) of subjects, the lists as they are stored: see `slug_set`."""
    c = subject.c
    query = select(c.subject, c.categories, c.exchanges, c.market_rank).where(c.subject.in_(names))
    return {row[0]: (row[1], row[2], row[3]) for row in connection.execute(query)}


def slug_set(text: str) -> frozenset[str]:
    """A stored list."""
    return frozenset(json.loads(text))


def search(connection: Connection, kind: str, text: str, *, limit: int, offset: int) -> list[SubjectRow]:
    """Subjects of a kind whose name or symbol contains a text, or whose id it is.

    What is called or numbered just so comes first, then by market rank and name.
    """
    query = select(subject).where(subject.c.kind == kind)
    if text:
        part = text.lower()
        columns = (func.lower(subject.c.name), func.lower(subject.c.symbol))
        matches = or_(*(column.contains(part, autoescape=True) for column in columns))
        query = query.where(or_(matches, subject.c.subject == f"{kind}:{text}"))
    called = (func.lower(subject.c.symbol) == text.lower(), func.lower(subject.c.name) == text.lower())
    exact = or_(*called, subject.c.subject == f"{kind}:{text}").desc()
    ordered = query.order_by(exact, func.coalesce(subject.c.market_rank, 1_000_000), subject.c.name, subject.c.subject)
    return [_row(row) for row in connection.execute(ordered.limit(limit).offset(offset))]


def by_symbol(connection: Connection, kind: str, symbol: str) -> list[SubjectRow]:
    """Every subject of a kind with a symbol or name, whatever its case; symbols are not unique."""
    wanted = symbol.lower()
    match = or_(func.lower(subject.c.symbol) == wanted, func.lower(subject.c.name) == wanted)
    query = select(subject).where(subject.c.kind == kind, match).order_by(subject.c.subject)
    return [_row(row) for row in connection.execute(query)]


def slugs(connection: Connection, column: str) -> set[str]:
    """Every category or exchange that a token has. `column` is categories or exchanges."""
    lists = connection.scalars(select(subject.c[column]).where(subject.c.kind == "token").distinct())
    return {slug for text in lists for slug in json.loads(text)}


def ranked(connection: Connection, n: int) -> list[str]:
    """The tokens of the n highest market ranks."""
    return list(connection.scalars(select(subject.c.subject).where(subject.c.kind == "token", subject.c.market_rank <= n)))


def listed(connection: Connection, column: str, slug: str) -> list[str]:
    """The tokens that have a category or exchange. `column` is categories or exchanges."""
    has = subject.c[column].contains(json.dumps(slug), autoescape=True)
    return list(connection.scalars(select(subject.c.subject).where(subject.c.kind == "token", has)))
