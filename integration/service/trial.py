"""One run of a rule over the stored past: every subject once, a few at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from marshmallow import ValidationError
from sqlalchemy import Connection

from integration.domain.backtest import Mark, flaps, gaps, others
from integration.domain.catalogue import Source
from integration.domain.history import Epoch, History, Log, Told, epochs, max_gap
from integration.domain.retry import DAY
from integration.domain.scope import Scope
from integration.service.bygone import Memory, Past
from integration.service.evaluate import ActiveRule, Catalogue, Found, Shelf
from integration.service.retelling import Replay, asked_since, replay

#: Subjects, and about how many readings, that are looked at together.
AT_ONCE, READINGS_AT_ONCE = 100, 150_000
#: Days of readings that may be stored, and so looked at.
KEPT_DAYS = 400

#: Told how many of how many subjects are done.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Inquiry:
    """What a backtest is about: a rule over subjects, `start` ≤ as_of < `end` (ms); `now` is market time.

    `flap_days` is how soon a firing in another direction counts as a flap; `limit` how many events are given in full.
    """

    rule: ActiveRule
    source: Source
    scope: Scope
    names: tuple[str, ...]
    start: int
    end: int
    now: int
    flap_days: int
    limit: int

    @property
    def since(self) -> int:
        """The oldest as_of that can influence a firing in the period."""
        return self.start - self.rule.lookback(self.source)


@dataclass(slots=True)
class Variant:
    """The same rule with another value of one option: how often it would have fired, and flapped."""

    option: str
    value: float
    rule: ActiveRule
    count: int = 0
    flaps: int = 0


@dataclass(slots=True)
class Gap:
    """A stretch without readings, longer than speaks across."""

    subject: str
    start: int
    end: int


@dataclass(slots=True)
class Trial:
    """What came of a run. `marks` are all firings, `newest` the newest `limit` of them in full.

    `asked` is since when (ms) the rule is asked for, None where it never was. `mended` are the (subject, as_of) of firings
    that nobody was told of, as what they follow from was filled in later. `history` is the subject's own, where there is
    just one.
    """

    inquiry: Inquiry
    asked: int | None
    variants: list[Variant]
    marks: list[Mark] = field(default_factory=list)
    newest: list[Found] = field(default_factory=list)
    mended: set[tuple[str, int]] = field(default_factory=set)
    gaps: list[Gap] = field(default_factory=list)
    silent: int = 0
    history: History | None = None

    def look(self, shelf: Shelf, log: Log | None, whole: Log | None) -> None:
        """Add one subject by its log, and by that with what was filled in later, where anything was."""
        rule, shown = self.inquiry.rule, whole or log
        if shown is None:
            return
        stretches = list(epochs(shown))
        told, late = Replay([]) if log is None else replay(rule, shelf, log, self.asked, None if whole else stretches)
        if whole is not None:  # it may tell more, but what was told stays as it was
            there = {each.firing.as_of for each in told}
            more = [each for each in rule.told(whole, stretches) if each.firing.as_of not in there]
            told, late = [*told, *more], late | {each.firing.as_of for each in more}
        self._add(shown, stretches, self._within(told), late)

    def _add(self, log: Log, stretches: Sequence[Epoch], found: Sequence[Told], late: frozenset[int]) -> None:
        inquiry = self.inquiry
        marks = [_mark(log.subject, told) for told in found]
        self.marks += marks
        self._keep((inquiry.rule, log.subject, told) for told in found)
        self.mended |= {(log.subject, mark.as_of) for mark in marks if mark.as_of in late}
        for variant in self.variants:
            own = marks if variant.rule is inquiry.rule else self._marks(variant.rule.told(log, stretches), log.subject)
            variant.count += len(own)
            variant.flaps += len(flaps(own, inquiry.flap_days))
        self.note_gaps(log.subject, log)
        if len(inquiry.names) == 1:
            self.history = stretches[-1].history

    def note_gaps(self, subject: str, log: Log | None) -> None:
        """Add the stretches without readings of one subject; None has none at all."""
        end = min(self.inquiry.end, self.inquiry.now)
        if log is None:
            self.silent += 1
            self.gaps.append(Gap(subject, self.inquiry.start, end))
            return
        found = gaps(log.as_of, self.inquiry.start, end, max_gap(log.cadence))
        self.gaps += [Gap(subject, *stretch) for stretch in found]

    def _within(self, told: Iterable[Told]) -> list[Told]:
        return [one for one in told if self.inquiry.start <= one.firing.as_of < self.inquiry.end]

    def _marks(self, told: Iterable[Told], subject: str) -> list[Mark]:
        return [_mark(subject, one) for one in self._within(told)]

    def _keep(self, found: Iterable[Found]) -> None:
        self.newest += found
        if len(self.newest) > 4 * self.inquiry.limit:
            self.trim()

    def trim(self) -> None:
        """Let go of all but the newest."""
        self.newest.sort(key=lambda one: (one[2].firing.as_of, one[1]))
        self.newest = self.newest[len(self.newest) - min(self.inquiry.limit, len(self.newest)) :]


def _mark(subject: str, told: Told) -> Mark:
    direction = told.firing.fields.get("direction")
    return Mark(subject, told.firing.as_of, told.known_at, None if direction is None else str(direction))


def run(connection: Connection, catalogue: Catalogue, inquiry: Inquiry, progress: Progress) -> Trial:
    """Replay the stored readings of every subject in the order they became known, as live evaluation would have."""
    trial = Trial(inquiry, asked_since(connection, inquiry.rule), variants(inquiry.rule, inquiry.source.cadence))
    size = max(1, min(AT_ONCE, READINGS_AT_ONCE // readings_of_one(inquiry)))
    memory: Memory = {}
    for start in range(0, len(inquiry.names), size):
        part = inquiry.names[start : start + size]
        _look_at(connection, catalogue, trial, part, memory)
        progress(start + len(part), len(inquiry.names))
    trial.trim()
    return trial


def readings_of_one(inquiry: Inquiry) -> int:
    """About how many readings of one subject a run looks at."""
    days = min(KEPT_DAYS, (min(inquiry.end, inquiry.now) - inquiry.since) // DAY + 1)
    return max(1, int(days * DAY // min(DAY, inquiry.source.cadence)))


def _look_at(connection: Connection, catalogue: Catalogue, trial: Trial, names: Sequence[str], memory: Memory) -> None:
    inquiry, inputs = trial.inquiry, trial.inquiry.rule.inputs
    shelf = Past(connection, catalogue, names, inquiry.since, memory=memory, filled=False)
    logs = {log.subject: log for log in shelf.logs(inputs)}
    mended = [name for name in names if shelf.mended(inputs, name)]
    filled = Past(connection, catalogue, mended, inquiry.since, memory=memory)
    whole = {log.subject: log for log in filled.logs(inputs)} if mended else {}
    for name in names:
        if name in logs or name in whole:
            trial.look(shelf, logs.get(name), whole.get(name))
        else:
            trial.note_gaps(name, None)


def variants(rule: ActiveRule, cadence: int) -> list[Variant]:
    """The rule with other values of its hysteresis and its quiet time, as far as its schema takes them."""
    empty = _with(rule, "hysteresis", None)
    usual = None if empty is None else empty.options["hysteresis"]
    found = []
    for option, value in others(rule.options, usual, cadence):
        other = _with(rule, option, value)
        if other is not None:
            found.append(Variant(option, value, rule if other.canonical == rule.canonical else other))
    return found


def _with(rule: ActiveRule, option: str, value: float | None) -> ActiveRule | None:
    """The rule with another value of an option; None where its schema has no such option or refuses the value."""
    schema = rule.trigger.options()
    if option not in schema.fields:
        return None
    try:
        return ActiveRule.asked(rule.trigger, schema.load({**json.loads(rule.canonical), option: value}))
    except ValidationError:
        return None
