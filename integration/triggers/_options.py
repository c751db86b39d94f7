"""Options that triggers share, with one spelling and one help text."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from integration.domain.delta import MAX_COOLDOWN
from integration.domain.numerals import Number, Whole
from integration.domain.payload import described
from integration.domain.retry import DAY, HOUR

#: Windows of risk metrics: published ones are over all history.
WINDOWS = ("published", "30d", "90d", "365d")


#: The longest that a side may be asked to hold before it counts (days): far less than a side is remembered.
LONGEST_HOLD = 90


def confirmations(default: int = 1) -> Whole:
    """How many readings confirm a change: 1 for daily sources, 2 for faster ones."""
    text = "How many readings in a row must agree before it counts; 1 tells at once"
    return Whole(load_default=default, validate=validate.Range(1, 30), metadata=described("Confirm For", text, unit="readings"))


def quiet_time() -> Number:
    """The quiet time after a change."""
    return Number(
        load_default=6.0,
        validate=validate.Range(0, MAX_COOLDOWN / HOUR),
        metadata=described("Quiet For", "After a change, further ones within this time are not told", unit="hours"),
    )


class TriggerOptions(Schema):
    """Options that every trigger over levels has."""

    min_observations = confirmations()
    cooldown_hours = quiet_time()


class MoveOptions(Schema):
    """Options that every trigger over moves has: a move is what it is at once, and needs no confirmation."""

    cooldown_hours = quiet_time()


def direction(text: str, default: str = "either", **more: Any) -> fields.String:
    """up, down or either; `text` says what that means here."""
    return fields.String(
        load_default=default, validate=validate.OneOf(["up", "down", "either"]), metadata=described("Direction", text, **more)
    )


def window(default: str = "90d", windows: tuple[str, ...] = WINDOWS) -> fields.String:
    """Over how many days a risk metric is computed."""
    text = "Over how many days it is computed; published is Token Metrics' own figure over all history, which moves little"
    text = text if "published" in windows else "Over how many days it is computed"
    return fields.String(load_default=default, validate=validate.OneOf(list(windows)), metadata=described("Window", text))


def band(floor: float, most: float, unit: str = "", **more: Any) -> Number:
    """The hysteresis of a level; left out, it is `floor` or 2 % of the level if that is more: see `filled_band`."""
    more |= {"unit": unit} if unit else {}
    text = f"How far it must go back before it can cross again; empty means {floor:g}, or 2 % of the level if more"
    return Number(load_default=None, allow_none=True, validate=validate.Range(0, most), metadata=described("Band", text, **more))


def filled_band(options: dict[str, Any], floor: float, level: str = "level") -> dict[str, Any]:
    """The options with the band written out where it was left empty."""
    if options["hysteresis"] is None:
        options["hysteresis"] = max(floor, round(0.02 * abs(options[level]), 6))
    return options


def held_days() -> Number:
    """For how many days a side must have held."""
    return Number(
        load_default=0.0,
        validate=validate.Range(0, LONGEST_HOLD),
        metadata=described("Held For", "Tell once it has held for so long; 0 tells at once", unit="days"),
    )


def held_for(options: Mapping[str, Any]) -> int:
    """How long a side must have held, in milliseconds; 0 for triggers that do not ask."""
    days: float = options.get("held_days", 0.0)
    return round(days * DAY)


class Several(fields.String):
    """Some of the choices, comma separated, in any order; an empty text means all. Loaded in the order of the choices."""

    def __init__(self, choices: Sequence[str], **options: Any) -> None:
        wrong: dict[str, Any] = {"invalid": f"Write them as one text, separated by commas, of: {', '.join(choices)}."}
        super().__init__(load_default=",".join(choices), error_messages=wrong, **options)
        self.choices = tuple(choices)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, *args, **kwargs) or ""
        named = [part.strip() for part in text.split(",") if part.strip()] or self.choices
        for name in named:
            if name not in self.choices:
                raise ValidationError(f"There is no {name[:40]!r}. {nearest(name, self.choices)}")
        return ",".join(choice for choice in self.choices if choice in named)


def nearest(name: str, choices: Sequence[str]) -> str:
    """The remedy for a name that does not exist: the choices that resemble it, or all."""
    near = difflib.get_close_matches(name, choices, 3)
    return f"Did you mean {' or '.join(near)}?" if near else f"There are: {', '.join(choices)}."


def cooldown(options: Mapping[str, Any]) -> int:
    """The quiet time in milliseconds."""
    hours: float = options["cooldown_hours"]
    return round(hours * HOUR)
