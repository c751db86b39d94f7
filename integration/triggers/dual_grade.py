"""Fires when a token's trader and investor grade together enter another regime.

A grade is high from its cut-off up, and no longer once it has gone back by the band; then it is low. Both high: both_high.
Only the trader grade: short_term. Only the investor grade: wait, for a better entry. Neither: avoid. Each grade is
confirmed by itself, as of a level; the investor grade is the one known at each trader grade. The first regime of a token
fires nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from marshmallow import fields, post_load

from integration.domain.catalogue import Case, Lookback, Options, States, Trigger
from integration.domain.delta import Crossing, Sides, cool_down, level_sides, observed
from integration.domain.history import Firing, Floats, History, Ints
from integration.domain.numerals import Number
from integration.domain.payload import EventPayload, day_and_month, described, iso, sample
from integration.triggers._grades import GRADES, POSSIBLE, VALUES
from integration.triggers._levels import (
    UP,
    confirmed,
    counting,
    crossed_at_field,
    level_lookback,
    suppressed_field,
)
from integration.triggers._options import Several, TriggerOptions, cooldown
from integration.triggers._possible import check_crossing

TRADER, INVESTOR = GRADES["trader"], GRADES["investor"]
METRIC = TRADER.metric
#: Each regime by (trader grade high, investor grade high), and what a sentence says of it.
REGIMES = {(True, True): "both_high", (True, False): "short_term", (False, True): "wait", (False, False): "avoid"}
WORDS = {
    "both_high": "both grades high",
    "short_term": "short-term only",
    "wait": "wait for an entry",
    "avoid": "avoid",
}


class DualGradeOptions(TriggerOptions):
    """Which regimes are told, and where grades begin to be high."""

    regimes = Several(
        list(WORDS),
        metadata=described(
            "Regimes",
            "Tell only when it enters one of these, comma separated: both_high, short_term (only the trader grade is high), "
            "wait (only the investor grade is), avoid (neither); empty means all",
        ),
    )
    trader_high_at = Number(
        load_default=60.0, validate=POSSIBLE, metadata=described("Trader High At", "High from this grade up", unit="points")
    )
    investor_high_at = Number(
        load_default=60.0, validate=POSSIBLE, metadata=described("Investor High At", "High from this grade up", unit="points")
    )
    hysteresis = Number(
        load_default=2.0,
        validate=POSSIBLE,
        metadata=described("Band", "How far a grade must go back to be low again", unit="points"),
    )

    @post_load
    def _both_can_be_crossed(self, options: dict[str, Any], **_: Any) -> dict[str, Any]:
        for name in ("trader_high_at", "investor_high_at"):
            check_crossing(options[name], options["hysteresis"], VALUES, field=name)
        return options


class DualGradePayload(EventPayload):
    """A change of regime."""

    regime = fields.String(required=True, metadata=described("Regime", "both_high, short_term, wait or avoid"))
    previous_regime = fields.String(required=True, metadata=described("Previous Regime"))
    trader_grade = fields.Float(required=True, metadata=described("Trader Grade", unit="points"))
    previous_trader_grade = fields.Float(
        required=True, metadata=described("Previous Trader Grade", "The last one of the previous regime", unit="points")
    )
    investor_grade = fields.Float(required=True, metadata=described("Investor Grade", unit="points"))
    previous_investor_grade = fields.Float(
        required=True, metadata=described("Previous Investor Grade", "The last one of the previous regime", unit="points")
    )
    crossed_at = crossed_at_field()
    suppressed_count = suppressed_field()


def sources(_options: Options) -> tuple[str, ...]:
    """The trader grade is the clock, the investor grade stands beside it."""
    return (TRADER.source, INVESTOR.source)


def lookback(options: Options) -> Lookback:
    """That of a level; a grade that is missing is remembered for one silence more."""
    return level_lookback(options, 3)


@dataclass(frozen=True, slots=True)
class Watched:
    """One grade over a history's rows: the last known value and side at each, and the changes of side by row.

    `sides` is 0 where none counts yet, or none any more. Positions in `turns` are those of the observations, whose rows
    are in `rows`.
    """

    values: Floats
    sides: Sides
    rows: Ints
    turns: Mapping[int, Crossing]

    def turned(self, row: int) -> tuple[int, int]:
        """The sides before and after a row."""
        turn = self.turns.get(row)
        return (turn.previous, turn.side) if turn else (int(self.sides[row]), int(self.sides[row]))

    def start(self, row: int) -> int:
        """The row where a change that counts at a row began; -1 without one."""
        return int(self.rows[self.turns[row].start]) if row in self.turns else -1

    def before(self, row: int) -> float:
        """The value before a change that counts at a row; the row's own without one."""
        return float(self.values[self.rows[self.turns[row].before] if row in self.turns else row])


def _watch(history: History, column: Floats, level: float, options: Options) -> Watched:
    rows = np.flatnonzero(~np.isnan(column))
    as_of, values = observed(history.as_of, column)
    sides = level_sides(values, level, options["hysteresis"])
    turns = {int(rows[turn.at]): turn for turn in confirmed(history, as_of, sides, options)}
    last = np.searchsorted(rows, np.arange(len(column)), side="right") - 1
    carried, kept = np.full(len(column), np.nan), np.zeros(len(column), dtype=np.int8)
    known = (last >= 0) & (history.as_of - as_of[last] <= history.max_gap) if len(rows) else np.zeros(len(column), dtype=bool)
    carried[known], kept[known] = values[last[known]], counting(history, as_of, sides, options)[last[known]]
    return Watched(carried, kept, rows, turns)


def _watched(history: History, options: Options) -> tuple[Watched, Watched]:
    trader = _watch(history, history.column(METRIC), options["trader_high_at"], options)
    beside = history.of(INVESTOR.source).column(INVESTOR.metric)
    return trader, _watch(history, beside, options["investor_high_at"], options)


def scan(history: History, options: Options) -> list[Firing]:
    """Changes of regime that are told."""
    trader, investor = _watched(history, options)
    changes: list[tuple[int, str, str]] = []
    for row in sorted({*trader.turns, *investor.turns}):
        (trader_old, trader_new), (investor_old, investor_new) = trader.turned(row), investor.turned(row)
        if trader_new and investor_new:  # until both are known there is no regime
            old, new = REGIMES[trader_old > 0, investor_old > 0], REGIMES[trader_new > 0, investor_new > 0]
            changes.append((row, old, new))
    wanted = options["regimes"].split(",")
    quiet = cool_down(history.as_of, [row for row, _, _ in changes], cooldown(options), lambda k: changes[k][2] in wanted)
    by_row = {row: (old, new) for row, old, new in changes}
    return [
        Firing(
            int(history.as_of[notice.at]),
            {
                "regime": by_row[notice.at][1],
                "previous_regime": by_row[notice.at][0],
                "trader_grade": float(trader.values[notice.at]),
                "previous_trader_grade": trader.before(notice.at),
                "investor_grade": float(investor.values[notice.at]),
                "previous_investor_grade": investor.before(notice.at),
                "crossed_at": iso(int(history.as_of[max(trader.start(notice.at), investor.start(notice.at))])),
                "suppressed_count": notice.suppressed,
            },
        )
        for notice in quiet
    ]


def holds(history: History, options: Options) -> States:
    """Whether it is in one of the regimes that are told."""
    trader, investor = _watched(history, options)
    wanted = options["regimes"].split(",")
    found = np.zeros(len(history.as_of), dtype=np.int8)
    for (trader_high, investor_high), regime in REGIMES.items():
        inside = ((trader.sides == UP) == trader_high) & ((investor.sides == UP) == investor_high)
        found[inside] = regime in wanted
    found[(trader.sides == 0) | (investor.sides == 0)] = -1
    return found


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    return (
        f"{event['subject_name']} went from {WORDS[event['previous_regime']]} to {WORDS[event['regime']]}: "
        f"trader grade {event['trader_grade']:.1f}, investor grade {event['investor_grade']:.1f} "
        f"on {day_and_month(event['as_of'])}."
    )


_TIME = "2024-04-29T00:00:00Z"
_EXAMPLE = {
    "regime": "both_high",
    "previous_regime": "wait",
    "trader_grade": 76.47,
    "previous_trader_grade": 58.58,
    "investor_grade": 68.2,
    "previous_investor_grade": 68.2,
    "crossed_at": "2024-04-29T00:00:00Z",
    "suppressed_count": 0,
}


def _grades(*pairs: tuple[float | None, float | None]) -> list[tuple[float, Any]]:
    """Trader and investor grade by day."""
    return [
        (day, {"tm_trader_grade": trader, "investor_grades.tm_investor_grade": investor})
        for day, (trader, investor) in enumerate(pairs)
    ]


TRIGGER = Trigger(
    key="dual_grade",
    noun="Grade Regime",
    label="New Grade Regime",
    description="Triggers when a token's trader and investor grade together enter another regime, such as both high or avoid.",
    semantics=1,
    subject="token",
    options=DualGradeOptions,
    payload=DualGradePayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    holds=holds,
    summary=summary,
    sample=sample(
        "dual_grade",
        "New Grade Regime",
        ("token:3306", 3306, "Ethereum", "ETH"),
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Ethereum", "as_of": _TIME}),
        _TIME,
    ),
    fires=(
        Case(
            "the trader grade joins a high investor grade",
            {},
            _grades((50, 70), (59, 71), (60, 70)),
            {2: {"regime": "both_high", "previous_regime": "wait", "previous_trader_grade": 59.0}},
        ),
        Case("only the trader grade turns high", {}, _grades((50, 40), (70, 40)), {1: {"regime": "short_term"}}),
        Case("only the investor grade turns high", {}, _grades((50, 40), (50, 61)), {1: {"regime": "wait"}}),
        Case(
            "both fall at once",
            {},
            _grades((70, 70), (50, 50)),
            {1: {"regime": "avoid", "previous_regime": "both_high", "previous_investor_grade": 70.0}},
        ),
        Case("they change places", {}, _grades((70, 50), (50, 70)), {1: {"previous_regime": "short_term", "regime": "wait"}}),
        Case(
            "own cut-offs",
            {"trader_high_at": 80, "investor_high_at": 40},
            _grades((70, 50), (80, 50)),
            {1: {"regime": "both_high"}},
        ),
        Case(
            "only some regimes are told",
            {"regimes": "avoid, both_high"},
            _grades((50, 50), (70, 50), (70, 70)),
            {2: {"regime": "both_high"}},
        ),
        Case(
            "a second day confirms it",
            {"min_observations": 2},
            _grades((50, 50), (70, 50), (71, 50)),
            {2: {"crossed_at": "1970-01-02T00:00:00Z", "previous_trader_grade": 50.0}},
        ),
        Case(
            "an investor grade that is missing is the last one", {}, _grades((50, 70), (70, None)), {1: {"investor_grade": 70.0}}
        ),
    ),
    silent=(
        Case("the first regime", {}, _grades((70, 70))),
        Case("both tremble within their bands", {}, _grades((61, 61), (58.5, 61), (61, 59), (59, 58.1))),
        Case("the investor grade becomes known", {}, _grades((50, None), (50, 70), (50, 71))),
        Case("the investor grade is not known", {}, _grades((50, None), (70, None))),
        Case("a regime that is not told", {"regimes": "avoid"}, _grades((50, 50), (70, 70))),
        Case("one day does not confirm", {"min_observations": 2}, _grades((50, 50), (70, 70), (50, 50))),
        Case("too long a silence lies between", {}, [_grades((50, 50))[0], (4, _grades((70, 70))[0][1])]),
    ),
)
