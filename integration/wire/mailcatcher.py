"""A mail server for trying out: takes every mail on this machine and delivers none."""

from __future__ import annotations

import asyncio
import email
import socket
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import default
from typing import Any

import structlog
from aiosmtpd.controller import Controller

DATA_LIMIT = 1024 * 1024

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CaughtMail:
    """What came for one recipient. `sender` is the From header's, else the envelope's."""

    message_id: str
    sender: str
    recipient: str
    subject: str
    text: str
    html: str


def parsed(content: bytes, sender: str, recipient: str) -> CaughtMail:
    """The parts of a mail that people look at."""
    message = email.message_from_bytes(content, policy=default)
    return CaughtMail(
        message_id=str(message.get("Message-ID", "")).strip().strip("<>"),
        sender=str(message.get("From", sender)),
        recipient=recipient,
        subject=str(message.get("Subject", "")),
        text=_part(message, "plain"),
        html=_part(message, "html"),
    )


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    if part is None:
        return ""
    try:
        return str(part.get_content())
    except (LookupError, ValueError):
        return "(This part cannot be read.)"


class _Handler:
    def __init__(self, on_mail: Callable[[CaughtMail], None]) -> None:
        self._on_mail = on_mail

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 (aiosmtpd's name)
        try:
            for recipient in envelope.rcpt_tos:
                self._on_mail(parsed(envelope.content, envelope.mail_from or "", recipient))
        except Exception:
            # Whatever storing or parsing raises, the server must live on and the sender may come back.
            log.exception("mail_not_kept")
            return "451 4.3.0 The mail could not be kept"
        return "250 2.0.0 Caught"


class _Controller(Controller):
    """Serves on a socket that listens already: aiosmtpd would notice a taken port only after seconds."""

    def __init__(self, handler: _Handler, listening: socket.socket) -> None:
        # Its host name is given, for aiosmtpd would look one up, which can take seconds without a network.
        where = listening.getsockname()
        super().__init__(handler, where[0], where[1], server_hostname="localhost", data_size_limit=DATA_LIMIT)
        self._listening = listening

    def _create_server(self) -> Coroutine[Any, Any, asyncio.Server]:
        return self.loop.create_server(self._factory_invoker, sock=self._listening)


class MailCatcher:
    """The catcher, in a thread of its own, on 127.0.0.1. `on_mail` is called there, for each recipient."""

    def __init__(self, port: int, on_mail: Callable[[CaughtMail], None]) -> None:
        self.port = port
        self._handler = _Handler(on_mail)
        self._controller: _Controller | None = None

    def start(self) -> None:
        """Begin to listen, on a free port where 0 is asked for; raises OSError where the port is taken."""
        listening = socket.create_server(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        self._controller = _Controller(self._handler, listening)
        self._controller.start()

    def stop(self) -> None:
        """Stop listening and end the thread, if it runs."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None
