"""Rules that flap: crossings that a cooldown keeps silent, one after the other. Their owners are told so (rule 5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from integration.domain.history import History
from integration.domain.payload import iso
from integration.domain.retry import HOUR
from integration.service.asked import Asked
from integration.service.audience import Audience
from integration.service.evaluate import ActiveRule, unnamed
from integration.store.queries import owner_notices, subjects, subscriptions

#: So many silent crossings in a row are flapping.
SEVERAL = 3


@dataclass(frozen=True, slots=True)
class Flap:
    """A rule came true for a subject `count` times since it last told (as_of in ms), each within the cooldown of another."""

    rule: ActiveRule
    subject: str
    since: int
    count: int


def flap(rule: ActiveRule, subject: str, history: History) -> Flap | None:
    """Whether the newest reading made a rule come true in silence, and not for the first time."""
    hours = rule.options.get("cooldown_hours")
    if not hours or hours * HOUR <= history.cadence or rule.trigger.tell is not None:
        return None
    every = [firing.as_of for firing in rule.trigger.scan(history, {**rule.options, "cooldown_hours": 0})]
    if len(every) <= SEVERAL or every[-1] != int(history.as_of[-1]):
        return None
    told = max((firing.as_of for firing in rule.trigger.scan(history, rule.options)), default=0)
    silent = sum(as_of > told for as_of in every)
    return Flap(rule, subject, told, silent) if told and silent >= SEVERAL else None


def tell(connection: Connection, asked: Asked, flaps: Sequence[Flap], now: int) -> None:
    """Tell everyone who is told of these rules and subjects, once for each time that a rule falls silent."""
    audience = Audience(connection, asked, [(flap.rule, flap.subject) for flap in flaps], now)
    named = subjects.load(connection, [flap.subject for flap in flaps])
    for flap in flaps:
        who = subscriptions.accounts(connection, [wish.id for wish in audience.told(flap.rule.id, flap.subject)])
        name, label = (named.get(flap.subject) or unnamed(flap.subject)).name, flap.rule.trigger.label.removeprefix("New ")
        title = f"{label} flaps for {name}"
        text = (
            f"It came true {flap.count} times since it was last told, for {iso(flap.since)}, each time within the cooldown of "
            f"{flap.rule.options['cooldown_hours']:g} hours of the time before, and so in silence. It is told again once it was "
            "quiet for so long. A wider hysteresis or more observations make it calmer; a backtest shows how much."
        )
        for account in who:
            key = f"flapping:{account}:{flap.rule.id}:{flap.subject}:{flap.since}"
            owner_notices.put(connection, key, account, "flapping", now, title, text)
