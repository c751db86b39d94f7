"""A clock that was put back: what waits by the times it told must not wait until it has caught up."""

from __future__ import annotations

import json
import platform

import structlog
from sqlalchemy import Connection

from integration.domain.retry import MINUTE, SECOND
from integration.service.claiming import LEASE_MS
from integration.service.wiring import Gradewire
from integration.store.queries import installation

#: Clocks are put right by less than this all the time (ms).
SLACK_MS = 30 * SECOND
#: What was under way when the clock was put back is written down later, by the times that it told: for so long (ms) it is
#: looked for, and so far from the last of those times.
AFTER_MS, AROUND_MS = 10 * MINUTE, 5 * MINUTE
log = structlog.get_logger()


def tell(gradewire: Gradewire) -> None:
    """Note the time of this machine; where it told a later one before, deliveries that wait by that one wait less."""
    with gradewire.database.write() as connection:
        by, moved = note(connection, platform.node(), gradewire.now())
    if moved:
        log.warning("clock_put_back", by_ms=by, deliveries=moved)


def note(connection: Connection, machine: str, now: int) -> tuple[int, int]:
    """Note the time (ms) of a machine: (by how much its clock was put back lately, how many deliveries were moved)."""
    key = f"put_back:{machine}"
    by = installation.tell_time(connection, machine, now)
    if by > SLACK_MS:
        installation.put(connection, key, json.dumps([by, now]))
        return by, installation.put_back(connection, by, now, LEASE_MS)
    remembered = installation.get(connection, key)
    if remembered is None:
        return 0, 0
    by, since = json.loads(remembered)
    if not 0 <= now - since <= AFTER_MS:
        installation.drop(connection, key)
        return 0, 0
    around = since + by - AROUND_MS, since + by + AROUND_MS
    return by, installation.put_back(connection, by, now, LEASE_MS, around)
