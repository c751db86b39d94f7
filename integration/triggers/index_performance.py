"""Fires when an index's return or drawdown crosses a level, or when it takes the lead among indices.

A return is over some days, or since the index began; a drawdown is below the highest of those days. Against Bitcoin or
another index, what is watched is the index's worth in units of the other: its return is (1 + return) / (1 + the other's)
- 1. Both are taken of the newest day that is known of both; a day without a reading has no return. The lead is the first
rank by return among all indices.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from integration.domain.catalogue import BITCOIN, Case, Lookback, Options, States, Trigger
from integration.domain.delta import Sides, level_sides, observed
from integration.domain.history import Firing, Floats, History, Ints
from integration.domain.numerals import Number, Whole
from integration.domain.payload import EventPayload, day_and_month, described, iso, sample
from integration.domain.retry import DAY
from integration.triggers._levels import (
    DOWN,
    UP,
    WANTED,
    crossed,
    crossed_at_field,
    crossing_fields,
    direction_field,
    holding,
    level_lookback,
    suppressed_field,
)
from integration.triggers._options import TriggerOptions, band, direction, filled_band
from integration.triggers._possible import Possible, check_crossing
from integration.triggers._worth import Worth, drawdowns, in_units_of, returns, rounded

METRIC = "cumulative_roi"
CLOCK, RANKS, BTC = "indices_performance", "index_ranks", f"daily_ohlcv@{BITCOIN}"
#: How many days a period is, and the rank by the return over it; None where there is none.
PERIODS: Mapping[str, tuple[int, str | None]] = {
    "1d": (1, "rank_by_change_24h"),
    "7d": (7, "rank_by_change_7d"),
    "30d": (30, "rank_by_change_1m"),
    "90d": (90, None),
    "start": (0, "rank_by_all_time"),
}
LEVELS = {"return": 10.0, "drawdown": 20.0}
FLOOR = 1.0
#: In percent; of all time, more than the source takes for possible is never lost.
RETURNS, ALL_TIME, DRAWDOWNS = Possible(-100, np.inf, "()"), Possible(-99.99, np.inf, "[)"), Possible(0, 100, "[)")
#: How old the other's reading may be beside the index's.
APART = 3 * DAY


class PerformanceOptions(TriggerOptions):
    """What is measured, over which days, against what, and which level counts."""

    kind = fields.String(
        load_default="return",
        validate=validate.OneOf(["return", "drawdown", "lead"]),
        metadata=described("Kind", "return; drawdown from the highest of the period; or lead: the first rank among all indices"),
    )
    period = fields.String(
        load_default="30d",
        validate=validate.OneOf(list(PERIODS)),
        metadata=described("Period", "Over how many days; start is since the index began"),
    )
    level = Number(
        load_default=None,
        allow_none=True,
        validate=validate.Range(-100, 1000),
        metadata=described(
            "Level",
            "Which return, or how deep a drawdown; empty means 10 % and 20 %; none for lead",
            unit="%",
            when={"kind": list(LEVELS)},
            suits={"kind": {kind: {"start": level} for kind, level in LEVELS.items()}},
        ),
    )
    direction = direction("Tell when it rises above the level or takes the lead (up), falls below it (down), or either")
    against = fields.String(
        load_default="none",
        validate=validate.OneOf(["none", "bitcoin", "index"]),
        metadata=described("Against", "Compare with Bitcoin, or with another index", when={"kind": list(LEVELS)}),
    )
    against_index = Whole(
        load_default=None,
        allow_none=True,
        validate=validate.Range(1, 1_000_000),
        metadata=described("Against Index", "The id of the index to compare with", list="indices", when={"against": ["index"]}),
    )
    hysteresis = band(FLOOR, 100, "percent points", when={"kind": list(LEVELS)})

    @validates_schema
    def _fits(self, options: dict[str, Any], **_: Any) -> None:
        if (options["against"] == "index") != (options["against_index"] is not None):
            raise ValidationError("Goes with against=index, which needs the id of an index.", "against_index")
        if options["kind"] == "lead":
            _lead_fits(options)
        elif options["period"] == "start" and (options["kind"] == "drawdown" or options["against"] != "none"):
            raise ValidationError("Only a return of its own has no end in the past: use 1d, 7d, 30d or 90d.", "period")
        elif options["kind"] == "drawdown" and options["level"] is not None and not 0 < options["level"] < 100:
            raise ValidationError("A drawdown lies between 0 and 100 %: say 20 for 20 % below the highest.", "level")

    @post_load
    def _levels(self, options: dict[str, Any], **_: Any) -> dict[str, Any]:
        if options["kind"] == "lead":
            return options
        if options["level"] is None:
            options["level"] = LEVELS[options["kind"]]
        filled_band(options, FLOOR)
        drawdown = options["kind"] == "drawdown"
        values = DRAWDOWNS if drawdown else ALL_TIME if options["period"] == "start" else RETURNS
        # a drawdown is said to be the higher the lower it is
        check_crossing(options["level"], options["hysteresis"], values, below=_below(options) != drawdown)
        return options


def _lead_fits(options: Mapping[str, Any]) -> None:
    for name, unset in (("level", None), ("hysteresis", None), ("against", "none")):
        if options[name] != unset:
            raise ValidationError("The lead is the first rank among all indices: leave this out.", name)
    if PERIODS[options["period"]][1] is None:
        raise ValidationError("Indices are ranked by their return over 1d, 7d, 30d or since their start.", "period")


class PerformancePayload(EventPayload):
    """A crossing, or a change of the lead."""

    kind = fields.String(required=True, metadata=described("Kind", "return, drawdown or lead"))
    period = fields.String(required=True, metadata=described("Period", "1d, 7d, 30d, 90d or start"))
    direction = direction_field()
    level = fields.Float(required=True, allow_none=True, metadata=described("Level", unit="fraction"))
    value = fields.Float(
        required=True, allow_none=True, metadata=described("Value", "The return, or the drawdown (negative)", unit="fraction")
    )
    previous_value = fields.Float(
        required=True,
        allow_none=True,
        metadata=described("Previous Value", "The last that was not on the new side", unit="fraction"),
    )
    against = fields.String(required=True, metadata=described("Against", "none, bitcoin or index"))
    against_index = fields.Integer(required=True, allow_none=True, metadata=described("Against Index", "The other index's id"))
    measured_at = fields.String(required=True, metadata=described("Measured At", "The day that the value is of"))
    rank = fields.Integer(required=True, allow_none=True, metadata=described("Rank", "Among all indices; empty unless lead"))
    previous_rank = fields.Integer(
        required=True, allow_none=True, metadata=described("Previous Rank", "The last that was not on the new side")
    )
    indices = fields.Integer(required=True, allow_none=True, metadata=described("Indices", "How many are ranked"))
    crossed_at = crossed_at_field()
    suppressed_count = suppressed_field()


def sources(options: Options) -> tuple[str, ...]:
    """The index's performance with what it is compared with, or its ranks."""
    if options["kind"] == "lead":
        return (RANKS,)
    other = {"none": (), "bitcoin": (BTC,), "index": (f"{CLOCK}@{against(options)}",)}
    return (CLOCK, *other[options["against"]])


def against(options: Options) -> str | None:
    """The other index."""
    return f"index:{options['against_index']}" if options["against"] == "index" else None


def lookback(options: Options) -> Lookback:
    """That of a level, and of each value the period."""
    return level_lookback(options, milliseconds=PERIODS[options["period"]][0] * DAY + APART)


def _below(options: Options) -> bool:
    """Whether the side that is watched lies below the level: for `down`, and for a drawdown unless its end is asked for."""
    return bool(options["direction"] == "down" or (options["kind"] == "drawdown" and options["direction"] == "either"))


def _level(options: Options) -> float:
    level: float = options["level"]
    return -level if options["kind"] == "drawdown" else level


def _measured(history: History, options: Options) -> tuple[Floats, Ints]:
    """The return or drawdown (fraction) or the rank at each reading, NaN where it cannot be said; and the day that it is of."""
    own_days = history.as_of // DAY
    length, rank = PERIODS[options["period"]]
    if options["kind"] == "lead":
        return history.column(rank or ""), own_days
    if options["period"] == "start":
        return rounded(history.column(METRIC)), own_days
    worth = _worth(history, options)
    return (drawdowns if options["kind"] == "drawdown" else returns)(history, worth, length), worth.days


def _worth(history: History, options: Options) -> Worth:
    own = 1 + history.column(METRIC)
    if options["against"] == "none":
        return Worth(own, history.as_of // DAY)
    other = history.of(sources(options)[1])
    theirs = other.column("close") if options["against"] == "bitcoin" else 1 + other.column(METRIC)
    return in_units_of(history, own, other, theirs)


def _sides(values: Floats, options: Options) -> Sides:
    if options["kind"] == "lead":
        return np.where(values <= 1, UP, DOWN).astype(np.int8)
    return level_sides(np.round(100 * values, 8), _level(options), options["hysteresis"], below=_below(options))


def scan(history: History, options: Options) -> list[Firing]:
    """Crossings of the level, or changes of the lead, that are told."""
    measured, days = _measured(history, options)
    as_of, values = observed(history.as_of, measured)
    days = days[~np.isnan(measured)]
    found = crossed(history, as_of, _sides(values, options), options, WANTED[options["direction"]])
    lead = options["kind"] == "lead"
    count = history.column("indices")[~np.isnan(measured)] if lead else None
    return [
        Firing(
            int(as_of[crossing.at]),
            {
                "kind": options["kind"],
                "period": options["period"],
                "level": None if lead else _level(options) / 100,
                "value": None if lead else float(values[crossing.at]),
                "previous_value": None if lead else float(values[crossing.before]),
                "against": options["against"],
                "against_index": options["against_index"],
                "measured_at": iso(int(days[crossing.at]) * DAY),
                "rank": int(values[crossing.at]) if lead else None,
                "previous_rank": int(values[crossing.before]) if lead else None,
                "indices": None if count is None or np.isnan(count[crossing.at]) else int(count[crossing.at]),
                **crossing_fields(crossing, as_of),
            },
        )
        for crossing in found
    ]


def holds(history: History, options: Options) -> States:
    """Whether it is above the level or in the lead; for `down` below it; for a drawdown, whether it is that deep."""
    values, _ = _measured(history, options)
    sides = _sides(observed(history.as_of, values)[1], options)
    return holding(history, values, sides, options, DOWN if _below(options) else UP)


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    name, up, when = event["subject_name"], event["direction"] == "up", day_and_month(event["as_of"])
    days = event["period"].removesuffix("d")
    if event["kind"] == "lead":
        what = "all-time return" if event["period"] == "start" else f"{days}-day return"
        ranks = f"rank {event['previous_rank']} → {event['rank']}"
        return f"{name} {'took' if up else 'lost'} the lead among indices by {what}: {ranks} on {when}."
    other = {"none": "", "bitcoin": " against Bitcoin", "index": f" against index {event['against_index']}"}[event["against"]]
    moved = f"{100 * event['previous_value']:.1f} % → {100 * event['value']:.1f} %"
    level = f"{100 * event['level']:g} %"
    if event["kind"] == "drawdown":
        verb = "recovered from" if up else "fell to"
        return f"{name} {verb} {level} from its {days}-day high{other}: {moved} on {when}."
    what = "return since its start" if event["period"] == "start" else f"{days}-day return"
    return f"{name}'s {what}{other} {'rose above' if up else 'fell below'} {level}: {moved} on {when}."


_TIME = "2021-05-14T00:00:00Z"
_EXAMPLE = {
    "kind": "return",
    "period": "30d",
    "direction": "up",
    "level": 0.1,
    "value": 0.112,
    "previous_value": 0.083,
    "against": "none",
    "against_index": None,
    "measured_at": _TIME,
    "rank": None,
    "previous_rank": None,
    "indices": None,
    "crossed_at": _TIME,
    "suppressed_count": 0,
}


def _earned(*returns: float | None) -> list[tuple[float, Any]]:
    """A reading a day: the return since the start."""
    return [(day, earned) for day, earned in enumerate(returns)]


def _beside(other: str, metric: str, *pairs: tuple[float, float]) -> list[tuple[float, Any]]:
    """A reading a day: the return since the start, and what stands beside it."""
    return [(day, {METRIC: earned, f"{other}.{metric}": theirs}) for day, (earned, theirs) in enumerate(pairs)]


def _ranked(*ranks: float | None) -> list[tuple[float, Any]]:
    return [(day, {"rank_by_change_7d": rank, "indices": 6}) for day, rank in enumerate(ranks)]


TRIGGER = Trigger(
    key="index_performance",
    noun="Index Performance Event",
    label="New Index Performance Event",
    description="Triggers when an index's return or drawdown crosses a level, or when it takes the lead among indices.",
    semantics=1,
    subject="index",
    options=PerformanceOptions,
    payload=PerformancePayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    holds=holds,
    against=against,
    summary=summary,
    sample=sample(
        "index_performance",
        "New Index Performance Event",
        ("index:1", 1, "Layer-1 Index", ""),
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Layer-1 Index", "as_of": _TIME}),
        _TIME,
    ),
    fires=(
        Case("a day's return", {"period": "1d", "level": 5}, _earned(0.0, 0.0, 0.07), {2: {"value": 0.07, "level": 0.05}}),
        Case("exactly the level", {"period": "1d", "direction": "up"}, _earned(0.0, 0.0, 0.1), {2: {"value": 0.1}}),
        Case("a return since the start", {"period": "start", "level": 50}, _earned(0.4, 0.52), {1: {"previous_value": 0.4}}),
        Case(
            "a drawdown that deepens and ends",
            {"kind": "drawdown", "period": "7d", "level": 20},
            _earned(0.0, 0.25, 0.0, 0.25),
            {2: {"direction": "down", "value": -0.2, "level": -0.2}, 3: {"direction": "up", "value": 0.0}},
        ),
        Case(
            "it gains against Bitcoin",
            {"period": "1d", "against": "bitcoin", "level": 10},
            _beside(BTC, "close", (0.0, 100.0), (0.0, 100.0), (0.0, 80.0)),
            {2: {"value": 0.25, "against": "bitcoin"}},
        ),
        Case(
            "it is measured on the newest day of Bitcoin's that is known",
            {"period": "1d", "against": "bitcoin"},
            [
                (day, {METRIC: earned, f"{BTC}.close": close, f"{BTC}.as_of": day - 1})
                for day, earned, close in ((1, 0.0, 100.0), (2, 0.0, 100.0), (3, 0.2, 100.0), (4, 9.9, 100.0))
            ],
            {4: {"value": 0.2, "measured_at": "1970-01-04T00:00:00Z"}},
        ),
        Case(
            "it falls behind another index",
            {"period": "1d", "against": "index", "against_index": 2, "level": -10, "direction": "down"},
            _beside(f"{CLOCK}@index:2", METRIC, (0.0, 0.0), (0.0, 0.0), (0.0, 0.25)),
            {2: {"value": -0.2, "against_index": 2}},
        ),
        Case(
            "it takes the lead and loses it",
            {"kind": "lead", "period": "7d"},
            _ranked(2, 1, None, 3),
            {1: {"direction": "up", "rank": 1, "previous_rank": 2, "indices": 6}, 3: {"direction": "down", "rank": 3}},
        ),
    ),
    silent=(
        Case("the first return", {"period": "1d"}, _earned(0.0, 0.5)),
        Case("it trembles within the band", {"period": "start", "level": 50}, _earned(0.52, 0.495, 0.505, 0.491)),
        Case("the day it would be measured from is missing", {"period": "1d"}, [(0, 0.0), (1, 0.0), (3, 0.9)]),
        Case("Bitcoin did the same", {"period": "1d", "against": "bitcoin"}, _beside(BTC, "close", (0, 10), (0, 10), (1, 20))),
        Case("others change places", {"kind": "lead", "period": "7d"}, _ranked(3, 2, 4)),
        Case("too long a silence lies between", {"period": "start"}, [(0, 0.0), (4, 0.5)]),
    ),
)
