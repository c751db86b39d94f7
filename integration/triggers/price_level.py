"""Fires when a token's price breaks, touches or comes near a level: one's own, or resistance and support.

A level is met only by a price that came from at least a band away, from below or from above. It breaks where the close (or
by `touch` the highest or lowest price) reaches its other side, is touched where the price goes through it, and is near
where the distance is small enough. Resistance is a level above the price, support one below; of Token Metrics' levels
those count that were known when the price was last away from them. Of several that are met at once, the one nearest to
the price it came to is told.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
from marshmallow import ValidationError, fields, post_load, validate, validates_schema

from integration.domain.catalogue import Case, Kept, Lookback, Options, States, Trigger
from integration.domain.delta import cool_down
from integration.domain.history import Firing, History
from integration.domain.numerals import Number, Whole
from integration.domain.payload import EventPayload, day_and_month, described, iso, sample
from integration.triggers._levels import (
    DOWN,
    UP,
    WANTED,
    crossed_at_field,
    direction_field,
    holding,
    kept_level,
    level_lookback,
    suppressed_field,
)
from integration.triggers._lines import LEVELS, Bars, Meeting, bars_of, break_sides, meetings, near_sides, nearest
from integration.triggers._options import MoveOptions, cooldown, direction
from integration.triggers._values import percent, usd

METRIC = "close"
#: The clock of each interval.
CLOCKS = {"day": "daily_ohlcv", "hour": "hourly_ohlcv", "live": "prices"}
OWN, RESISTANCE, SUPPORT, NEAREST = "own", "resistance", "support", "nearest"
#: From which direction the price comes to a line.
COMES = {RESISTANCE: "up", SUPPORT: "down"}


class LevelOptions(MoveOptions):
    """Which level, and how it is met."""

    kind = fields.String(
        load_default="break",
        validate=validate.OneOf(["break", "touch", "near"]),
        metadata=described("Event", "break (it gets past the level), touch (it reaches it), or near (it comes close)"),
    )
    line = fields.String(
        load_default=None,
        allow_none=True,
        validate=validate.OneOf([OWN, RESISTANCE, SUPPORT, NEAREST]),
        metadata=described(
            "Line", "own (the level below), or Token Metrics' resistance, support or nearest of both; empty means what fits"
        ),
    )
    level = Number(
        load_default=None,
        allow_none=True,
        validate=validate.Range(1e-12, 1e9),
        metadata=described(
            "Level",
            "Your own price, such as 50000; leave it empty to watch resistance and support",
            unit="USD",
            when={"line": [OWN]},
        ),
    )
    distance = Number(
        load_default=2.0,
        validate=validate.Range(0.01, 50),
        metadata=described("Near Within", "How close is near", unit="%", when={"kind": ["near"]}),
    )
    basis = fields.String(
        load_default="close",
        validate=validate.OneOf(["close", "touch"]),
        metadata=described("Basis", "close: closing prices alone count; touch: also the highest and lowest (always for touches)"),
    )
    direction = direction("Tell where the price comes from below (up), from above (down), or either")
    interval = fields.String(
        load_default="day",
        validate=validate.OneOf(list(CLOCKS)),
        metadata=described("Interval", "Look at daily bars; hourly bars (hour) and ten-minute prices (live) for tokens you name"),
    )
    min_observations = Whole(
        load_default=None,
        allow_none=True,
        validate=validate.Range(1, 30),
        metadata=described(
            "Confirm For",
            "How many readings in a row must agree before it counts; empty means 1 by the day and for touches, else 2",
            unit="readings",
        ),
    )
    hysteresis = Number(
        load_default=1.0,
        validate=validate.Range(0, 50),
        metadata=described("Band", "How far from the level the price must come, in percent of the level", unit="%"),
    )

    @validates_schema
    def _it_has_one_line(self, options: dict[str, Any], **_: Any) -> None:
        line = options["line"]
        if line == OWN and options["level"] is None:
            raise ValidationError("Give the price that is your level.", "level")
        if line not in (None, OWN) and options["level"] is not None:
            raise ValidationError("A level of your own needs the line own; leave the level empty to watch others.", "line")
        comes = COMES.get(str(line), "either")
        if comes != "either" and options["direction"] not in ("either", comes):
            raise ValidationError(f"The price comes to {line} from the other direction: choose {comes}.", "direction")

    @post_load
    def _written_out(self, options: dict[str, Any], **_: Any) -> dict[str, Any]:
        options["line"] = options["line"] or (NEAREST if options["level"] is None else OWN)
        options["direction"] = COMES.get(options["line"], options["direction"])
        if options["kind"] == "touch":
            options["basis"] = "touch"
        if options["min_observations"] is None:
            options["min_observations"] = 1 if options["interval"] == "day" or options["kind"] == "touch" else 2
        return options


class LevelPayload(EventPayload):
    """A level is met."""

    kind = fields.String(required=True, metadata=described("Event", "break, touch or near"))
    line = fields.String(required=True, metadata=described("Line", "own, resistance or support"))
    direction = direction_field()
    level = fields.Float(required=True, metadata=described("Level", unit="USD"))
    price = fields.Float(required=True, metadata=described("Price", "The close, or the price itself", unit="USD"))
    previous_price = fields.Float(
        required=True, metadata=described("Previous Price", "The last one that was away from the level", unit="USD")
    )
    low = fields.Float(required=True, metadata=described("Low", "The lowest price since the reading before", unit="USD"))
    high = fields.Float(required=True, metadata=described("High", "The highest price since the reading before", unit="USD"))
    distance = fields.Float(
        required=True, metadata=described("Distance", "Price / level - 1: negative below the level", unit="fraction")
    )
    within = fields.Float(
        required=True, allow_none=True, metadata=described("Near Within", "Empty for breaks and touches", unit="fraction")
    )
    levels_count = fields.Integer(required=True, metadata=described("Levels", "How many were met at once"))
    interval = fields.String(required=True, metadata=described("Interval", "day, hour or live"))
    crossed_at = crossed_at_field()
    suppressed_count = suppressed_field()


def sources(options: Options) -> tuple[str, ...]:
    """Bars or prices; beside them the levels that Token Metrics knows, where no own one is given."""
    clock = CLOCKS[options["interval"]]
    return (clock,) if options["line"] == OWN else (clock, LEVELS)


def lookback(options: Options) -> Lookback:
    """That of a level, and of the close before a bar."""
    return level_lookback(options, 4)


def _bars(history: History, options: Options) -> Bars:
    return bars_of(history, options["level"] if options["line"] == OWN else None)


def scan(history: History, options: Options) -> list[Firing]:
    """Meetings that are told, at most one a bar."""
    bars = _bars(history, options)
    by_bar: dict[int, list[Meeting]] = {}
    for meeting in meetings(bars, options):
        by_bar.setdefault(meeting.at, []).append(meeting)
    happenings, wanted = sorted(by_bar), WANTED[options["direction"]]

    def told(at: int) -> list[Meeting]:
        return [meeting for meeting in by_bar[at] if meeting.side in wanted]

    notices = cool_down(bars.as_of, happenings, cooldown(options), lambda k: bool(told(happenings[k])))
    return [
        Firing(int(bars.as_of[notice.at]), _fields(bars, told(notice.at), options) | {"suppressed_count": notice.suppressed})
        for notice in notices
    ]


def _fields(bars: Bars, met: Sequence[Meeting], options: Options) -> dict[str, Any]:
    close = float(bars.close[met[0].at])
    last = min(met, key=lambda meeting: abs(meeting.level - close))
    return {
        "kind": options["kind"],
        "line": OWN if options["line"] == OWN else (RESISTANCE if last.side == UP else SUPPORT),
        "direction": "up" if last.side == UP else "down",
        "level": last.level,
        "price": close,
        "previous_price": float(bars.close[last.before]),
        "low": float(bars.low[last.at]),
        "high": float(bars.high[last.at]),
        "distance": _fraction(close, last.level),
        "within": options["distance"] / 100 if options["kind"] == "near" else None,
        "levels_count": len({meeting.level for meeting in met if meeting.side == last.side}),
        "interval": options["interval"],
        "crossed_at": iso(int(bars.as_of[last.start])),
    }


def _fraction(price: float, level: float) -> float:
    """Price / level - 1, at most what a JSON number holds."""
    with np.errstate(over="ignore"):
        return min(float(np.float64(price) / level - 1), 1e300)


def holds(history: History, options: Options) -> States | None:
    """Whether the price is near a level, or past one's own level (below it, for `down`); touches and breaks of other
    lines only happen."""
    if options["kind"] == "touch" or (options["kind"] == "break" and options["line"] != OWN):
        return None
    bars = _bars(history, options)
    if options["kind"] == "break":
        side = DOWN if options["direction"] == "down" else UP
        values, sides = bars.close, break_sides(bars, options["level"], side, options)
    else:
        side, values = DOWN, nearest(bars, WANTED[options["direction"]], options)
        sides = near_sides(values[~np.isnan(values)], options)
    states = np.full(len(history.as_of), -1, dtype=np.int8)
    states[np.isin(history.as_of, bars.as_of)] = holding(bars.history, values, sides, options, side)
    return states


def keeps(options: Options) -> Kept | None:
    """The close is past one's own level; of other lines, and of the highest and lowest price, nothing is said."""
    if (options["kind"], options["line"], options["basis"]) != ("break", OWN, "close"):
        return None
    below, band = options["direction"] == "down", options["level"] * options["hysteresis"] / 100
    return kept_level(sources(options)[0], METRIC, options["level"], band, options, below=below)


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    way = "above" if event["direction"] == "up" else "below"
    verbs = {"break": f"broke {way}", "touch": "touched", "near": f"came within {percent(event['within'] or 0, None)} of"}
    line = "the level of" if event["line"] == OWN else f"{event['line']} at"
    return (
        f"{event['subject_name']} {verbs[event['kind']]} {line} {usd(event['level'])}: "
        f"{usd(event['previous_price'])} → {usd(event['price'])} on {day_and_month(event['as_of'])}."
    )


_TIME = "2021-04-13T00:00:00Z"
_EXAMPLE = {
    "kind": "break",
    "line": "resistance",
    "direction": "up",
    "level": 61_243.09,
    "price": 63_503.46,
    "previous_price": 59_893.45,
    "low": 59_893.45,
    "high": 63_742.28,
    "distance": 0.0369,
    "within": None,
    "levels_count": 1,
    "interval": "day",
    "crossed_at": "2021-04-13T00:00:00Z",
    "suppressed_count": 0,
}


def _text(levels: Collection[float]) -> str:
    return json.dumps({"levels": [{"level": level, "date": None} for level in levels]})


def _known(levels: Collection[float], *closes: float | None) -> list[tuple[float, Any]]:
    """A close a day, and the same levels known each day."""
    return [(day, {"close": close, "levels.text": _text(levels)}) for day, close in enumerate(closes)]


def _bar(low: float, close: float, high: float) -> dict[str, float]:
    return {"low": low, "close": close, "high": high}


_OWN = {"level": 100}
_TOUCH = {"level": 100, "kind": "touch"}
_NEAR = {"level": 100, "kind": "near"}

TRIGGER = Trigger(
    key="price_level",
    noun="Price Level Event",
    label="New Price Level Event",
    description="Triggers when a token's price breaks, touches or comes near resistance, support or a level of your own.",
    semantics=1,
    subject="token",
    options=LevelOptions,
    payload=LevelPayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    holds=holds,
    keeps=keeps,
    summary=summary,
    sample=sample(
        "price_level",
        "New Price Level Event",
        ("token:3375", 3375, "Bitcoin", "BTC"),
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Bitcoin", "as_of": _TIME}),
        _TIME,
    ),
    fires=(
        Case(
            "it closes above an own level",
            _OWN,
            [(0, 98), (1, 99.5), (2, 100)],
            {2: {"line": "own", "direction": "up", "level": 100.0, "previous_price": 99.5, "levels_count": 1}},
        ),
        Case("and back below it", _OWN, [(0, 98), (1, 103), (2, 99)], {1: {"direction": "up"}, 2: {"direction": "down"}}),
        Case("only downwards", {**_OWN, "direction": "down"}, [(0, 98), (1, 103), (2, 99)], {2: {"direction": "down"}}),
        Case(
            "by the highest price",
            {**_OWN, "basis": "touch"},
            [(0, _bar(97, 98, 99)), (1, _bar(98, 99.5, 100.5))],
            {1: {"price": 99.5, "high": 100.5}},
        ),
        Case(
            "it breaks the nearest resistance, and support when it comes back",
            {},
            _known((90, 100, 120), 95, 104, 96),
            {1: {"line": "resistance", "level": 100.0}, 2: {"line": "support", "level": 100.0}},
        ),
        Case(
            "a leap past three levels tells the last",
            {"line": "resistance"},
            _known((90, 100, 105, 110), 80, 111),
            {1: {"level": 110.0, "levels_count": 4}},
        ),
        Case(
            "its lowest price touches support",
            {"kind": "touch", "line": "support"},
            [
                (0, {**_bar(94, 95, 96), "levels.text": _text([90, 100])}),
                (1, {**_bar(89.5, 94, 96), "levels.text": _text([100])}),
            ],
            {1: {"kind": "touch", "line": "support", "level": 90.0, "low": 89.5, "price": 94.0}},
        ),
        Case(
            "it leaps through a level between two bars",
            _TOUCH,
            [(0, _bar(95, 96, 97)), (1, _bar(103, 104, 105))],
            {1: {"low": 96.0}},
        ),
        Case(
            "it comes within two percent",
            _NEAR,
            [(0, 90), (1, 97.5), (2, 98), (3, 99), (4, 96), (5, 102)],
            {2: {"kind": "near", "distance": 98 / 100 - 1, "direction": "up"}, 5: {"direction": "up", "price": 102.0}},
        ),
        Case("near resistance", {"kind": "near", "line": "resistance"}, _known((100,), 90, 98.5), {1: {"line": "resistance"}}),
        Case(
            "by ten-minute prices, confirmed by a second one",
            {**_OWN, "interval": "live"},
            [(minutes / 1440, {"price": price}) for minutes, price in ((0, 98), (10, 101), (20, 102))],
            {20 / 1440: {"price": 102.0, "interval": "live"}},
        ),
    ),
    silent=(
        Case("the first price", _OWN, [(0, 120)]),
        Case("it was never a band away from the level", _OWN, [(0, 99.5), (1, 100.2), (2, 99.8), (3, 100.5), (4, 99.1)]),
        Case("the close does not reach it", _OWN, [(0, _bar(97, 98, 99)), (1, _bar(98, 99.5, 101))]),
        Case("no levels are known", {}, [(0, 95), (1, 200)]),
        Case("a level that was not known before", {}, [(0, 95), (1, {"close": 104, "levels.text": _text([100])})]),
        Case("the line has another side", {"line": "support"}, _known((100,), 95, 104)),
        Case("near, but not near enough", _NEAR, [(0, 90), (1, 97.9), (2, 95)]),
        Case("it stays at the level", _TOUCH, [(0, 100), (1, 100), (2, 100)]),
        Case("too long a silence lies between", _OWN, [(0, 90), (4, 120)]),
    ),
)
