"""What was told live beside what a replay of the log tells, by event id: whole payloads."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, delete, select

from integration.domain.payload import iso
from integration.service import trial
from integration.service.backtest import Question, inquire
from integration.service.preview import preview
from integration.store.tables import event, metadata, reading, rule, subscription
from tests.market import Here

Payloads = dict[str, dict[str, Any]]


def told_live(here: Here) -> Payloads:
    """Every event that is stored."""
    return {row.id: json.loads(row.payload) for row in here.events()}


def told_again(here: Here) -> Payloads:
    """What backtests of all that is subscribed to say was told, in a database that has forgotten its events."""
    found: Payloads = {}
    with here.gradewire.database.engine.connect() as connection:  # nothing of this is committed
        _forget_events(connection)
        asked = select(rule, subscription.c.scope).join(subscription, subscription.c.rule_id == rule.c.id).distinct()
        for row in connection.execute(asked).all():
            scope = json.loads(row.scope)
            found |= _told(here, connection, row, {} if scope["kind"] == "any" else {scope["kind"]: _named(scope)})
    return found


def _named(scope: dict[str, Any]) -> Any:
    return scope.get("ids") or scope.get("n") or scope.get("slug")


def _told(here: Here, connection: Connection, row: Any, scope: dict[str, Any]) -> Payloads:
    question = Question(row.trigger, json.loads(row.options), scope, limit=5_000)
    asked = inquire(here.gradewire, connection, question)
    run = trial.run(connection, here.catalogue, asked, lambda _done, _of: None)
    said = preview(connection, here.catalogue, run)
    assert said["left_out"] == 0
    c = reading.c
    before = connection.execute(select(c.subject, c.as_of).where(c.source == asked.source.key, c.origin == "backfill"))
    history = {(subject, iso(as_of)) for subject, as_of in before}  # from before the first live reading
    since = datetime.fromtimestamp(row.created_at / 1000, UTC)
    return {
        each["id"]: each
        for each, beside in zip(said["events"], said["firings"], strict=True)
        if datetime.fromisoformat(each["known_at"]) >= since
        and (each["subject"], each["as_of"]) not in history
        and not beside["reconstructed"]
    }


def _forget_events(connection: Connection) -> None:
    gone = {event.name}
    for table in metadata.sorted_tables:
        if any(key.column.table.name in gone for key in table.foreign_keys):
            gone.add(table.name)
    for table in reversed(metadata.sorted_tables):
        if table.name in gone:
            connection.execute(delete(table))
