"""HTTP to receivers: one pycurl multi with kept connections, and the address check where sockets open."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

import certifi
import pycurl

from integration.domain.message import HttpRequest, Reply
from integration.wire.addresses import Policy
from integration.wire.sockets import Sockets, sockets_allowed
from integration.wire.transfer import Transfer
from integration.wire.window import Window

Tag = TypeVar("Tag")

CONNECT_MS = 5_000
TOTAL_MS = 15_000
#: Requests under way at once, where the limit of open files allows it. Repeated attempts get at most half of it.
MOST = 1_024
#: How long a host's address is remembered (s): as long as a burst. libcurl walks over all that it remembers at the end
#: of each transfer.
NAME_S = 2


class Transport(Generic[Tag]):
    """Requests under way at once, over kept connections, under one address policy.

    libcurl asks the policy when it opens a socket, not when it takes one from its pool: so a policy has a multi, and
    with it a pool, of its own. `ports` are allowed beside 443; `allow_private` allows all ports and addresses, and is the
    operator's to set.
    Make it after a fork; use it from one thread at a time. `clock` (seconds) only turns HTTP dates into waits.
    """

    def __init__(
        self, *, allow_private: bool = False, ports: Iterable[int] = (), connect_ms: int = CONNECT_MS, total_ms: int = TOTAL_MS,
        ca_file: str | None = None, clock: Callable[[], float] = time.time,
    ) -> None:  # fmt: skip
        self.total_ms = total_ms
        self.policy = Policy(frozenset({443, *ports}), allow_private)
        # Half of the sockets are for connections that are kept and idle.
        self.most = sockets_allowed(2 * MOST) // 2
        self._clock = clock
        self.ca_file = ca_file or certifi.where()
        self._options = _options(connect_ms, total_ms, self.ca_file)
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_MAXCONNECTS, 2 * self.most)
        self._sockets = Sockets(self._multi)
        self._idle: list[Transfer] = []
        self._busy: set[Transfer] = set()
        self._stillborn: list[tuple[Tag, Reply]] = []
        self._retries = 0
        self._window = Window()

    @property
    def in_flight(self) -> int:
        """How many requests are under way."""
        return len(self._busy) + len(self._stillborn)

    def has_room(self, *, retry: bool = False) -> bool:
        """Whether another request may start now; a repeated attempt only where half of all places stay for first ones."""
        if self._window.full or len(self._busy) >= self.most:
            return False
        return not retry or self._retries < self.most // 2

    def start(
        self, tag: Tag, request: HttpRequest, headers: Sequence[str] = (), *, retry: bool = False, at_once: bool = True
    ) -> None:
        """Begin a request; its end comes from `finished`. `headers` are lines beside the request's own. `at_once`: its
        receiver is not known to take its time."""
        transfer = self._idle.pop() if self._idle else Transfer(self._objection, self._options)
        try:
            transfer.prepare(tag, request, headers)
        except (UnicodeError, ValueError, pycurl.error):
            self._idle.append(transfer)
            self._stillborn.append((tag, Reply(0, error="protocol", detail="the request cannot be written")))
            return
        transfer.retry, transfer.entered = retry, self._window.enter() if at_once else None
        self._retries += retry
        self._busy.add(transfer)
        self._begin(transfer)

    def finished(self, timeout: float) -> list[tuple[Tag, Reply]]:
        """What is over by now, or within `timeout` seconds if nothing is yet: each tag with its reply."""
        if self._stillborn:
            timeout = 0
        elif self._window.full and len(self._busy) < self.most:
            timeout = min(timeout, self._window.patience)
        quiet = not self._sockets.turn(timeout)
        over, self._stillborn = self._stillborn, []
        more = 1
        while more:
            more, good, bad = self._multi.info_read(256)
            over += [self._end(curl.transfer, 0, "") for curl in good]
            over += [
                self._end(curl.transfer, number, text) for curl, number, text in bad if not self._goes_on(curl.transfer, number)
            ]
        if over:
            self._window.looked()
        elif quiet and timeout >= self._window.patience:
            self._window.silence()
        return over

    def push(self) -> None:
        """Have what was begun on its way, as far as that goes without waiting."""
        self._sockets.push()

    def send(self, request: HttpRequest, headers: Sequence[str] = ()) -> Reply:
        """One request, waited for; while nothing else is under way."""
        self.start(None, request, headers)  # type: ignore[arg-type]
        while not (over := self.finished(1.0)):
            pass
        return over[0][1]

    def abandon(self) -> None:
        """Drop what is under way."""
        for transfer in self._busy:
            self._multi.remove_handle(transfer.curl)
            self._idle.append(transfer)
        self._busy.clear()
        self._stillborn.clear()
        self._retries = 0
        self._window = Window()

    def close(self) -> None:
        """Drop what is under way and close every connection."""
        self.abandon()
        for transfer in self._idle:
            transfer.curl.close()
        self._multi.close()
        self._sockets.close()

    def _objection(self, address: str, port: int) -> str:
        return self.policy.objection(address, port)

    def _begin(self, transfer: Transfer) -> None:
        self._multi.add_handle(transfer.curl)

    def _goes_on(self, _transfer: Transfer, _number: int) -> bool:
        """Whether what libcurl calls failed was a first step."""
        return False

    def _reply(self, transfer: Transfer, number: int, text: str) -> Reply:
        return transfer.reply(number, text, self._clock)

    def _end(self, transfer: Transfer, number: int, text: str) -> tuple[Tag, Reply]:
        finished = (transfer.tag, self._reply(transfer, number, text))
        self._multi.remove_handle(transfer.curl)
        self._busy.remove(transfer)
        self._retries -= transfer.retry
        if transfer.entered is not None:
            self._window.leave(transfer.entered)
        self._idle.append(transfer)
        return finished


def _options(connect_ms: int, total_ms: int, ca_file: str) -> list[tuple[int, Any]]:
    return [
        # A proxy of the environment would be the only address that the check sees; its exceptions would pass an operator's.
        (pycurl.PROXY, ""),
        (pycurl.NOPROXY, ""),
        (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
        (pycurl.REDIR_PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
        (pycurl.FOLLOWLOCATION, 0),
        (pycurl.CONNECTTIMEOUT_MS, connect_ms),
        (pycurl.TIMEOUT_MS, total_ms),
        (pycurl.DNS_CACHE_TIMEOUT, NAME_S),
        (pycurl.NOSIGNAL, 1),
        (pycurl.CAINFO, ca_file),
        (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
        (pycurl.USERAGENT, "Gradewire"),
        (pycurl.POST, 1),
        # An event is a kilobyte, and of an answer 4 KiB are kept: a thousand requests at once need no more room than that.
        (pycurl.BUFFERSIZE, 4_096),
        (pycurl.UPLOAD_BUFFERSIZE, 16_384),
    ]
