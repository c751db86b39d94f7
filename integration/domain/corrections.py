"""Which of what was told would not be told so on what is known now: rule 7 of the alert semantics.

A log's past changes where a reading restates an earlier one, or comes late. What was told stays told; but at each such
moment it is compared with what the last versions of all readings known by then say. All times are in milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from integration.domain.history import Firing, History, Log, Told, replay


@dataclass(frozen=True, slots=True)
class Correction:
    """What was told, what the readings known at `known_at` say of the same as_of (None: nothing), and whether one restates."""

    told: Told
    now: Firing | None
    known_at: int
    restated: bool


@dataclass(frozen=True, slots=True)
class Revision:
    """A moment at which the past changed: the log up to position `end` is known, and readings of these as_of changed it."""

    known_at: int
    end: int
    changed: tuple[int, ...]
    restated: bool

    def reaches(self, as_of: int, reach: int) -> bool:
        """Whether it can have changed what is said of a time, where that looks back no further than `reach`."""
        return any(changed <= as_of <= changed + reach for changed in self.changed)


def corrections(log: Log, scan: Callable[[History], list[Firing]], reach: int) -> list[Correction]:
    """Corrections of what a rule told over a log, at most one an as_of, in the order they became known.

    What is told of a time must look back no further than `reach`. Readings of one moment count together.
    """
    past = list(revisions(log))
    if not past:
        return []
    told = replay(log, scan)
    found: dict[int, Correction] = {}
    for revision in past:
        doubted = [
            each
            for each in told
            if each.known_at <= revision.known_at
            and each.firing.as_of not in found
            and revision.reaches(each.firing.as_of, reach)
        ]
        if not doubted:
            continue
        said = {firing.as_of: firing for firing in scan(last_versions(log, revision.end))}
        for each in sorted(doubted, key=lambda t: t.firing.as_of):
            now = said.get(each.firing.as_of)
            if now is None or dict(now.fields) != dict(each.firing.fields):
                found[each.firing.as_of] = Correction(each, now, revision.known_at, revision.restated)
    return list(found.values())


def revisions(log: Log) -> Iterator[Revision]:
    """The moments at which a reading came that is not newer than all before it."""
    if not len(log.as_of):
        return
    newest = np.maximum.accumulate(log.as_of)
    older = np.concatenate(([False], log.as_of[1:] <= newest[:-1]))
    if not older.any():
        return
    _, first = np.unique(log.as_of, return_index=True)
    again = np.ones(len(log.as_of), dtype=bool)
    again[first] = False
    ends = np.append(np.flatnonzero(np.diff(log.known_at)) + 1, len(log.known_at))
    for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True):
        if older[start:end].any():
            changed = tuple(sorted(set(log.as_of[start:end][older[start:end]].tolist())))
            yield Revision(int(log.known_at[start]), end, changed, bool(again[start:end].any()))


def last_versions(log: Log, end: int) -> History:
    """The last version of every as_of among a log's first `end` readings, however late it came."""
    order = np.lexsort((np.arange(end), log.as_of[:end]))
    last = np.append(np.diff(log.as_of[order]) > 0, True)[: len(order)]
    return log.history(order[last])
