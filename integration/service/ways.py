"""What it takes to send, built once for each thread that sends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from integration.config import Settings
from integration.domain.catalogue import Channel
from integration.domain.message import HttpRequest, Mail, Reply
from integration.domain.signing import signed_headers
from integration.wire import google
from integration.wire.egress import ProxiedTransport
from integration.wire.google import GoogleTokens, TokenRefused
from integration.wire.http import Transport
from integration.wire.smtp import SmtpSender

if TYPE_CHECKING:
    from integration.service.wiring import Gradewire


@dataclass(slots=True)
class Target:
    """A destination that may be sent to, as it was at `changed_at`; `prepared` once its preparation went through."""

    id: str
    channel: Channel
    config: Mapping[str, Any]
    changed_at: int
    prepared: bool


@dataclass
class Ways:
    """The channels, what opens a destination's sealed settings, and the ways out.

    `token_for` gives the access token for a destination's settings, `forget_token` says that one was not taken.
    `public_url` and `sender` (a host name) go into messages. `transport` belongs to one thread.
    """

    channels: Mapping[str, Channel]
    open_config: Callable[[bytes], Mapping[str, Any]]
    transport: Transport[Any]
    send_mail: Callable[[Mail], Reply] | None = None
    token_for: Callable[[Mapping[str, Any]], str] | None = None
    forget_token: Callable[[Mapping[str, Any]], None] = lambda _config: None
    public_url: str = ""
    sender: str = "gradewire.invalid"
    targets: dict[str, Target] = field(default_factory=dict)

    def mail(self, mail: Mail) -> Reply:
        """Send an e-mail; blocks."""
        if self.send_mail is None:
            return Reply(0, error="failed", detail="No mail server is set.")
        return self.send_mail(mail)

    def authorization(self, config: Mapping[str, Any], request: HttpRequest) -> tuple[str, ...]:
        """The header line with a token, where the request needs one; may block. Raises TokenRefused."""
        if request.auth is None:
            return ()
        if self.token_for is None:
            raise TokenRefused("No access tokens are set up.", retryable=True)
        return (f"Authorization: Bearer {self.token_for(config)}",)


def signature(config: Mapping[str, Any], request: HttpRequest, message_id: str, now: int) -> tuple[str, ...]:
    """The header lines of a signed request, for an attempt at `now` (ms)."""
    return signed_headers(config["secret"], message_id, now // 1000, request.body) if request.signed else ()


_mine = threading.local()


def ways_of(here: Gradewire) -> Ways:
    """This thread's ways out of a Gradewire: kept, so that connections outlive a drain."""
    kept: tuple[Gradewire, Ways] | None = getattr(_mine, "kept", None)
    if kept is None or kept[0] is not here:
        if kept is not None:
            kept[1].transport.close()
        kept = _mine.kept = (here, build_ways(here))
    return kept[1]


def transport_of(settings: Settings, **options: Any) -> Transport[Any]:
    """HTTP as the operator's settings let it out; the caller closes it."""
    options |= {"allow_private": settings["allow_private"], "ports": settings["allow_ports"]}
    proxy = settings["egress_proxy"]
    return ProxiedTransport(proxy, **options) if proxy else Transport(**options)


def build_ways(here: Gradewire) -> Ways:
    """Ways out as the settings say; the caller closes the transport."""
    settings = here.settings
    tokens = GoogleTokens(lambda: transport_of(settings, total_ms=google.TOTAL_MS))
    mail = None
    if settings["smtp_host"]:
        mail = SmtpSender(
            settings["smtp_host"],
            settings["smtp_port"],
            settings["smtp_user"],
            settings["smtp_password"],
            settings["smtp_security"],
            settings["smtp_sender"],
        )
    return Ways(
        channels=here.channels,
        open_config=here.open_config,
        transport=transport_of(settings),
        send_mail=None if mail is None else lambda message: mail.send(message, here.now()),
        token_for=lambda config: tokens.token_for(config["service_account"]),
        forget_token=lambda config: tokens.forget(config["service_account"]),
        public_url=settings["public_url"].rstrip("/"),
        sender=urlsplit(settings["public_url"]).hostname or Ways.sender,
    )
