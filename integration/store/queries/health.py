"""How destinations fare: since when they fail, for how long they are left alone, when they are disabled."""

from __future__ import annotations

from sqlalchemy import Connection, update

from integration.store.queries import owner_notices
from integration.store.queries.outbox import end_subscription
from integration.store.tables import destination, subscription


def fails(connection: Connection, destination_id: str, now: int) -> None:
    """A destination fails since now, unless it did before."""
    c = destination.c
    connection.execute(update(destination).where(c.id == destination_id, c.failing_since.is_(None)).values(failing_since=now))


def recovered(connection: Connection, destination_id: str, now: int) -> None:
    """A destination took something: whatever was noted against it is void. Its owner hears of it if they were warned."""
    c = destination.c
    warned = update(destination).where(c.id == destination_id, c.warned_at.is_not(None)).values(warned_at=None)
    if connection.execute(warned).rowcount:
        text = "It takes deliveries again. What was owed to it in the meantime is on its way."
        owner_notices.tell(connection, destination_id, "recovered", now, "{label} works again", text)
    well = {"failing_since": None, "opened": 0}
    connection.execute(update(destination).where(c.id == destination_id).values(**well))


def open_breaker(connection: Connection, destination_id: str, known: int, until: int) -> None:
    """Leave a destination alone until then (ms), unless another worker's breaker opened first: it had opened `known` times."""
    c = destination.c
    query = update(destination).where(c.id == destination_id, c.opened == known)
    connection.execute(query.values(opened=known + 1, next_send_at=until))


def warn(connection: Connection, destination_id: str, reason: str, days: float, now: int) -> None:
    """Warn a destination's owner, once, that it will be disabled if it goes on failing; `days` are left."""
    c = destination.c
    query = update(destination).where(c.id == destination_id, c.warned_at.is_(None), c.status == "active")
    if connection.execute(query.values(warned_at=now)).rowcount:
        text = f"Deliveries to it have failed for days: {reason} In {days:g} days it will be disabled if none succeeds."
        owner_notices.tell(connection, destination_id, "failing", now, "{label} fails", text)


def refused(connection: Connection, destination_id: str, reason: str, now: int) -> None:
    """Tell a destination's owner, at most once a day, that the receiver refuses what it gets."""
    text = f"The receiver refuses what is sent to it: {reason} It is tried again for three days."
    owner_notices.tell(connection, destination_id, "refused", now, "{label} refuses deliveries", text, once_in=86_400_000)


def disable(connection: Connection, destination_id: str, reason: str, now: int) -> None:
    """Stop sending to a destination until its owner mends it; what is owed to it is held."""
    c = destination.c
    query = update(destination).where(c.id == destination_id, c.status == "active")
    stopped = {"status": "disabled", "reason": reason, "changed_at": now, "disabled_at": now}
    if connection.execute(query.values(**stopped)).rowcount:
        text = f"{reason} Nothing is sent to it until you resume it. What it is owed is held for 14 days, and can be sent then."
        owner_notices.tell(connection, destination_id, "disabled", now, "{label} was disabled", text)


def gone(connection: Connection, subscription_id: str, destination_id: str, reason: str, now: int) -> None:
    """A receiver says that it is gone for good: a REST hook's subscription ends, any other destination is disabled."""
    c = subscription.c
    hook = update(subscription).where(c.id == subscription_id, c.origin == "hook").values(changed_at=now)
    if connection.execute(hook).rowcount:
        end_subscription(connection, subscription_id, reason, now)
    else:
        disable(connection, destination_id, reason, now)
