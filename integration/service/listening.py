"""Bringing events to a machine that nobody can reach: it reads the stream, and posts each event to an address of its own.

Events are forwarded in order, signed as a webhook is, one after the other. The cursor behind an event is kept only once the
event was taken, so whoever is killed and started again misses none; one that was under way comes again under its id.
"""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode, urlsplit

from integration.domain.errors import Conflict, GradewireError, InvalidInput
from integration.domain.message import HttpRequest, Reply
from integration.domain.signing import check_secret, new_secret, signed_headers
from integration.wire.http import Transport
from integration.wire.stream import Frame, StreamLost, StreamRefused, follow

#: Waits after failures in a row, in seconds; the last one repeats.
WAITS = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
JSON = ("Content-Type: application/json",)


class Told(NamedTuple):
    """One event that was posted: how often it had been before, and what came back. `reply` is None where it is no answer that
    is told of but `trouble`."""

    event: Mapping[str, Any]
    tries: int = 0
    reply: Reply | None = None
    trouble: str = ""


@dataclass
class State:
    """What is kept between two runs: the cursor behind the last event that was taken, and the secret that signs."""

    file: Path
    cursor: str = ""
    secret: str = ""

    @classmethod
    def load(cls, file: Path, secret: str = "") -> State:
        """The state in a file, begun if there is none; a secret that is given replaces the one kept."""
        try:
            kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
            state = cls(file, str(kept.get("cursor", "")), str(kept.get("secret", "")))
        except (OSError, ValueError, AttributeError) as error:
            remedy = f"The state file {file} cannot be read; name another with --state, and say since when with --since."
            raise InvalidInput(remedy, field="state") from error
        state.secret = check_secret(secret or state.secret or new_secret())
        state._write()
        return state

    def keep(self, cursor: str) -> None:
        """Note how far the events were taken."""
        if cursor and cursor != self.cursor:
            self.cursor = cursor
            self._write()

    def _write(self) -> None:
        """Whole or not at all: whoever is killed here leaves the state before."""
        fresh = self.file.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
            json.dump({"cursor": self.cursor, "secret": self.secret}, out)
        fresh.replace(self.file)


@contextmanager
def held(file: Path) -> Iterator[None]:
    """A state file, held by one process. Raises Conflict where another listens with it."""
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = file.with_suffix(".lock").open("w")
    except OSError as error:
        raise InvalidInput(f"{file.parent} cannot be used ({error.strerror}); choose another --state.", field="state") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise Conflict(f"Another one listens with {file}; end it, or choose another --state.", field="state") from error
        yield


@dataclass
class Listener:
    """Reads `server`'s stream with a `key` and posts to `forward`. `query` says which events, as the API's own parameters do.

    `told` hears of each try. Once `stop` is set it ends, after what is under way. `sleep` (seconds) is for tests.
    """

    server: str
    key: str
    forward: str
    state: State
    query: Mapping[str, str] = field(default_factory=dict)
    told: Callable[[Told], None] = lambda _told: None
    stop: threading.Event = field(default_factory=threading.Event)
    sleep: Callable[[float], object] | None = None

    def __post_init__(self) -> None:
        for name in ("server", "forward"):
            parts = urlsplit(getattr(self, name))
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise InvalidInput(f"{name}: Give an address like http://localhost:3000/hook.", field=name)

    def run(self) -> None:
        """Listen until stopped. Raises GradewireError where going on makes no sense."""
        transport = Transport[Any](allow_private=True)
        lost = 0
        try:
            while not self.stop.is_set():
                try:
                    for frame in follow(self._url(), self._headers(), self.stop.is_set):
                        lost = 0
                        if frame.data and not self._deliver(transport, frame):
                            return
                        self.state.keep(frame.id)
                except StreamRefused as refused:
                    self._wait(lost, self._refusal(refused), refused.retry_after)
                    lost += 1
                except StreamLost as error:
                    self._wait(lost, f"{self.server} cannot be reached ({error.message}).")
                    lost += 1
        finally:
            transport.close()

    def _url(self) -> str:
        query = {name: value for name, value in self.query.items() if value and not (self.state.cursor and name == "since")}
        return f"{self.server.rstrip('/')}/v1/events/stream" + (f"?{urlencode(query)}" if query else "")

    def _headers(self) -> dict[str, str]:
        return {"X-Api-Key": self.key, **({"Last-Event-ID": self.state.cursor} if self.state.cursor else {})}

    def _deliver(self, transport: Transport[Any], frame: Frame) -> bool:
        """Post an event until it is taken: what comes after it waits. False where it was stopped before that."""
        event, body, tries = _decoded(frame.data), frame.data.encode(), 0
        while True:
            signature = signed_headers(self.state.secret, event["id"], int(time.time()), body)
            reply = transport.send(HttpRequest(self.forward, body, headers=JSON), signature)
            self.told(Told(event, tries, reply))
            if 200 <= reply.status < 300:
                return True
            self._pause(WAITS[min(tries, len(WAITS) - 1)])
            if self.stop.is_set():
                return False
            tries += 1

    def _pause(self, seconds: float) -> None:
        (self.sleep or self.stop.wait)(seconds)

    def _wait(self, lost: int, trouble: str, at_least: float | None = None) -> None:
        wait = max(WAITS[min(lost, len(WAITS) - 1)], min(at_least or 0.0, WAITS[-1]))
        if lost == 0:
            self.told(Told({}, trouble=f"{trouble} Trying again."))
        self._pause(wait)

    def _refusal(self, refused: StreamRefused) -> str:
        """What was wrong, for what passes; raises GradewireError for what does not."""
        said = _message(refused.body)
        if refused.status in (429, 500, 502, 503, 504):
            return f"{self.server} answered {refused.status}{f': {said}' if said else '.'}"
        if refused.status == 400 and self.state.cursor:
            said = f"{said} Remove {self.state.file} for that."
        raise GradewireError(f"{self.server} answered {refused.status}: {said or 'this is no stream of Gradewire.'}")


def _decoded(text: str) -> Mapping[str, Any]:
    try:
        event = json.loads(text)
        if isinstance(event["id"], str) and event["id"].isascii() and event["id"].isprintable():
            return dict(event)
    except (ValueError, TypeError, KeyError):
        pass
    raise GradewireError("The stream holds something that is no event of Gradewire; is --server right?")


def _message(body: bytes) -> str:
    """The sentence of an error of the API, empty where there is none."""
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, TypeError, KeyError):
        return ""
