"""The mail catcher takes what the sender sends, and survives what it cannot keep."""

from __future__ import annotations

import smtplib
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from integration.channels.email import CHANNEL
from integration.domain.message import Mail, Retry
from integration.wire.mailcatcher import CaughtMail, MailCatcher, parsed
from integration.wire.smtp import SmtpSender
from tests.channels.samples import event, message

NOW = 1_621_382_400_000


@contextmanager
def catching(on_mail: object) -> Iterator[MailCatcher]:
    catcher = MailCatcher(0, on_mail)  # type: ignore[arg-type]
    catcher.start()
    try:
        yield catcher
    finally:
        catcher.stop()


def rendered() -> Mail:
    mail = CHANNEL.render([message(event(sandbox=True, summary="It “rose” → 1.06."))], {"to": "someone@example.com"})
    assert isinstance(mail, Mail)
    return mail


def sender(catcher: MailCatcher) -> SmtpSender:
    return SmtpSender("127.0.0.1", catcher.port, security="none", sender="Gradewire <alerts@gradewire.example>", timeout=3)


def test_what_was_sent_is_what_is_caught() -> None:
    caught: list[CaughtMail] = []
    mail = rendered()
    with catching(caught.append) as catcher:
        assert sender(catcher).send(mail, NOW).status == 250
    assert [(one.message_id, one.sender, one.recipient, one.subject) for one in caught] == [
        (mail.message_id, "Gradewire <alerts@gradewire.example>", "someone@example.com", "[sandbox data] It “rose” → 1.06.")
    ]
    assert caught[0].text.replace("\r\n", "\n") == mail.text
    assert caught[0].html.replace("\r\n", "\n") == mail.html


def test_each_recipient_is_told_once() -> None:
    caught: list[CaughtMail] = []
    with catching(caught.append) as catcher, smtplib.SMTP("127.0.0.1", catcher.port, "test") as client:
        client.sendmail("a@example.com", ["b@example.com", "c@example.com"], b"Subject: hello\r\n\r\ntext\r\n")
    assert [(one.recipient, one.subject, one.text.strip(), one.html) for one in caught] == [
        ("b@example.com", "hello", "text", ""),
        ("c@example.com", "hello", "text", ""),
    ]


def test_a_mail_that_cannot_be_kept_is_to_be_sent_again() -> None:
    kept: list[CaughtMail] = []
    failures = iter([RuntimeError("the disk is full")])

    def keep(mail: CaughtMail) -> None:
        if failure := next(failures, None):
            raise failure
        kept.append(mail)

    with catching(keep) as catcher:
        assert isinstance(CHANNEL.verdict(sender(catcher).send(rendered(), NOW)), Retry)
        assert sender(catcher).send(rendered(), NOW).status == 250
    assert len(kept) == 1


def test_it_listens_on_this_machine_only_and_stops() -> None:
    with catching(lambda _mail: None) as catcher:
        port = catcher.port
        with socket.create_connection(("127.0.0.1", port), 1) as client:
            assert client.recv(100).startswith(b"220 localhost ")
        with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.2", port), 1):
            pass
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port), 1):
        pass


def test_it_can_be_started_again() -> None:
    caught: list[CaughtMail] = []
    catcher = MailCatcher(0, caught.append)
    for _ in range(2):
        catcher.start()
        assert sender(catcher).send(rendered(), NOW).status == 250
        catcher.stop()
    catcher.stop()
    assert len(caught) == 2


def test_a_taken_port_is_an_error() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        MailCatcher(taken.getsockname()[1], lambda _mail: None).start()


ODD = [b"", b"\xff\xfe", b"Subject: =?utf-8?b?!!!?=\r\n\r\nx", b"Content-Type: text/plain; charset=nope\r\n\r\nx"]


@pytest.mark.parametrize("content", ODD)
def test_odd_mail_is_caught_all_the_same(content: bytes) -> None:
    caught = parsed(content, "a@example.com", "b@example.com")
    assert (caught.sender, caught.recipient) == ("a@example.com", "b@example.com")
