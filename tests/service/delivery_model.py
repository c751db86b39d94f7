"""What a delivery may do, as plainly as it can be said: the model that the delivery machine is driven against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from integration.domain.message import Reply
from integration.domain.retry import HOUR, SCHEDULE, SECOND
from integration.service.claiming import EXPIRES_AFTER
from integration.store.queries.deliveries import DEAD, DELIVERED, EXPIRED, GROUPED, HELD, PENDING

#: From each state to those that a worker may bring it to. Only by hand does anything become pending again.
ARROWS = {
    PENDING: {PENDING, DELIVERED, DEAD, EXPIRED, HELD, GROUPED},
    GROUPED: {GROUPED, DELIVERED, DEAD, EXPIRED, HELD},
    HELD: {HELD},
    DELIVERED: {DELIVERED},
    DEAD: {DEAD},
    EXPIRED: {EXPIRED},
}
FINAL = (DELIVERED, DEAD, EXPIRED, HELD)
MOST_ATTEMPTS = len(SCHEDULE) + 1
LONGEST_WISH = 24 * HOUR


@dataclass
class Debt:
    """One delivery: `due` is the earliest time (ms) at which anyone may take it, `lease` is whose it is, until `until`."""

    created: int
    due: int
    state: int = PENDING
    attempts: int = 0
    lease: str | None = None
    until: int = 0
    wished: bool = False
    taken: int = 0


@dataclass
class Model:
    """All debts by id, and the laws. Whatever breaks one raises AssertionError."""

    debts: dict[int, Debt] = field(default_factory=dict)

    def is_free(self, debt: Debt, now: int) -> bool:
        """Whether a worker may take it."""
        return debt.due <= now and (debt.lease is None or debt.until <= now)

    def leased(self, identity: int, lease: str, now: int, until: int) -> None:
        """A worker has taken one."""
        debt = self.debts[identity]
        assert debt.state == PENDING, f"{identity} was taken and is not pending"
        assert debt.due <= now, f"{identity} was taken {debt.due - now} ms before it was due"
        assert debt.lease is None or debt.until <= now, f"{identity} was taken and belongs to another worker"
        debt.lease, debt.until = lease, until

    def starts(self, identity: int, lease: str, now: int, longest: int) -> None:
        """A worker begins to send one: it holds the lease, to the end of the attempt, and nothing is settled yet."""
        debt = self.debts[identity]
        assert debt.lease == lease, f"{identity} is sent without a lease"
        assert now + longest <= debt.until, f"{identity}: the lease may end before the attempt"
        # Its subscription may end while a worker has it: that it cannot know.
        assert debt.state in (PENDING, DEAD), f"{identity} is sent and was settled"
        assert debt.attempts < MOST_ATTEMPTS, f"{identity} is sent once too often"

    def answered(self, identity: int, lease: str, reply: Reply, now: int) -> None:
        """What an answer, written down, makes of one: nothing, where the lease has gone to another."""
        debt = self.debts[identity]
        if debt.lease != lease or debt.state != PENDING:
            return
        debt.lease = None
        if reply.status == 403:  # the destination is to be mended: nothing is spent
            return
        debt.attempts += 1
        if reply.status == 200:
            debt.state = DELIVERED
        elif reply.status in (400, 410) or debt.attempts == MOST_ATTEMPTS:
            debt.state = DEAD
        else:
            wish = min(float(reply.retry_after or 0) * SECOND, LONGEST_WISH)
            debt.due = now + int(max(SCHEDULE[debt.attempts - 1], wish))

    def given_back(self, identity: int, lease: str) -> None:
        """A worker has no use for one that it took."""
        debt = self.debts[identity]
        if debt.lease == lease:
            debt.lease = None

    def woken(self, identity: int, now: int) -> None:
        """Its owner has resumed what it waits for."""
        debt = self.debts[identity]
        debt.due = min(debt.due, now)

    def wished(self, identity: int, now: int) -> None:
        """Its owner wants it sent again: it begins anew, unless it is under way."""
        debt = self.debts[identity]
        if debt.lease is None and debt.state != GROUPED:
            self.debts[identity] = Debt(debt.created, now, wished=True, taken=debt.taken)

    def agrees(self, row: Any, now: int, why: Mapping[str, bool]) -> None:
        """A row is as it must be. What changed beside the attempts must have been free to, for a reason that there is."""
        name, debt, state = row.id, self.debts[row.id], row.state
        assert state in ARROWS[debt.state], f"{name} went from {debt.state} to {state}"
        if debt.state == GROUPED and state != GROUPED and not why["ended"]:
            lead = self.debts[row.lead_id]
            assert (lead.state, lead.attempts) == (state, row.attempts), f"{name} does not share the fate of {row.lead_id}"
            debt.state, debt.attempts = state, row.attempts
        if state != debt.state:
            assert state != DELIVERED, f"{name} counts as delivered, and nobody took it"
            assert state != EXPIRED or (debt.created < now - EXPIRES_AFTER and not debt.wished), f"{name} expired too early"
            assert state != HELD or why["disabled"], f"{name} is held, and its destination was not disabled"
            assert state != DEAD or why["ended"], f"{name} is dead, and its subscription has not ended"
            assert state != GROUPED or why["groups"], f"{name} is grouped where nothing is"
            assert state != GROUPED or self.is_free(debt, now), f"{name} is grouped and was not to be told now"
            debt.state = state
        assert row.attempts == debt.attempts, f"{name}: {row.attempts} attempts are counted, {debt.attempts} were made"
        if state == PENDING:
            assert row.lease == debt.lease, f"{name} is leased to {row.lease}, not to {debt.lease}"
            assert row.next_attempt_at >= debt.due, f"{name} comes {debt.due - row.next_attempt_at} ms too early"
