"""When a source is looked at: often only where a change is expected. Pure decisions.

A dated source has something new about once in its cadence, at a time of day that upstream does not tell. Each new as_of is
bracketed by two looks: at one it was not there, at the next it was. What the last brackets agree on says when to look
again: once, when it has most likely come (`late`). Where they leave more open than the interval in force, one more look
goes before it and narrows them. What has not come then is looked for after the interval, then after twice as long, and
so on. An undated source is looked at once in its cadence.

All times are market time in epoch milliseconds.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from itertools import pairwise
from statistics import median_low
from typing import NamedTuple

from integration.domain.history import max_gap
from integration.domain.retry import MINUTE

#: Parts and multiples of its cadence that a source may be looked at in, shortest first.
RUNGS = (
    *(Fraction(1, part) for part in (24, 12, 8, 6, 4, 2)),
    *(Fraction(times) for times in (1, Fraction(3, 2), 2, 3, 4, 6, 8, 12, 24, 36, 48, 72, 96, 144)),
)  # fmt: skip
#: No part of a cadence is shorter.
FINEST = 15 * MINUTE
#: Brackets that are learnt from. One look too early in so many intervals keeps them narrow.
KEPT = 30
#: A time is believed while at most this share of the brackets that speak of it speak against it.
AGAINST = 0.2


def longest(cadence: int) -> int:
    """The longest interval between two looks: half of the silence after which a change is no longer seen as one."""
    return max_gap(cadence) // 2


@cache
def ladder(cadence: int, *, dated: bool, floor: int = 0) -> tuple[int, ...]:
    """The intervals that a source may be looked at in, shortest first; none shorter than `floor`, but always one."""
    intervals = (int(cadence * rung) for rung in RUNGS)
    fit = [each for each in intervals if floor <= each <= longest(cadence)]
    found = tuple(each for each in fit if each >= cadence or (dated and each >= FINEST))
    return found or (longest(cadence),)


# -- what is learnt --------------------------------------------------------------------------------------------------


class Look(NamedTuple):
    """A poll that was answered: when it looked, and the newest as_of that most of what it saw had reached."""

    at: int
    newest: int


class Bracket(NamedTuple):
    """A new as_of: a look that did not find it yet, and the first that did."""

    as_of: int
    unseen: int
    seen: int


def brackets(looks: Iterable[Look]) -> Iterator[Bracket]:
    """Where each new as_of came, of the looks at one selection in the order of time; of the first one that is not known."""
    before: Look | None = None
    newest = 0
    for look in looks:
        if before is not None and look.newest > newest and look.at > before.at:
            yield Bracket(look.newest, before.at, look.at)
        newest = max(newest, look.newest)
        before = look


@dataclass(frozen=True, slots=True)
class Habit:
    """A new as_of is there between `early` and `late` ms after the time it is dated at.

    `streak` is how many of the last ones in a row were found earlier than the one before; `count` how many there were;
    `step` (ms) how far apart they mostly lie, 0 where that cannot be said.
    """

    early: int
    late: int
    streak: int
    count: int
    step: int = 0

    @property
    def open(self) -> int:
        """How long a time the brackets leave open."""
        return self.late - self.early


def learn(found: Iterable[Bracket]) -> Habit | None:
    """What the last brackets agree on; None without any. Of several selections that had the same as_of the last one counts.

    `late` is the earliest time by which one was there that brackets which had nothing yet do not outvote; `early` the
    latest at which one was not there that those which had it already do not.
    """
    by_date: dict[int, Bracket] = {}
    for each in found:
        other = by_date.get(each.as_of, each)
        by_date[each.as_of] = Bracket(each.as_of, max(each.unseen, other.unseen), max(each.seen, other.seen))
    kept = sorted(by_date.values(), key=lambda bracket: bracket.seen)[-KEPT:]
    if not kept:
        return None
    unseen, seen = [each.unseen - each.as_of for each in kept], [each.seen - each.as_of for each in kept]
    late = next(at for at in sorted(seen) if _held([s <= at for s in seen], [u >= at for u in unseen]))
    lower = [at for at in sorted(unseen, reverse=True) if at < late]
    early = next(at for at in lower if at == lower[-1] or _held([u >= at for u in unseen], [s <= at for s in seen]))
    streak = 0
    while streak + 1 < len(seen) and seen[-1 - streak] < seen[-2 - streak]:
        streak += 1
    apart = [b - a for a, b in pairwise(sorted(each.as_of for each in kept))]
    return Habit(early, late, streak, len(kept), median_low(apart) if apart else 0)


def _held(agree: Sequence[bool], against: Sequence[bool]) -> bool:
    return sum(against) <= AGAINST * (sum(agree) + sum(against))


# -- when to look ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Watch:
    """What decides when a selection of a source is looked at next.

    `grain`: looks lie on multiples of it. `last` is the last look that was answered, None before the first; `newest` the
    newest as_of it knows, `since` the first look that had it.
    """

    cadence: int
    dated: bool
    grain: int
    habit: Habit | None = None
    last: int | None = None
    newest: int = 0
    since: int = 0

    def next(self, interval: int) -> int | None:
        """When to look with an interval in force; None means at once."""
        if self.last is None:
            return None
        if not self.dated:
            return self.last - self.last % self.cadence + max(interval, self.cadence)
        due = self.last + interval if interval > self.cadence else self._around(self.last, interval)
        due = min(due, self.last + longest(self.cadence))
        return -(-due // self.grain) * self.grain

    def _around(self, last: int, interval: int) -> int:
        late = self.expected
        if last < late:
            probe = self._probe(late, interval)
            return late if probe is None or probe <= last else probe
        following = late + self.cadence * ((last - late) // self.cadence + 1)
        return min(last + max(interval, last - late), following)

    @property
    def expected(self) -> int:
        """When the as_of after the newest one has most likely come; as nothing is learnt, the next start of a slot."""
        if self.habit is None:
            return self.since - self.since % self.cadence + self.cadence
        return self.newest + self.cadence + self.habit.late

    def _probe(self, late: int, interval: int) -> int | None:
        """A time before `late` at which to look too, so as to learn. Each that finds it there already goes twice as far."""
        if self.habit is None or self.habit.open <= interval:
            return None
        back = min(interval << self.habit.streak, self.habit.open // 2)
        probe = -(-(late - back) // self.grain) * self.grain
        return probe if probe < late else None

    def gap(self, interval: int) -> float:
        """The time that lies between two looks on average."""
        if not self.dated or interval >= self.cadence:
            return max(interval, self.cadence)
        unsettled = self.habit is not None and self.habit.open > interval and self.habit.count >= KEPT // 3
        return self.cadence / (1 + (0.5 if unsettled else 1 / KEPT))

    def looks(self, interval: int, now: int, until: int) -> int:
        """How many looks are expected from now until a time."""
        first = max(self.next(interval) or now, now)
        return 0 if first >= until else math.ceil(round((until - first) / self.gap(interval), 9))
