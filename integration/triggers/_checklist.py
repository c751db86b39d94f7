"""A moonshot checklist: what answers each item, from where on it holds, and how many hold for a token over time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from integration.domain.catalogue import Bools, Options
from integration.domain.delta import Sides
from integration.domain.history import Floats, History

CLOCK, TRADER, BARS, RANKS = "investor_grades", "trader_grades", "daily_ohlcv", "top_market_cap"
#: What only people can answer: nothing that Token Metrics says speaks of it.
UNANSWERED = "team, roadmap, partnerships, token unlocks, largest holders, on-chain flows"


class Item(NamedTuple):
    """What answers an item, and the option that says from where on it holds."""

    label: str
    source: str
    metric: str
    least: str


ITEMS: Mapping[str, Item] = {
    "size": Item("Market cap rank", RANKS, "market_rank", "rank_from"),
    "volume": Item("Daily volume", BARS, "volume", "min_volume"),
    "trader_grade": Item("Trader grade", TRADER, "tm_trader_grade", "trader_grade_at"),
    "investor_grade": Item("Investor grade", CLOCK, "tm_investor_grade", "grades_at"),
    "fundamental": Item("Fundamental grade", CLOCK, "fundamental_grade", "grades_at"),
    "technology": Item("Technology grade", CLOCK, "technology_grade", "grades_at"),
    "valuation": Item("Valuation grade", CLOCK, "valuation_grade", "grades_at"),
    "exchanges": Item("Exchange score", CLOCK, "exchange_score", "scores_at"),
    "security": Item("Security score", CLOCK, "security_score", "scores_at"),
    "community": Item("Community score", CLOCK, "community_score", "scores_at"),
    "tokenomics": Item("Tokenomics score", CLOCK, "tokenomics_score", "scores_at"),
    "backers": Item("VC score", CLOCK, "vc_score", "scores_at"),
    "development": Item("Activity score", CLOCK, "activity_score", "scores_at"),
}
MILLION = 1e6


def chosen(options: Options) -> list[str]:
    """The items that count."""
    names: list[str] = options["items"].split(",")
    return names


@dataclass(frozen=True, slots=True)
class Checked:
    """The chosen items at a history's readings (items × readings): their figures, NaN = none, and which of them hold.

    `there` says at which readings the clock says anything. `open` is how many items another source would answer that says
    nothing beside it, not yet or not any more: these may hold or not.
    """

    values: Floats
    holds: Bools
    there: Bools
    open: Floats


def check(history: History, options: Options) -> Checked:
    """The chosen items at every reading."""
    names = chosen(options)
    values = np.full((len(names), len(history.as_of)), np.nan)
    open_ = np.zeros(len(history.as_of))
    for row, name in enumerate(names):
        item = ITEMS[name]
        values[row] = (history if item.source == CLOCK else history.of(item.source)).column(item.metric)
        if item.source in (TRADER, BARS):  # a token that is not among the largest has no rank to wait for
            open_ += history.of(item.source).as_of < 0
    holds = np.stack([_holds(values[row], name, options) for row, name in enumerate(names)])
    own = np.stack([history.column(item.metric) for item in ITEMS.values() if item.source == CLOCK])
    return Checked(values, holds, np.asarray(np.isfinite(own).any(axis=0), dtype=bool), open_)


def _holds(values: Floats, name: str, options: Options) -> Bools:
    least = options[ITEMS[name].least] * (MILLION if name == "volume" else 1)
    held = values >= least
    return np.asarray(held & (values <= options["rank_to"]) if name == "size" else held, dtype=bool)


def counts(checked: Checked) -> Floats:
    """How many items hold at each reading; NaN where the clock says nothing."""
    return np.where(checked.there, checked.holds.sum(axis=0), np.nan)


def sides(checked: Checked, options: Options) -> Sides:
    """1 where enough items hold, -1 where too few do, whatever the open ones are; 0 between. Of the readings with a count."""
    held, most = checked.holds.sum(axis=0), checked.holds.sum(axis=0) + checked.open
    ended = most <= options["required"] - options["hysteresis"]
    found = np.where(held >= options["required"], 1, np.where(ended, -1, 0)).astype(np.int8)
    return found[checked.there]
