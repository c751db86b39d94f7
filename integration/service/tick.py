"""One poll's readings become events and the deliveries they owe, within the transaction that stores the readings.

Screen: which rules can have come true for which subjects. Detect: whether they did, over as much of the past as tells.
Fan out: who is told. Write: events, feed items, deliveries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from sqlalchemy import Connection

from integration.domain.catalogue import Source
from integration.domain.delta import COUNTED, MAX_COOLDOWN
from integration.domain.history import Epoch, Log, epochs
from integration.domain.screen import Move, Pairs, Past
from integration.service.asked import Asked, Circle
from integration.service.audience import Audience
from integration.service.crowd import Crowd
from integration.service.evaluate import ActiveRule, Catalogue, Found, Shelf, identified, store_events
from integration.service.flapping import Flap, flap
from integration.service.flapping import tell as tell_flaps
from integration.service.newest import New, Newest, look
from integration.store.queries import readings

#: Subjects whose histories are looked at together.
AT_ONCE = 500
#: How far back readings must lie a cadence apart for a short past to tell: as far as silent changes can count.
EVEN = COUNTED + MAX_COOLDOWN
#: Observations before the silent changes that could count, in which most subjects have taken a side.
HEAD = 12


def evaluate(
    connection: Connection, catalogue: Catalogue, asked: Asked, new: New, *, clock: Callable[[], int]
) -> tuple[int, int]:
    """Evaluate what is asked about new readings: (new events, deliveries owed).

    Deliveries are due at once, by the clock (ms) of this moment. The caller holds the event lock, has stored the readings in
    this transaction, and commits all of it together.
    """
    with asked.lock:
        asked.refresh(connection)
        circle = asked.circle(new.source.key)
        if circle is None or not new.names:
            return 0, 0
        crowd, newest = Crowd(connection, new.names), look(connection, new, circle.depth)
        screened, others = screen(circle, crowd, newest)
        flaps: list[Flap] = []
        found = detect(connection, catalogue, newest, named(circle, crowd, screened), named(circle, crowd, others), flaps)
        audience = Audience(connection, asked, [(rule, subject) for rule, subject, _ in found], new.now)
        due = clock()
        if flaps:
            tell_flaps(connection, asked, flaps, due)
    wanted = identified(filter(audience.wants, found))
    numbered = store_events(connection, catalogue, wanted, now=new.now, poll_id=new.poll_id)
    return len(numbered), audience.tell(connection, numbered, new.now, due, catalogue.hour)


def screen(circle: Circle, crowd: Crowd, newest: Newest) -> tuple[Pairs, Pairs]:
    """(rule, place) that can have come true: those the screen proposes, and those that it cannot judge."""
    unjudged = circle.unscreened(crowd, newest.plain | newest.unclear, newest.irregular, all_rules=False)
    more = circle.unscreened(crowd, newest.unclear, newest.irregular, all_rules=True)
    return circle.screened(newest.recent, crowd), Pairs(
        np.concatenate((unjudged.rules, more.rules)), np.concatenate((unjudged.subjects, more.subjects))
    )


def named(circle: Circle, crowd: Crowd, pairs: Pairs) -> dict[str, list[ActiveRule]]:
    """The rules to look at, by subject."""
    found: dict[str, dict[str, ActiveRule]] = defaultdict(dict)
    for subject, rule in circle.named_rules(pairs, crowd):
        found[subject][rule.id] = rule
    return {subject: list(each.values()) for subject, each in found.items()}


def detect(
    connection: Connection,
    catalogue: Catalogue,
    newest: Newest,
    screened: Mapping[str, Sequence[ActiveRule]],
    others: Mapping[str, Sequence[ActiveRule]],
    flaps: list[Flap] | None = None,
) -> list[Found]:
    """What came true at the new readings, over as much of the past as tells: of most of what the screen proposes, a little.

    What came true in silence again and again is added to `flaps`.
    """
    new, found = newest.new, list[Found]()
    rest: dict[str, list[ActiveRule]] = {subject: list(each) for subject, each in others.items()}
    longer: dict[str, list[ActiveRule]] = defaultdict(list)
    even = readings.evenly(connection, new.source.key, new.source.cadence, new.oldest - EVEN, sorted(screened))
    for subject, alike in screened.items():
        log = newest.log(subject) if subject in even else None
        stretches = [] if log is None else list(epochs(log))
        past = Past(stretches[-1].history) if stretches else None
        for rule in alike:
            if log is not None and past is not None and len(rule.inputs) == 1 and past.tells(rule.conditions):
                found += _told(rule, log, stretches, new.now, flaps)
            else:
                longer[subject].append(rule)
    reach = max((_reach(rule, new.source) for each in longer.values() for rule in each), default=0)
    for log, alike in _logs(connection, catalogue, longer, new.oldest - reach):
        stretches = list(epochs(log))
        past = Past(stretches[-1].history)
        for rule in alike:
            if past.enough(rule.conditions):
                found += _told(rule, log, stretches, new.now, flaps)
            else:
                rest.setdefault(log.subject, []).append(rule)
    longest = max((rule.lookback(new.source) for each in rest.values() for rule in each), default=0)
    for log, alike in _logs(connection, catalogue, rest, new.oldest - longest):
        stretches = list(epochs(log))
        for rule in alike:
            found += _told(rule, log, stretches, new.now, flaps)
    return found


def _reach(rule: ActiveRule, source: Source) -> int:
    """How far back is mostly enough: see `domain.screen.enough`."""
    return max(
        COUNTED + each.quiet + (HEAD + 2 * (each.window if isinstance(each, Move) else each.observations)) * source.cadence
        for each in rule.conditions
    )


def _told(rule: ActiveRule, log: Log, stretches: Sequence[Epoch], now: int, flaps: list[Flap] | None) -> Iterator[Found]:
    """What a rule tells now, or else whether it flaps. Only where it may have told the same time before are older stretches
    looked at too."""
    late = [epoch for epoch in stretches if now in epoch.known_at.values()]
    told = [each for each in rule.told(log, late) if each.known_at == now] if rule.trigger.tell is None else []
    if rule.trigger.tell is not None or (told and len(late) < len(stretches)):
        told = [each for each in rule.told(log, stretches) if each.known_at == now]
    if not told and late and flaps is not None and (found := flap(rule, log.subject, late[-1].history)):
        flaps.append(found)
    for each in told:
        yield rule, log.subject, each


def _logs(
    connection: Connection, catalogue: Catalogue, wanted: Mapping[str, Sequence[ActiveRule]], since: int
) -> Iterator[tuple[Log, list[ActiveRule]]]:
    """Each subject's log with the rules to look at over it; rules with the same sources share one."""
    names = sorted(wanted)
    for start in range(0, len(names), AT_ONCE):
        part = names[start : start + AT_ONCE]
        shelf = Shelf(connection, catalogue.sources, part, since)
        by_inputs: dict[tuple[str, ...], dict[str, list[ActiveRule]]] = defaultdict(lambda: defaultdict(list))
        for subject in part:
            for rule in wanted[subject]:
                by_inputs[rule.inputs][subject].append(rule)
        for inputs, by_subject in by_inputs.items():
            for log in shelf.logs(inputs):
                if log.subject in by_subject:
                    yield log, by_subject[log.subject]
