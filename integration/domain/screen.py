"""Which rules can fire on which subjects at a poll: a vectorised look that proposes candidates and misses none.

A rule over a level can fire at a reading only if that lies on another side than the reading `observations` before it; one
over a move only if the move is far enough. Both ask whether a number of the rule (its rung) lies in an interval that the
readings span. Rungs are kept by cell (a group of rules × a subject) with the lowest and highest of each, so that the work
follows from the cells and from what is found more than from how many rules there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from integration.domain.delta import COUNTED, _runs, observed
from integration.domain.history import Floats, History, Ints

Bools = NDArray[np.bool_]

#: What a move may fall short of its points by, for decimals are binary.
HAIR = 2e-9


@dataclass(frozen=True, slots=True)
class Watch:
    """A level: the upper side is entered at x ≥ `upper`, the lower one at x ≤ `lower`; `tells` are the sides that are told.

    A side counts after `observations` readings; changes within `quiet` ms of another are kept silent.
    """

    metric: str
    upper: float
    lower: float
    tells: tuple[int, ...]
    observations: int
    quiet: int


@dataclass(frozen=True, slots=True)
class Move:
    """A change of at least `points` over `window` observations."""

    metric: str
    points: float
    window: int
    quiet: int


Condition: TypeAlias = Watch | Move
#: (up, down or move; metric; how many observations back).
Group: TypeAlias = tuple[str, str, int]
Rung: TypeAlias = tuple[Group, float]
#: (low, high] of each subject.
Span: TypeAlias = tuple[Floats, Floats]


def rungs(condition: Condition) -> list[Rung]:
    """The numbers of a condition that must lie in an interval for it to fire."""
    if isinstance(condition, Move):
        return [(("move", condition.metric, condition.window), condition.points)]
    sides = {1: ("up", condition.upper), -1: ("down", -condition.lower)}
    return [((sides[side][0], condition.metric, condition.observations), sides[side][1]) for side in condition.tells]


@dataclass(frozen=True, slots=True)
class Recent:
    """The newest readings of some subjects, each subject's own newest last: `values` is subjects × readings × metrics.

    `times` (ms) is subjects × readings, rising; before a subject's first reading values are NaN. `cadence` is in ms.
    """

    times: Ints
    metrics: tuple[str, ...]
    values: Floats
    cadence: int

    def spans(self, groups: Sequence[Group]) -> list[Span]:
        """(low, high] of each subject for each group: rungs in it can fire now. NaN where none can.

        What is not seen is thought possible.
        """
        looks = {back: self._look(back) for back in {back for _, _, back in groups}}
        return [self._span(kind, *(part[self.metrics.index(metric)] for part in looks[back])) for kind, metric, back in groups]

    @staticmethod
    def _span(kind: str, now: Floats, before: Floats, unsure: Bools) -> Span:
        if kind == "move":
            with np.errstate(over="ignore"):
                far = np.where(unsure, np.inf, np.abs(now - before) + HAIR)
            return np.where(np.isnan(now), np.nan, -np.inf), far
        low = before if kind == "up" else -before
        return np.where(np.isnan(now), np.nan, np.where(unsure, -np.inf, low)), now if kind == "up" else -now

    def _look(self, back: int) -> tuple[Floats, Floats, Bools]:
        """Metrics × subjects: the newest value, the one so many observations before, and where that is not seen or far off."""
        values = np.ascontiguousarray(self.values.transpose(2, 0, 1))
        values = np.where(np.isfinite(values), values, np.nan)
        now = values[:, :, -1]
        if back >= values.shape[2]:
            return now, np.full_like(now, np.nan), np.ones(now.shape, dtype=bool)
        apart = np.rint(np.diff(self.times[:, -1 - back :], axis=1) / self.cadence) > 2
        before = values[:, :, -1 - back].copy()
        unsure = np.isnan(before)
        if back > 1:
            unsure |= np.any(apart, axis=1, keepdims=True).T
        holes = np.isnan(values[:, :, -1 - back :]).any(axis=2) & ~np.isnan(now)
        for metric, subject in zip(*np.nonzero(holes), strict=True):
            seen = np.flatnonzero(~np.isnan(values[metric, subject]))
            if len(seen) <= back:
                before[metric, subject], unsure[metric, subject] = np.nan, True
                continue
            before[metric, subject] = values[metric, subject, seen[-1 - back]]
            silence = np.rint(np.diff(self.times[subject, seen[-1 - back :]]) / self.cadence) > 2
            unsure[metric, subject] = back > 1 and bool(silence.any())
        return now, before, unsure


@dataclass(frozen=True, slots=True)
class Pairs:
    """(rule, subject) positions, as two arrays."""

    rules: Ints
    subjects: Ints


class Ladder(NamedTuple):
    """Entries by group, those of one group by rising rung; where each group starts."""

    entries: Ints
    starts: Ints


class Screen:
    """Rules with rungs, asked about single subjects (`named`) or about groups of them (`broad`: the rules of each scope).

    Positions of rules and subjects are the caller's; `conditions` gives each rule's.
    """

    def __init__(
        self, conditions: Mapping[int, Sequence[Condition]], subjects: int, named: Pairs, broad: Sequence[Sequence[int]]
    ) -> None:
        self._subjects = subjects
        listed = [(rule, group, rung) for rule, each in conditions.items() for one in each for group, rung in rungs(one)]
        self.groups: list[Group] = sorted({group for _, group, _ in listed})
        place = {group: at for at, group in enumerate(self.groups)}
        self._rule = np.fromiter((rule for rule, _, _ in listed), dtype=np.int64, count=len(listed))
        self._group = np.fromiter((place[group] for _, group, _ in listed), dtype=np.int64, count=len(listed))
        self._rung = np.fromiter((rung for _, _, rung in listed), dtype=np.float64, count=len(listed))
        self._order = np.argsort(self._rule, kind="stable")
        self._name(named)
        self._broad = [self._ladder(np.asarray(sorted(set(each)), dtype=np.int64)) for each in broad]

    def _entries(self, rules: Ints) -> tuple[Ints, Ints]:
        """The rungs of rules, one rule after the other, and how many each has."""
        by_rule = self._rule[self._order]
        starts = np.searchsorted(by_rule, rules, side="left")
        counts = np.searchsorted(by_rule, rules, side="right") - starts
        return self._order[ranges(starts, counts)], counts

    @property
    def depth(self) -> int:
        """How many observations before the newest are looked at."""
        return max((back for _, _, back in self.groups), default=0)

    def _name(self, named: Pairs) -> None:
        """Entries of single subjects by cell, and the lowest and highest rung of each cell."""
        entry, counts = self._entries(named.rules)
        cell = self._group[entry] * self._subjects + np.repeat(named.subjects, counts)
        sort = np.argsort(cell, kind="stable")
        self._entry = entry[sort]
        self._counts = np.bincount(cell, minlength=len(self.groups) * self._subjects)
        self._starts = np.cumsum(self._counts) - self._counts
        self._lowest, self._highest = np.full(len(self._counts), np.inf), np.full(len(self._counts), -np.inf)
        there = np.flatnonzero(self._counts)
        if len(there):
            sorted_rungs = self._rung[self._entry]
            self._lowest[there] = np.minimum.reduceat(sorted_rungs, self._starts[there])
            self._highest[there] = np.maximum.reduceat(sorted_rungs, self._starts[there])

    def _ladder(self, rules: Ints) -> Ladder:
        """The entries of a scope's rules, by group and rung."""
        entry, _ = self._entries(rules)
        entry = entry[np.lexsort((self._rung[entry], self._group[entry]))]
        starts = np.searchsorted(self._group[entry], np.arange(len(self.groups) + 1))
        return Ladder(entry, starts)

    def spans(self, recent: Recent) -> list[Span]:
        """What the newest readings span, for each group of rungs."""
        return recent.spans(self.groups)

    def named(self, spans: Sequence[Span], subjects: Ints) -> Pairs:
        """Every (rule, subject) that can fire, of those asked about single subjects; `subjects` are the rows' positions."""
        if not len(self._entry):
            return Pairs(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
        low, high = np.stack([span[0] for span in spans]), np.stack([span[1] for span in spans])
        lowest, highest = (each.reshape(len(spans), -1)[:, subjects] for each in (self._lowest, self._highest))
        group, row = np.nonzero((high > low) & (highest > low) & (lowest <= high))
        cells = group * self._subjects + subjects[row]
        counts = self._counts[cells]
        entry = self._entry[ranges(self._starts[cells], counts)]
        rung = self._rung[entry]
        fits = (rung > np.repeat(low[group, row], counts)) & (rung <= np.repeat(high[group, row], counts))
        return unique(self._rule[entry[fits]], np.repeat(subjects[row], counts)[fits], self._subjects)

    def broad(self, spans: Sequence[Span], members: Sequence[Ints]) -> Pairs:
        """Every (rule, row) that can fire, of the rules that are asked about groups; `members` are the rows in each scope."""
        rules, rows = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
        for ladder, inside in zip(self._broad, members, strict=True):
            for group in np.flatnonzero(np.diff(ladder.starts)).tolist():
                entries = ladder.entries[ladder.starts[group] : ladder.starts[group + 1]]
                low, high, rung = spans[group][0][inside], spans[group][1][inside], self._rung[entries]
                hit = np.flatnonzero((high > low) & (high >= rung[0]) & (low < rung[-1]))
                first = np.searchsorted(rung, low[hit], side="right")
                counts = np.maximum(np.searchsorted(rung, high[hit], side="right") - first, 0)
                rules.append(self._rule[entries[ranges(first, counts)]])
                rows.append(np.repeat(inside[hit], counts))
        return Pairs(np.concatenate(rules), np.concatenate(rows))


def unique(rules: Ints, subjects: Ints, width: int) -> Pairs:
    """Each (rule, subject) once, in order; subjects are below `width`."""
    packed = np.unique(rules * width + subjects)
    return Pairs(packed // width, packed % width)


def ranges(starts: Ints, counts: Ints) -> Ints:
    """The numbers start, start + 1, … of each range, one range after the other.

    >>> ranges(np.array([5, 0]), np.array([2, 3])).tolist()
    [5, 6, 0, 1, 2]
    """
    before = np.cumsum(counts) - counts
    return np.repeat(starts - before, counts) + np.arange(counts.sum())


class Past:
    """A history that was cut short, and whether it fires at its last reading just what a longer one would.

    All that influences that firing follows from the side that counted before the silent changes that could be counted, and
    from those: once a side is confirmed, what lies before it has no say.
    """

    def __init__(self, history: History) -> None:
        self._history = history
        self._heads: dict[int, tuple[int, Floats, Floats]] = {}

    def enough(self, conditions: Sequence[Condition]) -> bool:
        """Whether it says as much of a rule with these conditions as any longer history."""
        return bool(len(self._history.as_of)) and all(map(self._tells, conditions))

    def tells(self, conditions: Sequence[Condition]) -> bool:
        """As `enough`, of readings that lie at least a cadence apart, where no quiet time is longer than that.

        Then no change was ever kept silent, and the side that counted before the last reading is all that matters.
        """
        history = self._history
        return len(history.as_of) > 1 and all(each.quiet <= history.cadence and self._sided(each) for each in conditions)

    def _sided(self, condition: Condition) -> bool:
        before = self._history.values[:-1, self._history.metrics.index(condition.metric)]
        if isinstance(condition, Move):
            return int(np.isfinite(before).sum()) >= 2 * condition.window + 2
        if condition.observations > 1:
            return False
        known = before[np.isfinite(before)]
        return bool(((known >= condition.upper) | (known <= condition.lower)).any())

    def _tells(self, condition: Condition) -> bool:
        head, highest, lowest = self._head(condition.quiet)
        column = self._history.metrics.index(condition.metric)
        if isinstance(condition, Watch) and condition.observations == 1:
            return bool(highest[column] >= condition.upper or lowest[column] <= condition.lower)
        as_of, values = observed(self._history.as_of[:head], self._history.column(condition.metric)[:head])
        if isinstance(condition, Move):
            return len(as_of) >= 2 * condition.window + 2
        sides = np.where(values >= condition.upper, 1, np.where(values <= condition.lower, -1, 0)).astype(np.int8)
        runs = _runs(as_of, sides, self._history.cadence, condition.observations, 0)
        return any(run.confirmed is not None for run in runs)

    def _head(self, quiet: int) -> tuple[int, Floats, Floats]:
        """How many readings come before the changes that count, and the highest and lowest of each metric in them."""
        if quiet not in self._heads:
            as_of = self._history.as_of
            head = int(np.searchsorted(as_of, as_of[-1] - COUNTED - quiet, side="right"))
            values = self._history.values[:head]
            there = np.isfinite(values)
            highest = np.where(there, values, -np.inf).max(axis=0, initial=-np.inf)
            lowest = np.where(there, values, np.inf).min(axis=0, initial=np.inf)
            self._heads[quiet] = head, highest, lowest
        return self._heads[quiet]
