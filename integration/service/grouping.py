"""Which of the events that a poll brings a subscription are told as one: rule 12 of the alert semantics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from integration.domain.bundle import MOST as MOST_BUNDLED
from integration.domain.digest import BUDGET, MOST, SINGLY
from integration.store.queries import digests
from integration.store.queries.digests import Group


def group(
    connection: Connection, owed: Mapping[str, Sequence[int]], recent: Mapping[str, Sequence[int]], *, due: int, hour: int
) -> None:
    """Group what was just owed: up to five events of a poll go singly, more as a digest; beyond the hour's budget of
    notices, they wait for one.

    `owed` are the new events (seq) by subscription; `recent` when its notices of the last hour were made (ms), newest
    first. `hour` is how long one lasts in wall time (ms).
    """
    groups: list[Group] = []
    for subscription, seqs in sorted(owed.items()):
        events, before = sorted(seqs), recent.get(subscription, ())
        parts = [events[start : start + MOST] for start in range(0, len(events), MOST)] if len(events) > SINGLY else []
        if len(before) + (len(parts) or len(events)) <= BUDGET:
            groups += [Group(subscription, part[0], part[-1], due) for part in parts]
        elif len(before) < BUDGET:
            groups.append(Group(subscription, events[0], events[-1], due))
        else:
            _wait(connection, subscription, events, before[BUDGET - 1] + hour, due)
    digests.group(connection, groups)


def bundle(connection: Connection, owed: Mapping[str, Sequence[int]], *, due: int) -> None:
    """Tell what a poll brought each subscription (the new events' seq) as one, also where it is a single event."""
    groups = []
    for subscription, seqs in sorted(owed.items()):
        events = sorted(seqs)
        parts = (events[start : start + MOST_BUNDLED] for start in range(0, len(events), MOST_BUNDLED))
        groups += [Group(subscription, part[0], part[-1], due) for part in parts]
    digests.group(connection, groups)


def _wait(connection: Connection, subscription: str, events: Sequence[int], until: int, now: int) -> None:
    """Put events into the digest that waits for the budget, or begin one."""
    there = digests.waiting(connection, subscription, now)
    if there is not None and there[1] < MOST:
        digests.join(connection, subscription, there[0], events[0], events[-1])
    else:
        digests.group(connection, [Group(subscription, events[0], events[-1], until)])
