"""A clock that was put back: what waits by the times it told must not wait until it has caught up."""

from __future__ import annotations

import platform

import structlog

from integration.domain.retry import SECOND
from integration.service.claiming import LEASE_MS
from integration.service.wiring import Gradewire
from integration.store.queries import installation

#: Clocks are put right by less than this all the time (ms).
SLACK_MS = 30 * SECOND
log = structlog.get_logger()


def tell(gradewire: Gradewire) -> None:
    """Note the time of this machine; where it told a later one before, deliveries that wait by that one wait less."""
    now = gradewire.now()
    with gradewire.database.write() as connection:
        by = installation.tell_time(connection, platform.node(), now)
        if by > SLACK_MS:
            moved = installation.put_back(connection, by, now, LEASE_MS)
    if by > SLACK_MS:
        log.warning("clock_put_back", by_ms=by, deliveries=moved)
