"""What this installation is bound to, and signs of life."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, select, text

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


#: How the names of workers that deliver begin.
DRAIN = "drain:"


def call_roll(connection: Connection, name: str, now: int, within: int) -> int:
    """Note that a worker delivers, and count those that did lately (`within` ms); names that are long silent are forgotten."""
    beat(connection, DRAIN + name, now)
    c = heartbeat.c
    connection.execute(delete(heartbeat).where(c.name.startswith(DRAIN), c.at < now - 60_000))
    query = select(func.count()).where(c.name.startswith(DRAIN), c.at > now - within)
    return int(connection.scalar(query) or 1)


def leave(connection: Connection, name: str) -> None:
    """A worker no longer delivers."""
    connection.execute(delete(heartbeat).where(heartbeat.c.name == DRAIN + name))


def beats(connection: Connection) -> dict[str, int]:
    """When each thing last moved, ms."""
    return {row.name: row.at for row in connection.execute(select(heartbeat))}


def server_time(connection: Connection) -> int | None:
    """The clock of the database's machine, ms; None where that is this machine's own."""
    if connection.dialect.name == "sqlite":
        return None
    return int(connection.scalar(text("SELECT extract(epoch FROM clock_timestamp()) * 1000")) or 0)
