"""Fetching what the past lacks: at once for whoever waits for it, or as a wish that is worked off within the plan."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import Connection

from integration.domain.errors import BudgetSpent, InvalidInput, TooMany, UpstreamError
from integration.domain.retry import MINUTE, SECOND
from integration.service.filling import fill, fill_due
from integration.service.lacking import Lack
from integration.service.needing import left
from integration.service.wiring import Gradewire
from integration.store.queries import past_wishes
from integration.store.secrets import new_id

#: Wishes of one account that may wait.
MOST_WISHES = 20
#: How long a wish is taken for: far longer than fetching takes.
CLAIM = 30 * MINUTE
#: The same wish is not made again so soon after it ended.
ENDED_FOR = 10 * MINUTE

_fetching = threading.Lock()


def check_affordable(gradewire: Gradewire, found: Sequence[Lack]) -> None:
    """Refuse what takes more calls than the plan's month has left."""
    wanted, there = sum(lack.calls for lack in found), left(gradewire)
    if wanted > there:
        text = f"Fetching takes {wanted:,} calls, and the plan has {there:,} left this month: name fewer or a shorter period."
        raise InvalidInput(text, field="fetch")


def fetch(gradewire: Gradewire, lack: Lack) -> int:
    """Fetch and store what is lacking; the calls it took."""
    return fill(gradewire, lack.source, lack.subjects, lack.since, lack.until)


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
    there = past_wishes.same(connection, what, now - ENDED_FOR)
    if there is not None:
        return there
    if past_wishes.open_ones(connection, account_id) >= MOST_WISHES:
        raise TooMany(f"{MOST_WISHES} of your wishes still wait to be fetched; ask again once they are done.", retry_after=60)
    past_wishes.add(connection, id=new_id("wsh_"), **what, calls=lack.calls, asked_at=now)
    return past_wishes.same(connection, what, now)


def run(gradewire: Gradewire) -> int:
    """Fetch the past that is needed, then what is wished for, one run at a time in a process; how many calls that took."""
    if not _fetching.acquire(blocking=False):
        return 0
    try:
        return fill_due(gradewire) + work_off(gradewire, fill_due)
    finally:
        _fetching.release()


def work_off(gradewire: Gradewire, between: Callable[[Gradewire], int] = lambda _: 0) -> int:
    """Fetch what is wished for, one wish after the other, and after each of them what goes before; how many calls that took.

    What the plan has no calls for waits until it has; what upstream refuses has failed, and says why.
    """
    made = 0
    while True:
        now = gradewire.now()
        with gradewire.database.write() as connection:
            row = past_wishes.claim(connection, now, now + CLAIM)
        if row is None:
            return made
        made += _fulfil(gradewire, row) + between(gradewire)


def _fulfil(gradewire: Gradewire, row: Any) -> int:
    took, until = 0, gradewire.now()
    try:
        usage = gradewire.budget.used(gradewire.now())
        if row.calls - row.made > usage.per_month - usage.month:
            raise BudgetSpent("The plan has too few calls left this month.", retry_at=usage.month_ends)
        if row.source not in gradewire.catalogue.sources:
            raise UpstreamError(f"There is no source {row.source} any more.")
        took = fill(gradewire, gradewire.catalogue.sources[row.source], json.loads(row.subjects), row.since, row.until)
        status, error = past_wishes.DONE, None
    except BudgetSpent as spent:
        status, error, until = past_wishes.WAITING, spent.message, max(spent.retry_at, gradewire.now() + SECOND)
    except UpstreamError as failure:
        status, error = past_wishes.FAILED, failure.message[:500]
    except Exception as unforeseen:
        status, error = past_wishes.FAILED, f"Gradewire failed ({type(unforeseen).__name__})."
        raise
    finally:
        with gradewire.database.write() as connection:
            past_wishes.settle(connection, row.id, status, until, made=took, error=error)
    return took
