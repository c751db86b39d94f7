"""What the API takes and gives of destinations."""

from __future__ import annotations

from typing import Any

from apiflask import Schema
from marshmallow import fields, validate

from integration.channels._settings import mail_address
from integration.domain.payload import described
from integration.service.mending import MOST_OVERLAP, OVERLAP


def _text(label: str, text: str = "", **more: Any) -> fields.String:
    return fields.String(metadata=described(label, text), **more)


class DestinationEdit(Schema):
    """What a way out is changed to. What is left out stays as it is."""

    label = fields.String(validate=validate.Length(max=80), metadata=described("Label", "A name of your own"))
    description = fields.String(validate=validate.Length(max=500), metadata=described("Description", "What it is for"))
    owner_email = mail_address(
        allow_none=True, metadata=described("Owner", "Whom to warn when it fails; none means the account's address")
    )
    rate = fields.Float(
        allow_none=True,
        validate=validate.Range(0.1, 1000),
        metadata=described("Rate", "Requests a second at most; none means what is usual", unit="requests a second"),
    )
    concurrency = fields.Integer(
        strict=True,
        allow_none=True,
        validate=validate.Range(1, 64),
        metadata=described("Concurrency", "Requests at a time at most; none means what is usual"),
    )
    config = fields.Dict(
        keys=fields.String(), metadata=described("Settings", "Of the channel, those to change; a secret is rotated instead")
    )


class DestinationIn(DestinationEdit):
    """A way out."""

    channel = _text("Channel", required=True)
    config = fields.Dict(keys=fields.String(), required=True, metadata=described("Settings", "What the channel needs"))


class RotateIn(Schema):
    """How a secret is changed for a new one."""

    overlap_hours = fields.Integer(
        strict=True,
        load_default=OVERLAP,
        validate=validate.Range(0, MOST_OVERLAP),
        metadata=described("Overlap", "How long the old secret signs beside the new one; 0 ends it at once", unit="hours"),
    )


class DestinationOut(Schema):
    """A way out; its settings stay hidden but for a hint."""

    id = _text("Destination ID", required=True)
    channel = _text("Channel", required=True)
    label = _text("Label", required=True)
    description = _text("Description", required=True)
    owner_email = _text("Owner", "Who is warned when it fails", required=True)
    hint = _text("Hint", required=True)
    status = _text("Status", "active, paused, or disabled until it is mended", required=True)
    reason = _text("Reason", required=True, allow_none=True)
    rate = fields.Float(required=True, allow_none=True, metadata=described("Rate", "Requests a second; null for what is usual"))
    concurrency = fields.Integer(
        required=True, allow_none=True, metadata=described("Concurrency", "Requests at a time; null for what is usual")
    )
    headers = fields.Dict(
        keys=fields.String(), values=fields.String(), required=True, metadata=described("Headers", "Names; values are not shown")
    )
    signatures = fields.List(
        fields.String(), required=True, metadata=described("Signatures", "v1, also v1a; none where the channel is not signed")
    )
    public_key = _text("Public Key", "whpk_…, to check v1a signatures with", required=True, allow_none=True)
    overlap_until = fields.String(
        required=True,
        allow_none=True,
        metadata=described("Overlap Until", "Until when an old secret signs beside the new one", format="date-time"),
    )
    created_at = fields.String(required=True, metadata=described("Created At", format="date-time"))


class DestinationCreated(DestinationOut):
    """A new way out, or one with a new secret."""

    secret = _text("Signing Secret", "whsec_…, of a channel that is signed; shown only here")


class TestOut(Schema):
    """What became of a test send."""

    outcome = _text("Outcome", "delivered, retry or dead", required=True)
    status = fields.Integer(required=True, allow_none=True, metadata=described("Status", "The receiver's; 0 where none came"))
    detail = _text("Detail", required=True, allow_none=True)
