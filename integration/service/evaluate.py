"""From new readings to events and the deliveries they owe, within the transaction that stores the readings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from sqlalchemy import Connection

from integration.domain.catalogue import Source, SubjectRow, Trigger
from integration.domain.history import Log, Told, max_gap, replay
from integration.domain.ids import event_id
from integration.domain.scope import Facts, Scope
from integration.service.compose import compose, snapshots
from integration.store.queries import deliveries, events, readings, rules, subjects


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The triggers and sources that evaluation works with."""

    triggers: Mapping[str, Trigger]
    sources: Mapping[str, Source]
    sandbox: bool


@dataclass(frozen=True, slots=True)
class ActiveRule:
    """A stored rule with its trigger and loaded options."""

    id: str
    trigger: Trigger
    options: Mapping[str, Any]
    canonical: str

    def source(self, catalogue: Catalogue) -> Source:
        """Its clock: the source at whose as_of it is evaluated."""
        return catalogue.sources[self.trigger.sources(self.options)[0]]

    def lookback(self, source: Source) -> int:
        """How far back its firings look, in ms."""
        return self.trigger.lookback(self.options).total(max_gap(source.cadence))

    def told(self, log: Log) -> list[Told]:
        """Its firings over a log, as they would have been told live."""
        return replay(log, lambda history: self.trigger.scan(history, self.options))


def active(catalogue: Catalogue, row: Any) -> ActiveRule | None:
    """A stored rule made ready; None where this version has another trigger of that name or none."""
    trigger = catalogue.triggers.get(row.trigger)
    if trigger is None or trigger.semantics != row.semantics:
        return None
    return ActiveRule(row.id, trigger, trigger.options().load(json.loads(row.options)), row.options)


def logs(connection: Connection, source: Source, *, since: int, names: Sequence[str] | None) -> dict[str, Log]:
    """Each subject's readings of a source as live evaluation sees them."""
    metrics = tuple(metric.name for metric in source.metrics)
    rows = readings.log(connection, source.key, since=since, subjects=names)
    return {subject: _log(subject, metrics, source.cadence, list(part)) for subject, part in groupby(rows, key=lambda r: r[0])}


def _log(subject: str, metrics: tuple[str, ...], cadence: int, rows: Sequence[tuple[str, int, int, bytes, str | None]]) -> Log:
    values = np.frombuffer(b"".join(bytes(row[3]) for row in rows), dtype=np.float64)
    return Log(
        subject,
        metrics,
        cadence,
        np.asarray([row[1] for row in rows], dtype=np.int64),
        np.asarray([row[2] for row in rows], dtype=np.int64),
        values.reshape(len(rows), len(metrics)) if metrics else np.empty((len(rows), 0)),
        tuple(row[4] for row in rows),
    )


def facts_of(row: SubjectRow) -> Facts:
    """What scopes see of a subject."""
    return Facts(row.subject, frozenset(row.categories), frozenset(row.exchanges), row.market_rank)


def evaluate(
    connection: Connection, catalogue: Catalogue, source: Source, names: Sequence[str], *, oldest: int, now: int
) -> tuple[int, int]:
    """Evaluate every live rule of a source's readings that became known at `now` (ms): (new events, deliveries owed).

    `names` are the subjects with new readings, `oldest` their oldest new as_of. The caller holds the event lock, has
    stored the readings in this transaction, and commits all of it together.
    """
    ready = [rule for row in rules.live_rules(connection, now) if (rule := active(catalogue, row))]
    ready = [rule for rule in ready if rule.source(catalogue).key == source.key]
    if not ready or not names:
        return 0, 0
    wanting, feeding = rules.wishes(connection, now, [rule.id for rule in ready])
    known = subjects.load(connection, names)
    facts = {name: facts_of(known.get(name) or unnamed(name)) for name in names}
    asked = {name for name in names if any(Scope.parse(w.scope).holds(facts[name]) for w in {*wanting, *feeding})}
    since = oldest - max(rule.lookback(source) for rule in ready)
    found: list[tuple[ActiveRule, str, Told]] = []
    for subject, log in logs(connection, source, since=since, names=sorted(asked)).items():
        wished = [r for r in ready if _wished(r.id, facts[subject], wanting, feeding)]
        found += [(rule, subject, told) for rule in wished for told in rule.told(log) if told.known_at == now]
    numbered = store_events(connection, catalogue, found, now=now)
    return len(numbered), _fan_out(connection, numbered, wanting, feeding, facts, now)


def unnamed(subject: str) -> SubjectRow:
    """A subject of which no source has told the name yet."""
    kind, _, number = subject.partition(":")
    return SubjectRow(subject, "index" if kind == "index" else "token", f"{kind.capitalize()} {number}")


def _wished(rule_id: str, facts: Facts, *wishes: Iterable[rules.Wish]) -> bool:
    return any(w.rule_id == rule_id and Scope.parse(w.scope).holds(facts) for part in wishes for w in part)


def store_events(
    connection: Connection, catalogue: Catalogue, found: Sequence[tuple[ActiveRule, str, Told]], *, now: int
) -> list[tuple[int, str, str]]:
    """Store firings as events, in order of as_of; those that are there already stay. (seq, rule id, subject) of the new."""
    identified = {
        event_id(rule.trigger.key, rule.trigger.semantics, rule.canonical, subject, told.firing.as_of): (rule, subject, told)
        for rule, subject, told in sorted(found, key=lambda f: (f[2].known_at, f[2].firing.as_of, f[1], f[0].id))
    }
    there = events.known(connection, list(identified))
    fresh = {identity: entry for identity, entry in identified.items() if identity not in there}
    if not fresh:
        return []
    named = subjects.load(connection, sorted({subject for _, subject, _ in fresh.values()}))
    shots = snapshots(connection, catalogue.sources, sorted(named))
    new = []
    for identity, (rule, subject, told) in fresh.items():
        row = named.get(subject) or unnamed(subject)
        payload = compose(rule.trigger, identity, row, told, shots.get(subject, {}), sandbox=catalogue.sandbox)
        when = (told.firing.as_of, told.known_at, now)
        new.append(events.NewEvent(identity, rule.id, rule.trigger.key, subject, *when, payload))
    numbers = events.add(connection, new)
    return [(numbers[e.id], e.rule_id, e.subject) for e in new if e.id in numbers]


def _fan_out(
    connection: Connection,
    numbered: Sequence[tuple[int, str, str]],
    wanting: Sequence[rules.Wish],
    feeding: Sequence[rules.Wish],
    facts: Mapping[str, Facts],
    now: int,
) -> int:
    """Put events into the feeds and owe them to the subscriptions whose scope holds their subject now."""
    items: list[tuple[str, int]] = []
    owed: list[tuple[int, str, str]] = []
    for seq, rule_id, subject in numbered:
        items += [(w.id, seq) for w in feeding if w.rule_id == rule_id and Scope.parse(w.scope).holds(facts[subject])]
        owed += [
            (seq, w.id, w.destination_id or "")
            for w in wanting
            if w.rule_id == rule_id and w.created_at < now and Scope.parse(w.scope).holds(facts[subject])
        ]
    rules.add_feed_items(connection, items)
    deliveries.insert_deliveries(connection, owed, now)
    return len(owed)
