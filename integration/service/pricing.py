"""What a wish costs before it is made: upstream calls a month, how old the data are on this plan, how often it may fire."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import validate
from sqlalchemy import Connection

from integration.derive.describe import loaded
from integration.domain.catalogue import MARKET, Source, Trigger, rules_in, split_source
from integration.domain.errors import InvalidInput
from integration.domain.ids import canonical
from integration.domain.retry import DAY
from integration.domain.scope import Scope
from integration.service.agenda import intervals, past_of
from integration.service.evaluate import ActiveRule, Shelf, polled
from integration.service.selecting import EVERYTHING, calls_a_look, selected, size
from integration.service.wanting import Reads, Wants, asked, obstacle, reads, wanted, with_ranks, within
from integration.service.wiring import Gradewire
from integration.store.queries import readings

MONTH, YEAR = 30 * DAY, 365 * DAY
#: Subjects and about how many readings an estimate of events looks at, and how much past (ms) it needs at least.
MOST_SUBJECTS, MOST_READINGS, FEWEST = 200, 30_000, 14 * DAY

Shown = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Calls:
    """Upstream calls a month that the sources of a rule take, and how many of these nobody else causes yet."""

    calls_a_month: int
    added: int


@dataclass(frozen=True, slots=True)
class Cost:
    """What a rule takes; `total` are the calls a month of all wishes with it, of the plan's `allowed`, `taken` in this month.

    `data_age_days` is how old the plan lets data be; `events_a_year` an estimate from what is stored, None where that is
    too little.
    """

    calls: Calls
    total: int
    allowed: int
    taken: int
    data_age_days: int
    events_a_year: float | None

    @property
    def text(self) -> str:
        """One sentence."""
        over = ", more than the plan has: sources are polled less often" if self.total > self.allowed else ""
        told = [f"+{self.calls.added:,} calls a month ({self.total:,} of {self.allowed:,}{over})"]
        if self.data_age_days:
            told.append(f"data {self.data_age_days} days old on this plan")
        if self.events_a_year is not None:
            told.append(_often(self.events_a_year))
        return ", ".join(told) + "."

    def shown(self) -> Shown:
        """As the API tells it."""
        return {
            "calls_a_month": self.calls.calls_a_month,
            "added_calls_a_month": self.calls.added,
            "total_calls_a_month": self.total,
            "plan_calls_a_month": self.allowed,
            "calls_taken": self.taken,
            "data_age_days": self.data_age_days,
            "events_a_year": self.events_a_year,
            "text": self.text,
        }


def _often(a_year: float) -> str:
    if a_year >= 1.5:
        return f"about {a_year:,.0f} events a year"
    return "about one event a year" if a_year >= 0.5 else "less than one event in two years"


def calls(gradewire: Gradewire, connection: Connection, rule: ActiveRule, scope: Scope) -> Calls:
    """What polling for a rule takes, at the usual pace. Who else wants the same adds nothing: calls follow from (source,
    subject) alone."""
    meter, inputs = Meter(gradewire, connection), reads(gradewire, Reads.of(rule), scope)
    before, after = wanted(gradewire, connection), wanted(gradewire, connection, [(inputs, scope)])
    changed = {key: ids for key, ids in after.items() if key not in before or before[key] != ids}
    added = meter.all(changed) - meter.all({key: before[key] for key in changed.keys() & before.keys()})
    alone = dict(asked(gradewire.catalogue, with_ranks(inputs, scope), within(connection, scope)))
    return Calls(round(meter.all(alone)), round(added))


def cost(gradewire: Gradewire, connection: Connection, rule: ActiveRule, scope: Scope) -> Cost:
    """The whole price of a wish."""
    inputs = reads(gradewire, Reads.of(rule), scope)
    total = Meter(gradewire, connection).all(wanted(gradewire, connection, [(inputs, scope)]))
    usage = gradewire.budget.used(gradewire.now())
    age = gradewire.settings.withheld_days if any(base.by_plan for base in bases(gradewire, rule)) else 0
    mine = calls(gradewire, connection, rule, scope)
    events = events_a_year(gradewire, connection, rule, scope)
    return Cost(mine, round(total), usage.per_month, usage.month, age, events)


class Meter:
    """Calls a month of sources, at the usual pace; each is worked out once."""

    def __init__(self, gradewire: Gradewire, connection: Connection) -> None:
        self._gradewire, self._connection = gradewire, connection
        self._known: dict[tuple[str, frozenset[int] | None], float] = {}

    def all(self, wants: Wants) -> float:
        """Of everything that is wanted."""
        return sum(self.one(self._gradewire.catalogue.sources[key], ids) for key, ids in wants.items())

    def one(self, source: Source, ids: set[int] | None) -> float:
        """Of some ids of a source, or of all."""
        key = source.key, None if ids is None else frozenset(ids)
        if key not in self._known:
            self._known[key] = self._month(source, ids)
        return self._known[key]

    def _month(self, source: Source, ids: set[int] | None) -> float:
        interval = intervals(self._gradewire, source)[0]
        everyone = size(self._connection, source)
        past = past_of(self._gradewire, self._connection, source, self._gradewire.clock.at(self._gradewire.now()))
        looks = MONTH / past.of(EVERYTHING)[0].gap(interval)
        ways = selected(self._connection, source, ids)
        return looks * sum(calls_a_look(source, way, everyone, interval) for way in ways)


def bases(gradewire: Gradewire, rule: ActiveRule) -> list[Source]:
    """The sources that are polled for a rule."""
    keys = dict.fromkeys(key for name in rule.inputs for key in polled(gradewire.catalogue, name))
    return [gradewire.catalogue.sources[key] for key in keys]


# -- how often it may fire -------------------------------------------------------------------------------------------


def events_a_year(gradewire: Gradewire, connection: Connection, rule: ActiveRule, scope: Scope) -> float | None:
    """About how many events a rule would give in a year, from what is stored of some subjects of the scope; None where that
    is too little to say."""
    source, now = rule.source(gradewire.catalogue), gradewire.clock.at(gradewire.now())
    names = _subjects(connection, source, scope)
    most = min(MOST_SUBJECTS, max(1, MOST_READINGS * source.cadence // (2 * FEWEST)))
    picked = names[:: -(-len(names) // most)] if names else []
    if not picked:
        return None
    start = now - min(MOST_READINGS // len(picked) * source.cadence, YEAR)
    fired, covered = 0, 0
    shelf = Shelf(connection, gradewire.catalogue.sources, picked, start - rule.lookback(source))
    for log in shelf.logs(rule.inputs):
        first = max(start, int(log.as_of.min()))
        covered += max(0, int(log.as_of.max()) - first)
        fired += sum(told.firing.as_of > first for told in rule.told(log))
    if covered < FEWEST * len(picked):
        return None
    return round(fired / covered * YEAR * len(names), 1)


def _subjects(connection: Connection, source: Source, scope: Scope) -> list[str]:
    """The subjects of a scope that a source told of lately."""
    newest = readings.newest_as_of(connection, source.key)
    if newest is None:
        return []
    there = set(readings.told_of(connection, source.key, newest - source.cadence))
    whose = None if source.subject == MARKET else within(connection, scope)
    return sorted(there if whose is None else there & whose)


# -- what cannot be had ----------------------------------------------------------------------------------------------


def check_available(gradewire: Gradewire, rule: ActiveRule) -> None:
    """Refuse a rule whose sources are gone or not in the plan, naming the option that chose them and what it may be instead.

    Of rules inside the options it names the first that cannot be had.
    """
    for inside, trigger, options in rules_in(rule.trigger, rule.options):
        reason = unavailable(gradewire, trigger, options)
        for name, others in _choices(trigger) if reason else ():
            fit = [each for each in others if not _refused(gradewire, trigger, options, name, each)]
            if fit:
                raise InvalidInput(f"{reason} Choose another {name}: {', '.join(fit)}.", field=inside + name)
        if reason:
            raise InvalidInput(reason, field=f"{inside.removesuffix('options.')}trigger")


def unavailable(gradewire: Gradewire, trigger: Trigger, options: Mapping[str, Any]) -> str:
    """Why a trigger with these options cannot be had; empty where it can."""
    rule = ActiveRule("", trigger, options, "")
    reasons = (reason for base in bases(gradewire, rule) if (reason := obstacle(gradewire, base)))
    return next(reasons, "") or _apart(gradewire, rule)


def _apart(gradewire: Gradewire, rule: ActiveRule) -> str:
    """Why a rule can never fire whose clock the plan gives at once, and what stands beside it so late that it is too old."""
    clock, *others = (gradewire.catalogue.sources[split_source(name)[0]] for name in rule.inputs)
    for other in others:
        late = _withheld(gradewire, other) - _withheld(gradewire, clock)
        if late * DAY > other.age:
            plan = gradewire.settings["plan"].capitalize()
            return (
                f"{other.label}: on the {plan} plan they are {late} days older than {clock.label}, too old to stand beside them."
            )
    return ""


def _withheld(gradewire: Gradewire, source: Source) -> int:
    """The newest days of a source, or of any that it is derived from, that the plan withholds."""
    by_plan = any(gradewire.catalogue.sources[key].by_plan for key in polled(gradewire.catalogue, source.key))
    return gradewire.settings.withheld_days if by_plan else 0


def _choices(trigger: Trigger) -> Iterator[tuple[str, list[str]]]:
    for name, field in trigger.options().fields.items():
        for check in field.validators:
            if isinstance(check, validate.OneOf):
                yield name, [str(each) for each in check.choices]


def _refused(gradewire: Gradewire, trigger: Trigger, options: Mapping[str, Any], name: str, value: str) -> bool:
    """Whether a trigger's options with another value of one are none, or cannot be had either."""
    changed = loaded(trigger.options, {**json.loads(canonical(options)), name: value})
    return changed is None or bool(unavailable(gradewire, trigger, changed))
