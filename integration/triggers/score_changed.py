"""Fires when one of the scores behind a token's investor grade moves by at least N over `window` readings.

Scores go from 0 to 10. A move is measured against the reading `window` readings back, never against the last event; a
longer move is told when it begins.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from marshmallow import fields, validate

from integration.domain.catalogue import Case, Options, Trigger
from integration.domain.delta import moves, observed
from integration.domain.history import Firing, History
from integration.domain.numerals import Number, Whole
from integration.domain.payload import EventPayload, day_and_month, described, sample
from integration.domain.screen import Move
from integration.triggers._levels import direction_field, suppressed_field
from integration.triggers._moves import told_moves, window_lookback
from integration.triggers._options import MoveOptions, cooldown, direction

SOURCE = "investor_grades"
METRIC = "activity_score"
#: What each score is called; its metric is "<key>_score".
SCORES = {
    "activity": "activity score",
    "security": "security score",
    "community": "community score",
    "exchange": "exchange score",
    "tokenomics": "tokenomics score",
    "vc": "VC score",
    "defi_usage": "DeFi usage score",
    "defi_scanner": "DeFi scanner score",
    "repository": "repository score",
    "collaboration": "collaboration score",
}
HIGHEST = 10


class ScoreOptions(MoveOptions):
    """Which score, and what counts as a move."""

    score = fields.String(
        load_default="activity", validate=validate.OneOf(list(SCORES)), metadata=described("Score", "Which score to watch")
    )
    points = Number(
        load_default=1.0,
        validate=validate.Range(0.1, HIGHEST),
        metadata=described("Points", "Tell when the score, which goes from 0 to 10, moves by at least this much", unit="points"),
    )
    window = Whole(
        load_default=7,
        validate=validate.Range(1, 30),
        metadata=described("Over", "Compare with the score this many readings before", unit="readings"),
    )
    direction = direction("Tell when it rises (up), falls (down), or either")


class ScorePayload(EventPayload):
    """A move."""

    score = fields.String(required=True, metadata=described("Which Score", "Such as activity, security or vc"))
    direction = direction_field()
    new_score = fields.Float(required=True, metadata=described("New Score", unit="points"))
    old_score = fields.Float(required=True, metadata=described("Old Score", "The reading it is compared with", unit="points"))
    change = fields.Float(required=True, metadata=described("Change", "New minus old", unit="points"))
    window = fields.Integer(required=True, metadata=described("Over", unit="readings"))
    suppressed_count = suppressed_field()


def sources(_options: Options) -> tuple[str, ...]:
    """Scores stand beside the investor grade."""
    return (SOURCE,)


def scan(history: History, options: Options) -> list[Firing]:
    """Moves that are told."""
    as_of, values = observed(history.as_of, history.column(f"{options['score']}_score"))
    window = options["window"]
    return [
        Firing(
            int(as_of[move.at]),
            {
                "score": options["score"],
                "direction": "up" if move.change > 0 else "down",
                "new_score": float(values[move.at]),
                "old_score": float(values[move.at - window]),
                "change": round(move.change, 6),
                "window": window,
                "suppressed_count": move.suppressed,
            },
        )
        for move in told_moves(as_of, moves(values, as_of, window, history.max_gap), options["points"], options)
    ]


def watch(options: Options) -> tuple[Move]:
    """The move, for screening."""
    return (Move(f"{options['score']}_score", options["points"], options["window"], cooldown(options)),)


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    verb, readings = "rose" if event["direction"] == "up" else "fell", event["window"]
    return (
        f"{event['subject_name']}'s {SCORES[event['score']]} {verb} over {readings} reading{'s' if readings > 1 else ''}: "
        f"{event['old_score']:.1f} → {event['new_score']:.1f} on {day_and_month(event['as_of'])}."
    )


_TIME = "2024-04-29T00:00:00Z"
_EXAMPLE = {
    "score": "activity",
    "direction": "up",
    "new_score": 8.16,
    "old_score": 6.9,
    "change": 1.26,
    "window": 7,
    "suppressed_count": 0,
}


def _scores(*values: float | None, score: str = "activity") -> list[tuple[float, Any]]:
    return [(day, {f"{score}_score": value}) for day, value in enumerate(values)]


TRIGGER = Trigger(
    key="score_changed",
    noun="Score Change",
    label="New Score Change",
    description="Triggers when a token's activity, security, community or another score moves by a number of points.",
    semantics=1,
    subject="token",
    options=ScoreOptions,
    payload=ScorePayload,
    sources=sources,
    lookback=window_lookback,
    scan=scan,
    watch=watch,
    summary=summary,
    sample=sample(
        "score_changed",
        "New Score Change",
        ("token:3306", 3306, "Ethereum", "ETH"),
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Ethereum", "as_of": _TIME}),
        _TIME,
    ),
    fires=(
        Case(
            "it rises over a week",
            {},
            _scores(6, 6.1, 6.2, 6.3, 6.5, 6.7, 6.9, 7.0),
            {7: {"direction": "up", "change": 1.0, "old_score": 6.0}},
        ),
        Case("it falls at once", {"window": 1}, _scores(8, 6.5), {1: {"direction": "down", "change": -1.5}}),
        Case("exactly so many points in decimals", {"window": 1, "points": 0.3}, _scores(0.1, 0.4), {1: {"change": 0.3}}),
        Case(
            "another score",
            {"score": "vc", "window": 1},
            _scores(7.3, 9, score="vc"),
            {1: {"score": "vc"}},
        ),
        Case("a longer move is told once", {"window": 2}, _scores(4, 4.5, 5, 5.5, 6, 6.5), {2: {"old_score": 4.0}}),
        Case("a null is no reading", {"window": 1}, _scores(6, None, 7), {2: {"old_score": 6.0}}),
    ),
    silent=(
        Case("the first score", {}, _scores(9)),
        Case("too small a move", {"window": 1}, _scores(6, 6.9, 6.0, 6.9)),
        Case("the other direction", {"window": 1, "direction": "up"}, _scores(8, 5)),
        Case("too few readings", {}, _scores(4, 5, 6, 7)),
        Case("only another score moves", {"window": 1, "score": "security"}, _scores(3, 9)),
        Case("too long a silence lies between", {"window": 1}, [(0, {"activity_score": 3}), (4, {"activity_score": 9})]),
    ),
)
