"""From new readings to events and the deliveries they owe, within the transaction that stores the readings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any, TypeAlias

import numpy as np
from marshmallow import ValidationError
from sqlalchemy import Connection

from integration.domain.catalogue import MARKET, Source, SubjectRow, Trigger, semantics_of, split_source, told_by
from integration.domain.history import Epoch, Log, Told, join, max_gap
from integration.domain.ids import canonical, event_id, rule_id
from integration.domain.retry import HOUR
from integration.domain.scope import Facts
from integration.domain.screen import Condition
from integration.service.compose import Snapshot, compose, moment, snapshots, snapshots_then
from integration.store.queries import events, readings, subjects

#: The source of market cap ranks.
RANKS = "top_market_cap"
#: Subjects whose histories are looked at together.
AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The triggers and sources that evaluation works with. `hour` is how long an hour lasts in wall time (ms)."""

    triggers: Mapping[str, Trigger]
    sources: Mapping[str, Source]
    sandbox: bool
    hour: int = HOUR


@dataclass(frozen=True, slots=True)
class ActiveRule:
    """A stored rule with its trigger and loaded options."""

    id: str
    trigger: Trigger
    options: Mapping[str, Any]
    canonical: str
    conditions: tuple[Condition, ...] = ()

    @classmethod
    def of(cls, identity: str, trigger: Trigger, options: Mapping[str, Any], canonical: str) -> ActiveRule:
        """A rule with what must happen to its clock's metrics before it can fire; nothing where that cannot be said."""
        return cls(identity, trigger, options, canonical, () if trigger.watch is None else trigger.watch(options))

    @classmethod
    def asked(cls, trigger: Trigger, options: Mapping[str, Any]) -> ActiveRule:
        """The rule that a trigger with loaded options is."""
        text = canonical(options)
        return cls(rule_id(trigger.key, semantics_of(trigger, options), text), trigger, options, text)

    @property
    def semantics(self) -> int:
        """Those of its trigger, and what those of rules inside it were raised by."""
        return semantics_of(self.trigger, self.options)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The sources it reads, as its trigger names them; the first is its clock."""
        return self.trigger.sources(self.options)

    def source(self, catalogue: Catalogue) -> Source:
        """Its clock: the source at whose as_of it is evaluated."""
        return catalogue.sources[split_source(self.inputs[0])[0]]

    def lookback(self, source: Source) -> int:
        """How far back its firings look, in ms."""
        return self.trigger.lookback(self.options).total(max_gap(source.cadence))

    def told(self, log: Log, stretches: Iterable[Epoch] | None = None) -> list[Told]:
        """Its firings over a log, as they would have been told live; `stretches` are the log's epochs if it was split before."""
        return told_by(self.trigger, self.options, log, stretches)


Found: TypeAlias = tuple[ActiveRule, str, Told]


def active(catalogue: Catalogue, row: Any) -> ActiveRule | None:
    """A stored rule made ready; None where this version has no such trigger, means something else by it, or refuses it."""
    trigger = catalogue.triggers.get(row.trigger)
    if trigger is None:
        return None
    try:
        options = trigger.options().load(json.loads(row.options))
    except ValidationError:  # it must never stop the others
        return None
    same = semantics_of(trigger, options) == row.semantics
    return ActiveRule.of(row.id, trigger, options, row.options) if same else None


def polled(catalogue: Catalogue, name: str) -> tuple[str, ...]:
    """The keys of the sources that must be polled for one that a trigger names: itself, or what it is derived from."""
    key = split_source(name)[0]
    how = catalogue.sources[key].derivation
    if how is None:
        return (key,)
    return tuple(dict.fromkeys(base for each in how.inputs for base in polled(catalogue, each.source)))


class Shelf:
    """The logs of some subjects, as live evaluation sees them; each source is read once."""

    def __init__(self, connection: Connection, sources: Mapping[str, Source], names: Sequence[str], since: int) -> None:
        self._connection, self._sources, self._names, self._since = connection, sources, names, since
        self._parts: dict[str, dict[str, Sequence[Any]]] = {}
        self._logs: dict[str, dict[str, Log]] = {}

    def logs(self, inputs: Sequence[str]) -> Iterator[Log]:
        """Each subject's log of the first source, the others beside it."""
        for subject in self._part(inputs[0]):
            log = self.log(inputs, subject)
            if log is not None:
                yield log

    def log(self, inputs: Sequence[str], subject: str, *, before: int | None = None) -> Log | None:
        """A subject's log of the first source, the others beside it; with `before`, of what was stored before a moment (ms)."""
        clock, *others = inputs
        log = self._log(clock, subject, before)
        if log is None:
            return None
        for name in others:
            source = self._sources[split_source(name)[0]]
            beside = self._log(name, _whose(source, name, subject), before)
            log = join(log, name, beside, tuple(metric.name for metric in source.metrics), source.age)
        return log

    def stored_later(self, inputs: Sequence[str], subject: str, since: int) -> list[int]:
        """The moments after one at which something was stored that counts as known before, in any of a rule's sources."""
        whose = ((name, _whose(self._sources[split_source(name)[0]], name, subject)) for name in inputs)
        rows = (row for name, each in whose for row in self.rows_of(name, each))
        return sorted({row[5] for row in rows if row[5] is not None and row[5] > since})

    def rows_of(self, name: str, subject: str) -> Sequence[Any]:
        """A subject's rows of a source, as a trigger names it."""
        return self._part(name).get(subject, ())

    def _log(self, name: str, subject: str, before: int | None) -> Log | None:
        kept = self._logs.setdefault(name, {})
        if before is None and subject in kept:
            return kept[subject]
        source, rows = self._sources[split_source(name)[0]], self.rows_of(name, subject)
        if before is not None:
            rows = [row for row in rows if (row[2] if row[5] is None else row[5]) < before]
        if not rows:
            return None
        log = _log(subject, tuple(metric.name for metric in source.metrics), source.cadence, rows)
        if before is None:
            kept[subject] = log
        return log

    def _part(self, name: str) -> Mapping[str, Sequence[Any]]:
        """The rows of a source, as a trigger names it, by subject."""
        if name not in self._parts:
            key, one = split_source(name)
            source = self._sources[key]
            names = [one] if one else [MARKET] if source.subject == "market" else self._names
            self._parts[name] = {subject: list(part) for subject, part in groupby(self.rows(source, names), key=itemgetter(0))}
        return self._parts[name]

    def rows(self, source: Source, names: Sequence[str]) -> Sequence[Any]:
        """(subject, as_of, known_at, values, text, stored_at, origin) of what a source said of subjects, by subject and as_of."""
        return readings.log(self._connection, source.key, since=self._since - source.age, subjects=names)


def _whose(source: Source, name: str, subject: str) -> str:
    """Whose reading stands beside a subject's: its own, the market's, or the one that the trigger names."""
    return split_source(name)[1] or (MARKET if source.subject == "market" else subject)


def _log(subject: str, metrics: tuple[str, ...], cadence: int, rows: Sequence[Any]) -> Log:
    """Rows by (as_of, version) as a log, in the order in which they became known."""
    if any(after[2] < before[2] for before, after in pairwise(rows)):
        rows = sorted(rows, key=itemgetter(2))
    _, as_of, known_at, values, texts, *_more = zip(*rows, strict=True)
    return Log(
        subject,
        metrics,
        cadence,
        np.asarray(as_of, dtype=np.int64),
        np.asarray(known_at, dtype=np.int64),
        np.frombuffer(b"".join(values), dtype=np.float64).reshape(len(rows), len(metrics)),
        texts,
    )


def facts_of(row: SubjectRow) -> Facts:
    """What scopes see of a subject."""
    return Facts(row.subject, frozenset(row.categories), frozenset(row.exchanges), row.market_rank)


def unnamed(subject: str) -> SubjectRow:
    """A subject of which no source has told the name yet."""
    kind, _, number = subject.partition(":")
    if kind == MARKET:
        return SubjectRow(MARKET, "market", "The crypto market")
    return SubjectRow(subject, "index" if kind == "index" else "token", f"{kind.capitalize()} {number}")


def identified(found: Iterable[Found]) -> dict[str, Found]:
    """Firings by the id of their event, in the order they are numbered in."""
    return {
        event_id(rule.trigger.key, rule.semantics, rule.canonical, subject, told.firing.as_of): (rule, subject, told)
        for rule, subject, told in sorted(found, key=lambda f: (f[2].known_at, f[2].firing.as_of, f[1], f[0].id))
    }


def store_events(
    connection: Connection,
    catalogue: Catalogue,
    found: Mapping[str, Found],
    *,
    now: int,
    since: int | None = None,
    poll_id: int | None = None,
) -> list[tuple[int, str, str]]:
    """Store firings as events, in their order; those that are there already stay. (seq, rule id, subject) of the new.

    Of the past, `since` says when its rule was first asked for. `poll_id` is noted with each, and has no part in what it says.
    """
    there = events.known(connection, list(found))
    fresh = {identity: entry for identity, entry in found.items() if identity not in there}
    if not fresh:
        return []
    told_of = sorted({subject for _, subject, _ in fresh.values()})
    named, shots = subjects.load(connection, told_of), _shots(connection, catalogue, fresh, now, since)
    new = []
    for identity, (rule, subject, told) in fresh.items():
        row = named.get(subject) or unnamed(subject)
        payload = compose(rule.trigger, identity, row, told, shots[identity], sandbox=catalogue.sandbox)
        when = (told.firing.as_of, told.known_at, now)
        new.append(events.NewEvent(identity, rule.id, rule.trigger.key, subject, *when, payload, poll_id))
    numbers = events.add(connection, new)
    return [(numbers[e.id], e.rule_id, e.subject) for e in new if e.id in numbers]


def _shots(
    connection: Connection, catalogue: Catalogue, fresh: Mapping[str, Found], now: int, since: int | None
) -> dict[str, Snapshot]:
    """The snapshot of each firing: what is newest for one that is told now, what was known then for one of the past."""
    newest = {subject for _, subject, told in fresh.values() if told.known_at == now}
    shots = snapshots(connection, catalogue.sources, sorted(newest))
    past = {identity: entry for identity, entry in fresh.items() if entry[2].known_at != now}
    then = [moment(subject, told, since) for _, subject, told in past.values()]
    found = dict(zip(past, snapshots_then(connection, catalogue.sources, then), strict=True))
    return {identity: found[identity] if identity in found else shots[entry[1]] for identity, entry in fresh.items()}
