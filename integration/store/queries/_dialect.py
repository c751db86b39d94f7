"""The few places where SQLite and PostgreSQL are spelled differently."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, Table, text
from sqlalchemy.dialects import postgresql, sqlite

#: The advisory lock under which event numbers are given on PostgreSQL; SQLite has one writer anyway.
SEQUENCE_LOCK = 0x67726164
#: Likewise the one under which tables are changed.
SCHEMA_LOCK = SEQUENCE_LOCK + 1


def insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that knows ON CONFLICT."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def lock_sequence(connection: Connection) -> None:
    """Wait until no other transaction can give event numbers; held to the commit."""
    _lock(connection, SEQUENCE_LOCK)


def lock_schema(connection: Connection) -> None:
    """Wait until no other transaction can change tables; held to the commit."""
    _lock(connection, SCHEMA_LOCK)


def _lock(connection: Connection, key: int) -> None:
    if connection.dialect.name != "sqlite":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})


def array(values: Iterable[int | str | bytes | None]) -> str:
    """A column of values as the text of a PostgreSQL array, to be bound and cast: many times cheaper than a list.

    Texts must not hold the character NUL, which PostgreSQL cannot store.
    """
    column = list(values)
    kinds = set(map(type, column))
    if kinds == {int}:
        return "{" + ",".join(map(str, column)) + "}"
    if kinds == {str}:
        plain = '","'.join(column)  # type: ignore[arg-type]
        if "\\" not in plain and plain.count('"') == 2 * (len(column) - 1):
            return f'{{"{plain}"}}'
    return "{" + ",".join(map(_element, column)) + "}"


def _element(value: int | str | bytes | None) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return '"\\\\x' + value.hex() + '"' if isinstance(value, bytes) else str(value)
