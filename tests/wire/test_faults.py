"""What becomes of receivers that misbehave: the reply, the deadline, the connection, and what they can make us hold."""

from __future__ import annotations

import gc
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from integration.domain.message import HttpRequest
from integration.wire.http import Transport
from tests.peers.faults import FAULTS, OK, Faulty, answers, deaf, faulty, refusing
from tests.peers.tls import Authority, bad_certificates

TOTAL_MS, CONNECT_MS = 400, 200
#: A machine under load may be late by this.
LATE_MS = 1_500

#: What each becomes: status, error, ambiguous.
REPLIES: dict[str, tuple[int, str | None, bool]] = {
    "hangs": (0, "timeout", True),
    "is mute": (0, "timeout", True),
    "resets": (0, "reset", True),
    "closes": (0, "reset", True),
    "trickles a head": (0, "timeout", True),
    "trickles headers": (0, "timeout", True),
    "trickles a body": (0, "timeout", True),
    "endless body": (200, None, False),
    "endless chunks": (200, None, False),
    "endless headers": (0, "protocol", True),
    "endless header": (0, "protocol", True),
    "endless hints": (0, "protocol", True),
    "garbage": (0, "protocol", True),
    "garbage in a 200": (200, None, False),
    "a 200 with wrong chunks": (0, "reset", True),
    "a 200 cut short": (200, None, False),
    "two answers": (200, None, False),
    "gone": (410, None, False),
    "busy for seconds": (429, None, False),
    "busy until a date": (429, None, False),
    "redirects in a circle": (302, None, False),
}
#: Whoever answered whole may be asked again over the same connection.
KEPT = {"garbage in a 200", "gone", "busy for seconds", "busy until a date", "redirects in a circle"}
every_fault = pytest.mark.parametrize("name", FAULTS)


@pytest.fixture
def transport() -> Iterator[Transport[Any]]:
    with closing(Transport[Any](allow_private=True, connect_ms=CONNECT_MS, total_ms=TOTAL_MS)) as ready:
        yield ready


def post(peer: Faulty) -> HttpRequest:
    return HttpRequest(peer.url, b'{"id": "evt"}')


@every_fault
def test_each_fault_is_a_reply_in_time_and_its_connection_is_not_used_again(transport: Transport[Any], name: str) -> None:
    with faulty(name) as peer:
        for number in (1, 2):
            began = time.monotonic()
            reply = transport.send(post(peer))
            assert (reply.status, reply.error, reply.ambiguous) == REPLIES[name]
            assert len(reply.head) <= 4096
            assert (time.monotonic() - began) * 1000 < TOTAL_MS + LATE_MS
            assert peer.connections == (1 if name in KEPT else number)
    assert transport.in_flight == 0


def test_a_wish_to_wait_is_heard_in_both_forms(transport: Transport[Any]) -> None:
    for name in ("busy for seconds", "busy until a date"):
        with faulty(name) as peer:
            assert 590 < float(transport.send(post(peer)).retry_after or 0) <= 600


def test_a_redirect_is_not_followed_once(transport: Transport[Any]) -> None:
    with faulty("redirects in a circle") as peer:
        transport.send(post(peer))
        assert peer.requests == 1


def test_what_was_never_connected_was_never_sent(transport: Transport[Any]) -> None:
    for place, error in ((refusing, "connect"), (deaf, "timeout")):
        with place() as peer:
            began = time.monotonic()
            reply = transport.send(post(peer))
            assert (reply.status, reply.error, reply.ambiguous) == (0, error, False)
            assert (time.monotonic() - began) * 1000 < CONNECT_MS + LATE_MS


def test_a_handshake_that_never_ends_is_given_up_with_the_connection(transport: Transport[Any]) -> None:
    with faulty("is mute") as peer:
        reply = transport.send(HttpRequest(peer.url.replace("http:", "https:"), b"{}"))
        assert (reply.status, reply.error, reply.ambiguous) == (0, "timeout", False)
        assert reply.duration_ms < CONNECT_MS + LATE_MS


def test_the_usual_deadlines_are_those_of_the_rule() -> None:
    with closing(Transport[Any]()) as usual:
        assert usual.total_ms == 15_000


@pytest.mark.parametrize("name", ["endless body", "endless chunks", "endless headers", "endless header", "endless hints"])
def test_what_has_no_end_is_not_held(name: str) -> None:
    """Forty at once, which send as much as they can for as long as they are let."""
    with closing(Transport[Any](allow_private=True, total_ms=1_000)) as transport, faulty(name) as peer:
        transport.send(post(peer))
        gc.collect()
        before = most = resident_mb()
        for number in range(40):
            transport.start(number, post(peer))
        while transport.in_flight:
            transport.finished(0.01)
            most = max(most, resident_mb())
    assert most - before < 40


def resident_mb() -> float:
    """What this process holds in memory now."""
    file = Path("/proc/self/statm")
    if not file.exists():
        pytest.skip("only Linux tells how much memory a process holds")
    return int(file.read_text().split()[1]) * 4096 / 1e6


# -- certificates ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


def test_a_bad_certificate_ends_it_before_anything_is_sent(trusted: Authority) -> None:
    with (
        closing(Transport[Any](allow_private=True, total_ms=3_000, ca_file=str(trusted.file))) as transport,
        ExitStack() as stack,
    ):
        for name, context in bad_certificates(trusted).items():
            peer = stack.enter_context(faulty("", tls=context, fault=answers(OK)))
            reply = transport.send(post(peer))
            assert (reply.status, reply.error, reply.ambiguous) == (0, "certificate", False), name
            assert reply.detail, name
            assert peer.requests == 0, name
        good = stack.enter_context(faulty("", tls=trusted.server(), fault=answers(OK)))
        assert transport.send(post(good)).status == 200


def test_connections_over_tls_are_kept(trusted: Authority) -> None:
    with (
        closing(Transport[Any](allow_private=True, total_ms=3_000, ca_file=str(trusted.file))) as transport,
        faulty("", tls=trusted.server(), fault=answers(OK)) as peer,
    ):
        for _ in range(20):
            assert transport.send(post(peer)).status == 200
        assert (peer.connections, peer.requests) == (1, 20)
