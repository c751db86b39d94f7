"""A market's worth of subscribers at the sink, and what they are owed: the same for every design that is measured."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Table, delete, func, insert, select, text

from integration.domain.signing import new_secret
from integration.service.wiring import wall_clock
from integration.store import migrate
from integration.store.database import Database
from integration.store.queries import deliveries
from integration.store.secrets import Vault
from integration.store.tables import account, attempt, delivery, destination, event, rule, subscription

DESTINATIONS = 1_000
#: Requests a second that each destination takes: its limit is enforced, and high enough not to be what is measured.
RATE = 1_000.0
#: How many subscriptions an event is owed to.
FAN_OUT = 20
BODY_BYTES = 1_024
#: Deliveries that are owed in one transaction.
AT_ONCE = 100_000


def body(number: int) -> str:
    """An event of 1 KB."""
    start = {"schema": 1, "id": f"evt_{number:026d}", "trigger": "sharpe_threshold", "summary": ""}
    return json.dumps({**start, "summary": "x" * (BODY_BYTES - len(json.dumps(start)))})


@contextmanager
def database(
    url: str, sink_url: str, secret_key: str, *, destinations: int = DESTINATIONS, elsewhere: str = "", **columns: Any
) -> Iterator[Database]:
    """A migrated database with an account, a rule, and destinations at the sink with a subscription each.

    `columns` are set at all destinations; the first of them is `elsewhere`, if that is given.
    """
    fresh, now = Database(url), wall_clock()
    migrate.upgrade(fresh)
    vault = Vault([secret_key])
    common = {"account_id": "acc_1", "status": "active", "created_at": now, "changed_at": now}
    names = range(destinations)
    urls = [f"{sink_url}/hooks/{n}" for n in names]
    urls[0] = elsewhere or urls[0]
    places = [
        {
            "id": f"dst_{n}", "channel": "webhook", "label": str(n), "hint": "…", "rate": RATE, **common, **columns,
            "config": vault.seal({"url": urls[n], "secret": new_secret()}),
        }
        for n in names
    ]  # fmt: skip
    wish = {"rule_id": "rul_1", "scope": "{}", "origin": "api", **common}
    with fresh.write() as connection:
        connection.execute(insert(account).values(id="acc_1", email="a@example.com", created_at=now))
        connection.execute(insert(rule).values(id="rul_1", trigger="t", semantics=1, options="{}", created_at=now))
        connection.execute(insert(destination), places)
        connection.execute(insert(subscription), [{"id": f"sub_{n}", "destination_id": f"dst_{n}", **wish} for n in names])
    yield fresh
    fresh.close()


def owe(
    fresh: Database, count: int, destinations: int = DESTINATIONS, *, forget: Sequence[Table] = (attempt, delivery, event)
) -> None:
    """Owe so many deliveries, and nothing else: what was before is deleted."""
    with fresh.write() as connection:
        for table in forget:
            connection.execute(delete(table))
    for start in range(0, count, AT_ONCE):
        add(fresh, start, min(AT_ONCE, count - start), destinations)
    if not fresh.is_sqlite:
        with fresh.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def add(fresh: Database, start: int, count: int, destinations: int = DESTINATIONS) -> None:
    """Owe so many more: those with the numbers from `start` on, each event to FAN_OUT of them."""
    now, numbers = wall_clock(), range(start, start + count)
    events = [_event(seq, now) for seq in sorted({number // FAN_OUT + 1 for number in numbers})]
    owed = [(number // FAN_OUT + 1, *_pair(number % destinations)) for number in numbers]
    with fresh.write() as connection:
        connection.execute(insert(event), events)
        deliveries.insert_deliveries(connection, owed, now)


def _event(number: int, now: int) -> Mapping[str, Any]:
    same = {"rule_id": "rul_1", "trigger": "sharpe_threshold", "subject": "token:1", "known_at": now, "created_at": now}
    return {"seq": number, "id": f"evt_{number:026d}", "as_of": now + number, "payload": body(number), **same}


def _pair(number: int) -> tuple[str, str]:
    return f"sub_{number}", f"dst_{number}"


def pending(fresh: Database, where: str = "true") -> bool:
    """Whether anything is still owed; by the indexes of what is, so that asking costs the measured ones next to nothing."""
    which = (f"SELECT 1 FROM delivery WHERE state = 0 AND {tried} AND {where}" for tried in ("attempts = 0", "attempts > 0"))
    with fresh.read() as connection:
        return connection.execute(text(f"{' UNION ALL '.join(which)} LIMIT 1")).first() is not None


def pending_elsewhere(fresh: Database) -> bool:
    """Whether anything is still owed to any but the first destination."""
    return pending(fresh, "destination_id <> 'dst_0'")


def recorded(fresh: Database) -> tuple[int, int]:
    """(deliveries that were made, attempts that were written down)."""
    with fresh.read() as connection:
        made = connection.scalar(select(func.count()).select_from(delivery).where(delivery.c.state == 1))
        return int(made or 0), int(connection.scalar(select(func.count()).select_from(attempt)) or 0)


def settings(folder: Path, url: str, redis_url: str, secret_key: str) -> dict[str, str]:
    """The environment of a worker."""
    return {
        "DATABASE_URL": url,
        "REDIS_URL": redis_url,
        "GRADEWIRE_DATA": str(folder),
        "GRADEWIRE_SECRET_KEY": secret_key,
        "GRADEWIRE_ALLOW_PRIVATE": "1",
    }
