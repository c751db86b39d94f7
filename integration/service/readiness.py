"""Whether Gradewire can do its work now: the database takes what is written, the broker answers, workers move, clocks agree."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import structlog
from sqlalchemy.exc import SQLAlchemyError

from integration.config import Settings
from integration.domain.payload import iso
from integration.domain.retry import MINUTE, SECOND
from integration.service.wiring import Gradewire
from integration.store.queries import deliveries, installation

log = structlog.get_logger()

#: Clocks further apart than this make signatures look old and slots come late.
SKEW = 30 * SECOND
#: A delivery that has been due for longer than this shows that nobody sends, or too few do.
WAITED = 5 * MINUTE
BROKER_S = 5
#: The parts that beat: the name of their beat, what they do, how long they may be silent, and how they are started.
PARTS = (
    ("worker", "Worker", 2 * MINUTE, "the Procfile's worker and beat"),
    ("poller", "Poller", 5 * MINUTE, "the Procfile's poller and beat"),
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. `text` says what is so, and what to do where it is not good."""

    level: Literal["good", "note", "bad"]
    what: str
    text: str


def readiness(gradewire: Gradewire) -> Iterator[Finding]:
    """Look at what the work needs. It is ready where every finding is good. Writes one small row."""
    yield broker(gradewire.settings)
    try:
        with gradewire.database.write() as connection:
            installation.beat(connection, "ready", gradewire.now())
        with gradewire.database.read() as connection:
            before, theirs, after = gradewire.now(), installation.server_time(connection), gradewire.now()
            beats, due = installation.beats(connection), deliveries.oldest_due(connection, after)
    except SQLAlchemyError as error:
        log.warning("database_unusable", error=str(getattr(error, "orig", error)))
        told = f"It takes nothing ({type(error).__name__}): it is away, full, or may only be read. `gradewire doctor` says more."
        yield Finding("bad", "Database", told)
        return
    yield Finding("good", "Database", "It takes what is written.")
    yield from _clocks(None if theirs is None else theirs - (before + after) // 2, beats, after)
    yield from _parts(beats, after)
    yield _waiting(due, after)


def broker(settings: Settings) -> Finding:
    """Whether the broker answers, whichever it is."""
    url = settings.broker
    if not url:
        return Finding("good", "Broker", "None needed: everything runs in one process (GRADEWIRE_BROKER_URL is not set).")
    from kombu.connection import Connection

    connect: Any = Connection
    name = "Redis" if url.startswith("redis") else "RabbitMQ"
    options = {"socket_timeout": BROKER_S, "socket_connect_timeout": BROKER_S} if name == "Redis" else {}
    try:
        with connect(url, connect_timeout=BROKER_S, transport_options=options) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, timeout=BROKER_S)
    except Exception as error:  # each transport has errors of its own
        log.warning("broker_unreachable", error=str(error))
        told = f"{name} does not answer ({type(error).__name__}). Start it, or correct GRADEWIRE_BROKER_URL or REDIS_URL."
        return Finding("bad", "Broker", told)
    return Finding("good", "Broker", f"{name} answers.")


def _clocks(apart: int | None, beats: Mapping[str, int], now: int) -> Iterator[Finding]:
    """This machine's clock against the database's, and those of the parts that beat: none can have beaten in the future."""
    ahead = max([beats[name] - now for name, *_ in PARTS if name in beats], default=0)
    if apart is not None and abs(apart) > SKEW:
        told = f"This machine and the database's are {timedelta(seconds=abs(apart) // 1000)} apart. Set the clocks (NTP)."
        yield Finding("bad", "Clocks", told)
    elif ahead > SKEW:
        told = f"A worker's clock is {timedelta(seconds=ahead // 1000)} ahead of this machine's. Set the clocks (NTP)."
        yield Finding("bad", "Clocks", told)
    else:
        yield Finding("good", "Clocks", "This machine, the database and the workers agree.")


def _parts(beats: Mapping[str, int], now: int) -> Iterator[Finding]:
    for name, what, silent, start in PARTS:
        at = beats.get(name)
        if at is None or now - at > silent:
            seen = "has not run yet" if at is None else f"was last seen at {iso(at)}"
            yield Finding("note", what, f"It {seen}. Start `gradewire up`, or {start}.")
        else:
            yield Finding("good", what, f"Last seen {max(0, now - at) // 1000} s ago.")


def _waiting(due: int | None, now: int) -> Finding:
    if due is None or now - due <= WAITED:
        return Finding("good", "Deliveries", "None has waited long.")
    waited = timedelta(seconds=(now - due) // 1000)
    return Finding("bad", "Deliveries", f"The oldest that is due has waited {waited}. Is a worker running? Are there enough?")
