"""What HTTP answers mean to every channel; a channel adds only what its own vendor means by a status."""

from __future__ import annotations

import math
from collections.abc import Mapping
from http import HTTPStatus

from integration.domain.message import Dead, Delivered, Reply, Retry, Verdict

USER_AGENT = "User-Agent: Gradewire/1"
JSON = ("Content-Type: application/json", USER_AGENT)

_DELIVERED = Delivered()
_UNANSWERED = {
    "resolve": "The host name was not found.",
    "connect": "No connection could be made.",
    "tls": "No secure connection could be made.",
    "certificate": "The receiver's certificate is not valid.",
    "timeout": "No answer came in time.",
    "reset": "The connection broke before an answer came.",
    "protocol": "The answer was not understood.",
    "token": "No access token could be had.",
    "proxy": "The proxy on the way out did not let it through.",
}


def wish(reply: Reply) -> float | None:
    """The seconds of Retry-After, which count with 429 and 503 only (RFC 9110, RFC 6585)."""
    if reply.status not in (429, 503) or reply.retry_after is None:
        return None
    try:
        seconds = float(reply.retry_after)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def named(status: int) -> str:
    """A status as people know it: "HTTP 404 Not Found"."""
    try:
        return f"HTTP {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


def unanswered(reply: Reply) -> Verdict:
    """For a reply without status: try again, unless the address check refused the receiver."""
    if reply.error == "refused":
        return Dead(
            f"Not called: {reply.detail or 'the address is not public'}. Enter a public address on port 443.", "destination"
        )
    return Retry(reason=" ".join(filter(None, (_UNANSWERED.get(reply.error or "", "Sending failed."), reply.detail))))


def http_verdict(reply: Reply, own: Mapping[int, Verdict]) -> Verdict:
    """Delivered for 2xx, `own` for what a channel knows better, else try again."""
    if reply.status == 0:
        return unanswered(reply)
    if 200 <= reply.status < 300:
        return _DELIVERED
    if 300 <= reply.status < 400:
        return Retry(reason=f"{named(reply.status)}: redirects are not followed.")
    return own.get(reply.status) or Retry(wish(reply), f"{named(reply.status)}.")
