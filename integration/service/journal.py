"""What is written into the log: a line for each poll, drain and attempt, tied together by the poll's and the event's id.

No line holds an address, a setting or an answer: those are in the database, for who may see them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from integration import logs

if TYPE_CHECKING:
    from integration.domain.message import Reply
    from integration.service.claiming import Owed
    from integration.service.observe import Observed
    from integration.service.settling import Counts
    from integration.service.ways import Target

log = structlog.get_logger()

#: Why no answer came, as `Reply.error` says it; any other word counts as "other".
ERRORS = frozenset(
    ("resolve", "connect", "tls", "certificate", "timeout", "reset", "refused", "protocol", "token", "failed", "too large")
)


def failure(status: int, error: str | None) -> str:
    """Why an attempt failed, in one of few words: that of its error, else the class of its status; "" where it did not."""
    if error:
        word = error.partition(":")[0]
        return word if word in ERRORS else "other"
    return "" if status < 300 else f"{status // 100}xx"


def polled(poll_id: int, ended: Observed, took_ms: int) -> None:
    """A poll is over."""
    level = "info" if ended.status == "done" else "warning"
    about = {"poll_id": poll_id, "source": ended.source, "selection": ended.selection, "slot": ended.slot, "took_ms": took_ms}
    counts = {"rows": ended.rows, "events": ended.events, "owed": ended.owed}
    getattr(log, level)("poll", status=ended.status, **about, **counts, **({"error": ended.error} if ended.error else {}))


def drained(counts: Counts, took_ms: int) -> None:
    """A drain is over; one that found nothing is not worth a line."""
    if counts.delivered or counts.retried or counts.dead or counts.held:
        told = {"delivered": counts.delivered, "retried": counts.retried, "dead": counts.dead, "held": counts.held}
        log.info("drain", **told, took_ms=took_ms)


class Attempts:
    """Lines of attempts. Those that delivered are wanted only at the finest level: there may be tens of thousands a second."""

    def __init__(self) -> None:
        self._debug = logs.is_debug()

    def made(self, target: Target, one: Owed, reply: Reply, outcome: str) -> None:
        """An attempt is over; `outcome` is delivered, retry or dead."""
        if outcome == "delivered":
            if not self._debug:
                return
            tell = log.debug
        else:
            tell = log.info if outcome == "retry" else log.warning
        tell(
            "attempt",
            outcome=outcome,
            error=failure(reply.status, reply.error),
            status=reply.status,
            took_ms=reply.duration_ms,
            **{"digest_id" if one.leads else "event_id": one.message.id},
            poll_id=one.poll_id,
            delivery_id=one.id,
            number=one.attempts + 1,
            subscription_id=one.message.subscription_id,
            destination_id=target.id,
            channel=target.channel.key,
        )
