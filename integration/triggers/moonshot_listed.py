"""Fires when tokens join Token Metrics' moonshot list, or leave it with the return they made.

Upstream names moonshots by name and symbol alone. One that leaves is told with the return that the list of past moonshots
gives it, or, where that does not have it yet, with the last one seen while it was listed. All moves of one list are one
event. An empty list cannot be told from no answer: nothing is concluded from it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from integration.domain.catalogue import Case, Lookback, Options, Trigger
from integration.domain.history import Firing, History
from integration.domain.numerals import Number
from integration.domain.payload import EventPayload, day_and_month, described, sample
from integration.triggers._levels import level_lookback
from integration.triggers._options import TriggerOptions
from integration.triggers._snapshots import THE_MARKET, some, symbols, turned

SOURCE, PAST = "moonshots", "past_moonshots"
MILLION = 1e6

Moonshot = Mapping[str, Any]
#: What tells moonshots apart: symbol and name.
Who = tuple[str, str]


def _limit(label: str, text: str) -> fields.Float:
    return Number(
        load_default=None, allow_none=True, validate=validate.Range(0, 1e6), metadata=described(label, text, unit="million USD")
    )


class MoonshotOptions(TriggerOptions):
    """Which moves are told, and of which tokens."""

    moves = fields.String(
        load_default="join",
        validate=validate.OneOf(["join", "leave", "both"]),
        metadata=described("Moves", "Tell when tokens join the list, leave it, or both"),
    )
    min_market_cap = _limit("Market Cap From", "Only tokens worth at least this, such as 10; empty means any")
    max_market_cap = _limit("Market Cap To", "Only tokens worth at most this, such as 500; empty means any")

    @validates_schema
    def _range(self, options: dict[str, Any], **_: Any) -> None:
        low, high = options["min_market_cap"], options["max_market_cap"]
        if low is not None and high is not None and low > high:
            raise ValidationError(f"Must be {low:g} or more, or no token fits.", "max_market_cap")


class MoonshotToken(Schema):
    """A token that joined or left."""

    name = fields.String(required=True, metadata=described("Name"))
    symbol = fields.String(required=True, metadata=described("Symbol"))
    moonshot_at = fields.String(required=True, allow_none=True, metadata=described("Moonshot At", "When it became a moonshot"))
    ended_at = fields.String(
        required=True, allow_none=True, metadata=described("Ended At", "Empty while it is one, or not known")
    )
    roi_pct = fields.Float(
        required=True,
        allow_none=True,
        metadata=described("Return", "Since it became a moonshot, as Token Metrics gives it", unit="%"),
    )
    roi_is_final = fields.Boolean(
        required=True, metadata=described("Return Is Final", "Whether it is from the list of past moonshots")
    )
    market_cap = fields.Float(required=True, allow_none=True, metadata=described("Market Cap", unit="USD"))
    volume_24h = fields.Float(required=True, allow_none=True, metadata=described("Volume 24 h", unit="USD"))
    trader_grade = fields.Float(required=True, allow_none=True, metadata=described("Trader Grade", unit="points"))
    price_7d_pct_change = fields.Float(required=True, allow_none=True, metadata=described("Price Change 7 d", unit="%"))


class MoonshotPayload(EventPayload):
    """The moves of one list."""

    joined = fields.List(fields.Nested(MoonshotToken), required=True, metadata=described("Joined"))
    left = fields.List(fields.Nested(MoonshotToken), required=True, metadata=described("Left"))
    joined_count = fields.Integer(required=True, metadata=described("Joined Count"))
    left_count = fields.Integer(required=True, metadata=described("Left Count"))
    joined_symbols = fields.String(required=True, metadata=described("Joined Symbols"))
    left_symbols = fields.String(required=True, metadata=described("Left Symbols"))
    left_mean_roi_pct = fields.Float(
        required=True, allow_none=True, metadata=described("Mean Return Of Left", "Of those whose return is known", unit="%")
    )
    moonshots = fields.Integer(required=True, metadata=described("Moonshots", "How many are on the list now"))


def sources(options: Options) -> tuple[str, ...]:
    """The list, and the past one where leaving is told."""
    return (SOURCE,) if options["moves"] == "join" else (SOURCE, PAST)


def lookback(options: Options) -> Lookback:
    """Whether a token is listed is remembered like a side."""
    return level_lookback(options)


def scan(history: History, options: Options) -> list[Firing]:
    """Lists that differ from what was listed before."""
    seen = history.take(np.flatnonzero([bool(text) for text in history.texts]))
    lists = [_by_token(text) for text in seen.texts]
    wanted = {"join": (1,), "leave": (-1,), "both": (1, -1)}[options["moves"]]
    joined: dict[int, list[dict[str, Any]]] = {}
    left: dict[int, list[dict[str, Any]]] = {}
    for who in sorted(set().union(*lists)):
        sides = [1 if who in listed else -1 for listed in lists]
        for crossing in turned(history, seen.as_of, sides, options, wanted) if -1 in sides else ():
            shown = next(lists[at][who] for at in range(crossing.at, -1, -1) if who in lists[at])
            if _fits(shown["market_cap"], options):
                final = None if crossing.side > 0 else _ended(seen, crossing.at, shown)
                (joined if crossing.side > 0 else left).setdefault(crossing.at, []).append(_row(shown, final))
    return [
        Firing(int(seen.as_of[at]), _fields(joined.get(at, []), left.get(at, []), len(lists[at])))
        for at in sorted({*joined, *left})
    ]


def _by_token(text: str | None) -> dict[Who, Moonshot]:
    return {(row["symbol"], row["name"]): row for row in _moonshots(text)}


def _moonshots(text: str | None) -> Iterator[Moonshot]:
    yield from orjson.loads(text)["moonshots"] if text else ()


def _fits(market_cap: float | None, options: Options) -> bool:
    low, high = options["min_market_cap"], options["max_market_cap"]
    if low is None and high is None:
        return True
    return market_cap is not None and (low or 0) * MILLION <= market_cap <= (float("inf") if high is None else high * MILLION)


def _ended(seen: History, at: int, shown: Moonshot) -> Moonshot | None:
    """What the list of past moonshots says of one that left."""
    for past in _moonshots(seen.of(PAST).texts[at]):
        if all(past[name] == shown[name] for name in ("symbol", "name", "moonshot_at")):
            return past
    return None


def _row(shown: Moonshot, final: Moonshot | None) -> dict[str, Any]:
    figures = ("market_cap", "volume_24h", "trader_grade", "price_7d_pct_change")
    ended = final or shown
    return {
        **{name: shown[name] for name in ("name", "symbol", "moonshot_at", *figures)},
        **{name: ended[name] for name in ("ended_at", "roi_pct")},
        "roi_is_final": final is not None and final["roi_pct"] is not None,
    }


def _fields(joined: Sequence[dict[str, Any]], left: Sequence[dict[str, Any]], count: int) -> dict[str, Any]:
    returns = [row["roi_pct"] for row in left if row["roi_pct"] is not None]
    return {
        "joined": joined,
        "left": left,
        "joined_count": len(joined),
        "left_count": len(left),
        "joined_symbols": symbols(joined),
        "left_symbols": symbols(left),
        "left_mean_roi_pct": round(sum(returns) / len(returns), 4) if returns else None,
        "moonshots": count,
    }


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    parts = [f"{some(event['joined_symbols'])} joined"] if event["joined_count"] else []
    if event["left_count"]:
        mean, each = event["left_mean_roi_pct"], " on average" if event["left_count"] > 1 else ""
        made = "" if mean is None else f" with {mean:+.1f} %{each}"
        parts.append(f"{some(event['left_symbols'])} left{made}")
    return f"{' and '.join(parts)} the moonshot list on {day_and_month(event['as_of'])}."


_TIME = "2025-08-20T00:00:00Z"
_EXAMPLE = {
    "joined": [
        {
            "name": "Render",
            "symbol": "RNDR",
            "moonshot_at": _TIME,
            "ended_at": None,
            "roi_pct": 0.0,
            "roi_is_final": False,
            "market_cap": 184_000_000.0,
            "volume_24h": 21_500_000.0,
            "trader_grade": 88.1,
            "price_7d_pct_change": 14.2,
        }
    ],
    "left": [],
    "joined_count": 1,
    "left_count": 0,
    "joined_symbols": "RNDR",
    "left_symbols": "",
    "left_mean_roi_pct": None,
    "moonshots": 23,
}


def _list(tokens: str, **figures: Any) -> str | None:
    """A list from a string: "abc" has a, b and c."""
    rows = [
        {
            "name": c,
            "symbol": c,
            "moonshot_at": "1970-01-01T00:00:00Z",
            "ended_at": None,
            "roi_pct": None,
            "market_cap": 5e7,
            "volume_24h": None,
            "trader_grade": None,
            "price_7d_pct_change": None,
            **figures,
        }
        for c in tokens
    ]
    return json.dumps({"moonshots": rows}) if rows else None


def _lists(*lists: str, past: str = "", **figures: Any) -> list[tuple[float, Any]]:
    """A list a day; the last day stands beside a list of past moonshots, all of which made -20 %."""
    days: list[tuple[float, Any]] = [(day, {"text": _list(tokens, **figures)}) for day, tokens in enumerate(lists)]
    if past:
        days[-1][1][f"{PAST}.text"] = _list(past, roi_pct=-20.0, ended_at="1970-01-02T00:00:00Z")
    return days


TRIGGER = Trigger(
    key="moonshot_listed",
    noun="Moonshot Listing",
    label="New Moonshot Listing",
    description="Triggers when a token joins the moonshot list, or leaves it with the return it made.",
    semantics=1,
    subject="market",
    options=MoonshotOptions,
    payload=MoonshotPayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    summary=summary,
    sample=sample("moonshot_listed", "New Moonshot Listing", THE_MARKET, _EXAMPLE, summary({**_EXAMPLE, "as_of": _TIME}), _TIME),
    fires=(
        Case("one joins", {}, _lists("ab", "abc"), {1: {"joined_symbols": "c", "joined_count": 1, "left": [], "moonshots": 3}}),
        Case(
            "one leaves with its final return",
            {"moves": "leave"},
            _lists("abc", "ab", past="xc"),
            {1: {"left_symbols": "c", "left_mean_roi_pct": -20.0, "joined": []}},
        ),
        Case(
            "one leaves with the last return that was seen",
            {"moves": "both"},
            _lists("abc", "abd", roi_pct=31.5),
            {1: {"left_symbols": "c", "left_mean_roi_pct": 31.5, "joined_symbols": "d"}},
        ),
        Case("two join at once", {}, _lists("a", "abc"), {1: {"joined_count": 2, "joined_symbols": "b, c"}}),
        Case(
            "only small ones are asked for",
            {"max_market_cap": 50},
            _lists("a", "ab"),
            {1: {"joined_symbols": "b"}},
        ),
        Case("an empty answer between is passed over", {}, _lists("ab", "", "abc"), {2: {"joined_symbols": "c"}}),
    ),
    silent=(
        Case("the first list", {}, _lists("abc")),
        Case("one leaves, which is not asked for", {}, _lists("abc", "ab")),
        Case("it is too large", {"max_market_cap": 49}, _lists("a", "ab")),
        Case("its market cap is not known", {"min_market_cap": 1}, _lists("a", "ab", market_cap=None)),
        Case("an empty answer", {"moves": "both"}, _lists("abc", "")),
        Case("one list does not confirm", {"min_observations": 2}, _lists("a", "ab", "a")),
        Case("too long a silence lies between", {"moves": "both"}, [_lists("a")[0], (4, _lists("b")[0][1])]),
    ),
)
