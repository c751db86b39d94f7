"""What it takes to send, built once for each thread that sends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from integration.config import Settings
from integration.domain.breaker import Breaker
from integration.domain.catalogue import Channel
from integration.domain.message import HttpRequest, Mail, Reply
from integration.domain.signing import Signer
from integration.wire import google
from integration.wire.egress import ProxiedTransport
from integration.wire.google import GoogleTokens, TokenRefused
from integration.wire.http import Transport
from integration.wire.smtp import SmtpSender

if TYPE_CHECKING:
    from integration.service.wiring import Gradewire


#: Requests a second, and under way at once, of a destination whose owner has set nothing else (delivery reference, 7.3).
RATE, WIDTH = 10.0, 4
#: In a market that runs faster than the clock, there is more to tell.
FAST_RATE = 1_000.0


@dataclass(slots=True)
class Target:
    """A destination that may be sent to, as it was at `changed_at`; `prepared` once its preparation went through.

    `step` is the ms between the starts of two requests, `width` how many may be under way; `free_at` when the next may
    start (seconds, monotonic). It fails since `failing_since` (ms, None: it does not), its owner was `warned` of that; its
    breaker has `opened` so often in a row, last until `open_until` (ms).
    """

    id: str
    channel: Channel
    config: Mapping[str, Any]
    changed_at: int
    prepared: bool
    step: float = 0.0
    width: int = WIDTH
    free_at: float = 0.0
    failing_since: int | None = None
    warned: bool = False
    opened: int = 0
    open_until: int = 0
    breaker: Breaker = field(default_factory=Breaker)
    _secrets: tuple[str, ...] | None = None
    _signer: Signer | None = None

    def signature(self, request: HttpRequest, message_id: str, now: int) -> tuple[str, ...]:
        """The header lines of a signed request, for an attempt at `now` (ms)."""
        if not request.signed:
            return ()
        if self._signer is None:
            self._signer = Signer(self.config)
        return self._signer.headers(message_id, now, request.body)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What of its settings nobody may see, in what its receiver answers either."""
        if self._secrets is None:
            self._secrets = secrets_of(self.channel, self.config)
        return self._secrets


def secrets_of(channel: Channel, config: Mapping[str, Any]) -> tuple[str, ...]:
    """The secrets in a destination's settings: addresses, fields marked as secret, and the keys it signs with."""
    declared = channel.config._declared_fields
    shown = {name for name, field in declared.items() if not field.metadata.get("secret")}
    found = [(name in shown, text) for name, value in config.items() for text in _texts(value)]
    return tuple(dict.fromkeys(text for public, text in found if not public or text.startswith(("http://", "https://"))))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping | list):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(part)


@dataclass
class Ways:
    """The channels, what opens a destination's sealed settings, and the ways out.

    `token_for` gives the access token for a destination's settings, `forget_token` says that one was not taken.
    `public_url` and `sender` (a host name) go into messages. `transport` belongs to one thread. `rate` is how many requests a
    second a destination gets that has no limit of its own; `peers` how many workers deliver at the moment, this one included.
    """

    channels: Mapping[str, Channel]
    open_config: Callable[[bytes], Mapping[str, Any]]
    transport: Transport[Any]
    send_mail: Callable[[Mail], Reply] | None = None
    token_for: Callable[[Mapping[str, Any]], str] | None = None
    forget_token: Callable[[Mapping[str, Any]], None] = lambda _config: None
    public_url: str = ""
    sender: str = "gradewire.invalid"
    rate: float = RATE
    peers: int = 1
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
        rate=settings["destination_rate"] or (RATE if here.clock.speed == 1 else FAST_RATE),
        sender=urlsplit(settings["public_url"]).hostname or Ways.sender,
    )
