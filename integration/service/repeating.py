"""Sending again what was owed once, by hand."""

from __future__ import annotations

from typing import Any

from integration.domain.errors import Conflict
from integration.service.overview import Shown, delivery_row, show_delivery
from integration.service.wiring import Gradewire
from integration.store.queries import deliveries
from integration.store.queries.events import SHORTENED


def retry(gradewire: Gradewire, account_id: str | None, identity: int) -> Shown:
    """Send one delivery again, now, under the same id, whatever became of it; the delivery as it is then.

    None is the operator, who may send any. One that is being sent right now is left to that. Raises NotFound, or
    Conflict with the remedy where nothing can be sent.
    """
    with gradewire.database.write() as connection:
        row = delivery_row(connection, account_id, identity)
        _check(row)
        deliveries.retry_one(connection, row.account_id, row.id, gradewire.now())
        shown = show_delivery(delivery_row(connection, account_id, identity))
    gradewire.wake()
    return shown


def _check(row: Any) -> None:
    if row.state == deliveries.SHADOW:
        raise Conflict("A shadow only records what it would send; resume its subscription to be told from the next event on.")
    if row.state == deliveries.GROUPED:
        raise Conflict(f"It is told in a digest, with delivery {row.lead_id}; retry that one.")
    if row.payload.startswith(SHORTENED):
        raise Conflict("Its event is no longer kept whole; the operator sets for how long: GRADEWIRE_KEEP_PAYLOADS.")
    if row.subscription_status == "ended":
        raise Conflict("Its subscription has ended; make a new one.")
    check_open(row.destination_id, row.destination_status)


def check_open(destination_id: str, status: str) -> None:
    """Refuse to send to a destination that takes nothing until its owner has mended it."""
    if status == "ended":
        raise Conflict("Its destination has ended; make a new one.")
    if status == "disabled":
        raise Conflict(f"Its destination is disabled; resume it first: POST /v1/destinations/{destination_id}/resume.")
