"""A database with something owed, and ways to send it: for the tests of delivering."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from marshmallow import Schema
from sqlalchemy import Connection, insert, select

from integration.domain.catalogue import Channel
from integration.domain.message import Dead, Delivered, HttpRequest, Limits, Message, Reply, Retry, Verdict
from integration.service.deliver import drain
from integration.service.settling import Counts
from integration.service.ways import Ways
from integration.store.database import Database
from integration.store.queries import deliveries
from integration.store.tables import account, attempt, delivery, destination, event, rule, subscription
from integration.wire.http import Transport

NOW = 1_790_000_000_000
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ACCOUNT = "acc_1"
#: Fast enough not to hold up a test that is not about it.
RATE = 100_000


def render(messages: Sequence[Message], config: Mapping[str, Any]) -> HttpRequest:
    if "poison" in messages[0].event:
        raise ValueError("this one cannot be told")
    body = messages[0].body if len(messages) == 1 else json.dumps([m.id for m in messages]).encode()
    return HttpRequest(config["url"], body, signed="secret" in config)


def verdict(reply: Reply) -> Verdict:
    if reply.error == "refused":
        return Dead("the address is private", "destination")
    if reply.status == 410:
        return Dead("gone", "gone")
    if reply.status == 400:
        return Dead("bad message")
    if reply.status == 403:
        return Dead("not allowed", "destination")
    if 200 <= reply.status < 300:
        return Delivered()
    return Retry(float(reply.retry_after) if reply.retry_after else None, reply.error or f"HTTP {reply.status}")


def channel(key: str = "webhook", **parts: Any) -> Channel:
    """A channel that posts a message as it is, changed by `parts`."""
    plain: dict[str, Any] = {"render": render, "verdict": verdict, "hint": lambda _config: "…", "limits": Limits()}
    return Channel(key, key, key, Schema, **{**plain, **parts})


@dataclass
class Clock:
    """Time that moves only when it is told to."""

    ms: int = NOW

    def __call__(self) -> int:
        return self.ms


@dataclass
class Given:
    """A database, and a worker on it with a clock of its own."""

    database: Database
    channels: dict[str, Channel] = field(default_factory=lambda: {"webhook": channel()})
    clock: Clock = field(default_factory=Clock)
    transport: Transport[Any] = field(default_factory=lambda: Transport(allow_private=True, connect_ms=2_000, total_ms=2_000))
    more: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.ways = Ways(self.channels, json.loads, self.transport)
        with self.database.write() as connection:
            connection.execute(insert(account).values(id=ACCOUNT, email="a@example.com", created_at=NOW))
            connection.execute(insert(rule).values(id="rul_1", trigger="t", semantics=1, options="{}", created_at=NOW))

    def receives(self, name: str, url: str, *, channel: str = "webhook", secret: str | None = SECRET, **more: Any) -> None:
        """A destination `dst_<name>` and a subscription `sub_<name>` to it."""
        config = json.dumps({"url": url, **({"secret": secret} if secret else {}), **more}).encode()
        common = {"account_id": ACCOUNT, "status": "active", "created_at": NOW, "changed_at": NOW}
        place = {"rate": RATE, "id": f"dst_{name}", "channel": channel, "label": name, "hint": "…", "config": config}
        wish = {"id": f"sub_{name}", "rule_id": "rul_1", "scope": "{}", "destination_id": f"dst_{name}", "origin": "api"}
        with self.database.write() as connection:
            connection.execute(insert(destination).values(**place, **common))
            connection.execute(insert(subscription).values(**wish, **common))

    def owes(self, *names: str, events: int = 1, body: str | None = None, now: int = NOW) -> list[str]:
        """So many new events, each owed to each of the named; their ids."""
        with self.database.write() as connection:
            first = len(connection.execute(select(event.c.seq)).all()) + 1
            rows = [_event(seq, body) for seq in range(first, first + events)]
            connection.execute(insert(event), rows)
            owed = [(row["seq"], f"sub_{name}", f"dst_{name}") for row in rows for name in names]
            deliveries.insert_deliveries(connection, owed, now)
        return [row["id"] for row in rows]

    def drain(self, **options: Any) -> Counts:
        return drain(self.database, self.ways, now=self.clock, more=self.more, **options)

    def close(self) -> None:
        self.transport.close()

    def change(self, query: Any) -> None:
        with self.database.write() as connection:
            connection.execute(query)

    def rows(self, table: Any = delivery, order: Any = None) -> list[Any]:
        with self.database.read() as connection:
            return list(connection.execute(select(table).order_by(table.c.id if order is None else order)))

    def row(self) -> Any:
        (only,) = self.rows()
        return only

    def attempts(self) -> list[Any]:
        return self.rows(attempt)

    def state(self) -> dict[str, int]:
        with self.database.read() as connection:
            return {name: n for name, n in deliveries.counts(connection).items() if n}

    def query(self, ask: Callable[[Connection], Any]) -> Any:
        with self.database.read() as connection:
            return ask(connection)


def _event(seq: int, body: str | None) -> dict[str, Any]:
    identity = f"evt_{seq:026d}"
    when = {"as_of": NOW + seq, "known_at": NOW, "created_at": NOW}
    payload = body or json.dumps({"id": identity, "summary": "Grüße " + "x" * 900}, ensure_ascii=False)
    return {"seq": seq, "id": identity, "rule_id": "rul_1", "trigger": "t", "subject": "token:1", "payload": payload, **when}
