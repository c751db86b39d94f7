"""What this installation is bound to, and signs of life."""

from __future__ import annotations

from sqlalchemy import Connection, select, text

from integration.store.queries._dialect import insert
from integration.store.tables import heartbeat, installation


def bind(connection: Connection, key: str, value: str) -> str:
    """Write a value once; the value that holds, which is the first one written."""
    connection.execute(insert(connection, installation).values(key=key, value=value).on_conflict_do_nothing())
    return get(connection, key) or value


def put(connection: Connection, key: str, value: str) -> None:
    """Write a value, over any before."""
    statement = insert(connection, installation).values(key=key, value=value)
    connection.execute(
        statement.on_conflict_do_update(index_elements=[installation.c.key], set_={"value": statement.excluded.value})
    )


def get(connection: Connection, key: str) -> str | None:
    """A value, or None."""
    value: str | None = connection.scalar(select(installation.c.value).where(installation.c.key == key))
    return value


def beat(connection: Connection, name: str, now: int) -> None:
    """Note that something moved."""
    statement = insert(connection, heartbeat).values(name=name, at=now)
    connection.execute(statement.on_conflict_do_update(index_elements=[heartbeat.c.name], set_={"at": statement.excluded.at}))


def beats(connection: Connection) -> dict[str, int]:
    """When each thing last moved, ms."""
    return {row.name: row.at for row in connection.execute(select(heartbeat))}


def server_time(connection: Connection) -> int | None:
    """The clock of the database's machine, ms; None where that is this machine's own."""
    if connection.dialect.name == "sqlite":
        return None
    return int(connection.scalar(text("SELECT extract(epoch FROM clock_timestamp()) * 1000")) or 0)
