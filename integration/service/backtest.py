"""Backtests: the events that live evaluation would have given, asked for before anything is switched on.

The primitive is that of live evaluation and of feeds, so the ids are the same. Nothing is stored and nobody is told.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Connection

from integration.domain.catalogue import MARKET, Source
from integration.domain.errors import InvalidInput, TooMany
from integration.domain.retry import DAY
from integration.domain.scope import Scope
from integration.service.asking import ask, scope_of
from integration.service.evaluate import ActiveRule, facts_of, polled
from integration.service.lacking import Lack, lacks
from integration.service.preview import preview, tell_lacks
from integration.service.pricing import calls
from integration.service.trial import KEPT_DAYS, Inquiry, Progress, readings_of_one, run
from integration.service.wiring import Gradewire
from integration.service.wishing import wish
from integration.store.queries import past, readings, subjects

DEFAULT_DAYS = 365
MOST_SUBJECTS = 2_000
#: The most readings of a rule's clock that one backtest looks at.
MOST_READINGS = 2_000_000
#: Events that are given in full, unless asked otherwise, and at most.
GIVEN, MOST_GIVEN = 1_000, 5_000

Shown = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """What someone asks: a trigger with options and a scope, over days (both included; None: the last 365 that are stored)."""

    trigger: str
    options: Mapping[str, Any] = field(default_factory=dict)
    scope: Mapping[str, Any] = field(default_factory=dict)
    since: date | None = None
    until: date | None = None
    flap_days: int = 7
    limit: int = GIVEN


def backtest(gradewire: Gradewire, question: Question, progress: Progress = lambda _done, _of: None) -> tuple[Shown, list[Lack]]:
    """(what the stored past says, what of it is lacking). `progress` is told how many of how many subjects are done.

    Raises InvalidInput for options, scope or period, also where they are too large, naming the field and the remedy.
    """
    with gradewire.database.read() as connection:
        inquiry = inquire(gradewire, connection, question)
        trial = run(connection, gradewire.catalogue, inquiry, progress)
        told = preview(connection, gradewire.catalogue, trial)
        price = calls(gradewire, connection, inquiry.rule, inquiry.scope)
        found = lacks(gradewire, connection, inquiry)
    costs = {"calls_a_month": price.calls_a_month, "added_calls_a_month": price.added}
    return {**told, "cost": costs, "missing": tell_lacks(found)}, found


def backtest_for(gradewire: Gradewire, account_id: str, question: Question, *, fetch: bool) -> Shown:
    """As `backtest`, for an account, one at a time; with `fetch`, what is lacking and can be had is wished for.

    Raises TooMany while another backtest of the account runs in this process.
    """
    with _alone(account_id):
        told, found = backtest(gradewire, question)
    if fetch:
        wanted = [lack for lack in found if not lack.why_not]
        told["missing"] = tell_lacks(found, dict(zip(map(id, wanted), wish(gradewire, account_id, wanted), strict=True)))
    return told


_running: set[str] = set()
_lock = threading.Lock()


@contextmanager
def _alone(account_id: str) -> Iterator[None]:
    with _lock:
        if account_id in _running:
            raise TooMany("Another backtest of yours is still running: wait for it.", retry_after=5)
        _running.add(account_id)
    try:
        yield
    finally:
        with _lock:
            _running.discard(account_id)


# -- what is asked ---------------------------------------------------------------------------------------------------


def inquire(gradewire: Gradewire, connection: Connection, question: Question) -> Inquiry:
    """The question with every default written out and within its limits."""
    rule = ask(gradewire, question.trigger, question.options)
    scope = scope_of(gradewire, connection, rule, question.scope)
    source = rule.source(gradewire.catalogue)
    now = gradewire.clock.at(gradewire.now())
    first, last = _period(gradewire, connection, rule, question, now)
    names = tuple(names_of(gradewire, connection, source, scope))
    shape = (source, scope, names, _start(first), _start(last) + DAY, now)
    inquiry = Inquiry(rule, *shape, flap_days=question.flap_days, limit=min(question.limit, MOST_GIVEN))
    field = scope.kind if scope.kind != "any" else "scope"
    if len(names) > MOST_SUBJECTS:
        text = f"{len(names):,} {source.subject}s are too many for one backtest, which takes {MOST_SUBJECTS:,}: narrow the scope"
        raise InvalidInput(text + (" to a category, an exchange or top." if source.subject == "token" else "."), field=field)
    if len(names) * readings_of_one(inquiry) > MOST_READINGS:
        text = f"That is more than {MOST_READINGS:,} readings: name fewer {source.subject}s, or a shorter period."
        raise InvalidInput(text, field=field)
    return inquiry


def _period(gradewire: Gradewire, connection: Connection, rule: ActiveRule, question: Question, now: int) -> tuple[date, date]:
    today = _date(now)
    oldest = date.fromordinal(today.toordinal() - KEPT_DAYS)
    last = min(question.until or _newest(gradewire, connection, rule) or today, today)
    if last < oldest:
        raise InvalidInput(f"Readings are kept {KEPT_DAYS} days: end on {oldest} or later.", field="to")
    first = question.since or max(oldest, date.fromordinal(last.toordinal() - DEFAULT_DAYS + 1))
    if first < oldest:
        raise InvalidInput(f"Readings are kept {KEPT_DAYS} days: begin on {oldest} or later.", field="from")
    if first > last:
        raise InvalidInput(f"The period ends on {last}, before it begins: choose an earlier day.", field="from")
    return first, last


def _newest(gradewire: Gradewire, connection: Connection, rule: ActiveRule) -> date | None:
    """The newest day that the rule's clock, or what it is derived from, has a reading of."""
    clock = rule.source(gradewire.catalogue).key
    times = [readings.newest_as_of(connection, key) for key in (clock, *polled(gradewire.catalogue, clock))]
    newest = max((as_of for as_of in times if as_of is not None), default=None)
    return None if newest is None else _date(newest)


def names_of(gradewire: Gradewire, connection: Connection, source: Source, scope: Scope) -> list[str]:
    """The subjects of a scope as they are now: for "any", those that are stored, or else all that are known."""
    if source.subject == MARKET:
        return [MARKET]
    if scope.kind in ("tokens", "indices"):
        return sorted(f"{source.subject}:{number}" for number in scope.ids)
    if scope.kind == "any":
        keys = dict.fromkeys((source.key, *polled(gradewire.catalogue, source.key)))
        stored = {name for key in keys for name in past.stored_subjects(connection, key)}
        if stored:
            return sorted(name for name in stored if name.startswith(f"{source.subject}:"))
    known = subjects.load(connection, kind=source.subject)
    return sorted(name for name, row in known.items() if scope.holds(facts_of(row)))


def _date(milliseconds: int) -> date:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).date()


def _start(day: date) -> int:
    return (day.toordinal() - date(1970, 1, 1).toordinal()) * DAY
