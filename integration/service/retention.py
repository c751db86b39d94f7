"""What is old goes, as the settings say, a few rows at a time with a rest after each, so that no delivery waits for it.

Of an event stay its id, number, rule, subject and times, and a short payload with its sentence: ids are known for good, and so
is the place of every cursor. Feeds leave out what is no longer whole.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

import structlog

from integration.domain.payload import EventPayload
from integration.domain.retry import DAY
from integration.service.wiring import Gradewire
from integration.store.database import Database
from integration.store.queries import events, installation, retention, rules

log = structlog.get_logger()
Said = TypeVar("Said")

#: Rows looked at for one transaction: few enough that it is over in milliseconds.
BATCH = 1_000
#: Rests after a transaction, in its own lengths, and the least and longest rest in seconds.
REST, RESTS_S = 9.0, (0.002, 1.0)
#: How long one kind, and all together, may take in one run, in seconds. What is left goes in the next.
KIND_S, RUN_S = 60.0, 200.0
#: Feeds that nobody has read for so long (ms) are forgotten; they have been asleep for half of it.
FORGOTTEN = 60 * DAY
#: Which setting says how long each kind is kept; what is little comes first.
KEPT = {
    "notices": "keep_notes", "owner_notices": "keep_notes", "replays": "keep_notes", "past_wishes": "keep_notes",
    "farewells": "keep_notes", "spoilt": "keep_notes", "mails": "keep_inbox", "hooks": "keep_inbox", "calls": "keep_notes",
    "deliveries": "keep_deliveries", "attempts": "keep_attempts",
}  # fmt: skip
#: Under which name it is noted up to which event payloads are short.
_REACHED = "payloads_shortened"


class Broom:
    """Does work in short transactions, resting after each, until its time is over or `stop` says so."""

    def __init__(self, database: Database, seconds: float, stop: Callable[[], bool] = lambda: False) -> None:
        self.database, self._stop = database, stop
        self._until = time.monotonic() + seconds

    @property
    def tired(self) -> bool:
        """Whether it is to stop."""
        return time.monotonic() >= self._until or self._stop()

    def part(self, seconds: float) -> Broom:
        """One that works for so long at most, and no longer than this one."""
        return Broom(self.database, min(seconds, self._until - time.monotonic()), self._stop)

    def sweep(self, query: Callable[..., Said], *given: Any) -> Said:
        """One transaction, and a rest; what the query says."""
        began = time.monotonic()
        with self.database.write() as connection:
            said = query(connection, *given)
        least, longest = RESTS_S
        time.sleep(min(max((time.monotonic() - began) * REST, least), longest))
        return said


def tidy(gradewire: Gradewire, *, seconds: float = RUN_S, stop: Callable[[], bool] = lambda: False) -> dict[str, int]:
    """Let go of everything that is older than its setting says; how many rows of each kind went, or became shorter."""
    broom = Broom(gradewire.database, seconds, stop)
    each = KIND_S * seconds / RUN_S
    gone = {"feeds": _forget_feeds(gradewire, broom.part(each)), "payloads": _shorten(gradewire, broom.part(each))}
    for kind, setting in KEPT.items():
        before = gradewire.now() - gradewire.settings[setting] * DAY
        drop = _numbered if kind in retention.NUMBERED else _named
        gone[kind] = drop(broom.part(each), kind, before)
    gradewire.beat("tidy")
    if any(gone.values()):
        log.info("tidied", **{kind: count for kind, count in gone.items() if count})
    return gone


def _numbered(broom: Broom, kind: str, before: int) -> int:
    what, gone, position = retention.NUMBERED[kind], 0, -1
    while not broom.tired:
        with broom.database.read() as connection:
            part = retention.stretch(connection, what, after=position, before=before, most=BATCH)
        if part is None:
            break
        gone += broom.sweep(retention.drop, what, part, before)
        if part.end:
            break
        position = part.last
    return gone


def _named(broom: Broom, kind: str, before: int) -> int:
    what, gone = retention.NAMED[kind], 0
    while not broom.tired:
        with broom.database.read() as connection:
            keys = retention.named(connection, what, before, BATCH)
        if keys:
            gone += broom.sweep(retention.drop_named, what, keys, before)
        if len(keys) < BATCH:
            break
    return gone


# -- events and feeds ------------------------------------------------------------------------------------------------


def _shorten(gradewire: Gradewire, broom: Broom) -> int:
    """Shorten the payloads of old events that are owed to nobody any more, after taking all old ones out of the feeds."""
    before = gradewire.now() - gradewire.settings["keep_payloads"] * DAY
    with gradewire.database.read() as connection:
        start = int(installation.get(connection, _REACHED) or 0)
    last = _last_old(broom, start, before)
    if last == start or not _emptied(broom, last):
        return 0
    shortened, position, waiting = 0, start, list[int]()
    while position < last and not broom.tired:
        with gradewire.database.read() as connection:
            rows = retention.whole(connection, position, last, BATCH)
            owed = retention.unsettled(connection, [row.seq for row in rows])
        short = {row.seq: shortened_payload(row.payload) for row in rows if row.seq not in owed and _is_whole(row.payload)}
        shortened += broom.sweep(retention.shorten, short)
        waiting += owed
        position = rows[-1].seq
    reached = min(waiting, default=position + 1) - 1  # what is still owed is looked at again, and so is what follows it
    with gradewire.database.write() as connection:
        installation.put(connection, _REACHED, str(reached))
    return shortened


def _last_old(broom: Broom, start: int, before: int) -> int:
    """The last event found before a time (ms); `start` if none after it was."""
    position = start
    while not broom.tired:
        with broom.database.read() as connection:
            seq = retention.old_events(connection, position, before, BATCH)
        if seq is None:
            break
        position = seq
    return position


def _emptied(broom: Broom, seq: int) -> bool:
    """Take all events up to a seq out of the feeds; False if there was not the time for all of them."""
    last = ""
    while True:
        with broom.database.read() as connection:
            feeds = retention.feeds(connection, last, BATCH // 10)
        if not feeds:
            return True
        while broom.sweep(retention.drop_items, feeds, seq, BATCH) == BATCH:
            if broom.tired:
                return False
        last = feeds[-1]


def _is_whole(payload: str) -> bool:
    return not payload.startswith(events.SHORTENED)


def shortened_payload(payload: str) -> str:
    """What stays of an event's JSON: the fields that every event has, without the snapshot, marked as pruned."""
    event = json.loads(payload)
    kept = {name: event[name] for name in EventPayload().fields if name in event and name != "snapshot"}
    text = json.dumps({**kept, "snapshot": {}}, ensure_ascii=False, separators=(",", ":"))
    return events.SHORTENED + text[1:]


def _forget_feeds(gradewire: Gradewire, broom: Broom) -> int:
    """Forget feeds that nobody reads: what they hold is old, and who asks for one again gets it anew."""
    gone, before = 0, gradewire.now() - FORGOTTEN
    with gradewire.database.read() as connection:
        asleep = retention.sleeping(connection, before, BATCH)
    for identity in asleep:
        while broom.sweep(retention.drop_items, [identity], 2**62, BATCH) == BATCH and not broom.tired:
            pass
        if broom.tired:
            break
        with gradewire.database.write() as connection:
            events.lock(connection)  # registering a feed takes it, too
            if not rules.is_awake(connection, identity, gradewire.now()):
                retention.drop_feed(connection, identity)
                gone += 1
    return gone
