"""The few places where SQLite and PostgreSQL are spelled differently."""

from __future__ import annotations

from sqlalchemy import Connection, Table, text
from sqlalchemy.dialects import postgresql, sqlite

#: The advisory lock under which event numbers are given on PostgreSQL; SQLite has one writer anyway.
SEQUENCE_LOCK = 0x67726164


def insert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that knows ON CONFLICT."""
    return sqlite.insert(table) if connection.dialect.name == "sqlite" else postgresql.insert(table)


def lock_sequence(connection: Connection) -> None:
    """Wait until no other transaction can give event numbers; held to the commit."""
    if connection.dialect.name != "sqlite":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SEQUENCE_LOCK})
