"""E-mail to a mail server that accepts, greylists, refuses, hangs and breaks off."""

from __future__ import annotations

import email
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from integration.channels.email import CHANNEL
from integration.domain.message import Dead, Delivered, Mail, Reply, Retry
from integration.wire.smtp import SmtpSender, composed
from tests.channels.samples import EVENTS, HOSTILE, message
from tests.peers.smtp import PASSWORD, SmtpPeer, smtp_peer
from tests.peers.tls import server_tls

NOW = 1_621_382_400_000


@pytest.fixture
def server() -> Iterator[SmtpPeer]:
    with smtp_peer() as peer:
        yield peer


def sender(peer: SmtpPeer, **changes: Any) -> SmtpSender:
    values = {"security": "none", "sender": "Gradewire <alerts@gradewire.example>", "timeout": 2.0}
    return SmtpSender("127.0.0.1", peer.port, **{**values, **changes})


def mail(to: str = "someone@example.com", **changes: Any) -> Mail:
    headers = (("Auto-Submitted", "auto-generated"),)
    return Mail(
        **{
            "to": to,
            "subject": "Añ → ok",
            "text": "Téxt",
            "html": "<p>Ñ</p>",
            "message_id": "evt_1.sub_1@h",
            "headers": headers,
            **changes,
        }
    )


def test_both_parts_and_every_header_arrive(server: SmtpPeer) -> None:
    reply = sender(server).send(mail(), NOW)
    assert (reply.status, reply.head, reply.error, reply.ambiguous) == (250, b"2.0.0 queued as 1", None, False)
    envelope_from, envelope_to, content = server.mails[0]
    assert (envelope_from, envelope_to) == ("alerts@gradewire.example", "someone@example.com")
    caught = email.message_from_bytes(content, policy=default)
    assert caught["From"] == "Gradewire <alerts@gradewire.example>"
    assert caught["Subject"] == "Añ → ok"
    assert caught["Message-ID"] == "<evt_1.sub_1@h>"
    assert caught["Date"] == "Wed, 19 May 2021 00:00:00 +0000"
    assert caught["Auto-Submitted"] == "auto-generated"
    assert caught.get_content_type() == "multipart/alternative"
    assert [part.get_content().strip() for part in caught.iter_parts()] == ["Téxt", "<p>Ñ</p>"]


@pytest.mark.parametrize("told", EVENTS.values(), ids=EVENTS.keys())
def test_every_event_arrives_with_its_words(server: SmtpPeer, told: dict[str, Any]) -> None:
    rendered = CHANNEL.render([message(told)], {"to": "someone@example.com"})
    assert isinstance(rendered, Mail)
    assert CHANNEL.verdict(sender(server).send(rendered, NOW)) == Delivered()
    caught = email.message_from_bytes(server.mails[0][2], policy=default)
    text = caught.get_body(("plain",))
    assert text
    assert text.get_content().replace("\r\n", "\n") == rendered.text
    assert caught["Subject"] == rendered.subject


@settings(deadline=None)
@given(st.text(alphabet=st.sampled_from("ab →é🚀👩\u200d.?_<@,"), min_size=1, max_size=150).map(str.strip).filter(bool))
@example("word " * 28 + "é")
@example("[made-up sample] Bitcoin's Sharpe ratio rose above 1: 0.94 → 1.06 on 14 May 2021.")
def test_every_subject_arrives_as_it_was_in_lines_that_mail_may_have(subject: str) -> None:
    content = composed(mail(subject=subject), "a@b.example", NOW)
    assert email.message_from_bytes(content, policy=default)["Subject"] == subject
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert all(len(word) <= 75 for word in re.findall(rb"=\?utf-8\?.*?\?=", content))


def test_each_attempt_has_the_same_message_id() -> None:
    one, two = (email.message_from_bytes(composed(mail(), "a@b.example", now), policy=default) for now in (NOW, NOW + 5000))
    assert one["Message-ID"] == two["Message-ID"]
    assert one["Date"] != two["Date"]


def test_a_greylisted_mail_is_accepted_the_second_time(server: SmtpPeer) -> None:
    first = sender(server).send(mail("once-451@example.com"), NOW)
    assert isinstance(CHANNEL.verdict(first), Retry)
    assert sender(server).send(mail("once-451@example.com"), NOW).status == 250


@pytest.mark.parametrize(
    ("to", "status"), [("550@example.com", 550), ("data-552@example.com", 552), ("data-554@example.com", 554)]
)
def test_a_refusal_for_good_has_the_servers_words(server: SmtpPeer, to: str, status: int) -> None:
    reply = sender(server).send(mail(to), NOW)
    assert (reply.status, reply.error, reply.ambiguous) == (status, None, False)
    assert b"as the address says" in reply.head
    assert isinstance(CHANNEL.verdict(reply), Dead)
    assert server.mails == []


def test_logging_in_works_and_a_wrong_password_is_535(server: SmtpPeer) -> None:
    assert sender(server, username="gradewire", password=PASSWORD).send(mail(), NOW).status == 250
    reply = sender(server, username="gradewire", password="wrong horse").send(mail(), NOW)
    assert reply.status == 535
    verdict = CHANNEL.verdict(reply)
    assert isinstance(verdict, Dead)
    assert verdict.scope == "destination"
    assert "wrong horse" not in f"{reply} {verdict} {sender(server, password='wrong horse')}"


def test_a_break_after_the_text_is_ambiguous(server: SmtpPeer) -> None:
    reply = sender(server).send(mail("resets@example.com"), NOW)
    assert (reply.status, reply.error, reply.ambiguous) == (0, "reset", True)
    assert isinstance(CHANNEL.verdict(reply), Retry)


def test_no_answer_after_the_text_is_a_timeout_and_ambiguous(server: SmtpPeer) -> None:
    reply = sender(server, timeout=0.5).send(mail("hangs@example.com"), NOW)
    assert (reply.status, reply.error, reply.ambiguous) == (0, "timeout", True)
    assert 400 < reply.duration_ms < 2500


def test_a_server_that_never_greets_is_a_timeout_and_not_ambiguous() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        reply = sender(SmtpPeer(port=silent.getsockname()[1]), timeout=0.3).send(mail(), NOW)
    assert (reply.status, reply.error, reply.ambiguous) == (0, "timeout", False)


def test_no_server_is_no_connection() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    reply = sender(SmtpPeer(port=port)).send(mail(), NOW)
    assert (reply.status, reply.error, reply.ambiguous) == (0, "connect", False)


@pytest.mark.parametrize("told", ["lines", "mention"])
def test_no_event_adds_a_recipient_or_a_header(server: SmtpPeer, told: str) -> None:
    rendered = CHANNEL.render([message(HOSTILE[told])], {"to": "someone@example.com"})
    assert isinstance(rendered, Mail)
    sender(server).send(rendered, NOW)
    caught = email.message_from_bytes(server.mails[0][2], policy=default)
    assert caught["Bcc"] is None
    assert caught["To"] == "someone@example.com"


# -- TLS


def test_starttls_hides_the_password_and_checks_the_certificate(tmp_path: Path) -> None:
    context, trusted = server_tls(tmp_path)
    with smtp_peer(context) as peer:
        secure = {"security": "starttls", "username": "gradewire", "password": PASSWORD}
        assert sender(peer, ca_file=str(trusted), **secure).send(mail(), NOW).status == 250
        reply = sender(peer, **secure).send(mail(), NOW)
        assert (reply.status, reply.error, reply.ambiguous) == (0, "certificate", False)
        assert "certificate" in reply.detail
        assert sender(peer).send(mail(), NOW).status == 530


def test_a_server_without_starttls_gets_nothing(server: SmtpPeer) -> None:
    reply = sender(server, security="starttls").send(mail(), NOW)
    assert (reply.status, reply.error) == (0, "tls")
    assert "STARTTLS" in reply.detail
    assert server.mails == []


def test_tls_from_the_first_byte_to_a_server_that_speaks_none_fails(server: SmtpPeer) -> None:
    reply: Reply = sender(server, security="tls", timeout=1.0).send(mail(), NOW)
    assert reply.status == 0
    assert reply.error in ("tls", "timeout")
    assert not reply.ambiguous
