"""Fires when a token's momentum, as Token Metrics words it beside the TM grade, moves to another level.

The levels, from the lowest: Momentum Crashing, Losing Momentum, Holding Steady (or No Momentum), Gaining Momentum,
Momentum Surging. A word that is none of these is a missing reading. The first momentum of a token fires nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
from marshmallow import fields, validate

from integration.domain.catalogue import Case, Kept, Lookback, Options, States, Trigger
from integration.domain.delta import Crossing, Sides
from integration.domain.history import Firing, History
from integration.domain.momentum import LEVELS, STEADY, rank
from integration.domain.numerals import Whole
from integration.domain.payload import EventPayload, day_and_month, described, sample
from integration.triggers._levels import (
    DOWN,
    UP,
    WANTED,
    crossed,
    crossed_at_field,
    crossing_fields,
    direction_field,
    holding,
    kept,
    level_lookback,
    suppressed_field,
)
from integration.triggers._options import TriggerOptions, direction
from integration.triggers._values import number

SOURCE = "tm_grade"
METRIC = "tm_grade"


class MomentumOptions(TriggerOptions):
    """Which moves are told."""

    direction = direction("Tell when momentum is gained (up), lost (down), or either")
    steps = Whole(
        load_default=1,
        validate=validate.Range(1, len(LEVELS) - 1),
        metadata=described("Steps", "Tell only moves over at least this many levels at once; there are five levels"),
    )


class MomentumPayload(EventPayload):
    """A move to another level."""

    direction = direction_field()
    momentum = fields.String(required=True, metadata=described("Momentum", "Such as Gaining Momentum"))
    previous_momentum = fields.String(required=True, metadata=described("Previous Momentum", "Such as Holding Steady"))
    steps = fields.Integer(required=True, metadata=described("Steps", "Levels moved; negative where momentum was lost"))
    tm_grade = fields.Float(
        required=True, allow_none=True, metadata=described("TM Grade", "Empty where it is not known", unit="points")
    )
    signal = fields.String(
        required=True, allow_none=True, metadata=described("TM Grade Signal", "Such as Buy; empty where it is not known")
    )
    crossed_at = crossed_at_field()
    suppressed_count = suppressed_field()


def sources(_options: Options) -> tuple[str, ...]:
    """Momentum comes with the TM grade, for tokens that are named."""
    return (SOURCE,)


def lookback(options: Options) -> Lookback:
    """Levels are remembered like sides."""
    return level_lookback(options)


def _spoken(text: str | None) -> Mapping[str, str | None]:
    return orjson.loads(text) if text else {}


def _ranks(history: History) -> Sides:
    """The level of each reading, 1 to 5; 0 where it has none."""
    words = (_spoken(text).get("momentum") or "" for text in history.texts)
    return np.fromiter((rank(word) or 0 for word in words), dtype=np.int8, count=len(history.texts))


def scan(history: History, options: Options) -> list[Firing]:
    """Moves between levels that are told."""
    ranks = _ranks(history)
    seen, ranks = history.take(np.flatnonzero(ranks)), ranks[ranks > 0]
    grades, wanted = seen.column(METRIC), WANTED[options["direction"]]

    def fits(move: Crossing) -> bool:
        steps = move.side - move.previous
        return abs(steps) >= options["steps"] and (UP if steps > 0 else DOWN) in wanted

    return [
        Firing(
            int(seen.as_of[move.at]),
            {
                "momentum": LEVELS[move.side],
                "previous_momentum": LEVELS[move.previous],
                "steps": move.side - move.previous,
                "tm_grade": number(grades[move.at]),
                "signal": _spoken(seen.texts[move.at]).get("signal"),
                **crossing_fields(move, seen.as_of),
            },
        )
        for move in crossed(history, seen.as_of, ranks, options, fits=fits)
    ]


def holds(history: History, options: Options) -> States:
    """Whether momentum is being gained; for `down`, lost."""
    ranks = _ranks(history)
    gaining = options["direction"] != "down"
    sides = np.where((ranks > STEADY) if gaining else (ranks < STEADY), UP, DOWN).astype(np.int8)
    return holding(history, np.where(ranks > 0, ranks, np.nan), sides[ranks > 0], options, UP)


def keeps(options: Options) -> Kept:
    """Momentum is being gained; for `down`, lost."""
    side, upper, lower = (DOWN, STEADY, STEADY - 1) if options["direction"] == "down" else (UP, STEADY + 1, STEADY)
    return kept(SOURCE, "momentum", options, side, upper, lower)


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    verb = "rose" if event["direction"] == "up" else "fell"
    return (
        f"{event['subject_name']}'s momentum {verb} from {event['previous_momentum']} to {event['momentum']} "
        f"on {day_and_month(event['as_of'])}."
    )


_TIME = "2025-09-14T00:00:00Z"
_EXAMPLE = {
    "direction": "up",
    "momentum": "Gaining Momentum",
    "previous_momentum": "Holding Steady",
    "steps": 1,
    "tm_grade": 71.4,
    "signal": "Buy",
    "crossed_at": "2025-09-14T00:00:00Z",
    "suppressed_count": 0,
}


def _momentum(*words: str | None) -> list[tuple[float, Any]]:
    """A word a day; None is a day without words."""
    said = [None if word is None else json.dumps({"signal": "Buy", "momentum": word}) for word in words]
    return [(day, {"tm_grade": 60 + day, "text": text}) for day, text in enumerate(said)]


_CRASHING, _LOSING, _HOLDING, _GAINING, _SURGING = LEVELS.values()

TRIGGER = Trigger(
    key="momentum_changed",
    noun="Momentum Change",
    label="New Momentum Change",
    description="Triggers when a token's momentum moves to another level, such as from Holding Steady to Gaining Momentum.",
    semantics=1,
    subject="token",
    options=MomentumOptions,
    payload=MomentumPayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    holds=holds,
    keeps=keeps,
    summary=summary,
    sample=sample(
        "momentum_changed",
        "New Momentum Change",
        ("token:3375", 3375, "Bitcoin", "BTC"),
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Bitcoin", "as_of": _TIME}),
        _TIME,
    ),
    fires=(
        Case(
            "it begins to gain",
            {},
            _momentum(_HOLDING, _HOLDING, _GAINING),
            {2: {"direction": "up", "steps": 1, "momentum": _GAINING, "tm_grade": 62.0, "signal": "Buy"}},
        ),
        Case("it crashes", {"direction": "down"}, _momentum(_GAINING, _CRASHING), {1: {"steps": -3, "direction": "down"}}),
        Case("two levels at once", {"steps": 2}, _momentum(_LOSING, _GAINING), {1: {"steps": 2}}),
        Case("from none at all", {}, _momentum("No Momentum", _SURGING), {1: {"previous_momentum": _HOLDING, "steps": 2}}),
        Case("written otherwise", {}, _momentum("holding steady", " GAINING MOMENTUM "), {1: {"momentum": _GAINING}}),
        Case("a word that is not known is passed over", {}, _momentum(_HOLDING, "Sideways", _LOSING), {2: {"steps": -1}}),
        Case(
            "a second day confirms it, whatever lay between",
            {"min_observations": 2},
            _momentum(_HOLDING, _GAINING, _SURGING, _SURGING),
            {3: {"previous_momentum": _HOLDING, "steps": 2, "crossed_at": "1970-01-03T00:00:00Z"}},
        ),
    ),
    silent=(
        Case("the first momentum", {}, _momentum(_SURGING)),
        Case("two words for one level", {}, _momentum(_HOLDING, "No Momentum", _HOLDING)),
        Case("the other direction", {"direction": "up"}, _momentum(_SURGING, _LOSING)),
        Case("level by level where two at once are asked for", {"steps": 2}, _momentum(_HOLDING, _GAINING, _SURGING)),
        Case("words that are not known", {}, _momentum("Sideways", "Bouncing")),
        Case("no words at all", {}, _momentum(_HOLDING, None, None)),
        Case("too long a silence lies between", {}, [_momentum(_LOSING)[0], (4, _momentum(_GAINING)[0][1])]),
    ),
)
