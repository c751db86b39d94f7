"""Fires when tokens of a sector rise together: in trader grade (momentum) and investor grade, within some days.

A sector is a category of Token Metrics; which tokens belong to it is what was known at the time. A token rises where both
its grades are at least so many points above those of the oldest snapshot within the days. A sector breaks out once enough
of its tokens, and a large enough share of them, rise; it stops being so once either has fallen back by the band. Small
tokens are left out by their market cap rank. All sectors that break out in one snapshot are one event.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from marshmallow import Schema, ValidationError, fields, validate, validates_schema

from integration.domain.catalogue import Case, Lookback, Options, States, Trigger
from integration.domain.delta import Sides, level_sides
from integration.domain.history import Firing, Floats, History
from integration.domain.numerals import Number, Whole
from integration.domain.payload import EventPayload, day_and_month, described, iso, sample
from integration.domain.retry import DAY
from integration.triggers._levels import counting, level_lookback
from integration.triggers._options import TriggerOptions
from integration.triggers._sectors import Grades, Rising, grades_of, rising
from integration.triggers._snapshots import THE_MARKET, ListedToken, some, symbols, turned

SOURCE = "sectors"


class BreakoutOptions(TriggerOptions):
    """Which sector, what rising is, and how much of it makes a breakout."""

    category = fields.String(
        load_default="",
        validate=validate.Regexp(r"[a-z0-9-]{0,80}\Z", error="Use the slug of a category, such as layer-1."),
        metadata=described("Category", "The slug of the category to watch; empty means any sector", list="categories"),
    )
    min_tokens = Whole(
        load_default=3,
        validate=validate.Range(2, 100),
        metadata=described("At Least", "How many tokens of the sector must rise together", unit="tokens"),
    )
    min_share = Number(
        load_default=10.0,
        validate=validate.Range(0, 100),
        metadata=described("And A Share Of", "Which share of the sector that must be; 0 goes by the number alone", unit="%"),
    )
    days = Whole(
        load_default=14,
        validate=validate.Range(1, 30),
        metadata=described("Within", "Over how many days grades are compared", unit="days"),
    )
    trader_points = Number(
        load_default=10.0,
        validate=validate.Range(0.1, 100),
        metadata=described("Trader Grade Rise", "By how much momentum must have risen", unit="points"),
    )
    investor_points = Number(
        load_default=1.0,
        validate=validate.Range(0.1, 100),
        metadata=described("Investor Grade Rise", "By how much the long-term view must have risen", unit="points"),
    )
    max_rank = Whole(
        load_default=500,
        validate=validate.Range(2, 1_000),
        metadata=described("Largest", "Only tokens of this market cap rank or better: leaves out micro-caps"),
    )
    hysteresis = Number(
        load_default=25.0,
        validate=validate.Range(0, 100),
        metadata=described("Band", "By which part the number or the share must fall back to end it", unit="%"),
    )

    @validates_schema
    def _there_are_so_many(self, options: dict[str, Any], **_: Any) -> None:
        most = options["max_rank"]
        if options["min_tokens"] > most:
            text = f"Only the {most} largest tokens are looked at: use {most} at most, or a larger max_rank."
            raise ValidationError(text, "min_tokens")


class BrokenOut(Schema):
    """A sector that broke out."""

    sector = fields.String(required=True, metadata=described("Sector"))
    rising = fields.Integer(required=True, metadata=described("Rising", "How many of its tokens rise", unit="tokens"))
    size = fields.Integer(required=True, metadata=described("Size", "How many of its tokens are compared", unit="tokens"))
    share = fields.Float(required=True, metadata=described("Share", "Rising of those compared", unit="fraction"))
    symbols = fields.String(required=True, metadata=described("Symbols", "Those that rise, the largest first"))


class RisingToken(ListedToken):
    """A token that rises with its sector."""

    sector = fields.String(required=True, metadata=described("Sector"))
    market_rank = fields.Integer(required=True, metadata=described("Market Rank"))
    trader_grade = fields.Float(required=True, metadata=described("Trader Grade", unit="points"))
    previous_trader_grade = fields.Float(required=True, metadata=described("Previous Trader Grade", unit="points"))
    investor_grade = fields.Float(required=True, metadata=described("Investor Grade", unit="points"))
    previous_investor_grade = fields.Float(required=True, metadata=described("Previous Investor Grade", unit="points"))


class BreakoutPayload(EventPayload):
    """The sectors that broke out in one snapshot, and their rising tokens."""

    sectors = fields.List(fields.Nested(BrokenOut), required=True, metadata=described("Sectors"))
    tokens = fields.List(
        fields.Nested(RisingToken), required=True, metadata=described("Tokens", "Of each sector those that rise")
    )
    sectors_count = fields.Integer(required=True, metadata=described("Sectors Count"))
    sector_names = fields.String(required=True, metadata=described("Sector Names"))
    tokens_count = fields.Integer(required=True, metadata=described("Tokens Count", "Each token once"))
    token_symbols = fields.String(required=True, metadata=described("Token Symbols", "Each token once"))
    days = fields.Integer(required=True, metadata=described("Within", unit="days"))
    compared_with = fields.String(required=True, metadata=described("Compared With", "When the previous grades were true"))


def sources(_options: Options) -> tuple[str, ...]:
    """Grades by sector."""
    return (SOURCE,)


def lookback(options: Options) -> Lookback:
    """That of a level: how strongly a sector rises; and of each value the days."""
    return level_lookback(options, 2, options["days"] * DAY)


def _sides(strength: Floats, options: Options) -> Sides:
    return level_sides(strength, 1.0, options["hysteresis"] / 100)


def scan(history: History, options: Options) -> list[Firing]:
    """Snapshots in which sectors break out."""
    grades = grades_of(history, options)
    risen = rising(grades, options)
    broke: dict[int, list[str]] = {}
    for slug, strength in sorted(risen.strength.items()):
        seen = np.flatnonzero(~np.isnan(strength))
        for crossing in turned(history, grades.as_of[seen], _sides(strength[seen], options), options, (1,)):
            broke.setdefault(int(seen[crossing.at]), []).append(slug)
    return [Firing(int(grades.as_of[at]), _fields(grades, risen, at, broke[at], options)) for at in sorted(broke)]


def _fields(grades: Grades, risen: Rising, at: int, slugs: Sequence[str], options: Options) -> dict[str, Any]:
    sectors, tokens = [], []
    for slug in slugs:
        rows = risen.members[at][slug]
        up, size = rows[risen.tokens[rows, at]], int(risen.compared[rows, at].sum())
        lines = [_line(grades, slug, row, at) for row in up[np.argsort(grades.ranks[up, at], kind="stable")].tolist()]
        share = round(len(lines) / size, 6)
        sectors.append({"sector": slug, "rising": len(lines), "size": size, "share": share, "symbols": symbols(lines)})
        tokens += lines
    once = list({line["token_id"]: line for line in sorted(tokens, key=lambda line: line["market_rank"])}.values())
    return {
        "sectors": sectors,
        "tokens": tokens,
        "sectors_count": len(sectors),
        "sector_names": ", ".join(slugs),
        "tokens_count": len(once),
        "token_symbols": symbols(once),
        "days": options["days"],
        "compared_with": iso(int(grades.as_of[grades.base[at]])),
    }


def _line(grades: Grades, slug: str, row: int, at: int) -> dict[str, Any]:
    snapshot, base, token = grades.snapshots[at], int(grades.base[at]), grades.ids[row]
    place = snapshot["token_ids"].index(token)
    return {
        "sector": slug,
        "token_id": token,
        "name": snapshot["names"][place],
        "symbol": snapshot["symbols"][place],
        "market_rank": int(grades.ranks[row, at]),
        "trader_grade": float(grades.trader[row, at]),
        "previous_trader_grade": float(grades.trader[row, base]),
        "investor_grade": float(grades.investor[row, at]),
        "previous_investor_grade": float(grades.investor[row, base]),
    }


def holds(history: History, options: Options) -> States:
    """Whether the sector, or any, is in a breakout."""
    grades = grades_of(history, options)
    found = np.full(len(history.as_of), -1, dtype=np.int8)
    rows = np.searchsorted(history.as_of, grades.as_of)
    for strength in rising(grades, options).strength.values():
        seen = np.flatnonzero(~np.isnan(strength))
        counted = counting(history, grades.as_of[seen], _sides(strength[seen], options), options)
        found[rows[seen]] = np.maximum(found[rows[seen]], np.where(counted > 0, 1, np.where(counted < 0, 0, -1)))
    return found


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    within, first = f"{event['days']} day{'s' if event['days'] > 1 else ''}", event["sectors"][0]
    if event["sectors_count"] == 1:
        who = f"{first['rising']} of {first['size']} tokens of {first['sector']}"
    else:
        who = f"{event['tokens_count']} tokens of {some(event['sector_names'])}"
    return (
        f"{who} rose together in trader and investor grade within {within}: {some(event['token_symbols'], 10)} "
        f"on {day_and_month(event['as_of'])}."
    )


_TIME = "2025-06-10T00:00:00Z"
_EXAMPLE_TOKENS = [
    ("Render", "RNDR", 4139, 58, 84.2, 61.0, 66.9, 62.3),
    ("The Graph", "GRT", 4212, 71, 78.8, 52.4, 59.1, 56.0),
    ("Token Metrics AI", "TMAI", 36697, 412, 88.0, 70.5, 55.2, 52.7),
]
_EXAMPLE = {
    "sectors": [{"sector": "ai", "rising": 3, "size": 7, "share": 0.428571, "symbols": "RNDR, GRT, TMAI"}],
    "tokens": [
        {
            "sector": "ai",
            "token_id": token,
            "name": name,
            "symbol": symbol,
            "market_rank": rank,
            "trader_grade": trader,
            "previous_trader_grade": trader_before,
            "investor_grade": investor,
            "previous_investor_grade": investor_before,
        }
        for name, symbol, token, rank, trader, trader_before, investor, investor_before in _EXAMPLE_TOKENS
    ],
    "sectors_count": 1,
    "sector_names": "ai",
    "tokens_count": 3,
    "token_symbols": "RNDR, GRT, TMAI",
    "days": 14,
    "compared_with": "2025-05-27T00:00:00Z",
}


def _days(*grades: str | None, sectors: Mapping[str, str] | None = None) -> list[tuple[float, Any]]:
    """A snapshot a day of tokens a, b, c … from strings: "135" gives a the grades 10, b 30, c 50; "-" is no grade.

    The trader grade is the investor grade. Ranks follow the letters; all tokens are in sector "all" unless others are given.
    """
    days: list[tuple[float, Any]] = []
    for day, marks in enumerate(grades):
        ids = [ord("a") + place for place in range(len(marks or ""))]
        both = [None if mark == "-" else 10.0 * int(mark) for mark in marks or ""]
        words = [chr(token) for token in ids]
        within = {"all": "".join(words)} if sectors is None else sectors
        text = {
            "token_ids": ids,
            "names": words,
            "symbols": words,
            "ranks": list(range(1, len(ids) + 1)),
            "trader_grades": both,
            "investor_grades": both,
            "sectors": {slug: [ord(c) for c in members] for slug, members in within.items()},
        }
        days.append((day, {"text": None if marks is None else json.dumps(text)}))
    return days


TRIGGER = Trigger(
    key="sector_breakout",
    noun="Sector Breakout",
    label="New Sector Breakout",
    description="Triggers when tokens of a sector rise together in momentum and investor grade.",
    semantics=1,
    subject="market",
    options=BreakoutOptions,
    payload=BreakoutPayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    holds=holds,
    summary=summary,
    sample=sample("sector_breakout", "New Sector Breakout", THE_MARKET, _EXAMPLE, summary({**_EXAMPLE, "as_of": _TIME}), _TIME),
    fires=(
        Case(
            "three of five rise within two weeks",
            {},
            _days("33333", "33333", "33444"),
            {2: {"sector_names": "all", "token_symbols": "c, d, e", "compared_with": "1970-01-01T00:00:00Z"}},
        ),
        Case(
            "one sector of two",
            {"category": "one", "min_tokens": 2},
            _days("3333", "3333", "4433", sectors={"one": "ab", "two": "cd", "half": "abcd"}),
            {2: {"sector_names": "one", "sectors_count": 1}},
        ),
        Case(
            "two sectors are one event",
            {"min_tokens": 2},
            _days("3333", "3333", "4444", sectors={"one": "abc", "two": "bcd"}),
            {2: {"sector_names": "one, two", "sectors_count": 2, "tokens_count": 4}},
        ),
        Case(
            "by the number alone",
            {"min_share": 0, "min_tokens": 2},
            _days("33333333", "33333333", "44333333"),
            {2: {"token_symbols": "a, b"}},
        ),
        Case("over one day", {"days": 1}, _days("3333", "3333", "4444"), {2: {"compared_with": "1970-01-02T00:00:00Z"}}),
        Case("a day without a snapshot is passed over", {}, _days("333", "333", None, "444"), {3: {"tokens_count": 3}}),
    ),
    silent=(
        Case("the first snapshot", {}, _days("333")),
        Case("too few rise", {}, _days("3333", "3333", "4433")),
        Case("too small a share", {"min_share": 50}, _days("3333333", "3333333", "4443333")),
        Case("what rises is too small", {"max_rank": 3}, _days("3333333", "3333333", "3334444")),
        Case("grades are missing", {}, _days("33333", "33333", "--4-4", "33---")),
        Case("another sector", {"category": "two"}, _days("333333", "333333", "444333", sectors={"one": "abc", "two": "def"})),
        Case("it goes on rising", {"hysteresis": 50}, _days("3333", "4444", "5544", "5555", "6666")),
        Case("too long a silence lies between", {}, [_days("333")[0], (4, _days("444")[0][1])]),
    ),
)
