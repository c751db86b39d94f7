"""How long readings are kept: 400 days of market time, and never less than the longest look back in use."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from integration.domain.history import max_gap
from integration.domain.retry import DAY
from integration.service.claiming import EXPIRES_AFTER
from integration.service.evaluate import active
from integration.service.feeds import FILL_DAYS
from integration.service.noticing import KEPT as NOTICES_KEPT
from integration.service.wiring import Gradewire
from integration.store.queries import deliveries, owner_notices, polls, readings, rules

KEPT = 400 * DAY
#: Rows deleted in one transaction: few enough that no delivery waits for it.
BATCH = 2_000
BATCHES = 25


def horizon(gradewire: Gradewire) -> int:
    """The as_of (ms) before which nothing influences a live rule or the filling of a feed."""
    with gradewire.database.read() as connection:
        live = [rule for row in rules.live_rules(connection, gradewire.now()) if (rule := active(gradewire.catalogue, row))]
    longest = 0
    for rule in live:
        longest = max(longest, rule.trigger.lookback(rule.options).total(max_gap(rule.source(gradewire.catalogue).cadence)))
    return gradewire.clock.at(gradewire.now()) - max(KEPT, longest + FILL_DAYS * DAY)


def prune(gradewire: Gradewire) -> int:
    """Delete readings and polls from before the horizon, in small batches; how many rows went."""
    before = horizon(gradewire)
    gone = sum(_batches(gradewire, partial(readings.prune, source=key, before=before)) for key in gradewire.catalogue.sources)
    with gradewire.database.write() as connection:
        owner_notices.prune(connection, gradewire.now() - NOTICES_KEPT)
    expired = partial(deliveries.expire_held, before=gradewire.now() - EXPIRES_AFTER, now=gradewire.now())
    return gone + _batches(gradewire, partial(polls.prune, before=before)) + _batches(gradewire, expired)


def _batches(gradewire: Gradewire, query: Callable[..., int]) -> int:
    gone = 0
    for _ in range(BATCHES):
        with gradewire.database.write() as connection:
            count = query(connection, most=BATCH)
        gone += count
        if count < BATCH:
            break
    return gone
