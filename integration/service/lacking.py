"""What of the past a backtest lacks, what fetching it would cost, and wishes that it be fetched."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
from sqlalchemy import Connection

from integration.domain.backtest import Bools
from integration.domain.catalogue import MARKET, Source, split_source
from integration.domain.errors import BudgetSpent, GradewireError, InvalidInput, TooMany
from integration.domain.history import Ints
from integration.domain.retry import DAY, MINUTE
from integration.service.deriving import needed_past
from integration.service.evaluate import polled
from integration.service.filling import fill, left
from integration.service.trial import Inquiry
from integration.service.wanting import obstacle
from integration.service.wiring import Gradewire
from integration.store.queries import overview, past, past_wishes
from integration.store.secrets import new_id
from integration.tokenmetrics.asks import calls

#: Wishes of one account that may wait.
MOST_WISHES = 20
#: How long a wish is taken for: far longer than fetching takes.
CLAIM = 30 * MINUTE
#: A wish that failed is not made again for so long.
FAILED_FOR = 10 * MINUTE
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


def lacks(gradewire: Gradewire, connection: Connection, inquiry: Inquiry) -> list[Lack]:
    """What the period lacks, source by source: of derived ones, what they are derived from, with the days they look back.

    Days that were asked for already and did not come are not lacking: upstream has none.
    """
    catalogue, found = gradewire.catalogue, []
    for name in inquiry.rule.inputs:
        key, one = split_source(name)
        bases = needed_past(catalogue, [key]) if catalogue.sources[key].derivation else {key: 0}
        whole = any(each.whole for each in _derivations(gradewire, key))
        for base in polled(catalogue, key):
            source = catalogue.sources[base]
            whose = None if whole or source.subject == MARKET else sorted({one} if one else _whose(gradewire, inquiry, key))
            first = inquiry.start // DAY - bases.get(base, 0)
            found += list(_lacks(gradewire, connection, source, whose, first, _last_day(gradewire, source, inquiry)))
    each = {(lack.source.key, lack.since, lack.until, lack.subjects or ()): lack for lack in found}
    return [each[key] for key in sorted(each)]


def _derivations(gradewire: Gradewire, key: str) -> Iterator[Any]:
    how = gradewire.catalogue.sources[key].derivation
    if how is not None:
        yield how
        for each in how.inputs:
            yield from _derivations(gradewire, each.source)


def _whose(gradewire: Gradewire, inquiry: Inquiry, key: str) -> set[str]:
    return {*inquiry.names, *(name for how in _derivations(gradewire, key) for each in how.inputs for name in each.always)}


def _last_day(gradewire: Gradewire, source: Source, inquiry: Inquiry) -> int:
    """The newest day of the period that can be had by now."""
    withheld = gradewire.settings.withheld_days if source.by_plan else 0
    return min((inquiry.end - 1) // DAY, inquiry.now // DAY - source.lag - withheld)


def _lacks(
    gradewire: Gradewire, connection: Connection, source: Source, whose: Sequence[str] | None, first: int, last: int
) -> Iterator[Lack]:
    """The lacks of one source, in as few calls as it takes: all of it at once, or alike subjects together."""
    if last < first:
        return
    names = [past.ALL] if whose is None else list(whose)
    stored = _stored(connection, source, whose, first * DAY, (last + 1) * DAY - 1)
    why_not = unavailable(gradewire, source)
    missing = _missing(source, stored, names, first, last)
    if not why_not:
        noted = past.filled(connection, source.key)
        for row, name in enumerate(names):
            since = noted.get(name, noted.get(past.ALL))
            if since is not None:
                missing[row, max(0, since // DAY - first) :] = False
    alike: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row in np.flatnonzero(missing.any(axis=1)).tolist():
        days = np.flatnonzero(missing[row])
        alike[int(days[0]), int(days[-1])].append(row)
    everyone = 1 if source.subject == MARKET else overview.count_subjects(connection, source.subject)

    def lack(rows: Sequence[int], days: tuple[int, int]) -> Lack:
        subjects = None if whose is None else tuple(names[row] for row in rows)
        span = ((first + days[0]) * DAY, (first + days[1]) * DAY)
        found = Lack(source, subjects, *span, int(missing[list(rows)].sum()), why_not=why_not)
        return found if why_not else replace(found, calls=price(found, everyone))

    apart = [lack(rows, days) for days, rows in sorted(alike.items())]
    if len(apart) > 1:
        rows_together = sorted(row for rows in alike.values() for row in rows)
        together = lack(rows_together, (min(a for a, _ in alike), max(b for _, b in alike)))
        apart = [together] if why_not or together.calls <= sum(each.calls for each in apart) else apart
    yield from apart


def _stored(connection: Connection, source: Source, whose: Sequence[str] | None, since: int, until: int) -> Mapping[str, Ints]:
    if whose is not None:
        return past.stored_days(connection, source.key, since=since, until=until, subjects=whose)
    times = np.array(past.stored_times(connection, source.key, since=since), dtype=np.int64)
    return {past.ALL: times[times <= until]}


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


def check_affordable(gradewire: Gradewire, found: Sequence[Lack]) -> None:
    """Refuse what takes more calls than the plan's month has left."""
    wanted, there = sum(lack.calls for lack in found), left(gradewire)
    if wanted > there:
        text = f"Fetching takes {wanted:,} calls, and the plan has {there:,} left this month: name fewer or a shorter period."
        raise InvalidInput(text, field="fetch")


def fetch(gradewire: Gradewire, lack: Lack) -> int:
    """Fetch and store what is lacking; the calls it took."""
    return fill(gradewire, lack.source, lack.subjects, lack.since, lack.until)


# -- wishes ----------------------------------------------------------------------------------------------------------


def wish(gradewire: Gradewire, account_id: str, found: Sequence[Lack]) -> list[Any]:
    """The account wants these fetched: the stored wish of each. The same again while it waits is the same wish.

    Raises InvalidInput where the plan does not have the calls, TooMany where too many wishes wait.
    """
    check_affordable(gradewire, found)
    with gradewire.database.write() as connection:
        return [_wish(gradewire, connection, account_id, lack) for lack in found]


def _wish(gradewire: Gradewire, connection: Connection, account_id: str, lack: Lack) -> Any:
    now = gradewire.now()
    named = {"account_id": account_id, "source": lack.source.key, "subjects": json.dumps(lack.subjects)}
    what = {**named, "since": lack.since, "until": lack.until}
    there = past_wishes.same(connection, what, now - FAILED_FOR)
    if there is not None:
        return there
    if past_wishes.open_ones(connection, account_id) >= MOST_WISHES:
        raise TooMany(f"{MOST_WISHES} of your wishes still wait to be fetched; ask again once they are done.", retry_after=60)
    past_wishes.add(connection, id=new_id("wsh_"), **what, calls=lack.calls, asked_at=now)
    return past_wishes.same(connection, what, now)


def work_off(gradewire: Gradewire) -> int:
    """Fetch what is wished for, one wish after the other; how many calls that took.

    What the plan has no calls for waits until it has; what upstream refuses has failed, and says why.
    """
    made = 0
    while True:
        now = gradewire.now()
        with gradewire.database.write() as connection:
            row = past_wishes.claim(connection, now, now + CLAIM)
        if row is None:
            return made
        made += _fulfil(gradewire, row)


def _fulfil(gradewire: Gradewire, row: Any) -> int:
    source, subjects = gradewire.catalogue.sources[row.source], json.loads(row.subjects)
    status, error, took = past_wishes.DONE, None, 0
    ended_at: int | None = None
    usage = gradewire.budget.used(gradewire.now())
    if row.calls - row.made > usage.per_month - usage.month:
        status, error, ended_at = past_wishes.WAITING, "The plan's calls of this month are spent.", usage.month_ends
    else:
        try:
            took = fill(gradewire, source, subjects, row.since, row.until)
        except BudgetSpent as spent:
            status, error, ended_at = past_wishes.WAITING, spent.message, spent.retry_at
        except GradewireError as failure:
            status, error = past_wishes.FAILED, failure.message[:500]
    with gradewire.database.write() as connection:
        past_wishes.settle(connection, row.id, status, ended_at or gradewire.now(), made=took, error=error)
    return took
