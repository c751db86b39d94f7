"""Reading Server-Sent Events, one stream at a time: https://html.spec.whatwg.org/multipage/server-sent-events.html."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import certifi
import pycurl

from integration.domain.errors import GradewireError
from integration.wire.transfer import seconds_asked

CONNECT_S = 10
#: A stream that says nothing at all for so long is lost: the server shows more often that it is there.
SILENT_S = 30
#: How much of a refusal is read.
REFUSAL = 4 * 1024


class StreamLost(GradewireError):
    """The stream broke, or could not be opened. It can be tried again."""

    code = "stream_lost"


class StreamRefused(GradewireError):
    """The server answered with something other than a stream."""

    code = "stream_refused"

    def __init__(self, status: int, body: bytes, retry_after: float | None) -> None:
        super().__init__(f"HTTP {status}")
        self.status, self.body, self.retry_after = status, body, retry_after


@dataclass(slots=True)
class Frame:
    """One block of a stream. One without data only moves the id on."""

    id: str = ""
    event: str = ""
    data: str = ""


@dataclass(slots=True)
class Frames:
    """Makes blocks of the bytes that come. A block that is cut off by the end is none."""

    _rest: bytes = b""
    _lines: list[tuple[str, str]] = field(default_factory=list)

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """The blocks that are complete with these bytes."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            text = line.removesuffix(b"\r").decode(errors="replace")
            if text:
                name, _, value = text.partition(":")
                self._lines.append((name, value.removeprefix(" ")))
            elif self._lines:
                yield self._frame()

    def _frame(self) -> Frame:
        lines, self._lines = self._lines, []
        last = dict(lines)
        data = "\n".join(value for name, value in lines if name == "data")
        return Frame(last.get("id", ""), last.get("event", ""), data)


def follow(url: str, headers: Mapping[str, str], over: Callable[[], bool] = lambda: False) -> Iterator[Frame]:
    """The blocks of a stream, until the server ends it, or `over` says so. Nothing is read while the caller is busy with one.

    Raises StreamRefused where the answer is no stream, StreamLost where it cannot be had or breaks off.
    """
    multi, curl = pycurl.CurlMulti(), pycurl.Curl()
    came, lines, frames = deque[bytes](), list[bytes](), Frames()
    for option, value in _options(url, headers):
        curl.setopt(option, value)
    curl.setopt(pycurl.WRITEFUNCTION, came.append)
    curl.setopt(pycurl.HEADERFUNCTION, lines.append)
    multi.add_handle(curl)
    try:
        ended: list[str] | None = None
        refusal = b""
        while ended is None:
            if over():
                return
            multi.perform()
            ended = _ended(multi)
            while came:
                if curl.getinfo(pycurl.RESPONSE_CODE) == 200:
                    yield from frames.feed(came.popleft())
                else:
                    refusal = (refusal + came.popleft())[:REFUSAL]
            if ended is None:
                multi.select(0.5)
        status = curl.getinfo(pycurl.RESPONSE_CODE)
        if status and status != 200:
            raise StreamRefused(status, refusal, _wait(lines))
        if ended:
            raise StreamLost(ended[0])
    finally:
        multi.remove_handle(curl)
        curl.close()
        multi.close()


def _options(url: str, headers: Mapping[str, str]) -> list[tuple[int, Any]]:
    return [
        (pycurl.URL, url.encode()),
        (pycurl.HTTPHEADER, ["Accept: text/event-stream", *(f"{name}: {value}" for name, value in headers.items())]),
        (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
        (pycurl.FOLLOWLOCATION, 0),
        (pycurl.CONNECTTIMEOUT, CONNECT_S),
        (pycurl.LOW_SPEED_LIMIT, 1),
        (pycurl.LOW_SPEED_TIME, SILENT_S),
        (pycurl.NOSIGNAL, 1),
        (pycurl.CAINFO, certifi.where()),
        (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
        (pycurl.USERAGENT, "Gradewire"),
    ]


def _ended(multi: Any) -> list[str] | None:
    """None while it goes on; empty after its end; libcurl's words where it broke."""
    _, good, bad = multi.info_read()
    if bad:
        return [str(bad[0][2])]
    return [] if good else None


def _wait(lines: list[bytes]) -> float | None:
    """Retry-After, in seconds."""
    for line in lines:
        name, _, value = line.partition(b":")
        if name.lower() == b"retry-after":
            asked = seconds_asked(value.decode("latin-1"), 0.0)
            return None if asked is None else float(asked)
    return None
