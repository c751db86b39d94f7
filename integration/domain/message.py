"""What a channel makes of an event, what came back for it, and what that means.

Of a message, a request and a reply there is one for each delivery. They are not frozen, though nobody changes them: to make a
frozen one takes eight times as long.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(slots=True)
class Message:
    """One thing to tell: an event (or a test) in the form every channel renders from.

    `body` is the event's JSON as stored, byte for byte; `event` is the same decoded.
    `url` is where a person can look the event up, or None where no public address is set. `unsubscribe_url` ends the
    subscription at a POST (RFC 8058), None where there is no such address.
    """

    id: str
    subscription_id: str
    created_at: int
    body: bytes
    event: Mapping[str, Any]
    url: str | None = None
    sender: str = "gradewire.invalid"
    unsubscribe_url: str | None = None


@dataclass(slots=True)
class HttpRequest:
    """A request to make. `headers` are complete lines ("Name: value").

    `fresh` asks for a new connection, for receivers that cannot recognise a repeat: on a kept connection that dies
    before any answer byte, libcurl would send the request again by itself.
    `signed` says that the sender adds Standard Webhooks headers with the destination's secret, for each attempt anew.
    `auth` names the kind of token the sender adds ("google" or None). `keep` is how many bytes of the answer are wanted.
    `taken_at` is a host: a redirect to it says that the receiver has the request, and is not followed either.
    """

    url: str
    body: bytes
    method: str = "POST"
    headers: tuple[str, ...] = ("Content-Type: application/json",)
    fresh: bool = False
    signed: bool = False
    auth: str | None = None
    keep: int = 4 * 1024
    taken_at: str | None = None


@dataclass(frozen=True, slots=True)
class Mail:
    """An e-mail to one recipient. `message_id` comes without angle brackets and is the same on each attempt."""

    to: str
    subject: str
    text: str
    html: str
    message_id: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Reply:
    """What came back for one attempt.

    `status` is the HTTP or SMTP status, 0 where there was none; then `error` says why, one of: "resolve", "connect",
    "tls", "certificate", "timeout", "reset", "refused" (the address check), "protocol", "token", "proxy" (the operator's
    own, on the way out), "failed".
    `ambiguous` is true where the receiver may have acted although no answer came. `head` is the start of the body:
    4 KiB, or what the request said to keep. `taken` is true for a redirect to the request's `taken_at`.
    """

    status: int
    head: bytes = b""
    error: str | None = None
    detail: str = ""
    ambiguous: bool = False
    retry_after: str | None = None
    duration_ms: int = 0
    taken: bool = False


@dataclass(frozen=True, slots=True)
class Delivered:
    """The receiver has it. `remote_id` is the receiver's own id where it gives one."""

    remote_id: str | None = None


@dataclass(frozen=True, slots=True)
class Retry:
    """Not now. `after` is the receiver's wish in seconds, None where it had none; `reason` is for people."""

    after: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Dead:
    """Never, without a change. `scope`: this message only; the destination, which must be mended first; or gone (410)."""

    reason: str
    scope: Literal["message", "destination", "gone"] = "message"


Verdict = Delivered | Retry | Dead


@dataclass(frozen=True, slots=True)
class Limits:
    """A channel's published limits. `per_second` paces one destination, None where no rate is published.

    `batch` is how many messages one request may carry: a spreadsheet takes many rows at once.
    """

    characters: int | None = None
    per_second: float | None = None
    batch: int = 1
    extra: Mapping[str, int] = field(default_factory=dict)
