"""Fires when the holdings of an index or their weights change, or when its share of stablecoins crosses a level.

Each complete snapshot is compared with the complete one before. A token bought or sold is told whatever its weight; a
weight is told from `min_weight_change` on. Upstream does not say why a weight changed: prices alone move weights too, and
such a drift counts as a change like any other. Which holdings are stablecoins is told by their symbols and names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from marshmallow import Schema, ValidationError, fields, post_load, validate, validates_schema

from integration.domain.catalogue import Case, Lookback, Options, States, Trigger
from integration.domain.delta import COUNTED, Sides, cool_down, level_sides
from integration.domain.history import Firing, Floats, History
from integration.domain.numerals import Number
from integration.domain.payload import EventPayload, day_and_month, described, iso, sample
from integration.triggers._holdings import SOURCE, Difference, Snapshots, complete, difference, stablecoin_share
from integration.triggers._levels import (
    DOWN,
    UP,
    WANTED,
    crossed,
    crossing_fields,
    holding,
    level_lookback,
    suppressed_field,
)
from integration.triggers._options import TriggerOptions, band, cooldown, direction, filled_band
from integration.triggers._possible import Possible, check_crossing
from integration.triggers._snapshots import some, symbols

FLOOR = 1.0
LEAST_CHANGE, STABLE_LEVEL = 1.0, 20.0
SHARES = Possible(0, 100)
#: What goes with a stablecoin share alone.
OF_SHARE = {"kind": ["stablecoin_share"]}


class RebalanceOptions(TriggerOptions):
    """What counts as a change."""

    kind = fields.String(
        load_default="rebalance",
        validate=validate.OneOf(["rebalance", "stablecoin_share"]),
        metadata=described("Kind", "rebalance: holdings or weights change; or stablecoin_share: it crosses a level"),
    )
    min_weight_change = Number(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0.01, 100),
        metadata=described(
            "Smallest Change",
            "How far a weight must move from one snapshot to the next, also by price alone; empty means 1",
            unit="percent points",
            when={"kind": ["rebalance"]},
        ),
    )
    stablecoin_share = Number(
        load_default=None,
        allow_none=True,
        validate=validate.Range(0.1, 100),
        metadata=described("Stablecoin Share", "The level of kind stablecoin_share; empty means 20", unit="%", when=OF_SHARE),
    )
    direction = direction(
        "For the stablecoin share: tell when it rises above the level (up), falls below it (down), or either", when=OF_SHARE
    )
    hysteresis = band(FLOOR, 100, "percent points", when=OF_SHARE)

    @validates_schema
    def _fits(self, options: dict[str, Any], **_: Any) -> None:
        share = options["kind"] == "stablecoin_share"
        for name in ("min_weight_change",) if share else ("stablecoin_share", "hysteresis"):
            if options[name] is not None:
                raise ValidationError(f"Leave it out, or choose kind {'rebalance' if share else 'stablecoin_share'}.", name)
        if not share and options["min_observations"] > 1:
            raise ValidationError("A rebalance is what it is at once: only a stablecoin share is confirmed.", "min_observations")

    @post_load
    def _filled(self, options: dict[str, Any], **_: Any) -> dict[str, Any]:
        if options["kind"] == "rebalance":
            options["min_weight_change"] = options["min_weight_change"] or LEAST_CHANGE
            return options
        options["stablecoin_share"] = options["stablecoin_share"] or STABLE_LEVEL
        filled_band(options, FLOOR, "stablecoin_share")
        level, below = options["stablecoin_share"], options["direction"] == "down"
        check_crossing(level, options["hysteresis"], SHARES, below=below, field="stablecoin_share")
        return options


class ChangedHolding(Schema):
    """A token whose weight changed."""

    token_id = fields.Integer(required=True, metadata=described("Token ID"))
    name = fields.String(required=True, metadata=described("Name"))
    symbol = fields.String(required=True, metadata=described("Symbol"))
    weight = fields.Float(
        required=True, allow_none=True, metadata=described("Weight", "Empty where it is no longer held", unit="fraction")
    )
    previous_weight = fields.Float(
        required=True, allow_none=True, metadata=described("Previous Weight", "Empty where it was not held", unit="fraction")
    )
    change = fields.Float(required=True, metadata=described("Change", "New weight minus old", unit="fraction"))


def _items(text: str) -> fields.List[Any]:
    return fields.List(fields.Nested(ChangedHolding), required=True, metadata=described(text, "The largest change first"))


def _count(text: str) -> fields.Integer:
    return fields.Integer(required=True, metadata=described(text))


def _symbols(text: str) -> fields.String:
    return fields.String(required=True, metadata=described(text, "Comma separated, the largest change first"))


class RebalancePayload(EventPayload):
    """How a snapshot differs from the one before; or, for a stablecoin share, from the last on the other side."""

    kind = fields.String(required=True, metadata=described("Kind", "rebalance or stablecoin_share"))
    added = _items("Added")
    removed = _items("Removed")
    changed = _items("Changed")
    added_count = _count("Added Count")
    removed_count = _count("Removed Count")
    changed_count = _count("Changed Count")
    added_symbols = _symbols("Added Symbols")
    removed_symbols = _symbols("Removed Symbols")
    changed_symbols = _symbols("Changed Symbols")
    turnover = fields.Float(
        required=True, metadata=described("Turnover", "Half the sum of all changes of weight", unit="fraction")
    )
    holdings_count = _count("Holdings")
    previous_holdings_count = _count("Previous Holdings")
    stablecoin_share = fields.Float(required=True, metadata=described("Stablecoin Share", unit="fraction"))
    previous_stablecoin_share = fields.Float(required=True, metadata=described("Previous Stablecoin Share", unit="fraction"))
    level = fields.Float(
        required=True, allow_none=True, metadata=described("Level", "Of the stablecoin share; else empty", unit="fraction")
    )
    direction = fields.String(
        required=True, allow_none=True, metadata=described("Direction", "Of the stablecoin share: up or down; else empty")
    )
    crossed_at = fields.String(
        required=True, allow_none=True, metadata=described("Crossed At", "The first snapshot beyond the level; else empty")
    )
    previous_as_of = fields.String(required=True, metadata=described("Previous As Of", "The snapshot that it is compared with"))
    suppressed_count = suppressed_field()


def sources(_options: Options) -> tuple[str, ...]:
    """Holdings of the index."""
    return (SOURCE,)


def lookback(options: Options) -> Lookback:
    """A rebalance looks at the snapshot before and what cooled down; a stablecoin share is a level."""
    if options["kind"] == "stablecoin_share":
        return level_lookback(options)
    return Lookback(2, COUNTED + cooldown(options))


def scan(history: History, options: Options) -> list[Firing]:
    """Snapshots that differ from the one before, or that bring the stablecoin share over its level."""
    seen = complete(history)
    return (_shares if options["kind"] == "stablecoin_share" else _rebalances)(history, seen, options)


def _rebalances(history: History, seen: Snapshots, options: Options) -> list[Firing]:
    least = options["min_weight_change"] / 100
    near = (np.diff(seen.as_of) <= history.max_gap).tolist()
    found = {
        at: moved
        for at in range(1, len(seen.held))
        if near[at - 1] and (moved := difference(seen.held[at - 1], seen.held[at], least))
    }
    unset = {"level": None, "direction": None, "crossed_at": None}
    return [
        _firing(seen, notice.at - 1, notice.at, found[notice.at], {**unset, "suppressed_count": notice.suppressed}, options)
        for notice in cool_down(seen.as_of, list(found), cooldown(options), lambda _: True)
    ]


def _percent(seen: Snapshots) -> Floats:
    return np.asarray([round(100 * stablecoin_share(holdings), 8) for holdings in seen.held], dtype=np.float64)


def _sides(seen: Snapshots, options: Options) -> Sides:
    below = options["direction"] == "down"
    return level_sides(_percent(seen), options["stablecoin_share"], options["hysteresis"], below=below)


def _shares(history: History, seen: Snapshots, options: Options) -> list[Firing]:
    firings = []
    for crossing in crossed(history, seen.as_of, _sides(seen, options), options, WANTED[options["direction"]]):
        moved = difference(seen.held[crossing.before], seen.held[crossing.at], LEAST_CHANGE / 100)
        about = {"level": options["stablecoin_share"] / 100, **crossing_fields(crossing, seen.as_of)}
        firings.append(_firing(seen, crossing.before, crossing.at, moved, about, options))
    return firings


def _firing(seen: Snapshots, before: int, at: int, moved: Difference, about: Mapping[str, Any], options: Options) -> Firing:
    items = {"added": moved.added, "removed": moved.removed, "changed": moved.changed}
    return Firing(
        int(seen.as_of[at]),
        {
            "kind": options["kind"],
            **items,
            **{f"{name}_count": len(rows) for name, rows in items.items()},
            **{f"{name}_symbols": symbols(rows) for name, rows in items.items()},
            "turnover": moved.turnover,
            "holdings_count": len(seen.held[at]),
            "previous_holdings_count": len(seen.held[before]),
            "stablecoin_share": stablecoin_share(seen.held[at]),
            "previous_stablecoin_share": stablecoin_share(seen.held[before]),
            "previous_as_of": iso(int(seen.as_of[before])),
            **about,
        },
    )


def holds(history: History, options: Options) -> States | None:
    """Whether the stablecoin share is above its level (for `down`, below it); a rebalance only happens."""
    if options["kind"] == "rebalance":
        return None
    seen = complete(history)
    observed = np.where(seen.there, 0.0, np.nan)
    return holding(history, observed, _sides(seen, options), options, DOWN if options["direction"] == "down" else UP)


def summary(event: Mapping[str, Any]) -> str:
    """One sentence."""
    name, when = event["subject_name"], day_and_month(event["as_of"])
    if event["kind"] == "stablecoin_share":
        moved = f"{100 * event['previous_stablecoin_share']:.1f} % → {100 * event['stablecoin_share']:.1f} %"
        verb = "rose above" if event["direction"] == "up" else "fell below"
        return f"{name}'s share of stablecoins {verb} {100 * event['level']:g} %: {moved} on {when}."
    parts = [
        f"{event[f'{verb}_count']} {verb} ({some(event[f'{verb}_symbols'])})"
        for verb in ("added", "removed", "changed")
        if event[f"{verb}_count"]
    ]
    return f"{name} was rebalanced: {', '.join(parts)}; turnover {100 * event['turnover']:.1f} % on {when}."


_TIME = "2025-06-10T00:00:00Z"
_SOL = {"token_id": 3988, "name": "Solana", "symbol": "SOL", "weight": 0.06, "previous_weight": None, "change": 0.06}
_ADA = {"token_id": 3315, "name": "Cardano", "symbol": "ADA", "weight": None, "previous_weight": 0.04, "change": -0.04}
_ETH = {"token_id": 3306, "name": "Ethereum", "symbol": "ETH", "weight": 0.28, "previous_weight": 0.3, "change": -0.02}
_EXAMPLE = {
    "kind": "rebalance",
    "added": [_SOL],
    "removed": [_ADA],
    "changed": [_ETH],
    "added_count": 1,
    "removed_count": 1,
    "changed_count": 1,
    "added_symbols": "SOL",
    "removed_symbols": "ADA",
    "changed_symbols": "ETH",
    "turnover": 0.06,
    "holdings_count": 12,
    "previous_holdings_count": 12,
    "stablecoin_share": 0.0,
    "previous_stablecoin_share": 0.0,
    "level": None,
    "direction": None,
    "crossed_at": None,
    "previous_as_of": "2025-06-09T00:00:00Z",
    "suppressed_count": 0,
}


def _snapshot(**percent: float) -> str:
    """Weights in percent by symbol; the token's id is made from it."""
    holdings = [
        {"token_id": int.from_bytes(symbol.encode()), "name": symbol, "symbol": symbol, "weight": weight / 100}
        for symbol, weight in percent.items()
    ]
    return json.dumps({"holdings": holdings})


def _days(*snapshots: str) -> list[tuple[float, Any]]:
    return list(enumerate(snapshots))


_SHARE = {"kind": "stablecoin_share"}
_HALVES, _SLIGHTLY, _CLEARLY = _snapshot(A=50, B=50), _snapshot(A=50.9, B=49.1), _snapshot(A=52, B=48)

TRIGGER = Trigger(
    key="index_rebalanced",
    noun="Index Rebalance",
    label="New Index Rebalance",
    description="Triggers when the holdings of an index or their weights change, or its share of stablecoins crosses a level.",
    semantics=1,
    subject="index",
    options=RebalanceOptions,
    payload=RebalancePayload,
    sources=sources,
    lookback=lookback,
    scan=scan,
    holds=holds,
    summary=summary,
    sample=sample(
        "index_rebalanced",
        "New Index Rebalance",
        ("index:1", 1, "Layer-1 Index", ""),
        _EXAMPLE,
        summary({**_EXAMPLE, "subject_name": "Layer-1 Index", "as_of": _TIME}),
        _TIME,
    ),
    fires=(
        Case(
            "one is sold, another bought, a weight changes",
            {},
            _days(_snapshot(A=60, B=40), _snapshot(A=58, C=42)),
            {1: {"added_symbols": "C", "removed_symbols": "B", "changed_symbols": "A", "turnover": 0.42}},
        ),
        Case("a small position is opened", {}, _days(_HALVES, _snapshot(A=50, B=49.9, C=0.1)), {1: {"changed_count": 0}}),
        Case("prices alone move the weights", {}, _days(_HALVES, _CLEARLY), {1: {"changed_symbols": "A, B", "turnover": 0.02}}),
        Case("exactly the smallest change", {"min_weight_change": 2}, _days(_HALVES, _CLEARLY), {1: {"changed_count": 2}}),
        Case("an incomplete snapshot is passed over", {}, _days(_HALVES, "", _CLEARLY), {2: {"changed_count": 2}}),
        Case(
            "a quiet time keeps the next silent and counts it",
            {"cooldown_hours": 36},
            [(0, _HALVES), (1, _CLEARLY), (2, _HALVES), (4, _CLEARLY)],
            {1: {"suppressed_count": 0}, 4: {"suppressed_count": 1}},
        ),
        Case(
            "it flees into stablecoins and returns",
            _SHARE,
            _days(_snapshot(A=95, USDC=5), _snapshot(A=70, USDC=20, DAI=10), _snapshot(A=90, DAI=10)),
            {1: {"direction": "up", "stablecoin_share": 0.3, "level": 0.2}, 2: {"direction": "down", "removed_symbols": "USDC"}},
        ),
    ),
    silent=(
        Case("the first snapshot", {}, _days(_HALVES)),
        Case("weights hardly move", {}, _days(_HALVES, _SLIGHTLY, _HALVES)),
        Case("an incomplete snapshot", {}, _days(_HALVES, "")),
        Case("the order of equal weights changes", {}, _days(_HALVES, _snapshot(B=50, A=50))),
        Case("the share trembles within the band", _SHARE, _days(*(_snapshot(A=100 - s, USDT=s) for s in (21, 19.5, 20.5)))),
        Case("other holdings change", _SHARE, _days(_snapshot(A=90, USDT=10), _snapshot(B=90, USDT=10))),
        Case("too long a silence lies between", {}, [(0, _HALVES), (4, _CLEARLY)]),
    ),
)
