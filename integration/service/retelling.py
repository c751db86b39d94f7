"""What a rule told, found again in the log of readings.

A reading may count as known before it was stored: the past that was filled in, what is derived from it, what was derived
only once somebody wanted it. Live evaluation could not see it before. So the log is replayed as it was at each moment:
what a rule was asked for is told from what was stored by then, and only what came before that from all there is.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from sqlalchemy import Connection

from integration.domain.history import Epoch, Log, Told
from integration.service.evaluate import ActiveRule, Shelf
from integration.store.queries import rules


class Replay(NamedTuple):
    """What a rule told of a subject, in the order it became known; `late` are the as_of that it would have told of, had
    what is derived of them been there in time: nobody was told."""

    told: list[Told]
    late: frozenset[int] = frozenset()


def asked_since(connection: Connection, rule: ActiveRule) -> int | None:
    """When a rule was first asked for (ms); None where it never was."""
    row = rules.load(connection, [rule.id]).get(rule.id)
    return None if row is None else int(row.created_at)


def replay(rule: ActiveRule, shelf: Shelf, log: Log, since: int | None, stretches: Sequence[Epoch] | None = None) -> Replay:
    """What a rule told over a log of the shelf, that is asked for since a moment (None: never was, so all is the past)."""
    told = rule.told(log, stretches)
    stored = [] if since is None else shelf.stored_later(rule.inputs, log.subject, since)
    if since is None or not stored:
        return Replay(told)
    own = shelf.rows_of(rule.inputs[0], log.subject)
    moments = {row[2] for row in own if row[5] is None and row[2] >= since}  # those at which it was evaluated
    live: dict[int, Told] = {}
    for begin, end in pairwise((since, *stored)):
        here = {moment for moment in moments if begin <= moment < end}
        then = shelf.log(rule.inputs, log.subject, before=end) if here else None
        if then is not None:
            _add(live, [each for each in rule.told(then) if each.known_at in here])
    _add(live, [each for each in told if each.known_at in moments and each.known_at >= stored[-1]])
    past = {each.firing.as_of: each for each in told if each.known_at not in moments}
    computed = {row[2] for row in own if row[5] is not None and row[6] == "live"}
    late = frozenset(
        as_of for as_of, each in past.items() if each.known_at >= since and each.known_at in computed and as_of not in live
    )
    return Replay(sorted({**past, **live}.values(), key=lambda each: each.known_at), late)


def _add(found: dict[int, Told], told: Sequence[Told]) -> None:
    for each in told:
        found.setdefault(each.firing.as_of, each)
