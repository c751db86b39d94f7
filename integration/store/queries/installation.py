"""What this installation is bound to, and signs of life."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Connection, case, delete, func, or_, select, text, update

from integration.store.queries._dialect import insert
from integration.store.tables import delivery, destination, heartbeat, installation


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


def drop(connection: Connection, key: str) -> None:
    """Forget a value."""
    connection.execute(delete(installation).where(installation.c.key == key))


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
    out_of_time = or_(c.at < now - 60_000, c.at > now + 60_000)
    connection.execute(delete(heartbeat).where(c.name.startswith(DRAIN), out_of_time))
    query = select(func.count()).where(c.name.startswith(DRAIN), c.at > now - within)
    return int(connection.scalar(query) or 1)


def leave(connection: Connection, name: str) -> None:
    """A worker no longer delivers."""
    connection.execute(delete(heartbeat).where(heartbeat.c.name == DRAIN + name))


def beats(connection: Connection) -> dict[str, int]:
    """When each part last moved, ms."""
    return {row.name: row.at for row in connection.execute(select(heartbeat)) if ":" not in row.name}


#: How the names of machines' clocks begin, and for how long one that is silent is remembered, ms.
CLOCK, REMEMBERED_MS = "clock:", 7 * 86_400_000


def tell_time(connection: Connection, machine: str, now: int) -> int:
    """Note the time of a machine's clock; by how much (ms) it was put back since it was last noted, 0 where it was not."""
    c = heartbeat.c
    before = connection.scalar(select(c.at).where(c.name == CLOCK + machine).with_for_update())
    beat(connection, CLOCK + machine, now)
    if before is None:
        connection.execute(delete(heartbeat).where(c.name.startswith(CLOCK), c.at < now - REMEMBERED_MS))
    return max(0, int(before or 0) - now)


def put_back(connection: Connection, by: int, now: int, lease_ms: int, within: tuple[int, int] | None = None) -> int:
    """What waits by a clock that has been put back `by` so much (ms) waits as much less; the number of deliveries moved.

    No lease ends later than it could by the clock that is right now, and what other machines hold is left to them. With
    `within` only what waits until a time between these (ms) is moved.
    """
    latest, owed, place = now + 2 * lease_ms, delivery.c, destination.c
    since, until = within or (latest, 2**62)
    moved = update(delivery).where(owed.state == 0, owed.next_attempt_at > latest, owed.next_attempt_at.between(since, until))
    rested = update(destination).where(place.next_send_at > latest, place.next_send_at.between(since, until))
    leased = (owed.lease.is_not(None), now + lease_ms)
    connection.execute(rested.values(next_send_at=_earlier(place.next_send_at, by, now)))
    found = connection.execute(moved.values(next_attempt_at=case(leased, else_=_earlier(owed.next_attempt_at, by, now))))
    return int(found.rowcount)


def _earlier(at: ColumnElement[int], by: int, now: int) -> ColumnElement[int]:
    return case((at - by < now, now), else_=at - by)


def server_time(connection: Connection) -> int | None:
    """The clock of the database's machine, ms; None where that is this machine's own."""
    if connection.dialect.name == "sqlite":
        return None
    return int(connection.scalar(text("SELECT extract(epoch FROM clock_timestamp()) * 1000")) or 0)
