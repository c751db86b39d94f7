"""What a subscription was never owed, though it is of its rule and scope: because it was paused, or wanted something else then.

Events that nobody wanted when they happened were not stored. They follow from the readings all the same, with the ids they
would have had.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from integration.domain.history import max_gap
from integration.domain.retry import DAY
from integration.domain.scope import Scope
from integration.service.audience import Owed
from integration.service.backtest import names_of
from integration.service.bygone import Memory, Past
from integration.service.crowd import Crowd
from integration.service.evaluate import ActiveRule, Found, active, identified, store_events
from integration.service.wiring import Gradewire
from integration.store.queries import events, replays, rules
from integration.store.queries.replays import Span

#: Subjects looked at together.
AT_ONCE = 500
#: How long after it was true something may become known, beside what the plan withholds and the source waits for.
LATE = 7 * DAY
#: More events than a span holds.
ALL = 10_000_000


def count(gradewire: Gradewire, connection: Connection, span: Span) -> int:
    """How many deliveries are missing in a span. Reads only."""
    wanting = replays.wanting(connection, span.destination_id, span.subscription_id)
    stored = unowed(connection, wanting, events_of(connection, wanting, span, ALL))
    return len(stored) + sum(len(part) for part in unstored(gradewire, connection, wanting, span))


def events_of(connection: Connection, wanting: Sequence[Any], span: Any, most: int) -> list[Any]:
    """The next events of subscriptions' rules in a span, whatever their scopes."""
    return replays.events_of(connection, {row.rule_id for row in wanting}, span, most)


def unowed(connection: Connection, wanting: Sequence[Any], found: Sequence[Any]) -> list[Owed]:
    """Of some events, those that subscriptions want by their scopes, as these hold subjects now, and are not owed.

    What was known when a subscription was made was never for it.
    """
    if not found:
        return []
    there = replays.owed(connection, [row.id for row in wanting], found[0].seq, found[-1].seq)
    names = sorted({each.subject for each in found})
    crowd, place = Crowd(connection, names), {name: at for at, name in enumerate(names)}
    missing = []
    for row in wanting:
        scope = Scope.parse(row.scope)
        for each in found:
            fits = each.rule_id == row.rule_id and each.known_at > row.created_at and crowd.holds(scope, place[each.subject])
            if fits and (row.id, each.seq) not in there:
                missing.append((each.seq, row.id, row.destination_id))
    return missing


def store(gradewire: Gradewire, connection: Connection, found: Mapping[str, Found]) -> None:
    """Store firings of the past as events; nobody is told of them by that."""
    events.lock(connection)
    store_events(connection, gradewire.catalogue, found, now=gradewire.now())


def unstored(gradewire: Gradewire, connection: Connection, wanting: Sequence[Any], span: Span) -> Iterator[dict[str, Found]]:
    """Firings that subscriptions were not owed because nobody wanted them and so they are no events, by id, in parts."""
    stored = rules.load(connection, sorted({row.rule_id for row in wanting}))
    memory: Memory = {}
    for row in wanting:
        rule = active(gradewire.catalogue, stored[row.rule_id])
        if rule is None:
            continue
        known_from = max(span.since, row.created_at + 1)
        names = names_of(gradewire, connection, rule.source(gradewire.catalogue), Scope.parse(row.scope))
        for start in range(0, len(names), AT_ONCE):
            shelf = Past(
                connection,
                gradewire.catalogue,
                names[start : start + AT_ONCE],
                _since(gradewire, rule, known_from),
                memory=memory,
                filled=False,
            )
            found = identified(_firings(rule, shelf, known_from, span.until))
            there = events.known(connection, list(found))
            yield {identity: each for identity, each in found.items() if identity not in there}


def _since(gradewire: Gradewire, rule: ActiveRule, known_from: int) -> int:
    """The oldest as_of (ms) that has a say in what became known from a time on."""
    source = rule.source(gradewire.catalogue)
    late = LATE + (gradewire.settings.withheld_days + source.lag) * DAY + max_gap(source.cadence)
    return gradewire.clock.at(known_from) - late - rule.lookback(source)


def _firings(rule: ActiveRule, shelf: Past, known_from: int, until: int) -> Iterator[Found]:
    for log in shelf.logs(rule.inputs):
        for told in rule.told(log):
            # What was known when it was true is history from before a subject's first live reading: nobody is told of that.
            if known_from <= told.known_at < until and told.known_at != told.firing.as_of:
                yield rule, log.subject, told
