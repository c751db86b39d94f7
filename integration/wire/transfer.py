"""One HTTP request on one easy handle of libcurl, and what its end means."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import pycurl

from integration.domain.message import HttpRequest, Reply

READ_LIMIT = 16 * 1024

#: libcurl's error numbers as marks of a Reply.
_MARKS = {
    pycurl.E_UNSUPPORTED_PROTOCOL: "protocol",
    pycurl.E_URL_MALFORMAT: "protocol",
    8: "protocol",  # CURLE_WEIRD_SERVER_REPLY, which pycurl has no name for
    100: "protocol",  # CURLE_TOO_LARGE, neither: a header line of more than 100 KB
    pycurl.E_COULDNT_RESOLVE_HOST: "resolve",
    pycurl.E_COULDNT_CONNECT: "connect",
    pycurl.E_SSL_CONNECT_ERROR: "tls",
    pycurl.E_PEER_FAILED_VERIFICATION: "certificate",
    pycurl.E_OPERATION_TIMEDOUT: "timeout",
    pycurl.E_GOT_NOTHING: "reset",
    pycurl.E_SEND_ERROR: "reset",
    pycurl.E_RECV_ERROR: "reset",
}
#: Not all of the body was read, or none of it is wanted: the status line counts.
_ANSWERED = (pycurl.E_WRITE_ERROR, pycurl.E_PARTIAL_FILE)


def seconds_asked(value: str, now: float) -> str | None:
    """Retry-After as a number of seconds, whether it came as such or as an HTTP date; None for anything else."""
    value = value.strip()
    try:
        wait = float(value) if value[:1].isdigit() else parsedate_to_datetime(value).timestamp() - now
    except (ValueError, OverflowError):
        return None
    return str(max(wait, 0.0))


class Transfer:
    """One easy handle and what it collects; used again and again.

    `objection` is asked for each socket that is about to open: why it must not be, or nothing. While it is `scouting`,
    none is opened.
    """

    def __init__(self, objection: Callable[[str, int], str], options: Sequence[tuple[int, Any]]) -> None:
        self.tag: Any = None
        self.retry = False
        self.entered: int | None = None
        self.body = bytearray()
        self.retry_after = b""
        self.head_bytes = 0
        self.opened = False
        self.refused = self.failed = ""
        self.method, self.fresh, self.keep = "POST", False, 0
        self.taken_at: str | None = None
        self.objection, self.scouting = objection, False
        self.curl = pycurl.Curl()
        for option, value in options:
            self.curl.setopt(option, value)
        self.curl.setopt(pycurl.OPENSOCKETFUNCTION, self._open)
        self.curl.setopt(pycurl.HEADERFUNCTION, self._header)
        self.curl.setopt(pycurl.WRITEFUNCTION, self._write)
        self.curl.transfer = self

    def _open(self, _purpose: int, address: tuple[int, int, int, tuple[Any, ...]]) -> int:
        family, kind, protocol, where = address
        if family not in (socket.AF_INET, socket.AF_INET6):
            self.refused = "the address is of an unknown kind"
        elif objection := self.objection(str(where[0]), int(where[1])):
            self.refused = objection
        elif not self.scouting:
            try:
                opened = socket.socket(family, kind, protocol).detach()
            except OSError as error:
                self.failed = error.strerror or "no socket could be opened"
            else:
                self.opened = True
                return opened
        return int(pycurl.SOCKET_BAD)

    def _header(self, line: bytes) -> int | None:
        self.head_bytes += len(line)
        if self.head_bytes > READ_LIMIT:
            return 0
        if line[0] in b"Rr" and line[:12].lower() == b"retry-after:" and not self.retry_after:
            self.retry_after = line[12:]
        return None

    def _write(self, chunk: bytes) -> int | None:
        self.body += chunk
        return None if len(self.body) <= max(READ_LIMIT, self.keep) else 0

    def prepare(self, tag: Any, request: HttpRequest, headers: Sequence[str]) -> None:
        """Point the handle at a request. Options that stay the same are not set again."""
        curl = self.curl
        self.tag, self.keep, self.taken_at = tag, request.keep, request.taken_at
        self.body.clear()
        self.retry_after = b""
        self.head_bytes = 0
        self.opened = False
        self.refused = self.failed = ""
        curl.setopt(pycurl.URL, request.url.encode())
        curl.setopt(pycurl.HTTPHEADER, [*request.headers, *headers])
        if request.method != self.method:
            self.method = request.method
            curl.setopt(pycurl.HTTPGET if self.method == "GET" else pycurl.POST, 1)
            curl.setopt(pycurl.CUSTOMREQUEST, self.method)
        if self.method != "GET":
            curl.setopt(pycurl.POSTFIELDS, request.body)
        if request.fresh != self.fresh:
            self.fresh = request.fresh
            curl.setopt(pycurl.FRESH_CONNECT, int(self.fresh))
            curl.setopt(pycurl.FORBID_REUSE, int(self.fresh))

    def reply(self, number: int, text: str, now: Callable[[], float]) -> Reply:
        """What the finished transfer means; `number` is libcurl's, 0 for success."""
        took = int(self.curl.getinfo(pycurl.TOTAL_TIME) * 1000)
        if self.head_bytes > READ_LIMIT:
            return Reply(0, error="protocol", detail="the answer's head is too long", ambiguous=True, duration_ms=took)
        if number == 0 or number in _ANSWERED:
            status = self.curl.getinfo(pycurl.RESPONSE_CODE)
            wanted = self.retry_after and not 200 <= status < 300
            wish = seconds_asked(self.retry_after.decode("latin-1"), now()) if wanted else None
            taken = self.taken_at is not None and 300 <= status < 400 and self._leads_to(self.taken_at)
            head = b""
            if self.body:
                head = bytes(self.body[: self.keep])
                self.body.clear()
            return Reply(status, head, retry_after=wish, duration_ms=took, taken=taken)
        if not self.opened and (self.refused or self.failed):
            error = "failed" if self.failed else "refused"
            return Reply(0, error=error, detail=self.failed or self.refused, duration_ms=took)
        # Once any of the request is out, the receiver may have acted on it. Until then libcurl's words help its owner;
        # they name the host at most.
        sent = self.curl.getinfo(pycurl.REQUEST_SIZE) > 0
        return Reply(0, error=_MARKS.get(number, "failed"), detail="" if sent else text[:200], ambiguous=sent, duration_ms=took)

    def _leads_to(self, host: str) -> bool:
        """Whether the answer redirects to a host, over TLS."""
        try:
            address = urlsplit((self.curl.getinfo_raw(pycurl.REDIRECT_URL) or b"").decode())
        except ValueError:
            return False
        return (address.scheme, address.hostname) == ("https", host)
