"""Fires when the market's sentiment moves by at least N points over `window` readings.

A move is measured against the reading `window` readings back, never against the last event; a longer move is told when it
begins. Sentiment is hourly, so 24 readings are about a day.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
from marshmallow import fields, validate

from integration.domain.catalogue import Case, Options, Trigger
from integration.domain.delta import moves
from integration.domain.history import Firing, History
from integration.domain.numerals import Number, Whole
from integration.domain.payload import EventPayload, day_and_month, described, iso, sample
from integration.domain.screen import Move
from integration.triggers._levels import direction_field, suppressed_field
from integration.triggers._moves import told_moves, window_lookback
from integration.triggers._options import MoveOptions, cooldown, direction
from integration.triggers._snapshots import THE_MARKET

SOURCE = "sentiments"
METRIC = "market_sentiment_grade"
#: Whose sentiment, and what a sentence calls it; the metric is "<key>_sentiment_grade".
ORIGINS = {"market": "Market sentiment", "news": "News sentiment", "reddit": "Reddit sentiment", "twitter": "Twitter sentiment"}
HOURS = 1 / 24


class SentimentOptions(MoveOptions):
    """Which sentiment, and what counts as a move."""

    origin = fields.String(
        load_default="market",
        validate=validate.OneOf(list(ORIGINS)),
        metadata=described("Sentiment Of", "market (all together), news, reddit or twitter"),
    )
    points = Number(
        load_default=10.0,
        validate=validate.Range(0.1, 100),
        metadata=described("Points", "Tell when it, from 0 to 100, moves by at least this much", unit="points"),
    )
    window = Whole(
        load_default=24,
        validate=validate.Range(1, 168),
        metadata=described("Over", "Compare with the reading this many before; readings are hourly", unit="readings"),
    )
    direction = direction("Tell when it rises (up), falls (down), or either")


class SentimentPayload(EventPayload):
    """A move."""

    origin = fields.String(required=True, metadata=described("Sentiment Of", "market, news, reddit or twitter"))
    direction = direction_field()
    new_grade = fields.Float(required=True, metadata=described("New Grade", unit="points"))
    old_grade = fields.Float(required=True, metadata=described("Old Grade", "The reading it is compared with", unit="points"))
    change = fields.Float(required=True, metadata=described("Change", "New minus old", unit="points"))
    new_label = fields.String(required=True, allow_none=True, metadata=described("New Label", "Such as positive or neutral"))
    old_label = fields.String(required=True, allow_none=True, metadata=described("Old Label", "Such as positive or neutral"))
    window = fields.Integer(required=True, metadata=described("Over", unit="readings"))
    previous_as_of = fields.String(required=True, metadata=described("Previous As Of", "The time of the reading compared with"))
    suppressed_count = suppressed_field()


def sources(_options: Options) -> tuple[str, ...]:
    """Sentiments."""
    return (SOURCE,)


def scan(history: History, options: Options) -> list[Firing]:
    """Moves that are told."""
    metric, window = f"{options['origin']}_sentiment_grade", options["window"]
    seen = history.take(np.flatnonzero(~np.isnan(history.column(metric))))
    as_of, values = seen.as_of, seen.column(metric)
    return [
        Firing(
            int(as_of[move.at]),
            {
                "origin": options["origin"],
                "direction": "up" if move.change > 0 else "down",
                "new_grade": float(values[move.at]),
                "old_grade": float(values[move.at - window]),
                "change": round(move.change, 6),
                "new_label": _label(seen.texts[move.at], options),
                "old_label": _label(seen.texts[move.at - window], options),
                "window": window,
                "previous_as_of": iso(int(as_of[move.at - window])),
                "suppressed_count": move.suppressed,
            },
        )
        for move in told_moves(as_of, moves(values, as_of, window, history.max_gap), options["points"], options)
    ]


def _label(text: str | None, options: Options) -> str | None:
    label = orjson.loads(text).get(options["origin"]) if text else None
    return None if label is None else str(label)


def watch(options: Options) -> tuple[Move]:
    """The move, for screening."""
    return (Move(f"{options['origin']}_sentiment_grade", options["points"], options["window"], cooldown(options)),)


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    verb, readings = "rose" if event["direction"] == "up" else "fell", event["window"]
    label = f" ({event['new_label']})" if event["new_label"] else ""
    return (
        f"{ORIGINS[event['origin']]} {verb} over {readings} reading{'s' if readings > 1 else ''}: {event['old_grade']:.1f} → "
        f"{event['new_grade']:.1f}{label} on {day_and_month(event['as_of'])}."
    )


_TIME = "2023-11-08T10:00:00Z"
_EXAMPLE = {
    "origin": "market",
    "direction": "up",
    "new_grade": 68.14,
    "old_grade": 56.17,
    "change": 11.97,
    "new_label": "positive",
    "old_label": "neutral",
    "window": 24,
    "previous_as_of": "2023-11-07T10:00:00Z",
    "suppressed_count": 0,
}


def _hours(*grades: float | None, origin: str = "market", every: int = 1) -> list[tuple[float, Any]]:
    """A reading each so many hours; its label is positive from 60 up."""
    return [
        (number * every * HOURS, {f"{origin}_sentiment_grade": grade, "text": _labelled(origin, grade)})
        for number, grade in enumerate(grades)
    ]


def _labelled(origin: str, grade: float | None) -> str | None:
    return None if grade is None else json.dumps({origin: "positive" if grade >= 60 else "neutral"})


TRIGGER = Trigger(
    key="sentiment_changed",
    noun="Sentiment Change",
    label="New Sentiment Change",
    description="Triggers when market sentiment moves by a number of points.",
    semantics=1,
    subject="market",
    options=SentimentOptions,
    payload=SentimentPayload,
    sources=sources,
    lookback=window_lookback,
    scan=scan,
    watch=watch,
    summary=summary,
    sample=sample(
        "sentiment_changed", "New Sentiment Change", THE_MARKET, _EXAMPLE, summary({**_EXAMPLE, "as_of": _TIME}), _TIME
    ),
    presets={
        "Market sentiment moves by 10 points within a day": {"origin": "market", "points": 10, "window": 24},
        "News sentiment falls by 15 points within a day": {"origin": "news", "points": 15, "direction": "down", "window": 24},
    },
    fires=(
        Case(
            "it rises at once",
            {"window": 1},
            _hours(50, 61),
            {HOURS: {"direction": "up", "change": 11.0, "old_label": "neutral", "new_label": "positive"}},
        ),
        Case(
            "it falls over some hours and is told once",
            {"window": 3},
            _hours(50, 48, 45, 40, 36),
            {3 * HOURS: {"direction": "down", "old_grade": 50.0, "previous_as_of": "1970-01-01T00:00:00Z"}},
        ),
        Case(
            "another origin",
            {"origin": "reddit", "window": 1, "points": 5},
            _hours(62, 57, origin="reddit"),
            {HOURS: {"origin": "reddit", "new_label": "neutral"}},
        ),
        Case("a null is no reading", {"window": 1}, _hours(50, None, 60), {2 * HOURS: {"old_grade": 50.0}}),
        Case("hours are missing", {"window": 1}, _hours(50, 60, every=40), {40 * HOURS: {"change": 10.0}}),
    ),
    silent=(
        Case("the first reading", {}, _hours(90)),
        Case("too small a move", {"window": 1}, _hours(50, 59.9, 50.5)),
        Case("too few readings", {}, _hours(50, 90)),
        Case("the other direction", {"window": 1, "direction": "up"}, _hours(70, 50)),
        Case("only another origin moves", {"window": 1, "origin": "news"}, _hours(10, 90)),
        Case("too long a silence lies between", {"window": 1}, _hours(50, 90, every=49)),
    ),
)
