"""What the API takes and gives of deliveries and the attempts at them."""

from __future__ import annotations

from typing import Any

from apiflask import Schema
from marshmallow import fields, validate

from integration.domain.payload import described
from integration.service.overview import MOST_ID
from integration.store.queries.deliveries import STATES


def _text(label: str, text: str = "", **more: Any) -> fields.String:
    return fields.String(metadata=described(label, text), **more)


def _when(label: str, **more: Any) -> fields.String:
    return fields.String(metadata=described(label, format="date-time"), **more)


class DeliveryQuery(Schema):
    """Which deliveries."""

    state = fields.String(validate=validate.OneOf(list(STATES.values())), metadata=described("State"))
    destination_id = _text("Destination ID")
    subscription_id = _text("Subscription ID")
    event_id = _text("Event ID")
    since = _text("Since", "Only what is owed since this time: ISO 8601 or milliseconds since 1970")
    until = _text("Until", "Only what was owed before this time")
    limit = fields.Integer(load_default=100, validate=validate.Range(1, 1000), metadata=described("Limit"))
    before = fields.Integer(validate=validate.Range(1, MOST_ID), metadata=described("Before", "The last id of the page before"))


class DeliveryOut(Schema):
    """What is owed to a subscription."""

    id = fields.Integer(required=True)
    event_id = _text("Event ID", required=True)
    trigger = _text("Trigger", required=True)
    subject = _text("Subject", required=True)
    summary = _text("Summary", required=True)
    subscription_id = _text("Subscription ID", required=True)
    destination_id = _text("Destination ID", required=True)
    channel = _text("Channel", required=True)
    destination = _text("Destination", required=True)
    state = fields.String(
        required=True,
        validate=validate.OneOf(list(STATES.values())),
        metadata=described(
            "State",
            "pending; delivered; dead (no attempt is made any more); expired (too old); held (its destination is disabled); "
            "grouped (told with the delivery `told_with`); shadow (only recorded)",
        ),
    )
    attempts = fields.Integer(required=True, metadata=described("Attempts", "Since it was last made due by hand"))
    reason = _text("Reason", required=True, allow_none=True)
    told_with = fields.Integer(
        required=True, allow_none=True, metadata=described("Told With", "The delivery that leads the digest it is told in")
    )
    created_at = _when("Created At", required=True)
    next_attempt_at = _when("Next Attempt At", required=True, allow_none=True)
    done_at = _when("Done At", required=True, allow_none=True)


class Attempt(Schema):
    """One try."""

    at = _when("At", required=True)
    duration_ms = fields.Integer(required=True)
    status = fields.Integer(required=True, metadata=described("Status", "The receiver's; 0 where none came"))
    outcome = _text("Outcome", "delivered, retry or dead", required=True)
    error_class = _text(
        "Error Class",
        "resolve, connect, tls, certificate, timeout, reset, refused (the address is private), protocol, token or failed where "
        "no status came; status where it says no; answer where the body does",
        required=True,
        allow_none=True,
    )
    error = _text("Error", "The class, and more where more is known", required=True, allow_none=True)
    head = _text(
        "Head", "How the answer began, secrets masked; null where there was none, or its address is refused",
        required=True, allow_none=True,
    )  # fmt: skip


class DeliveryWithAttempts(DeliveryOut):
    """What is owed to a subscription, with every try."""

    made = fields.List(fields.Nested(Attempt), required=True, metadata=described("Attempts Made", "Oldest first"))
