"""Options that triggers share, with one spelling and one help text."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from integration.domain.delta import MAX_COOLDOWN
from integration.domain.payload import described
from integration.domain.retry import HOUR


class TriggerOptions(Schema):
    """Options that every trigger over levels has."""

    min_observations = fields.Integer(
        load_default=1,
        validate=validate.Range(1, 30),
        metadata=described(
            "Confirm For", "How many readings in a row must agree before it counts; 1 tells at once", unit="readings"
        ),
    )
    cooldown_hours = fields.Float(
        load_default=6.0,
        validate=validate.Range(0, MAX_COOLDOWN / HOUR),
        metadata=described("Quiet For", "After a change, further ones within this time are not told", unit="hours"),
    )
