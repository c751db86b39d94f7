"""Fires when a token's daily volume spikes to N times its own usual one, or dries up to an N-th of it.

The usual volume is the median of the 30 days before. A spike or a drought is over once the volume has come back by the
band, and told once, when it begins. Where that is asked for, it is told only while the price is flat: when it stands, after
so many days, within some percent of where it stood; and only from a minimum of volume in USD.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from marshmallow import ValidationError, fields, validate, validates_schema

from integration.domain.catalogue import Case, Kept, Lookback, Options, States, Trigger
from integration.domain.delta import Crossing, Sides
from integration.domain.history import Firing, Floats, History
from integration.domain.numerals import Number, Whole
from integration.domain.payload import EventPayload, day_and_month, described, sample
from integration.domain.retry import DAY
from integration.triggers._levels import (
    DOWN,
    UP,
    counting,
    crossed,
    crossed_at_field,
    crossing_fields,
    direction_field,
    kept,
    level_lookback,
    suppressed_field,
)
from integration.triggers._options import TriggerOptions, direction
from integration.triggers._prices import change_over
from integration.triggers._values import number, percent, usd

CLOCK, BARS = "risk_30d", "daily_ohlcv"
METRIC = "volume_ratio"
DRY, USUAL, SPIKE = 1, 2, 3
#: What goes with looking at flat prices alone.
IF_FLAT = {"flat_only": [True]}
WANTED: Mapping[str, tuple[int, ...]] = {"up": (SPIKE,), "down": (DRY,), "either": (DRY, SPIKE)}


class VolumeOptions(TriggerOptions):
    """How much, in which direction, and under which conditions."""

    times = Number(
        load_default=3.0,
        validate=validate.Range(1.1, 100),
        metadata=described("Times", "3 means three times its 30-day median, or a third of it", unit="times"),
    )
    direction = direction("Tell when it spikes (up), dries up (down), or either")
    flat_only = fields.Boolean(
        load_default=False, metadata=described("Only While Price Is Flat", "Tell only where the price hardly moved meanwhile")
    )
    flat_percent = Number(
        load_default=5.0,
        validate=validate.Range(0.1, 50),
        metadata=described("Flat Within", "The price is flat where it moved by no more than this", unit="%", when=IF_FLAT),
    )
    flat_days = Whole(
        load_default=7,
        validate=validate.Range(1, 30),
        metadata=described("Flat For", "Over so many days", unit="days", when=IF_FLAT),
    )
    min_volume = Number(
        load_default=0.0,
        validate=validate.Range(0, 1e12),
        metadata=described("Minimum Volume", "Tell only where the day's volume is at least this; 0 is any", unit="USD"),
    )
    hysteresis = Number(
        load_default=20.0,
        validate=validate.Range(0, 90),
        metadata=described("Band", "By how much of the limit it must come back before it can be told again", unit="%"),
    )

    @validates_schema
    def _there_is_a_usual_volume(self, options: dict[str, Any], **_: Any) -> None:
        dry, low, high, spike = _edges(options)
        if not dry <= low < high <= spike:
            text = f"Leaves no room between {dry:.2g} and {spike:.2g} times: choose a smaller band or more times."
            raise ValidationError(text, "hysteresis")


class VolumePayload(EventPayload):
    """A spike or a drought."""

    change = fields.String(required=True, metadata=described("Change", "spike or dry_up"))
    direction = direction_field()
    times = fields.Float(required=True, metadata=described("Times", "How many times its usual volume, or which part of it"))
    volume_ratio = fields.Float(required=True, metadata=described("Volume Ratio", "Volume / its 30-day median", unit="ratio"))
    previous_volume_ratio = fields.Float(
        required=True, metadata=described("Previous Volume Ratio", "The last reading before it began", unit="ratio")
    )
    volume = fields.Float(required=True, allow_none=True, metadata=described("Volume", "Of the day", unit="USD"))
    flat_only = fields.Boolean(required=True, metadata=described("Only While Price Is Flat"))
    flat_days = fields.Integer(required=True, metadata=described("Flat For", unit="days"))
    price_change = fields.Float(
        required=True, allow_none=True, metadata=described("Price Change", "Over these days", unit="fraction")
    )
    crossed_at = crossed_at_field()
    suppressed_count = suppressed_field()


def sources(_options: Options) -> tuple[str, ...]:
    """Volume ratios, and the bars they are derived from."""
    return (CLOCK, BARS)


def lookback(options: Options) -> Lookback:
    """That of a level; the price looks back so many days."""
    return level_lookback(options, 3, options["flat_days"] * DAY)


def _edges(options: Options) -> tuple[float, float, float, float]:
    """Dry from the first down, usual from the second to the third, a spike from the fourth up."""
    times, band = options["times"], options["hysteresis"] / 100
    return 1 / times, (1 + band) / times, (1 - band) * times, times


def _sides(ratios: Floats, options: Options) -> Sides:
    dry, low, high, spike = _edges(options)
    usual = np.where((ratios >= low) & (ratios <= high), USUAL, 0)
    return np.where(ratios >= spike, SPIKE, np.where(ratios <= dry, DRY, usual)).astype(np.int8)


def _price_change(history: History, options: Options) -> Floats:
    """Of each reading's own day; NaN where its bar is not there."""
    bars = history.of(BARS)
    closes = np.where(bars.as_of == history.as_of, bars.column("close"), np.nan)
    return change_over(history.as_of, closes, options["flat_days"] * DAY, history.cadence, history.max_gap)


def _fits(history: History, options: Options) -> States:
    """Whether the conditions beside the ratio hold at each reading: 1, 0, or -1 where that is not known."""
    states = np.ones(len(history.as_of), dtype=np.int8)
    if options["flat_only"]:
        moved = np.abs(_price_change(history, options))
        # in binary, 105 / 100 - 1 is a hair more than 0.05
        states = np.where(np.isnan(moved), -1, moved <= options["flat_percent"] / 100 + 1e-9).astype(np.int8)
    if options["min_volume"]:
        volume = history.of(BARS).column("volume")
        enough = np.where(np.isnan(volume), -1, volume >= options["min_volume"]).astype(np.int8)
        states = np.where((states == 0) | (enough == 0), 0, np.minimum(states, enough)).astype(np.int8)
    return states


def scan(history: History, options: Options) -> list[Firing]:
    """Spikes and droughts that are told."""
    known = np.flatnonzero(~np.isnan(history.column(METRIC)))
    seen, fit, moved = history.take(known), _fits(history, options)[known], _price_change(history, options)[known]
    ratios, volume = seen.column(METRIC), seen.of(BARS).column("volume")

    def fits(crossing: Crossing) -> bool:
        return bool(fit[crossing.at] == 1)

    return [
        Firing(
            int(seen.as_of[crossing.at]),
            {
                "change": "spike" if crossing.side == SPIKE else "dry_up",
                "times": options["times"],
                "volume_ratio": float(ratios[crossing.at]),
                "previous_volume_ratio": float(ratios[crossing.before]),
                "volume": number(volume[crossing.at]),
                "flat_only": options["flat_only"],
                "flat_days": options["flat_days"],
                "price_change": number(moved[crossing.at]),
                **crossing_fields(crossing, seen.as_of),
            },
        )
        for crossing in crossed(history, seen.as_of, _sides(ratios, options), options, WANTED[options["direction"]], fits)
    ]


def holds(history: History, options: Options) -> States:
    """Whether the volume is unusual in a direction that is asked for, with the conditions beside it."""
    ratios = history.column(METRIC)
    known = ~np.isnan(ratios)
    counted = counting(history, history.as_of[known], _sides(ratios[known], options), options)
    states = np.full(len(ratios), -1, dtype=np.int8)
    states[known] = np.where(counted == 0, -1, np.isin(counted, WANTED[options["direction"]]))
    return np.where(states == 1, _fits(history, options), states).astype(np.int8)


def keeps(options: Options) -> Kept | None:
    """The volume has not come back from the direction that is asked for; nothing can be said where either is.

    What is usual lies between two other classes, so that only the same limits are confirmed alike.
    """
    dry, low, high, spike = _edges(options)
    metric = f"{METRIC} of {options['times']} and {options['hysteresis']}"
    sides = {"up": (UP, spike, high), "down": (DOWN, low, dry)}
    return kept(CLOCK, metric, options, *sides[options["direction"]]) if options["direction"] in sides else None


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    verb = "spiked" if event["change"] == "spike" else "dried up"
    volume = "" if event["volume"] is None else f" ({usd(event['volume'])})"
    days = event["flat_days"]
    flat = ""
    if event["flat_only"] and event["price_change"] is not None:
        flat = f" while its price moved by {percent(event['price_change'])} in {days} day{'s' if days > 1 else ''}"
    return (
        f"{event['subject_name']}'s volume {verb} to {event['volume_ratio']:.2f} times its 30-day median{volume}{flat} "
        f"on {day_and_month(event['as_of'])}."
    )


_TIME = "2021-05-14T00:00:00Z"
_EXAMPLE = {
    "change": "spike",
    "direction": "up",
    "times": 3.0,
    "volume_ratio": 3.42,
    "previous_volume_ratio": 1.18,
    "volume": 96_721_152_926.0,
    "flat_only": True,
    "flat_days": 7,
    "price_change": 0.012,
    "crossed_at": "2021-05-14T00:00:00Z",
    "suppressed_count": 0,
}


def _days(*each: tuple[float | None, float | None], volume: float = 5e6) -> list[tuple[float, Any]]:
    """(ratio, close) a day."""
    return [
        (day, {"volume_ratio": ratio, "daily_ohlcv.close": close, "daily_ohlcv.volume": volume})
        for day, (ratio, close) in enumerate(each)
    ]


_FLAT = {"flat_only": True, "flat_days": 2}

TRIGGER = Trigger(
    key="volume_changed",
    noun="Volume Change",
    label="New Volume Change",
    description="Triggers when a token's volume spikes or dries up against its last 30 days.",
    semantics=1,
    subject="token",
    options=VolumeOptions,
    payload=VolumePayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    holds=holds,
    keeps=keeps,
    summary=summary,
    sample=sample(
        "volume_changed",
        "New Volume Change",
        ("token:3375", 3375, "Bitcoin", "BTC"),
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Bitcoin", "as_of": _TIME}),
        _TIME,
    ),
    presets={
        "Three times its usual volume": {"times": 3, "direction": "up"},
        "Volume spikes while the price is flat": {"times": 3, "direction": "up", "flat_only": True},
    },
    fires=(
        Case(
            "it spikes to three times its median",
            {},
            _days((1.1, 100), (3.0, 110)),
            {1: {"change": "spike", "direction": "up", "previous_volume_ratio": 1.1, "volume": 5e6}},
        ),
        Case("it dries up to a third", {}, _days((0.9, 100), (0.33, 100)), {1: {"change": "dry_up", "direction": "down"}}),
        Case(
            "from a spike to a drought",
            {"times": 2},
            _days((1, 9), (2.5, 9), (0.5, 9)),
            {1: {"change": "spike"}, 2: {"change": "dry_up"}},
        ),
        Case("it lasts and is told once", {}, _days((1, 9), (3.5, 9), (2.5, 9), (4, 9), (2.4, 9), (3, 9)), {1: {}, 5: {}}),
        Case(
            "while the price is flat",
            _FLAT,
            _days((1, 100), (1, 103), (3.1, 105)),
            {2: {"price_change": 105 / 100 - 1, "flat_only": True}},
        ),
        Case("with enough volume", {"min_volume": 5e6}, _days((1, 100), (3.1, 105)), {1: {"volume": 5e6}}),
        Case("a second day confirms it", {"min_observations": 2}, _days((1, 9), (3, 9), (3.3, 9)), {2: {"volume_ratio": 3.3}}),
    ),
    silent=(
        Case("the first reading", {}, _days((9, 100))),
        Case("it stays within its limits", {}, _days((1, 9), (2.9, 9), (0.4, 9), (2.9, 9))),
        Case("the other direction", {"direction": "down"}, _days((1, 9), (5, 9))),
        Case("the price is not flat", _FLAT, _days((1, 100), (1, 103), (3.1, 105.1))),
        Case("it is not known whether the price is flat", _FLAT, _days((1, None), (1, 103), (3.1, 103))),
        Case("too little volume", {"min_volume": 6e6}, _days((1, 100), (3.1, 105))),
        Case("too long a silence lies between", {}, [(0, {"volume_ratio": 1}), (4, {"volume_ratio": 9})]),
    ),
)
