"""Options that triggers share, with one spelling and one help text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, fields, validate

from integration.domain.delta import MAX_COOLDOWN
from integration.domain.payload import described
from integration.domain.retry import HOUR

#: Windows of risk metrics: published ones are over all history.
WINDOWS = ("published", "30d", "90d", "365d")


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


def direction(text: str, default: str = "either") -> fields.String:
    """up, down or either; `text` says what that means here."""
    return fields.String(
        load_default=default, validate=validate.OneOf(["up", "down", "either"]), metadata=described("Direction", text)
    )


def window(default: str = "90d", windows: tuple[str, ...] = WINDOWS) -> fields.String:
    """Over how many days a risk metric is computed."""
    text = "Over how many days it is computed; published is Token Metrics' own figure over all history, which moves little"
    text = text if "published" in windows else "Over how many days it is computed"
    return fields.String(load_default=default, validate=validate.OneOf(list(windows)), metadata=described("Window", text))


def band(floor: float, most: float, unit: str = "") -> fields.Float:
    """The hysteresis of a level; left out, it is `floor` or 2 % of the level if that is more: see `filled_band`."""
    more = {"unit": unit} if unit else {}
    text = f"How far it must go back before it can cross again; empty means {floor:g}, or 2 % of the level if more"
    return fields.Float(
        load_default=None, allow_none=True, validate=validate.Range(0, most), metadata=described("Band", text, **more)
    )


def filled_band(options: dict[str, Any], floor: float, level: str = "level") -> dict[str, Any]:
    """The options with the band written out where it was left empty."""
    if options["hysteresis"] is None:
        options["hysteresis"] = max(floor, round(0.02 * abs(options[level]), 6))
    return options


def cooldown(options: Mapping[str, Any]) -> int:
    """The quiet time in milliseconds."""
    hours: float = options["cooldown_hours"]
    return round(hours * HOUR)
