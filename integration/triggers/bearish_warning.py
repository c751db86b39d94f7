"""Fires when at least N of six signs that a token is going down come to hold together.

The signs, each as known at the day's trader grade:

- low_grade: the trader grade is below 30;
- losing_signal: the close is lower than at the last bullish signal, whatever signal followed (one is remembered for 360
  days);
- volume_drying: the volume is at half its 30-day median or less, while the price is within 5 % of that 7 days before;
- bearish_crossover: the daily trend has crossed to bearish and has not crossed back;
- fundamentals_weakening: the fundamental grade is lower by at least 3 points than 30 days before;
- signal_stale: the last signal, of either kind, is at least 60 days old by the signals' own dates.

A sign that is not known neither holds nor fails: where the known ones do not decide, nothing is concluded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from marshmallow import ValidationError, fields, post_load, validate

from integration.domain.catalogue import Case, Lookback, Options, States, Trigger
from integration.domain.delta import Sides
from integration.domain.history import Firing, Floats, History
from integration.domain.numerals import Whole
from integration.domain.payload import EventPayload, day_and_month, described, sample
from integration.domain.retry import DAY
from integration.triggers._levels import (
    DOWN,
    UP,
    Crossed,
    crossed,
    crossed_at_field,
    crossing_fields,
    holding,
    level_lookback,
    suppressed_field,
)
from integration.triggers._options import Several, TriggerOptions
from integration.triggers._signs import CLOCK, SIGNAL_MEMORY, SIGNS, WEAKER_DAYS, Seen
from integration.triggers._values import number

METRIC = "tm_trader_grade"
#: The number that a payload tells of each sign, its label, what it is, and its unit.
MEASURES = {
    "low_grade": ("trader_grade", "Trader Grade", "", "points"),
    "losing_signal": ("return_since_signal", "Return Since Signal", "Since the last bullish signal", "fraction"),
    "volume_drying": ("volume_ratio", "Volume Ratio", "Volume against its 30-day median", "ratio"),
    "bearish_crossover": ("trend", "Trend", "1 bullish, -1 bearish", ""),
    "fundamentals_weakening": ("fundamental_change", "Fundamental Change", f"Over {WEAKER_DAYS} days", "points"),
    "signal_stale": ("days_since_signal", "Days Since Signal", "Of either kind", "days"),
}


class WarningOptions(TriggerOptions):
    """Which signs, and how many of them."""

    signs = Several(
        list(SIGNS), metadata=described("Signs", f"Which to look for, comma separated, of {', '.join(SIGNS)}; empty means all")
    )
    at_least = Whole(
        load_default=3,
        validate=validate.Range(1, len(SIGNS)),
        metadata=described("At Least", "How many of them must hold together"),
    )
    also_clear = fields.Boolean(
        load_default=False, metadata=described("Also When It Clears", "Tell as well when fewer hold again")
    )

    @post_load
    def _enough_signs(self, options: dict[str, Any], **_: Any) -> dict[str, Any]:
        count = len(_chosen(options))
        if options["at_least"] > count:
            raise ValidationError(
                f"Only {count} of the signs are chosen: ask for {count} at most, or for more signs.", "at_least"
            )
        return options


def _measured(sign: str) -> fields.Float:
    _, label, text, unit = MEASURES[sign]
    help_text = f"{text}; empty where it is not asked for or not known".removeprefix("; ").capitalize()
    return fields.Float(required=True, allow_none=True, metadata=described(label, help_text, **({"unit": unit} if unit else {})))


class WarningPayload(EventPayload):
    """Enough signs hold, or no longer do."""

    state = fields.String(required=True, metadata=described("State", "warning or cleared"))
    signs = fields.String(required=True, metadata=described("Signs", "The keys of those that hold, comma separated"))
    signs_text = fields.String(required=True, metadata=described("Signs In Words", "Those that hold"))
    new_signs = fields.String(required=True, metadata=described("New Signs", "Those that did not hold before it changed"))
    unknown_signs = fields.String(required=True, metadata=described("Unknown Signs", "Asked for, but not known"))
    signs_count = fields.Integer(required=True, metadata=described("Signs Count", "How many hold"))
    asked_count = fields.Integer(required=True, metadata=described("Asked Count", "How many are looked for"))
    at_least = fields.Integer(required=True, metadata=described("At Least", "How many must hold"))
    trader_grade = _measured("low_grade")
    return_since_signal = _measured("losing_signal")
    volume_ratio = _measured("volume_drying")
    trend = _measured("bearish_crossover")
    fundamental_change = _measured("fundamentals_weakening")
    days_since_signal = _measured("signal_stale")
    crossed_at = crossed_at_field()
    suppressed_count = suppressed_field()


def _chosen(options: Options) -> list[str]:
    return str(options["signs"]).split(",")


def sources(options: Options) -> tuple[str, ...]:
    """Trader grades; beside them what the chosen signs read."""
    return tuple(dict.fromkeys((CLOCK, *(name for sign in _chosen(options) for name in SIGNS[sign].sources))))


def lookback(options: Options) -> Lookback:
    """That of a level; a sign looks back to the last bullish signal, or to a grade or price some days before."""
    return level_lookback(options, 5, SIGNAL_MEMORY + DAY)


def _seen(history: History, options: Options) -> dict[str, Seen]:
    return {sign: SIGNS[sign].see(history) for sign in _chosen(options)}


def _warned(seen: Mapping[str, Seen], options: Options) -> Floats:
    """1 where enough signs hold, 0 where too few can, NaN where that is not known."""
    states = np.stack([each.states for each in seen.values()])
    holding_, possible = (states == 1).sum(axis=0), (states != 0).sum(axis=0)
    least = options["at_least"]
    return np.where(holding_ >= least, 1.0, np.where(possible < least, 0.0, np.nan))


def _sides(warned: Floats) -> Sides:
    return np.where(warned[~np.isnan(warned)] > 0, UP, DOWN).astype(np.int8)


def scan(history: History, options: Options) -> list[Firing]:
    """Warnings, and their end where that is asked for."""
    seen = _seen(history, options)
    warned = _warned(seen, options)
    known = np.flatnonzero(~np.isnan(warned))
    as_of = history.as_of[known]
    wanted = (UP, DOWN) if options["also_clear"] else (UP,)
    return [
        Firing(
            int(as_of[crossing.at]), _fields(seen, known[crossing.at], known[crossing.before], options) | _when(crossing, as_of)
        )
        for crossing in crossed(history, as_of, _sides(warned), options, wanted)
    ]


def _when(crossing: Crossed, as_of: Any) -> dict[str, Any]:
    told = crossing_fields(crossing, as_of)
    return {
        "state": "warning" if crossing.side == UP else "cleared",
        "crossed_at": told["crossed_at"],
        "suppressed_count": told["suppressed_count"],
    }


def _fields(seen: Mapping[str, Seen], at: int, before: int, options: Options) -> dict[str, Any]:
    holds = [sign for sign, each in seen.items() if each.states[at] == 1]
    new = [sign for sign in holds if seen[sign].states[before] != 1]
    measures = {name: number(seen[sign].measure[at]) if sign in seen else None for sign, (name, *_) in MEASURES.items()}
    return {
        "signs": ",".join(holds),
        "signs_text": ", ".join(SIGNS[sign].words for sign in holds),
        "new_signs": ",".join(new),
        "unknown_signs": ",".join(sign for sign, each in seen.items() if each.states[at] == -1),
        "signs_count": len(holds),
        "asked_count": len(seen),
        "at_least": options["at_least"],
        **measures,
    }


def holds(history: History, options: Options) -> States:
    """Whether enough signs hold."""
    warned = _warned(_seen(history, options), options)
    return holding(history, warned, _sides(warned), options, UP)


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    day = day_and_month(event["as_of"])
    count = f"{event['signs_count']} of {event['asked_count']} bearish signs"
    if event["state"] == "cleared":
        return f"{event['subject_name']}'s bearish warning cleared: {count} hold on {day}."
    return f"{event['subject_name']} shows {count} ({event['signs_text']}) on {day}."


_TIME = "2022-01-21T00:00:00Z"
_EXAMPLE = {
    "state": "warning",
    "signs": "low_grade,losing_signal,bearish_crossover",
    "signs_text": "trader grade below 30, negative return since the last bullish signal, bearish trend crossover",
    "new_signs": "bearish_crossover",
    "unknown_signs": "",
    "signs_count": 3,
    "asked_count": 6,
    "at_least": 3,
    "trader_grade": 24.7,
    "return_since_signal": -0.118,
    "volume_ratio": 1.12,
    "trend": -1.0,
    "fundamental_change": -0.4,
    "days_since_signal": 0.0,
    "crossed_at": "2022-01-21T00:00:00Z",
    "suppressed_count": 0,
}

_NAMES = {
    "grade": "tm_trader_grade",
    "trend": "trading_signals.token_trend",
    "signal": "trading_signals.trading_signal",
    "ratio": "risk_30d.volume_ratio",
    "fundamental": "investor_grades.fundamental_grade",
    "close": "daily_ohlcv.close",
}


def _day(day: float, **said: float | None) -> tuple[float, Any]:
    return day, {_NAMES[name]: value for name, value in said.items()}


_TWO = {"signs": "low_grade,bearish_crossover", "at_least": 2}
_BULL = {"grade": 60, "trend": 1, "signal": 0, "close": 100}

TRIGGER = Trigger(
    key="bearish_warning",
    noun="Bearish Warning",
    label="New Bearish Warning",
    description="Triggers when several signs that a token is going down hold together.",
    semantics=1,
    subject="token",
    options=WarningOptions,
    payload=WarningPayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    holds=holds,
    summary=summary,
    sample=sample(
        "bearish_warning",
        "New Bearish Warning",
        ("token:3375", 3375, "Bitcoin", "BTC"),
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Bitcoin", "as_of": _TIME}),
        _TIME,
    ),
    fires=(
        Case(
            "a low grade and a bearish crossover",
            _TWO,
            [_day(0, grade=60, trend=1), _day(1, grade=29, trend=1), _day(2, grade=28, trend=-1)],
            {2: {"signs": "low_grade,bearish_crossover", "new_signs": "bearish_crossover", "signs_count": 2, "trend": -1.0}},
        ),
        Case(
            "three of six, and it clears",
            {"also_clear": True},
            [
                _day(0, **_BULL | {"signal": 1}, ratio=1, fundamental=70),
                _day(1, **_BULL | {"close": 95}, ratio=1, fundamental=70),
                _day(2, grade=25, trend=-1, signal=-1, close=90, ratio=1, fundamental=70),
                _day(3, grade=45, trend=-1, signal=0, close=101, ratio=1, fundamental=70),
            ],
            {
                2: {
                    "state": "warning",
                    "signs": "low_grade,losing_signal,bearish_crossover",
                    "return_since_signal": 90 / 100 - 1,
                },
                3: {"state": "cleared", "signs": "bearish_crossover", "signs_count": 1},
            },
        ),
        Case(
            "volume dries up while the price holds",
            {"signs": "volume_drying", "at_least": 1},
            [_day(day, grade=50, close=100 + day % 2, ratio=0.9 if day < 8 else 0.5) for day in range(9)],
            {8: {"volume_ratio": 0.5, "signs_text": "volume drying up while the price holds"}},
        ),
        Case(
            "fundamentals weaken within thirty days",
            {"signs": "fundamentals_weakening", "at_least": 1},
            [_day(day, grade=50, fundamental=70 - (day > 30) * 3) for day in range(32)],
            {31: {"fundamental_change": -3.0}},
        ),
        Case(
            "a signal goes stale",
            {"signs": "signal_stale", "at_least": 1},
            [_day(day, grade=50, trend=1, signal=int(day == 1)) for day in range(63)],
            {61: {"days_since_signal": 60.0}},
        ),
        Case(
            "one that is known is enough where one is asked for",
            {"signs": "low_grade,signal_stale", "at_least": 1},
            [_day(0, grade=60, trend=1, signal=1), _day(1, grade=20)],
            {1: {"signs": "low_grade", "unknown_signs": "signal_stale"}},
        ),
    ),
    silent=(
        Case("the first reading", _TWO, [_day(0, grade=20, trend=-1)]),
        Case("one of two", _TWO, [_day(0, grade=60, trend=1), _day(1, grade=20, trend=1), _day(2, grade=31, trend=-1)]),
        Case("a grade at thirty is not below it", _TWO, [_day(0, grade=60, trend=1), _day(1, grade=30, trend=-1)]),
        Case("the other is not known", _TWO, [_day(0, grade=60, trend=1), _day(1, grade=20)]),
        Case(
            "the volume dries up while the price falls",
            {"signs": "volume_drying", "at_least": 1},
            [_day(day, grade=50, close=100 - day, ratio=0.9 if day < 8 else 0.4) for day in range(10)],
        ),
        Case("it clears, and that is not asked for", _TWO, [_day(0, grade=20, trend=-1), _day(1, grade=60, trend=1)]),
        Case("too long a silence lies between", _TWO, [_day(0, grade=60, trend=1), _day(4, grade=20, trend=-1)]),
    ),
)
