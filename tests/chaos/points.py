"""Where a process stops until it is struck: put into the product's own processes from outside.

The folder CHAOS_FOLDER is how test and processes talk: a process that stands at the point CHAOS_POINT, which it passes for
the CHAOS_AFTER-th time, says so in a file `reached-…`, and goes on once there is a file `go`.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from integration.service import deliver, observe
from integration.service.sending import Sender
from integration.store.queries import outbox
from tests.chaos.clock import Follower

CLAIM = "after the claim"
SENDING = "while sending"  # the receiver's part: it gives no answer
SENT = "after sending"
RECORD = "before recording"
AMID = "within the recording transaction"
POLL = "between poll and event"
POINTS = (CLAIM, SENDING, SENT, RECORD, AMID, POLL)
#: The source that the events of the matrix come from.
SOURCE = "trader_grades"


class Point:
    """Lets whoever passes stop, from the given time on, until there is a file `go`."""

    def __init__(self, folder: Path, after: int) -> None:
        self._folder, self._left, self._free = folder, after, False

    def stop(self) -> None:
        """Pass by."""
        self._left -= 1
        if self._left > 0 or self._free:
            return
        go = self._folder / "go"
        if not go.exists():
            (self._folder / f"reached-{os.getpid()}-{threading.get_ident()}").touch()
            while not go.exists():
                time.sleep(0.005)
        self._free = True

    def before(self, work: Callable[..., Any], when: Callable[..., bool] = lambda *_: True) -> Callable[..., Any]:
        """Stop before each call that `when` is true of."""

        def wrapped(*args: Any, **more: Any) -> Any:
            if when(*args):
                self.stop()
            return work(*args, **more)

        return wrapped

    def after(self, work: Callable[..., Any]) -> Callable[..., Any]:
        """Stop after each call."""

        def wrapped(*args: Any, **more: Any) -> Any:
            result = work(*args, **more)
            self.stop()
            return result

        return wrapped


def put(name: str, point: Point) -> None:
    """Put a point where its name says, in this process."""
    attempted = lambda _connection, attempts: bool(attempts)  # noqa: E731
    polled = lambda *given: given[3].source.key == SOURCE and bool(given[3].names)  # noqa: E731
    places: dict[str, tuple[Any, str, Callable[..., Any]]] = {
        CLAIM: (deliver, "claim", point.after),
        SENT: (Sender, "_over", point.before),
        RECORD: (deliver, "_write", point.before),
        # Outcomes are written, attempts are not, nothing is committed.
        AMID: (outbox, "tried", partial(point.before, when=attempted)),
        # The readings are stored, events are not, nothing is committed.
        POLL: (observe, "evaluate", partial(point.before, when=polled)),
    }
    if name in places:
        owner, attribute, stopping = places[name]
        setattr(owner, attribute, stopping(getattr(owner, attribute)))


def install() -> Follower:
    """Make this process one of the matrix: its point, if it has one, and its clock."""
    folder = Path(os.environ["CHAOS_FOLDER"])
    put(os.environ.get("CHAOS_POINT", ""), Point(folder, int(os.environ.get("CHAOS_AFTER", "1"))))
    follower = Follower(folder)
    follower.follow()
    return follower
