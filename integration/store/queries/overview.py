"""What the page shows, each as one short query."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Select, func, select

from integration.store.tables import delivery, destination, event, poll, subject, subscription


def count_subjects(connection: Connection, kind: str) -> int:
    """How many subjects of a kind are known."""
    return int(connection.scalar(select(func.count()).where(subject.c.kind == kind)) or 0)


def last_polls(connection: Connection) -> list[Any]:
    """The newest poll of each source that was ever polled, by source."""
    newest = select(func.max(poll.c.id)).group_by(poll.c.source)
    return list(connection.execute(select(poll).where(poll.c.id.in_(newest)).order_by(poll.c.source)))


def newest_seq(connection: Connection) -> int:
    """How many events there are: they are numbered without gaps."""
    return int(connection.scalar(select(func.max(event.c.seq))) or 0)


def _deliveries(account_id: str | None) -> Select[Any]:
    query = (
        select(delivery, event.c.id.label("event_id"), event.c.payload)
        .add_columns(destination.c.channel, destination.c.label, destination.c.hint)
        .add_columns(destination.c.status.label("destination_status"), subscription.c.status.label("subscription_status"))
        .join(event, event.c.seq == delivery.c.event_seq)
        .join(subscription, subscription.c.id == delivery.c.subscription_id)
        .join(destination, destination.c.id == delivery.c.destination_id)
        .order_by(delivery.c.id.desc())
    )
    return query if account_id is None else query.where(subscription.c.account_id == account_id)


def newest_deliveries(connection: Connection, account_id: str | None, *, limit: int) -> list[Any]:
    """The newest deliveries with event and destination; of one account, or of all for the operator."""
    return list(connection.execute(_deliveries(account_id).limit(limit)))


def deliveries_of(connection: Connection, account_id: str | None, seq: int) -> list[Any]:
    """The deliveries of one event; of one account, or of all for the operator."""
    return list(connection.execute(_deliveries(account_id).where(delivery.c.event_seq == seq).limit(100)))
