"""What an attempt says of its destination: whether it fails, is left alone, is warned of, or is disabled."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from sqlalchemy import Connection

from integration.domain.breaker import DISABLED_AFTER, TRIES, WARNED_AFTER, open_for
from integration.domain.message import Dead, Reply, Retry
from integration.domain.retry import DAY
from integration.service.ways import Target
from integration.store.queries import health

#: What goes wrong on our own way out says nothing of a destination.
OURS = "proxy"

Change = Callable[[Connection], None]


def fine(target: Target, now: int) -> Change | None:
    """What has to be written of a destination after a delivery: nothing, where it was well before."""
    target.breaker.note(now, fine=True)
    if not target.opened and target.failing_since is None:
        return None
    target.opened, target.open_until, target.failing_since, target.warned = 0, 0, None, False
    return partial(health.recovered, destination_id=target.id, now=now)


def failed(target: Target, reply: Reply, verdict: Retry | Dead, attempts: int, now: int) -> Iterator[Change]:
    """What has to be written of it after an attempt that failed, the `attempts`-th at its delivery."""
    if isinstance(verdict, Retry) and reply.error != OURS:
        yield from _failed(target, reply, verdict.reason, attempts, now)


def _failed(target: Target, reply: Reply, reason: str, attempts: int, now: int) -> Iterator[Change]:
    if target.failing_since is None:
        target.failing_since = now
        yield partial(health.fails, destination_id=target.id, now=now)
    if now >= target.open_until and (target.breaker.note(now, fine=False) or target.opened):
        target.open_until = now + open_for(target.opened)
        yield partial(health.open_breaker, destination_id=target.id, known=target.opened, until=target.open_until)
        target.opened += 1
    if attempts < TRIES:
        return
    since = now - target.failing_since
    if since >= DISABLED_AFTER:
        text = f"Deliveries have failed for {DISABLED_AFTER // DAY} days: {reason}"
        yield partial(health.disable, destination_id=target.id, reason=text, now=now)
    elif since >= WARNED_AFTER and not target.warned:
        target.warned = True
        left = (DISABLED_AFTER - WARNED_AFTER) / DAY
        yield partial(health.warn, destination_id=target.id, reason=reason, days=left, now=now)
    elif attempts == TRIES and 400 <= reply.status < 500 and reply.status not in (408, 429):
        yield partial(health.refused, destination_id=target.id, reason=reason, now=now)
