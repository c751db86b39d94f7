"""The transport against real receivers: what it sends, how many at once, and what it makes of bad answers."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pycurl
import pytest

from integration.domain.message import HttpRequest
from integration.wire.http import MOST, Transport
from integration.wire.transfer import seconds_asked
from integration.wire.window import LOOKS, WINDOW
from tests.peers.faults import OK, Line, faulty
from tests.receiver import Answer, Receiver
from tests.servers import free_port


@pytest.fixture
def private() -> Iterator[Transport[Any]]:
    """A transport whose operator allows private addresses."""
    with closing(Transport[Any](allow_private=True, connect_ms=1_000, total_ms=1_000)) as transport:
        yield transport


def post(url: str, body: bytes = b"{}", **more: Any) -> HttpRequest:
    return HttpRequest(url, body, **more)


# -- sending ---------------------------------------------------------------------------------------------------------


def test_bytes_and_headers_arrive_as_they_are(private: Transport[Any], receiver: Receiver) -> None:
    body = '{"summary":"Grüße €"}'.encode()
    request = post(receiver.url("/x?y=1"), body, headers=("Content-Type: application/json", "X-One: 1"))
    reply = private.send(request, ("webhook-id: evt",))
    (got,) = receiver.requests
    assert (reply.status, reply.head) == (200, b"ok")
    assert (got.method, got.path, got.body) == ("POST", "/x?y=1", body)
    assert (got.headers["content-type"], got.headers["x-one"], got.headers["webhook-id"]) == ("application/json", "1", "evt")
    assert "expect" not in got.headers


def test_methods_take_turns_on_one_handle(private: Transport[Any], receiver: Receiver) -> None:
    for method, body in (("POST", b"a"), ("GET", b""), ("PUT", b"b"), ("GET", b""), ("POST", b"c"), ("DELETE", b"")):
        assert private.send(post(receiver.url(), body, method=method)).status == 200
    assert [(r.method, r.body) for r in receiver.requests] == [
        ("POST", b"a"), ("GET", b""), ("PUT", b"b"), ("GET", b""), ("POST", b"c"), ("DELETE", b""),
    ]  # fmt: skip


def test_connections_are_kept_unless_a_fresh_one_is_asked_for(private: Transport[Any], receiver: Receiver) -> None:
    for fresh in (False, False, True, True, False):
        assert private.send(post(receiver.url(), fresh=fresh)).status == 200
    first, second, third, fourth, last = (r.connection for r in receiver.requests)
    assert first == second == last
    assert len({first, third, fourth}) == 3


def test_many_go_at_once_and_each_answer_finds_its_request(private: Transport[Any], receiver: Receiver) -> None:
    for number in range(20):
        receiver.on(f"/{number}", Answer(200 + number))
        private.start(number, post(receiver.url(f"/{number}")))
    found: dict[int, int] = {}
    while len(found) < 20:
        found.update({tag: reply.status for tag, reply in private.finished(1.0)})
    assert found == {number: 200 + number for number in range(20)}
    assert private.in_flight == 0


def test_receivers_that_hang_are_waited_for_up_to_a_limit(private: Transport[Any], receiver: Receiver) -> None:
    receiver.on("/slow", Answer(held=True))
    private.most = 4
    for number in range(4):
        assert private.has_room()
        private.start(number, post(receiver.url("/slow")))
    assert not private.has_room()
    receiver_has_it(private, receiver)
    assert not private.has_room()
    receiver.release()
    until_over(private, 4)
    assert private.has_room()


def test_repeated_attempts_leave_half_of_all_places_to_first_ones(private: Transport[Any], receiver: Receiver) -> None:
    receiver.on("/slow", Answer(held=True))
    private.most = 8
    for number in range(4):
        assert private.has_room(retry=True)
        private.start(number, post(receiver.url("/slow")), retry=True)
    assert not private.has_room(retry=True)
    for number in range(4):
        assert private.has_room()
        private.start(number, post(receiver.url("/slow")))
    assert not private.has_room()
    receiver.release()
    until_over(private, 8)
    assert private.has_room(retry=True)


def test_what_is_dropped_frees_the_places_of_repeated_attempts(private: Transport[Any], receiver: Receiver) -> None:
    receiver.on("/slow", Answer(held=True))
    private.most = 2
    private.start("dropped", post(receiver.url("/slow")), retry=True)
    assert not private.has_room(retry=True)
    private.abandon()
    assert private.has_room(retry=True)
    receiver.release()


def test_in_a_silence_others_get_their_turn_at_once(private: Transport[Any], receiver: Receiver) -> None:
    receiver.on("/slow", Answer(held=True))
    assert filled(private, post(receiver.url("/slow"))) == WINDOW < MOST
    began = time.monotonic()
    while not private.has_room():
        assert private.finished(5.0) == []
    assert time.monotonic() - began < 2
    assert filled(private, post(receiver.url("/slow"))) == WINDOW
    receiver.release()
    until_over(private, 2 * WINDOW)


def test_who_was_looked_for_in_vain_a_few_times_no_longer_holds_up_the_others(
    private: Transport[Any], receiver: Receiver
) -> None:
    receiver.on("/slow", Answer(held=True))
    for _ in range(WINDOW - 1):
        private.start("slow", post(receiver.url("/slow")))
    for _ in range(LOOKS):
        private.start("prompt", post(receiver.url("/")))
        while not (over := private.finished(1.0)):
            pass
        assert [tag for tag, _ in over] == ["prompt"]
    assert filled(private, post(receiver.url("/slow"))) == WINDOW
    receiver.release()
    until_over(private, 2 * WINDOW - 1)


def filled(transport: Transport[Any], request: HttpRequest) -> int:
    """How many requests were started until there was no room for more."""
    started = 0
    while transport.has_room():
        transport.start(started, request)
        started += 1
    return started


def test_a_process_with_a_thousand_open_files_is_no_slower(private: Transport[Any], receiver: Receiver) -> None:
    """select() knows no descriptor above 1,023; a worker with a thousand kept connections has them."""
    with ExitStack() as files:
        null = files.enter_context(Path("/dev/null").open("rb"))
        for _ in range(1_050):
            files.callback(os.close, os.dup(null.fileno()))
        began = time.monotonic()
        for _ in range(5):
            assert private.send(post(receiver.url(), fresh=True)).status == 200
        assert time.monotonic() - began < 0.9


def test_an_exhausted_limit_of_open_files_is_our_own_failure_and_nothing_was_sent(
    private: Transport[Any], receiver: Receiver
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        reply = private.send(post("http://127.0.0.1:1/"))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert (reply.status, reply.error, reply.ambiguous) == (0, "failed", False)
    assert reply.detail == "Too many open files"
    assert private.send(post(receiver.url())).status == 200


def test_as_many_sockets_are_used_as_open_files_are_allowed() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (300, hard))
        with closing(Transport[Any]()) as transport:
            assert transport.most == MOST
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] > 2 * MOST
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_where_few_open_files_are_allowed_few_sockets_are_used() -> None:
    code = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (356, 356));"
        "from integration.wire.http import Transport; print(Transport().most)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "50"


def test_a_kept_connection_that_ends_is_noticed_once_and_not_used_again(private: Transport[Any]) -> None:
    with faulty("", fault=_answers_once) as peer:
        for number in (1, 2):
            assert private.send(post(peer.url)).status == 200
            assert peer.connections == number
            waits = []
            for _ in range(4):
                began = time.monotonic()
                assert private.finished(0.1) == []
                waits.append(time.monotonic() - began)
            assert sum(wait > 0.09 for wait in waits) >= 3, "the loop does not spin"


def _answers_once(line: Line) -> None:
    line.asked()
    line.say(OK)


def until_over(transport: Transport[Any], count: int) -> None:
    until, over = time.monotonic() + 5, 0
    while over < count and time.monotonic() < until:
        over += len(transport.finished(0.1))
    assert over == count


def test_what_is_under_way_can_be_dropped(private: Transport[Any], receiver: Receiver) -> None:
    receiver.on("/slow", Answer(held=True))
    private.start("dropped", post(receiver.url("/slow")))
    receiver_has_it(private, receiver)
    private.abandon()
    assert private.in_flight == 0
    assert private.send(post(receiver.url("/next"))).status == 200
    receiver.release()


def receiver_has_it(transport: Transport[Any], receiver: Receiver) -> None:
    until = time.monotonic() + 5
    while not receiver.requests and time.monotonic() < until:
        assert transport.finished(0.02) == []
    assert receiver.requests


@pytest.mark.parametrize(
    "broken", [{"headers": ("X: \ud800",)}, {"url": "http://127.0.0.1/\ud800"}, {"url": "http://127.0.0.1/\0"}]
)
def test_what_cannot_be_put_into_a_request_is_a_reply_and_no_accident(private: Transport[Any], broken: dict[str, Any]) -> None:
    reply = private.send(HttpRequest(**{"url": "http://127.0.0.1/", "body": b"", **broken}))
    assert (reply.status, reply.error, reply.ambiguous) == (0, "protocol", False)
    assert private.in_flight == 0


# -- answers ---------------------------------------------------------------------------------------------------------


def test_as_much_of_an_answer_is_kept_as_the_request_wants(private: Transport[Any], receiver: Receiver) -> None:
    receiver.on("/", Answer(body=b"y" * 100_000))
    assert len(private.send(post(receiver.url(), keep=200_000)).head) == 100_000
    assert len(private.send(post(receiver.url())).head) == 4096


@pytest.mark.parametrize("fault", ["reset", "close"])
def test_a_connection_that_breaks_after_the_request_may_have_been_acted_on(
    private: Transport[Any], receiver: Receiver, fault: str
) -> None:
    receiver.on("/", Answer(fault=fault))
    reply = private.send(post(receiver.url(), fresh=True))
    assert (reply.status, reply.error, reply.ambiguous) == (0, "reset", True)
    assert len(receiver.requests) == 1


def test_no_answer_in_time_may_have_been_acted_on(receiver: Receiver) -> None:
    receiver.on("/", Answer(held=True))
    with closing(Transport[Any](allow_private=True, total_ms=200)) as transport:
        reply = transport.send(post(receiver.url()))
    receiver.release()
    assert (reply.status, reply.error, reply.ambiguous) == (0, "timeout", True)
    assert 200 <= reply.duration_ms < 1_500


def test_where_nobody_listens_nothing_was_sent(private: Transport[Any]) -> None:
    reply = private.send(post(f"http://127.0.0.1:{free_port()}/"))
    assert (reply.status, reply.error, reply.ambiguous) == (0, "connect", False)


def test_a_name_that_does_not_exist_was_never_reached(private: Transport[Any]) -> None:
    reply = private.send(post("http://no-such-host.invalid/"))
    assert (reply.status, reply.error, reply.ambiguous) == (0, "resolve", False)


# -- TLS -------------------------------------------------------------------------------------------------------------


def test_tls_to_a_receiver_without_it_fails_before_anything_is_sent(private: Transport[Any], receiver: Receiver) -> None:
    reply = private.send(post(receiver.url().replace("http:", "https:")))
    assert (reply.status, reply.error, reply.ambiguous) == (0, "tls", False)


# -- Retry-After -----------------------------------------------------------------------------------------------------

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", "120.0"),
        ("1.5", "1.5"),
        ("0", "0.0"),
        ("86400000", "86400000.0"),
        (format_datetime(AT + timedelta(hours=12), usegmt=True), "43200.0"),
        (format_datetime(AT - timedelta(hours=1), usegmt=True), "0.0"),
        ("soon", None),
        ("", None),
        ("-5", None),
        ("12abc", None),
    ],
)
def test_retry_after_is_read_as_seconds_and_as_a_date(value: str, seconds: str | None) -> None:
    assert seconds_asked(value, AT.timestamp()) == seconds


def test_retry_after_comes_with_a_refusal_and_not_with_a_success(receiver: Receiver) -> None:
    header = (("retry-after", format_datetime(AT + timedelta(seconds=90), usegmt=True)),)
    receiver.on("/busy", Answer(429, headers=header))
    receiver.on("/fine", Answer(200, headers=header))
    with closing(Transport[Any](allow_private=True, clock=AT.timestamp)) as transport:
        assert transport.send(post(receiver.url("/busy"))).retry_after == "90.0"
        assert transport.send(post(receiver.url("/fine"))).retry_after is None
        assert transport.send(post(receiver.url("/none"))).retry_after is None


def test_nothing_is_ever_traced() -> None:
    assert pycurl.VERBOSE not in [option for option, _ in Transport[Any]()._options]
