"""One poll's readings become events and the deliveries they owe, within the transaction that stores the readings.

Screen: which rules can have come true for which subjects. Detect: whether they did, over as much of the past as tells.
Fan out: who is told. Write: events, feed items, deliveries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy import Connection

from integration.domain.catalogue import Bools, Source
from integration.domain.delta import COUNTED
from integration.domain.history import Epoch, Ints, Log, epochs
from integration.domain.screen import Move, Pairs, Past, Recent
from integration.service.asked import Asked, Circle
from integration.service.audience import Audience
from integration.service.crowd import Crowd
from integration.service.evaluate import ActiveRule, Catalogue, Found, Shelf, identified, store_events
from integration.store.queries import readings

#: Subjects whose histories are looked at together.
AT_ONCE = 500
#: Readings beyond what the screen needs at least, for those that are null.
SPARE = 3
#: Observations before the silent changes that could count, in which most subjects have taken a side.
HEAD = 12


@dataclass(frozen=True, slots=True)
class New:
    """What a poll brought of a source: subjects with new live readings, their oldest new as_of, when they became known (ms)."""

    source: Source
    names: Sequence[str]
    oldest: int
    now: int


def evaluate(connection: Connection, catalogue: Catalogue, asked: Asked, new: New, *, due: int) -> tuple[int, int]:
    """Evaluate what is asked about new readings: (new events, deliveries owed).

    Deliveries come due at `due`. The caller holds the event lock, has stored the readings in this transaction, and commits
    all of it together.
    """
    with asked.lock:
        asked.refresh(connection)
        circle = asked.circle(new.source.key)
        if circle is None or not new.names:
            return 0, 0
        crowd = Crowd(connection, new.names)
        screened, others = screen(circle, crowd, look(connection, new, circle.depth))
        found = detect(connection, catalogue, new, named(circle, crowd, screened), named(circle, crowd, others))
        audience = Audience(connection, asked, found, new.now)
    numbered = store_events(connection, catalogue, identified(filter(audience.wants, found)), now=new.now)
    return len(numbered), audience.tell(connection, numbered, new.now, due)


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


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest readings of a poll's subjects.

    `plain`: one reading is new, it is the newest, and none before it came late or was restated. `unclear`: it takes a
    longer look to say what is new. Where neither, only something older came, which fires nothing by itself. `irregular`: a
    reading came late or restates one.
    """

    recent: Recent
    plain: Bools
    unclear: Bools
    irregular: Bools


def look(connection: Connection, new: New, depth: int) -> Newest:
    """The newest readings of the subjects, so many before the newest as the screen looks at and some to spare."""
    source, count = new.source, len(new.names)
    reach = depth + 1 + SPARE
    rows = readings.recent(connection, source.key, since=new.oldest - reach * source.cadence, subjects=new.names)
    place = {name: at for at, name in enumerate(new.names)}
    whose = np.fromiter((place[row[0]] for row in rows), dtype=np.int64, count=len(rows))
    as_of, version, known = (np.fromiter((row[at] for row in rows), dtype=np.int64, count=len(rows)) for at in (1, 2, 3))
    values = np.frombuffer(b"".join(row[4] for row in rows), dtype=np.float64).reshape(len(rows), len(source.metrics))
    same, more = whose[1:] == whose[:-1], len(rows) > 0
    ends, last = np.append(~same, [True] * more), np.append(~same | (as_of[1:] != as_of[:-1]), [True] * more)
    newest_as_of = np.zeros(count, dtype=np.int64)
    newest_as_of[whose[ends]] = as_of[ends]
    older, fresh = as_of < newest_as_of[whose], known == new.now

    def any_of(rows_: Bools) -> Bools:
        return np.bincount(whose[rows_], minlength=count) > 0

    amiss = any_of((version > 0) & older) | any_of(np.append([False] * more, same & (known[1:] < known[:-1])))
    several, current = np.bincount(whose[fresh], minlength=count) > 1, any_of(ends & fresh)
    unclear = several | (current & amiss)
    plain = current & ~unclear
    times, grid = np.full((count, reach), -1, dtype=np.int64), np.full((count, reach, len(source.metrics)), np.nan)
    kept = np.flatnonzero(last)
    backwards = _from_end(whose[kept])
    fits = (backwards < reach) & plain[whose[kept]]
    picked, column = kept[fits], reach - 1 - backwards[fits]
    times[whose[picked], column], grid[whose[picked], column] = as_of[picked], values[picked]
    recent = Recent(times, tuple(metric.name for metric in source.metrics), grid, source.cadence)
    return Newest(recent, plain, unclear, any_of(fresh & ((version > 0) | older)))


def _from_end(whose: Ints) -> Ints:
    """How many rows of the same subject follow each row; rows of one subject stand together."""
    if not len(whose):
        return np.empty(0, dtype=np.int64)
    ends = np.append(whose[1:] != whose[:-1], True)
    number = np.cumsum(ends) - ends
    following: Ints = np.flatnonzero(ends)[number] - np.arange(len(whose))
    return following


def detect(
    connection: Connection,
    catalogue: Catalogue,
    new: New,
    screened: Mapping[str, Sequence[ActiveRule]],
    others: Mapping[str, Sequence[ActiveRule]],
) -> list[Found]:
    """What came true at the new readings. A short past is enough for most of what the screen proposes."""
    found: list[Found] = []
    rest: dict[str, list[ActiveRule]] = {subject: list(each) for subject, each in others.items()}
    reach = max((_reach(rule, new.source) for each in screened.values() for rule in each), default=0)
    for log, alike in _logs(connection, catalogue, screened, new.oldest - reach):
        stretches = list(epochs(log))
        past = Past(stretches[-1].history)
        for rule in alike:
            if past.enough(rule.conditions):
                found += _told(rule, log, stretches, new.now)
            else:
                rest.setdefault(log.subject, []).append(rule)
    longest = max((rule.lookback(new.source) for each in rest.values() for rule in each), default=0)
    for log, alike in _logs(connection, catalogue, rest, new.oldest - longest):
        stretches = list(epochs(log))
        for rule in alike:
            found += _told(rule, log, stretches, new.now)
    return found


def _reach(rule: ActiveRule, source: Source) -> int:
    """How far back is mostly enough: see `domain.screen.enough`."""
    return max(
        COUNTED + each.quiet + (HEAD + 2 * (each.window if isinstance(each, Move) else each.observations)) * source.cadence
        for each in rule.conditions
    )


def _told(rule: ActiveRule, log: Log, stretches: Sequence[Epoch], now: int) -> Iterator[Found]:
    """What a rule tells now. Only where it may have told the same time before are older stretches looked at too."""
    late = [epoch for epoch in stretches if now in epoch.known_at.values()]
    if rule.trigger.tell is None and len(late) < len(stretches) and not any(t.known_at == now for t in rule.told(log, late)):
        return
    for told in rule.told(log, stretches):
        if told.known_at == now:
            yield rule, log.subject, told


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
