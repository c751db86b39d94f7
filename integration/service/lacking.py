"""What of the past a backtest lacks, and what fetching it would cost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import numpy as np
from sqlalchemy import Connection

from integration.domain.backtest import Bools
from integration.domain.catalogue import MARKET, Derivation, Source, split_source
from integration.domain.history import Ints
from integration.domain.retry import DAY
from integration.service.deriving import needed_past
from integration.service.evaluate import Catalogue, polled
from integration.service.needing import first_live, newest_day
from integration.service.trial import Inquiry
from integration.service.wanting import obstacle
from integration.service.wiring import Gradewire
from integration.store.queries import overview, past
from integration.tokenmetrics.asks import calls

NONE: Ints = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Lack:
    """Days of a source that are not stored, of some subjects (None = all): between two as_of, both included.

    `days` counts each subject's. `calls` is what fetching them takes at most; where it cannot be done, `why_not` says why.
    """

    source: Source
    subjects: tuple[str, ...] | None
    since: int
    until: int
    days: int
    calls: int = 0
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class _Days:
    """Days of a source, both included, that a backtest reads of some subjects (None = all at once)."""

    source: Source
    whose: tuple[str, ...] | None
    first: int
    last: int

    @property
    def names(self) -> tuple[str, ...]:
        return (past.ALL,) if self.whose is None else self.whose


def lacks(gradewire: Gradewire, connection: Connection, inquiry: Inquiry) -> list[Lack]:
    """What the period lacks, source by source: of derived ones, what they are derived from, with the days they look back.

    Days that were asked for already and did not come are not to be fetched: upstream has none, which is why not.
    """
    found = {}
    for days in _read(gradewire, connection, inquiry):
        if days.last >= days.first:
            missing, vain = _not_stored(gradewire, connection, days)
            for lack in (*_lacks(gradewire, connection, days, missing), *_in_vain(gradewire, connection, days, vain)):
                found[lack.source.key, lack.since, lack.until, lack.subjects or (), lack.why_not] = lack
    return [found[key] for key in sorted(found)]


def _read(gradewire: Gradewire, connection: Connection, inquiry: Inquiry) -> Iterator[_Days]:
    """The days of polled sources that the rule's inputs are, or are still to be derived from."""
    first, last = inquiry.start // DAY, (inquiry.end - 1) // DAY
    for name in inquiry.rule.inputs:
        key, one = split_source(name)
        source = gradewire.catalogue.sources[key]
        names = (one,) if one else (MARKET,) if source.subject == MARKET else inquiry.names
        if source.derivation is None:
            yield _can_be_had(gradewire, _Days(source, None if source.subject == MARKET else names, first, last), inquiry)
            continue
        stored = past.stored_days(connection, key, since=first * DAY, until=(last + 1) * DAY - 1, subjects=names)
        unsaid = _missing(source, stored, names, first, last)
        if unsaid.any():
            days = np.flatnonzero(unsaid.any(axis=0)).tolist()
            whose = {names[row] for row in np.flatnonzero(unsaid.any(axis=1)).tolist()}
            for base in _bases(gradewire, key, whose, first + days[0], first + days[-1]):
                yield _can_be_had(gradewire, base, inquiry)


def _bases(gradewire: Gradewire, key: str, whose: set[str], first: int, last: int) -> Iterator[_Days]:
    """The days of polled sources that days of a derived one follow from."""
    catalogue = gradewire.catalogue
    hows = list(_derivations(catalogue, key))
    looks_back = needed_past(catalogue, [key])
    always = {name for how in hows for each in how.inputs for name in each.always}
    for base in polled(catalogue, key):
        source = catalogue.sources[base]
        at_once = source.subject == MARKET or (source.selection != "ids" and any(how.whole for how in hows))
        yield _Days(source, None if at_once else tuple(sorted(whose | always)), first - looks_back.get(base, 0), last)


def _derivations(catalogue: Catalogue, key: str) -> Iterator[Derivation]:
    how = catalogue.sources[key].derivation
    if how is not None:
        yield how
        for each in how.inputs:
            yield from _derivations(catalogue, each.source)


def _can_be_had(gradewire: Gradewire, days: _Days, inquiry: Inquiry) -> _Days:
    """Without the newest, which upstream does not give yet."""
    withheld = gradewire.settings.withheld_days if days.source.by_plan else 0
    return replace(days, last=min(days.last, inquiry.now // DAY - days.source.lag - withheld))


def _lacks(gradewire: Gradewire, connection: Connection, days: _Days, missing: Bools) -> list[Lack]:
    """The lacks of one source, in as few calls as it takes: all of it at once, or alike subjects together."""
    why_not = unavailable(gradewire, days.source)
    alike: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row in np.flatnonzero(missing.any(axis=1)).tolist():
        there = np.flatnonzero(missing[row])
        alike[int(there[0]), int(there[-1])].append(row)
    everyone = 1 if days.source.subject == MARKET else overview.count_subjects(connection, days.source.subject)

    def lack(rows: Sequence[int], first: int, last: int) -> Lack:
        subjects = None if days.whose is None else tuple(days.whose[row] for row in rows)
        span = ((days.first + first) * DAY, (days.first + last) * DAY)
        found = Lack(days.source, subjects, *span, int(missing[list(rows)].sum()), why_not=why_not)
        return found if why_not else replace(found, calls=price(found, everyone))

    apart = [lack(rows, *span) for span, rows in sorted(alike.items())]
    if len(apart) < 2:
        return apart
    rows = sorted(row for rows in alike.values() for row in rows)
    together = lack(rows, min(first for first, _ in alike), max(last for _, last in alike))
    return [together] if why_not or together.calls <= sum(each.calls for each in apart) else apart


def _in_vain(gradewire: Gradewire, connection: Connection, days: _Days, asked: Bools) -> Iterator[Lack]:
    """Days from before the first live reading that were asked for and did not come."""
    if not asked.any():
        return
    live, newest = first_live(gradewire, connection, days.source, days.names), newest_day(gradewire, days.source)
    for row, name in enumerate(days.names):
        asked[row, max(0, live.get(name, newest) // DAY - days.first) :] = False
    rows, places = np.flatnonzero(asked.any(axis=1)).tolist(), np.flatnonzero(asked.any(axis=0)).tolist()
    if rows:
        subjects = None if days.whose is None else tuple(days.whose[row] for row in rows)
        span = (days.first + places[0]) * DAY, (days.first + places[-1]) * DAY
        text = f"{days.source.label}: they were asked for, and Token Metrics has none."
        yield Lack(days.source, subjects, *span, int(asked.sum()), why_not=text)


def _not_stored(gradewire: Gradewire, connection: Connection, days: _Days) -> tuple[Bools, Bools]:
    """Which of the days are not stored and were not asked for, and which were, in vain: names × days each."""
    key, since, until = days.source.key, days.first * DAY, (days.last + 1) * DAY - 1
    if days.whose is None:
        times = np.array(past.stored_times(connection, key, since=since), dtype=np.int64)
        stored: Mapping[str, Ints] = {past.ALL: times[times <= until]}
    else:
        stored = past.stored_days(connection, key, since=since, until=until, subjects=days.whose)
    missing = _missing(days.source, stored, days.names, days.first, days.last)
    vain = np.zeros_like(missing)
    noted = {} if unavailable(gradewire, days.source) else past.filled(connection, key)
    for row, name in enumerate(days.names):
        asked_from = noted.get(name, noted.get(past.ALL))
        if asked_from is not None:
            first = max(0, asked_from // DAY - days.first)
            vain[row, first:] = missing[row, first:]
            missing[row, first:] = False
    return missing, vain


def _missing(source: Source, stored: Mapping[str, Ints], names: Sequence[str], first: int, last: int) -> Bools:
    """Which days have no reading: names × days."""
    missing = np.ones((len(names), last - first + 1), dtype=bool)
    for row, name in enumerate(names):
        days = stored.get(name, NONE) // DAY - first
        for further in range(max(1, source.cadence // DAY)):  # a weekly reading stands for its week
            missing[row, days[days + further <= last - first] + further] = False
    return missing


def unavailable(gradewire: Gradewire, source: Source) -> str:
    """Why the past of a source cannot be fetched; empty where it can."""
    if not source.ranged:
        return f"{source.label}: Token Metrics gives no history, so only what was read while somebody wanted it is there."
    return obstacle(gradewire, source)


def price(lack: Lack, everyone: int) -> int:
    """Upstream calls that fetching takes at most, where so many subjects are known."""
    ids = None if lack.subjects is None else [int(name.partition(":")[2]) for name in lack.subjects]
    return calls(lack.source, ids, _date(lack.since), _date(lack.until), everyone)


def _date(milliseconds: int) -> date:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date()
