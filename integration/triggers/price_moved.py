"""Fires when a token's price moves by at least N percent within an hour, a day or a week, or by a multiple of its usual move.

A move is the last price against that of the reading so long before (to half an interval). It is told once, when it becomes
far enough; while it lasts, and for as long after, a further one in the same direction is the same move. The usual move
is the standard deviation of the daily returns of 30 days, scaled by the root of time: of the 30 days up to the price that
the move begins at, so that it does not measure itself. For hours it is that of `risk_30d`, as known an hour before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from marshmallow import fields, validate, validates_schema

from integration.domain.catalogue import Case, Lookback, Options, States, Trigger
from integration.domain.delta import cool_down
from integration.domain.history import Firing, Floats, History, Ints
from integration.domain.numerals import Number
from integration.domain.payload import EventPayload, day_and_month, described, iso, sample
from integration.domain.retry import DAY, HOUR
from integration.triggers._levels import DOWN, UP, WANTED, direction_field, suppressed_field
from integration.triggers._moves import began, move_lookback
from integration.triggers._options import MoveOptions, cooldown, direction
from integration.triggers._possible import check_fall
from integration.triggers._prices import USUAL_DAYS, before, change, usual_move
from integration.triggers._values import number, percent, usd

METRIC = "close"
DAILY, HOURLY, RISK = "daily_ohlcv", "hourly_ohlcv", "risk_30d"
YEAR = 365


class Period(NamedTuple):
    """Over how long a move is measured (ms), on which bars, and what a sentence calls it."""

    span: int
    source: str
    words: str


PERIODS = {
    "1h": Period(HOUR, HOURLY, "an hour"),
    "24h": Period(DAY, DAILY, "24 hours"),
    "7d": Period(7 * DAY, DAILY, "7 days"),
}
PERCENT, USUAL = "percent", "usual_move"


class PriceOptions(MoveOptions):
    """How far, within which time, in which direction."""

    period = fields.String(
        load_default="24h",
        validate=validate.OneOf(list(PERIODS)),
        metadata=described("Within", "1h is only for tokens you name; 24h and 7d are from one daily close to another"),
    )
    measure = fields.String(
        load_default=PERCENT,
        validate=validate.OneOf([PERCENT, USUAL]),
        metadata=described("Measured In", "percent, or usual_move: multiples of how much this token usually moves"),
    )
    percent = Number(
        load_default=10.0,
        validate=validate.Range(0.1, 1000),
        metadata=described(
            "Percent", "Tell from this move on, where it is measured in percent", unit="%", when={"measure": [PERCENT]}
        ),
    )
    multiple = Number(
        load_default=3.0,
        validate=validate.Range(0.5, 50),
        metadata=described(
            "Multiple",
            "Tell from so many times its usual move on, where it is measured so",
            unit="times",
            when={"measure": [USUAL]},
        ),
    )
    direction = direction("Tell when the price rises (up), falls (down), or either")

    @validates_schema
    def _it_can_fall_so_far(self, options: dict[str, Any], **_: Any) -> None:
        if options["measure"] == PERCENT:
            check_fall(options["percent"], options["direction"])


class PricePayload(EventPayload):
    """A move."""

    period = fields.String(required=True, metadata=described("Within", "1h, 24h or 7d"))
    direction = direction_field()
    price = fields.Float(required=True, metadata=described("Price", unit="USD"))
    previous_price = fields.Float(required=True, metadata=described("Previous Price", "That it is compared with", unit="USD"))
    previous_as_of = fields.String(required=True, metadata=described("Previous As Of", "The date of the price compared with"))
    change = fields.Float(required=True, metadata=described("Change", "Price / previous price - 1", unit="fraction"))
    measure = fields.String(required=True, metadata=described("Measured In", "percent or usual_move"))
    threshold = fields.Float(required=True, metadata=described("Threshold", "The move that is told", unit="fraction"))
    usual_move = fields.Float(
        required=True,
        allow_none=True,
        metadata=described(
            "Usual Move", "One standard deviation within the period; empty where not measured so", unit="fraction"
        ),
    )
    multiple = fields.Float(
        required=True,
        allow_none=True,
        metadata=described("Multiple", "The change in usual moves; empty where not measured so", unit="times"),
    )
    suppressed_count = suppressed_field()


def sources(options: Options) -> tuple[str, ...]:
    """The bars of the period; beside hourly ones the risk that says how much the price usually moves."""
    bars = PERIODS[options["period"]].source
    return (bars, RISK) if bars == HOURLY and options["measure"] == USUAL else (bars,)


def lookback(options: Options) -> Lookback:
    """A move needs the price so long before, twice: its own and those it is told once in; and what is usual before that."""
    usual = (USUAL_DAYS + 1) * DAY if options["measure"] == USUAL else 0
    return move_lookback(options, 4, 2 * PERIODS[options["period"]].span + usual)


class Moved(NamedTuple):
    """At each price: its time and value, the position it is compared with, the change, how far is told, what is usual."""

    as_of: Ints
    prices: Floats
    back: Ints
    change: Floats
    threshold: Floats
    usual: Floats


def _moved(history: History, options: Options) -> Moved:
    prices = history.column(METRIC)
    seen = history.take(np.flatnonzero(prices > 0))
    as_of, prices, span = seen.as_of, seen.column(METRIC), PERIODS[options["period"]].span
    back = before(as_of, span, history.cadence, history.max_gap)
    usual = np.full(len(prices), np.nan)
    if options["measure"] == USUAL and len(prices):
        daily = seen.of(RISK).column("volatility") / math.sqrt(YEAR) if RISK in seen.joined else None
        daily = usual_move(as_of, prices, history.cadence, history.max_gap) if daily is None else daily
        usual = np.where(back >= 0, daily[back] * math.sqrt(span / DAY), np.nan)
    with np.errstate(over="ignore"):
        told = options["multiple"] * usual if options["measure"] == USUAL else np.full(len(prices), options["percent"] / 100)
    return Moved(as_of, prices, back, change(prices, back), told, np.where(usual > 0, usual, np.nan))


def _share(moved: Moved) -> Floats:
    """The change as a share of what is told: 1 and more, or -1 and less, is far enough."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return moved.change / moved.threshold


def scan(history: History, options: Options) -> list[Firing]:
    """Moves that are told, each when it begins."""
    moved = _moved(history, options)
    begun = began(_share(moved), moved.as_of, 1.0, PERIODS[options["period"]].span + history.cadence // 2)
    wanted = WANTED[options["direction"]]
    notices = cool_down(moved.as_of, begun, cooldown(options), lambda k: (UP if moved.change[begun[k]] > 0 else DOWN) in wanted)
    return [
        Firing(int(moved.as_of[notice.at]), _fields(moved, notice.at, options) | {"suppressed_count": notice.suppressed})
        for notice in notices
    ]


def _fields(moved: Moved, at: int, options: Options) -> dict[str, Any]:
    back, change = moved.back[at], float(moved.change[at])
    usual = number(moved.usual[at])
    return {
        "period": options["period"],
        "direction": "up" if change > 0 else "down",
        "price": float(moved.prices[at]),
        "previous_price": float(moved.prices[back]),
        "previous_as_of": iso(int(moved.as_of[back])),
        "change": change,
        "measure": options["measure"],
        "threshold": float(moved.threshold[at]),
        "usual_move": usual,
        "multiple": None if usual is None else number(change / usual),
    }


def holds(history: History, options: Options) -> States:
    """Whether the price has moved so far within the period, in a direction that is asked for."""
    share = _share(_moved(history, options))
    wanted = WANTED[options["direction"]]
    far = ((share >= 1 - 1e-9) & (UP in wanted)) | ((share <= -1 + 1e-9) & (DOWN in wanted))
    states = np.full(len(history.as_of), -1, dtype=np.int8)
    states[history.column(METRIC) > 0] = np.where(np.isnan(share), -1, far)
    return states


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    verb = "rose" if event["direction"] == "up" else "fell"
    usual = "" if event["multiple"] is None else f", {abs(event['multiple']):.1f} times its usual move"
    return (
        f"{event['subject_name']} {verb} by {percent(abs(event['change']))} within {PERIODS[event['period']].words}{usual}: "
        f"{usd(event['previous_price'])} → {usd(event['price'])} on {day_and_month(event['as_of'])}."
    )


_TIME = "2021-05-19T00:00:00Z"
_EXAMPLE = {
    "period": "24h",
    "direction": "down",
    "price": 37_002.44,
    "previous_price": 42_909.4,
    "previous_as_of": "2021-05-18T00:00:00Z",
    "change": -0.137661,
    "measure": "percent",
    "threshold": 0.1,
    "usual_move": None,
    "multiple": None,
    "suppressed_count": 0,
}


def _closes(*closes: float | None) -> list[tuple[float, Any]]:
    return list(enumerate(closes))


#: 31 days on which the price goes up and down by about one percent.
_CALM = tuple(100.0 + day % 2 for day in range(31))
_HOURS = [(hour / 24, {"close": close, "risk_30d.volatility": 0.8}) for hour, close in enumerate([100, 100.5, 103.5, 103.6])]

TRIGGER = Trigger(
    key="price_moved",
    noun="Price Move",
    label="New Price Move",
    description="Triggers when a token's price moves by a percentage, or far beyond its usual move, within an hour, day or week.",
    semantics=1,
    subject="token",
    options=PriceOptions,
    payload=PricePayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    holds=holds,
    summary=summary,
    sample=sample(
        "price_moved",
        "New Price Move",
        ("token:3375", 3375, "Bitcoin", "BTC"),
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Bitcoin", "as_of": _TIME}),
        _TIME,
    ),
    presets={
        "10 % within a day": {"period": "24h", "measure": "percent", "percent": 10},
        "25 % within a week": {"period": "7d", "measure": "percent", "percent": 25},
        "Three times its usual move within a day": {"period": "24h", "measure": "usual_move", "multiple": 3},
    },
    fires=(
        Case(
            "it rises by ten percent in a day",
            {},
            _closes(100, 110),
            {1: {"direction": "up", "change": 110 / 100 - 1, "previous_price": 100.0, "price": 110.0, "multiple": None}},
        ),
        Case("it falls", {"direction": "down", "percent": 12.5}, _closes(80, 70), {1: {"direction": "down", "change": -0.125}}),
        Case(
            "within a week, told once when it begins",
            {"period": "7d"},
            _closes(100, 102, 104, 106, 108, 109, 109.5, 110, 113, 115, 117),
            {7: {"previous_price": 100.0, "period": "7d"}},
        ),
        Case("it falls after it rose", {}, _closes(100, 112, 100), {1: {"direction": "up"}, 2: {"direction": "down"}}),
        Case(
            "within an hour, off the hour",
            {"period": "1h", "percent": 3},
            [(0.0175, 100), (0.0590, 104), (0.1011, 104.5)],
            {0.0590: {"period": "1h", "previous_price": 100.0}},
        ),
        Case(
            "by four times its usual move",
            {"measure": "usual_move", "multiple": 4},
            _closes(*_CALM, 105.0),
            {31: {"measure": "usual_move", "direction": "up"}},
        ),
        Case(
            "within an hour by three times what risk says is usual",
            {"period": "1h", "measure": "usual_move"},
            _HOURS,
            {2 / 24: {"direction": "up", "threshold": 3 * (0.8 / math.sqrt(365) * math.sqrt(1 / 24))}},
        ),
    ),
    silent=(
        Case("the first price", {}, _closes(100)),
        Case("too small a move", {}, _closes(100, 109.9, 101)),
        Case("the other direction", {"direction": "up"}, _closes(100, 80)),
        Case("a longer move is no faster one", {}, _closes(100, 108, 116, 125)),
        Case("a day is missing between", {}, _closes(100, None, 115)),
        Case("a move that is usual", {"measure": "usual_move"}, _closes(*_CALM, 101.0)),
        Case("what is usual is not known yet", {"measure": "usual_move", "multiple": 0.5}, _closes(*_CALM[:20], 150.0)),
        Case("too long a silence lies between", {"period": "7d"}, [(0, 100), (1, 100), (5, 100), (7, 120)]),
    ),
)
