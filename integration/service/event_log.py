"""Reading events on from a cursor: nothing is ever stored behind it, so whoever lost data rewinds and reads on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection

from integration.domain.cursors import START, cursor, mark, parse
from integration.domain.errors import BadCursor, InvalidInput
from integration.domain.retry import DAY
from integration.service.asking import trigger_of
from integration.service.subscribe import subscription_row
from integration.service.wiring import Gradewire
from integration.store.queries import event_log
from integration.store.queries.event_log import View

MOST = 1_000
#: Events that one read looks at, however few of them its reader sees: so that every read is short.
STRETCH = 20_000
#: Who asks for what is known since a time begins so long (ms) before it: what is known is stored, at once or later, and clocks
#: are set back by less. The view leaves out what is older.
SET_BACK = DAY
_SUBJECT = re.compile(r"(token|index):[0-9]{1,18}|market")


class Read(NamedTuple):
    """One event, and the cursor that stands behind it."""

    cursor: str
    trigger: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """Some events, oldest first; the place after the last that was looked at; whether there are more by now."""

    events: Sequence[Read]
    seq: int
    cursor: str
    more: bool


def view_of(
    gradewire: Gradewire,
    account_id: str,
    *,
    everything: bool = False,
    tests: bool = False,
    triggers: str | None = None,
    subject: str | None = None,
    subscription_id: str | None = None,
    since: int | None = None,
) -> View:
    """What an account asks to see. `triggers` are keys, comma separated. Raises InvalidInput naming the field, or NotFound."""
    if everything and subscription_id:
        raise InvalidInput("subscription_id: Choose either all events or those of a subscription.", field="subscription_id")
    if subject and not _SUBJECT.fullmatch(subject):
        raise InvalidInput("subject must be token:<id>, index:<id> or market, such as token:3375.", field="subject")
    if subscription_id:
        with gradewire.database.read() as connection:
            subscription_row(connection, account_id, subscription_id)
    keys = tuple(trigger_of(gradewire, key.strip()).key for key in (triggers or "").split(",") if key.strip())
    more_tests = tests and not subscription_id
    return View(account_id, subscription_id or None, everything, more_tests, keys, subject or None, since)


def begin(gradewire: Gradewire, view: View, text: str | None, *, at_newest: bool = False) -> int:
    """The seq to read on from: a cursor's; else where what is known since the view's time begins; else the oldest, or newest.

    Raises BadCursor for a text that is no cursor, or one of another database or of a time before this one was restored.
    """
    with gradewire.database.read() as connection:
        if text:
            return _resolve(connection, text)
        if view.since is not None:
            return max(event_log.first_stored(connection, view.since - SET_BACK) - 1, START)
        return event_log.newest(connection) if at_newest else START


def _resolve(connection: Connection, text: str) -> int:
    seq, marked = parse(text)
    identity = event_log.id_at(connection, seq)
    if seq == START or identity is not None:
        known = mark(identity or "") == marked
    else:  # an event that was removed: behind it nothing was lost as long as older ones are there
        oldest, newest = event_log.ends(connection)
        known = oldest < seq <= newest
    if not known:
        raise BadCursor(
            "cursor: It is of another database, of one before it was restored, or too old. Leave it out and say since=, the "
            "known_at of the last event that you have."
        )
    return seq


def cursor_at(gradewire: Gradewire, seq: int) -> str:
    """The cursor of a place."""
    with gradewire.database.read() as connection:
        return cursor(seq, event_log.id_at(connection, seq) or "")


def is_behind(gradewire: Gradewire, seq: int) -> bool:
    """Whether there is any event after a seq: a look that costs next to nothing."""
    with gradewire.database.read() as connection:
        return event_log.newest(connection) > seq


def read(gradewire: Gradewire, view: View, after: int, limit: int) -> Page:
    """The events of a view after a seq, oldest first: at most `limit`, within a stretch that is short to look through."""
    with gradewire.database.read() as connection:
        newest = event_log.newest(connection)
        upto = max(after, min(newest, after + STRETCH))
        rows = event_log.page(connection, view, after=after, upto=upto, limit=limit + 1)
        full = len(rows) > limit
        rows = rows[:limit]
        seq = rows[-1].seq if full else upto
        place = cursor(seq, event_log.id_at(connection, seq) or "")
    found = [Read(cursor(row.seq, row.id), row.trigger, row.payload) for row in rows]
    return Page(found, seq, place, full or upto < newest)
