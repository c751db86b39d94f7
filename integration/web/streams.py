"""Events as they are found, as Server-Sent Events. A stream holds a thread of the server, so few may be open, none for long."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from apiflask import APIBlueprint
from flask import Response, current_app, g, request

from integration.domain.errors import GradewireError, TooMany
from integration.service import event_log
from integration.service.accounts import authenticate
from integration.service.wiring import Gradewire
from integration.store.queries.event_log import View
from integration.web.auth import key_sent
from integration.web.events import ViewQuery, view_asked
from integration.web.query import check_known

#: How long a stream lasts, in seconds. Its reader then comes again with Last-Event-ID: so nobody holds a thread for good.
LIFE_S = 300.0
#: How often it is looked for new events, and how often a quiet stream shows that it is alive, in seconds.
LOOK_S, ALIVE_S = 0.25, 5.0
#: After how long (ms) a reader that lost its stream comes again.
RETRY_MS = 1_000
#: Events read at a time.
PAGE = 100
#: How long one who finds no place is kept waiting for one, and is to wait before asking again, in seconds.
PATIENCE_S, WAIT_S = 1.0, 10
NAME = "gradewire_streams"


class Streams:
    """The streams that are open in this process: at most so many, of one account half as many."""

    def __init__(self, gradewire: Gradewire, *, life_s: float = LIFE_S) -> None:
        self._gradewire, self._life_s = gradewire, life_s
        self.most = int(gradewire.settings["streams"])
        self._open: Counter[str] = Counter()
        self._share = max(1, self.most // 2)
        self._changed = threading.Condition()
        self._stopping = threading.Event()

    def enter(self, account_id: str) -> None:
        """Take a place; one that is about to be left is waited for. Raises TooMany with the remedy where there is none."""
        with self._changed:
            if self._changed.wait_for(lambda: not self._full(account_id), PATIENCE_S):
                self._open[account_id] += 1
                return
            text = "All places for event streams are taken here: try again, or read GET /v1/events with a cursor instead."
            if self._open[account_id] >= self._share:
                text = f"You have {self._share} event streams open, the most an account may: close one, or read GET /v1/events."
        raise TooMany(text, retry_after=WAIT_S)

    def _full(self, account_id: str) -> bool:
        taken = self._open.total() >= self.most or self._open[account_id] >= self._share
        return taken or self._stopping.is_set()

    def leave(self, account_id: str) -> None:
        """Give a place back."""
        with self._changed:
            self._open[account_id] -= 1
            self._open += Counter()  # forget accounts without any
            self._changed.notify_all()

    def stop(self) -> None:
        """End every stream now, and let none begin: the server stops."""
        self._stopping.set()

    def follow(self, view: View, after: int, over: Callable[[], bool], allowed: Callable[[], bool]) -> Iterator[str]:
        """What a stream says, from a seq on. Between two looks it holds nothing, no connection to the database either.

        `over` is asked at each look whether the reader has gone, `allowed` now and then whether it may still read.
        """
        place = event_log.cursor_at(self._gradewire, after)
        yield f"retry: {RETRY_MS}\nid: {place}\n\n"
        end, said = time.monotonic() + self._life_s, time.monotonic()
        while time.monotonic() < end and not self._stopping.is_set() and not over():
            if event_log.is_behind(self._gradewire, after):
                page = event_log.read(self._gradewire, view, after, PAGE)
                for event in page.events:
                    yield f"id: {event.cursor}\nevent: {event.trigger}\ndata: {event.text}\n\n"
                after, place = page.seq, page.cursor
                said = time.monotonic() if page.events else said
                if page.more:
                    continue
            if time.monotonic() - said >= ALIVE_S:
                if not allowed():
                    return
                yield f": still here\nid: {place}\n\n"
                said = time.monotonic()
            self._stopping.wait(LOOK_S)


def stop_streams(app: Any) -> None:
    """End the streams of an application."""
    app.extensions[NAME].stop()


def stream_routes(gradewire: Gradewire) -> APIBlueprint:
    """The route of the stream."""
    api = APIBlueprint("stream", __name__, url_prefix="/v1/events", tag="Events")
    told: Any = {"description": "Server-Sent Events", "content": {"text/event-stream": {"schema": {"type": "string"}}}}

    @api.get("/stream")
    @api.input(ViewQuery, location="query")
    @api.doc(
        summary="Events as they are found, as Server-Sent Events",
        description="id is a cursor, event the trigger, data the event. It begins behind Last-Event-ID or cursor, or at since; "
        "with none of them, now. It ends after some minutes: come again with Last-Event-ID. Comments keep it alive.",
        responses={200: told, 400: "The cursor is none, or none of this database.", 404: "You have no such subscription."},
    )
    def stream(query_data: dict[str, Any]) -> Response:
        check_known(ViewQuery)
        streams: Streams = current_app.extensions[NAME]
        account, key = g.owner.account_id, key_sent()
        view = view_asked(gradewire, account, query_data, tests=True)
        cursor = request.headers.get("Last-Event-ID") or query_data.get("cursor")
        after = event_log.begin(gradewire, view, cursor, at_newest=True)
        streams.enter(account)
        over = request.environ.get("waitress.client_disconnected") or (lambda: False)
        answer = Response(streams.follow(view, after, over, lambda: _may(gradewire, key)), mimetype="text/event-stream")
        answer.call_on_close(lambda: streams.leave(account))
        answer.headers["X-Accel-Buffering"] = "no"  # a proxy before us is not to collect it
        return answer

    return api


def _may(gradewire: Gradewire, key: str | None) -> bool:
    try:
        authenticate(gradewire, key)
    except GradewireError:
        return False
    return True
