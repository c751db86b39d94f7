"""E-mail through the operator's own mail server."""

from __future__ import annotations

import smtplib
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import format_datetime, parseaddr
from typing import Literal

from integration.domain.message import Mail, Reply

TIMEOUT_S = 15.0
HEAD_LIMIT = 4 * 1024


class _Wire(EmailPolicy):
    """Lines end with CRLF, and subjects arrive as they were: folded the library's way, spaces double around "→"."""

    def fold_binary(self, name: str, value: str) -> bytes:
        """One header; an encoded word has at most 75 characters (RFC 2047, 2)."""
        if name != "Subject":
            return super().fold_binary(name, value)
        plain = value.isascii() and len(value) < 900
        text = value if plain else Header(str(value), "utf-8", maxlinelen=76, header_name=name).encode(linesep="\r\n")
        return f"{name}: {text}\r\n".encode()


_POLICY = _Wire(linesep="\r\n")


def composed(mail: Mail, sender: str, now: int) -> bytes:
    """The mail as it goes over the wire: multipart/alternative, UTF-8; `now` (ms) becomes its Date."""
    message = EmailMessage(policy=_POLICY)
    message["From"] = sender
    message["To"] = mail.to
    message["Subject"] = mail.subject
    message["Date"] = format_datetime(datetime.fromtimestamp(now / 1000, UTC))
    message["Message-ID"] = f"<{mail.message_id}>"
    for name, value in mail.headers:
        message[name] = value
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message.as_bytes()


@dataclass(frozen=True, slots=True)
class SmtpSender:
    """Sends through one server: `starttls` (587), `tls` from the first byte (465), or `none`.

    `sender` is the From header, "Name <address>"; its address is the envelope's sender. A mail has `timeout` seconds in all.
    """

    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)
    security: Literal["starttls", "tls", "none"] = "starttls"
    sender: str = "Gradewire <gradewire@localhost.localdomain>"
    timeout: float = TIMEOUT_S
    ca_file: str | None = None

    def send(self, mail: Mail, now: int) -> Reply:
        """One mail over a connection of its own; never raises for what servers and networks do.

        The status is the server's last answer. It is ambiguous where the connection broke once the text was under way.
        """
        started = time.monotonic()
        content = composed(mail, self.sender, now)
        status, text, error, detail = 0, b"", None, ""
        under_way = False
        try:
            with self._session(started + self.timeout) as server:
                size = [f"size={len(content)}"] if server.has_extn("size") else []
                _accepted(server.mail(parseaddr(self.sender)[1], size))
                _hurry(server, started + self.timeout)
                _accepted(server.rcpt(mail.to))
                _hurry(server, started + self.timeout)
                under_way = True
                status, answer = server.data(content)
                text = _bytes(answer)
        except smtplib.SMTPResponseException as refused:
            status, text = refused.smtp_code, _bytes(refused.smtp_error)
        except (OSError, smtplib.SMTPException) as broken:
            error, detail = _mark(broken)
        took = int((time.monotonic() - started) * 1000)
        return Reply(status, text[:HEAD_LIMIT], error, detail, ambiguous=bool(error) and under_way, duration_ms=took)

    @contextmanager
    def _session(self, until: float) -> Iterator[smtplib.SMTP]:
        context = ssl.create_default_context(cafile=self.ca_file)
        # The sender's domain names this machine: looking its own name up can take seconds.
        name = parseaddr(self.sender)[1].rpartition("@")[2] or "localhost"
        if self.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(self.host, self.port, name, timeout=self.timeout, context=context)
        else:
            server = smtplib.SMTP(self.host, self.port, name, timeout=self.timeout)
        try:
            self._log_in(server, context, until)
            _hurry(server, until)
            yield server
        finally:
            # The mail's fate is known by now: a farewell that fails must not change it, nor wait.
            server.close()

    def _log_in(self, server: smtplib.SMTP, context: ssl.SSLContext, until: float) -> None:
        _hurry(server, until)
        if self.security == "starttls":
            server.starttls(context=context)
        server.ehlo_or_helo_if_needed()
        if self.username:
            _hurry(server, until)
            server.login(self.username, self.password)


def _hurry(server: smtplib.SMTP, until: float) -> None:
    """Give the steps to come no more than the time that is left (monotonic seconds)."""
    if server.sock is not None:
        server.sock.settimeout(max(0.01, until - time.monotonic()))


def _accepted(answer: tuple[int, bytes]) -> None:
    code, text = answer
    if code not in (250, 251):
        raise smtplib.SMTPResponseException(code, text)


def _bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode()


def _mark(broken: Exception) -> tuple[str, str]:
    """A Reply's mark and detail for an exception; the order matters, for most are kinds of OSError."""
    if isinstance(broken, smtplib.SMTPServerDisconnected) and isinstance(broken.__context__, OSError):
        broken = broken.__context__
    if isinstance(broken, ssl.SSLCertVerificationError):
        return "certificate", broken.verify_message
    if isinstance(broken, smtplib.SMTPNotSupportedError):
        return "tls", str(broken)
    marks: tuple[tuple[type[Exception], str], ...] = (
        (ssl.SSLError, "tls"),
        (TimeoutError, "timeout"),
        (socket.gaierror, "resolve"),
        (smtplib.SMTPServerDisconnected, "reset"),
        (ConnectionResetError, "reset"),
        (BrokenPipeError, "reset"),
        (smtplib.SMTPException, "protocol"),
    )
    return next((mark for kind, mark in marks if isinstance(broken, kind)), "connect"), ""
