"""Rules that stand on other rules: each one's own history, rebuilt from what stands beside a common clock.

A source that is not the clock is known by what stood beside each of the clock's readings: of each of its as_of the version
that stood there first, so that what follows later changes nothing. Nothing is carried over a silence of the clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, pairwise

import numpy as np

from integration.domain.catalogue import MARKET, Options, States, Trigger
from integration.domain.history import History, Ints, Joined
from integration.triggers._conditions import Rule, parts
from integration.triggers._paces import pace


@dataclass(frozen=True, slots=True)
class Met:
    """A condition at each reading of the clock: 1 met, 0 not met, -1 not known; and the as_of of what says so, -1 for none."""

    states: States
    as_of: Ints


def inputs(rules: Sequence[Rule]) -> tuple[str, ...]:
    """The sources of all rules. First the clock: the fastest of the clocks of token rules, of equals the first named."""
    named = [(trigger, trigger.sources(options)) for trigger, options in map(parts, rules)]
    clock = min((names[0] for trigger, names in named if trigger.subject == "token"), key=pace)
    return tuple(dict.fromkeys((clock, *(name for _, names in named for name in names))))


def exclusive(rules: Sequence[Rule], least: int) -> tuple[int, int] | None:
    """Two rules that can never be met together, where for that `least` of all can never be; None where they can."""
    keeps = [trigger.keeps(options) for trigger, options in map(parts, rules)]
    pairs = [(a, b) for (a, x), (b, y) in combinations(enumerate(keeps), 2) if x and y and x.excludes(y)]
    together = (all(not {a, b} <= set(some) for a, b in pairs) for some in combinations(range(len(rules)), least))
    return None if any(together) else pairs[0]


def met(history: History, clock: str, rule: Rule, within: int) -> Met:
    """A condition over a history. What lasts is met while it lasts, what only happens for `within` ms from its firing."""
    trigger, options = parts(rule)
    pieces = [_met(stretch, clock, trigger, options, within) for stretch in _stretches(history)]
    empty = np.empty(0, dtype=np.int64)
    return Met(
        np.concatenate([np.empty(0, dtype=np.int8), *(piece.states for piece in pieces)]),
        np.concatenate([empty, *(piece.as_of for piece in pieces)]),
    )


def _stretches(history: History) -> Iterator[History]:
    """A history's parts between silences that are too long."""
    cuts = [0, *(np.flatnonzero(np.diff(history.as_of) > history.max_gap) + 1).tolist(), len(history.as_of)]
    for start, end in pairwise(cuts):
        yield history.take(slice(start, end))


def _met(history: History, clock: str, trigger: Trigger, options: Options, within: int) -> Met:
    own, rows = rebuilt(history, clock, trigger, options)
    states = trigger.holds(own, options) if trigger.holds else None
    times, count = history.as_of, len(history.as_of)
    if states is not None:
        said = np.flatnonzero(states != -1)
        at = _last(rows[said], count)
        then = _recent(times, own.as_of[said], at, own.max_gap)
        return Met(np.where(then >= 0, np.append(states[said], -1)[at], -1).astype(np.int8), then)
    fired = np.asarray([firing.as_of for firing in trigger.scan(own, options)], dtype=np.int64)
    when = _recent(times, fired, _last(rows[np.searchsorted(own.as_of, fired)], count), within)
    then = _recent(times, own.as_of, _last(rows, count), own.max_gap)
    return Met(np.where(when >= 0, 1, np.where(then >= 0, 0, -1)).astype(np.int8), np.where(when >= 0, when, then))


def _last(rows: Ints, count: int) -> Ints:
    """The position of the newest of rising `rows` at or before each of `count` rows; -1 for none."""
    return np.searchsorted(rows, np.arange(count), side="right") - 1


def _recent(times: Ints, as_of: Ints, at: Ints, age: int) -> Ints:
    """The as_of that stands at positions `at` (-1 for none), where it is at most `age` ms old; -1 where not."""
    then = np.append(as_of, -1)[at]
    return np.where((then >= 0) & (times - then <= age), then, -1)


def rebuilt(history: History, clock: str, trigger: Trigger, options: Options) -> tuple[History, Ints]:
    """A rule's own history, and the clock's row at which each of its readings was first there."""
    first, *others = trigger.sources(options)
    if first == clock:
        joined = {name: history.of(name) for name in others}
        return replace(history, joined=joined), np.arange(len(history.as_of))
    own = _beside(history, clock, first)
    rows = np.flatnonzero(np.diff(np.maximum.accumulate(own.as_of), prepend=-1) > 0)
    taken = own.take(rows)
    joined = {name: _stood(history, _beside(history, clock, name), rows, taken.as_of) for name in others}
    subject = MARKET if trigger.subject == MARKET else history.subject
    return History(subject, own.metrics, pace(first), taken.as_of, taken.values, taken.texts, joined), rows


def _beside(history: History, clock: str, name: str) -> Joined:
    """What a source had said at each row: the clock's own readings, or what stands beside them."""
    if name == clock:
        return Joined(history.metrics, history.as_of, history.values, history.texts)
    return history.of(name)


def _stood(history: History, other: Joined, rows: Ints, as_of: Ints) -> Joined:
    """What another source had said when each reading was first there at a row, nothing that is newer than the reading."""
    picked = [_back(history, other, row, time) for row, time in zip(rows.tolist(), as_of.tolist(), strict=True)]
    taken = other.take(np.maximum(np.asarray(picked, dtype=np.int64), 0))
    gone = np.asarray(picked, dtype=np.int64) < 0
    texts = tuple(None if none else text for none, text in zip(gone.tolist(), taken.texts, strict=True)) if taken.texts else ()
    values = np.where(gone[:, None], np.nan, taken.values)
    return Joined(other.metrics, np.where(gone, -1, taken.as_of), values, texts)


def _back(history: History, other: Joined, row: int, time: int) -> int:
    """The newest row up to `row` at which the other's reading is not newer than `time`; -1 where none is."""
    while row >= 0:
        if 0 <= other.as_of[row] <= time:
            return row
        if history.as_of[row] <= time:
            break
        row -= 1
    return -1
