"""A mail server that answers as the recipient's name says, with log in and, where asked for, STARTTLS."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

PASSWORD = "open sesame"


@dataclass
class SmtpPeer:
    """Takes mail for anyone, except that "550@…" is answered 550 at RCPT and "data-552@…" 552 after DATA.

    "once-451@…" is greylisted the first time. "hangs@…" gets no answer after DATA and "resets@…" a broken connection.
    """

    port: int = 0
    mails: list[tuple[str, str, bytes]] = field(default_factory=list)
    greylisted: set[str] = field(default_factory=set)

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        found = re.match(r"(once-)?([45]\d\d)@", address)
        if found and not (found[1] and address in self.greylisted):
            self.greylisted.add(address)
            return f"{found[2]} {found[2][0]}.1.1 as the address says"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:
        recipient = envelope.rcpt_tos[0]
        if found := re.match(r"data-([45]\d\d)@", recipient):
            return f"{found[1]} {found[1][0]}.3.4 as the address says"
        self.mails.append((envelope.mail_from, recipient, envelope.content))
        if recipient.startswith("hangs@"):
            await asyncio.sleep(30)
        if recipient.startswith("resets@"):
            server.transport.abort()
        return "250 2.0.0 queued as 1"


class _Controller(Controller):
    server: asyncio.Server

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]


def _authenticate(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    return AuthResult(success=data.password == PASSWORD.encode(), handled=False)


@contextmanager
def smtp_peer(tls: ssl.SSLContext | None = None) -> Iterator[SmtpPeer]:
    peer = SmtpPeer()
    controller = _Controller(
        peer,
        hostname="127.0.0.1",
        port=0,
        server_hostname="localhost",
        tls_context=tls,
        require_starttls=tls is not None,
        authenticator=_authenticate,
        auth_require_tls=False,
    )
    controller.start()
    peer.port = controller.port
    try:
        yield peer
    finally:
        controller.stop()
