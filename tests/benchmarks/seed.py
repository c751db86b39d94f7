"""A market's worth of subscribers at the sink, and what they are owed: the same for every design that is measured."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Table, delete, func, insert, select, text

from integration.domain.signing import new_secret
from integration.store import migrate
from integration.store.database import Database
from integration.store.queries import deliveries
from integration.store.secrets import Vault
from integration.store.tables import account, attempt, delivery, destination, event, rule, subscription

NOW = 1_790_000_000_000
DESTINATIONS = 1_000
#: How many subscriptions an event is owed to.
FAN_OUT = 20
BODY_BYTES = 1_024


def body(number: int) -> str:
    """An event of 1 KB."""
    start = {"schema": 1, "id": f"evt_{number:026d}", "trigger": "sharpe_threshold", "summary": ""}
    return json.dumps({**start, "summary": "x" * (BODY_BYTES - len(json.dumps(start)))})


@contextmanager
def database(url: str, sink_url: str, secret_key: str) -> Iterator[Database]:
    """A migrated database with an account, a rule, and destinations at the sink with a subscription each."""
    fresh = Database(url)
    migrate.upgrade(fresh)
    vault = Vault([secret_key])
    common = {"account_id": "acc_1", "status": "active", "created_at": NOW, "changed_at": NOW}
    names = range(DESTINATIONS)
    places = [
        {
            "id": f"dst_{n}", "channel": "webhook", "label": str(n), "hint": "…", **common,
            "config": vault.seal({"url": f"{sink_url}/hooks/{n}", "secret": new_secret()}),
        }
        for n in names
    ]  # fmt: skip
    wish = {"rule_id": "rul_1", "scope": "{}", "origin": "api", **common}
    with fresh.write() as connection:
        connection.execute(insert(account).values(id="acc_1", email="a@example.com", created_at=NOW))
        connection.execute(insert(rule).values(id="rul_1", trigger="t", semantics=1, options="{}", created_at=NOW))
        connection.execute(insert(destination), places)
        connection.execute(insert(subscription), [{"id": f"sub_{n}", "destination_id": f"dst_{n}", **wish} for n in names])
    yield fresh
    fresh.close()


def owe(fresh: Database, count: int, *, forget: Sequence[Table] = (attempt, delivery, event)) -> None:
    """Owe so many deliveries, and nothing else: what was before is deleted."""
    events = [_event(number) for number in range(1, count // FAN_OUT + 1)]
    owed = [(e["seq"], *_pair(e["seq"] * FAN_OUT + n)) for e in events for n in range(FAN_OUT)]
    with fresh.write() as connection:
        for table in forget:
            connection.execute(delete(table))
        connection.execute(insert(event), events)
        deliveries.insert_deliveries(connection, owed, NOW)
    if not fresh.is_sqlite:
        with fresh.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))


def _event(number: int) -> Mapping[str, Any]:
    same = {"rule_id": "rul_1", "trigger": "sharpe_threshold", "subject": "token:1", "known_at": NOW, "created_at": NOW}
    return {"seq": number, "id": f"evt_{number:026d}", "as_of": NOW + number, "payload": body(number), **same}


def _pair(number: int) -> tuple[str, str]:
    return f"sub_{number % DESTINATIONS}", f"dst_{number % DESTINATIONS}"


def pending(fresh: Database) -> bool:
    """Whether anything is still owed; cheap, so that asking costs the measured ones next to nothing."""
    with fresh.read() as connection:
        return connection.execute(text("SELECT 1 FROM delivery WHERE state = 0 LIMIT 1")).first() is not None


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
