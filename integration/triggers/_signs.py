"""Signs that a token is going down. Each is a function of a history that says at every reading whether it holds: 1, 0, or
-1 where that is not known; and the number that says so.

The clock is trader grades; what else a sign reads stands beside it, as known then. Nothing is carried over a silence
longer than `max_gap`, of the clock or of the signals, and nothing is older than `SIGNAL_MEMORY`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from integration.domain.catalogue import Bools, States
from integration.domain.delta import MEMORY
from integration.domain.history import Floats, History, Ints
from integration.domain.retry import DAY
from integration.triggers._moves import HAIR
from integration.triggers._prices import before, change, change_over
from integration.triggers._signals import trends

CLOCK, SIGNALS, RISK, GRADES, BARS = "trader_grades", "trading_signals", "risk_30d", "investor_grades", "daily_ohlcv"

#: A trader grade below this is low (points).
LOW_GRADE = 30.0
#: Volume at this share of its 30-day median or less has dried up; a price that moved by no more than so much over so
#: many days holds.
DRY, HELD, HELD_DAYS = 0.5, 0.05, 7
#: A fundamental grade that fell by so many points over so many days weakens.
WEAKER, WEAKER_DAYS = 3.0, 30
#: A signal that is so many days old is stale.
STALE_DAYS = 60
#: A bullish signal older than this is forgotten (ms).
SIGNAL_MEMORY = MEMORY


@dataclass(frozen=True, slots=True)
class Seen:
    """A sign at each reading: its states, and the number that they follow from, NaN where it is missing."""

    states: States
    measure: Floats


@dataclass(frozen=True, slots=True)
class Sign:
    """What a sentence calls it, which sources it reads, and the sign itself."""

    words: str
    sources: tuple[str, ...]
    see: Callable[[History], Seen]


def low_grade(history: History) -> Seen:
    """The trader grade is below 30; measured in points."""
    grades = history.column("tm_trader_grade")
    return Seen(_states(grades < LOW_GRADE, ~np.isnan(grades)), grades)


def losing_signal(history: History) -> Seen:
    """The close is lower than at the last bullish signal, whatever signal followed; measured as the return since.

    Where no bullish signal is known it does not hold once signals are known for as long as one is remembered.
    """
    said, closes = _said(history), _closes(history)
    last = _latest(said.signals > 0, said.runs)
    last = np.where(_age(history.as_of, last) <= SIGNAL_MEMORY, last, -1)
    since = change(closes, last)
    never = (last < 0) & (_age(history.as_of, _latest(said.begins, said.runs)) >= SIGNAL_MEMORY)
    return Seen(_states(since < 0, ~np.isnan(since) | never), since)


def volume_drying(history: History) -> Seen:
    """The volume is at half its 30-day median or less, while the price is within 5 % of where it stood 7 days before;
    measured as volume / median."""
    ratios = history.of(RISK).column("volume_ratio")
    moved = np.abs(change_over(history.as_of, _closes(history), HELD_DAYS * DAY, history.cadence, history.max_gap))
    dry, held = ratios <= DRY, moved <= HELD + HAIR
    known = (~np.isnan(ratios) & ~np.isnan(moved)) | (ratios > DRY) | (moved > HELD + HAIR)
    return Seen(_states(dry & held, known), ratios)


def bearish_crossover(history: History) -> Seen:
    """The daily trend has crossed to bearish and has not crossed back; measured as the trend, 1 or -1 (0 before any)."""
    trend = trends(history.of(SIGNALS))
    return Seen(_states(trend < 0, ~np.isnan(trend)), trend)


def fundamentals_weakening(history: History) -> Seen:
    """The fundamental grade is lower by at least 3 points than 30 days before; measured as its change in points."""
    grades = history.of(GRADES).column("fundamental_grade")
    known = np.flatnonzero(~np.isnan(grades))
    back = before(history.as_of[known], WEAKER_DAYS * DAY, history.cadence, history.max_gap)
    moved = np.full(len(grades), np.nan)
    with np.errstate(over="ignore"):
        moved[known[back >= 0]] = grades[known][back >= 0] - grades[known][back[back >= 0]]
    return Seen(_states(moved <= -WEAKER + HAIR, ~np.isnan(moved)), moved)


def signal_stale(history: History) -> Seen:
    """The last signal, of either kind, is at least 60 days old by the signals' own dates: it is not stale because nothing
    newer is heard. Measured in days since it, or since signals are known where there was none, 360 at most."""
    said = _said(history)
    spoken, began = _latest(said.signals != 0, said.runs), _latest(said.begins, said.runs)
    days = np.minimum(_age(history.of(SIGNALS).as_of, np.maximum(spoken, began)), SIGNAL_MEMORY) / DAY
    return Seen(_states(days >= STALE_DAYS, (spoken >= 0) | (days >= STALE_DAYS)), days)


SIGNS: Mapping[str, Sign] = {
    "low_grade": Sign("trader grade below 30", (), low_grade),
    "losing_signal": Sign("negative return since the last bullish signal", (SIGNALS, BARS), losing_signal),
    "volume_drying": Sign("volume drying up while the price holds", (RISK, BARS), volume_drying),
    "bearish_crossover": Sign("bearish trend crossover", (SIGNALS,), bearish_crossover),
    "fundamentals_weakening": Sign("fundamentals weakening", (GRADES,), fundamentals_weakening),
    "signal_stale": Sign("signal gone stale", (SIGNALS,), signal_stale),
}


def _states(holds: Bools, known: Bools) -> States:
    return np.where(known, holds, -1).astype(np.int8)


def _closes(history: History) -> Floats:
    closes = history.of(BARS).column("close")
    return np.where(closes > 0, closes, np.nan)


def _age(times: Ints, positions: Ints) -> Floats:
    """How long before each of the times (ms) those at positions were; NaN for position -1."""
    return np.where(positions >= 0, times - np.append(times, 0)[positions], np.nan)


@dataclass(frozen=True, slots=True)
class _Said:
    """Signals at each reading of the clock: 1 bullish or -1 bearish where one is newly given, else 0. Readings with one
    run number hear signals without a long silence; -1 where none are known. `begins` marks the first of each run."""

    signals: Ints
    runs: Ints
    begins: Bools


def _said(history: History) -> _Said:
    """Signals that were given, from the signal of the day or, where that was missed, from a trend that turned."""
    beside = history.of(SIGNALS)
    rows = zip(
        history.as_of.tolist(), trends(beside).tolist(), beside.column("trading_signal").tolist(), beside.as_of.tolist(),
        strict=True,
    )  # fmt: skip
    signals, runs = np.zeros(len(history.as_of), dtype=np.int64), np.full(len(history.as_of), -1, dtype=np.int64)
    run, before_now, heard, trend_then, dated_then = -1, -SIGNAL_MEMORY, -SIGNAL_MEMORY, math.nan, -1
    for row, (now, trend, signal, dated) in enumerate(rows):
        if now - before_now > history.max_gap or now - heard > history.max_gap:
            trend_then, dated_then = math.nan, -1
        before_now = now
        if math.isnan(trend):
            continue
        run += math.isnan(trend_then)
        given = abs(signal) > 0 and dated != dated_then
        turned = trend != 0 and trend_then * trend <= 0
        runs[row], signals[row] = run, np.sign(signal) if given else np.sign(trend) if turned else 0
        heard, trend_then, dated_then = now, trend, dated
    return _Said(signals, runs, (runs >= 0) & (np.diff(np.maximum.accumulate(runs), prepend=-1) > 0))


def _latest(happens: Bools, runs: Ints) -> Ints:
    """The position of the newest reading at or before each that something happens at, within its run; -1 for none."""
    newest = np.maximum.accumulate(np.where(happens, np.arange(len(runs)), -1))
    return np.where((newest >= 0) & (runs >= 0) & (np.append(runs, -1)[newest] == runs), newest, -1)
