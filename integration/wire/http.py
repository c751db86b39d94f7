"""HTTP to receivers: one pycurl multi loop with kept connections, and the address check where sockets open."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import certifi
import pycurl

from integration.domain.message import HttpRequest, Reply
from integration.wire.addresses import may_dial
from integration.wire.transfer import Transfer

Tag = TypeVar("Tag")

CONNECT_MS = 5_000
TOTAL_MS = 15_000
#: Requests that were answered promptly are limited to the first; slow ones give up their place, up to the second.
WINDOW = 48
MOST = 512
SLOW_MS = 250


class Transport(Generic[Tag]):
    """Requests under way at once, over kept connections, under one address policy.

    libcurl asks the policy when it opens a socket, not when it takes one from its pool: so a policy has a multi, and
    with it a pool, of its own. `allow_private` is the operator's to set, for receivers in their own network.
    Make it after a fork; use it from one thread at a time. `clock` (seconds) only turns HTTP dates into waits.
    """

    def __init__(
        self, *, allow_private: bool = False, connect_ms: int = CONNECT_MS, total_ms: int = TOTAL_MS,
        ca_file: str | None = None, clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self.total_ms = total_ms
        self.dial: Callable[[str], bool] = _anything if allow_private else may_dial
        self._clock = clock
        self._options = _options(connect_ms, total_ms, ca_file or certifi.where())
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, 2 * MOST)
        self._idle: list[Transfer] = []
        self._prompt: OrderedDict[Transfer, None] = OrderedDict()
        self._slow: set[Transfer] = set()
        self._stillborn: list[tuple[Tag, Reply]] = []

    @property
    def in_flight(self) -> int:
        """How many requests are under way."""
        return len(self._prompt) + len(self._slow) + len(self._stillborn)

    def has_room(self) -> bool:
        """Whether another request may start now: receivers that take their time do not hold up the others."""
        return len(self._prompt) < WINDOW and len(self._prompt) + len(self._slow) < MOST

    def start(self, tag: Tag, request: HttpRequest, headers: Sequence[str] = ()) -> None:
        """Begin a request; its end comes from `finished`. `headers` are lines beside the request's own."""
        transfer = self._idle.pop() if self._idle else Transfer(self._may_dial, self._options)
        try:
            transfer.prepare(tag, request, headers)
        except (UnicodeError, ValueError, pycurl.error):
            self._idle.append(transfer)
            self._stillborn.append((tag, Reply(0, error="protocol", detail="the request cannot be written")))
            return
        transfer.started = time.monotonic()
        self._prompt[transfer] = None
        self._multi.add_handle(transfer.curl)

    def finished(self, timeout: float) -> list[tuple[Tag, Reply]]:
        """What is over by now, or within `timeout` seconds if nothing is yet: each tag with its reply."""
        over = self._collect()
        if not over and timeout > 0:
            # No socket to wait on yet (a name is being looked up): without a pause this would spin.
            if self._multi.select(timeout) == -1:
                time.sleep(min(timeout, 0.005))
            over = self._collect()
        self._demote()
        return over

    def send(self, request: HttpRequest, headers: Sequence[str] = ()) -> Reply:
        """One request, waited for; while nothing else is under way."""
        self.start(None, request, headers)  # type: ignore[arg-type]
        while not (over := self.finished(1.0)):
            pass
        return over[0][1]

    def abandon(self) -> None:
        """Drop what is under way."""
        for transfer in (*self._prompt, *self._slow):
            self._multi.remove_handle(transfer.curl)
            self._idle.append(transfer)
        self._prompt.clear()
        self._slow.clear()
        self._stillborn.clear()

    def close(self) -> None:
        """Drop what is under way and close every connection."""
        self.abandon()
        for transfer in self._idle:
            transfer.curl.close()
        self._multi.close()

    def _may_dial(self, address: str) -> bool:
        return self.dial(address)

    def _collect(self) -> list[tuple[Tag, Reply]]:
        self._multi.perform()
        over, self._stillborn = self._stillborn, []
        more = 1
        while more:
            more, good, bad = self._multi.info_read(WINDOW)
            over += [self._end(curl.transfer, 0, "") for curl in good]
            over += [self._end(curl.transfer, number, text) for curl, number, text in bad]
        return over

    def _end(self, transfer: Transfer, number: int, text: str) -> tuple[Tag, Reply]:
        finished = (transfer.tag, transfer.reply(number, text, self._clock))
        self._multi.remove_handle(transfer.curl)
        if self._prompt.pop(transfer, self) is self:
            self._slow.discard(transfer)
        self._idle.append(transfer)
        return finished

    def _demote(self) -> None:
        limit = time.monotonic() - SLOW_MS / 1000
        while self._prompt and (oldest := next(iter(self._prompt))).started < limit:
            del self._prompt[oldest]
            self._slow.add(oldest)


def _anything(_address: str) -> bool:
    return True


def _options(connect_ms: int, total_ms: int, ca_file: str) -> list[tuple[int, Any]]:
    return [
        (pycurl.PROXY, ""),  # a proxy of the environment would be the only address that the check sees
        (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
        (pycurl.REDIR_PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
        (pycurl.FOLLOWLOCATION, 0),
        (pycurl.CONNECTTIMEOUT_MS, connect_ms),
        (pycurl.TIMEOUT_MS, total_ms),
        (pycurl.NOSIGNAL, 1),
        (pycurl.CAINFO, ca_file),
        (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
        (pycurl.USERAGENT, "Gradewire"),
        (pycurl.POST, 1),
    ]
