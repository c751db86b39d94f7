"""Whether an answer is whole: nothing is concluded from one that is not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from sqlalchemy import Connection

from integration.domain.catalogue import Batch, Source
from integration.service.selecting import NAMED, Selection
from integration.store.queries import readings
from integration.tokenmetrics import Fetched

#: An answer with fewer rows than this share of those expected changes nothing …
ENOUGH = 0.7
#: … until so many of them in a row agree within this share of each other: then that is how many there are.
AGREEING, AGREE_WITHIN = 3, 0.05

#: An id that had nothing for so many intervals before the newest as_of is not expected to have any.
LATELY = 2

Judgement = Literal["whole", "short", "believed"]


def size(source: Source, selection: Selection, fetched: Fetched) -> int:
    """How many rows an answer has: of named ids, how many of them it tells of; of days, rows a day, as some polls ask for
    more days than others."""
    if selection.name == NAMED:
        return len(set(fetched.batch.subjects))
    rows = fetched.batch.rows or len(fetched.batch.subjects) or len(fetched.names)
    days = len(np.unique(fetched.batch.as_of)) if source.ranged else 1
    return math.ceil(rows / max(days, 1))


def expected(connection: Connection, source: Source, selection: Selection) -> int | None:
    """How many of the ids that are asked for have readings of late; None where the last whole answer says how many to expect.

    The ids change with what people want: an answer about fewer of them is not a short one.
    """
    newest = readings.newest_as_of(connection, source.key)
    if selection.name != NAMED or selection.ids is None or newest is None:
        return None
    names = [f"{source.subject}:{number}" for number in selection.ids]
    return readings.lately(connection, source.key, names, newest - LATELY * source.cadence)


def judge(rows: int, recent: Sequence[tuple[str, int]], known: int | None = None) -> Judgement:
    """Whether so many rows are a whole answer, given the (status, rows) of earlier polls, newest first.

    As many are expected as are `known`, else as the last whole one had; the first answer ever must have some. Three short
    ones in a row that agree are believed.
    """
    last = next((count for status, count in recent if status == "done"), None) if known is None else known
    if rows >= ENOUGH * last if last else rows > 0 or (last == 0 and known is None):
        return "whole"
    short = []
    for status, count in recent[: AGREEING - 1]:
        if status != "partial":
            return "short"
        short.append(count)
    agree = len(short) == AGREEING - 1 and all(abs(count - rows) <= AGREE_WITHIN * max(rows, 1) for count in short)
    return "believed" if agree else "short"


def reached(batch: Batch) -> int | None:
    """The newest as_of that half of an answer's subjects have reached: where only some have more, the rest is on its way."""
    newest: dict[str, int] = {}
    for subject, as_of in zip(batch.subjects, np.asarray(batch.as_of).tolist(), strict=True):
        newest[subject] = max(as_of, newest.get(subject, as_of))
    return sorted(newest.values())[(len(newest) - 1) // 2] if newest else None
