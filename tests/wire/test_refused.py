"""What is never dialled: private addresses in every dress, other ports, other protocols. Real sockets, real receivers."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

import pycurl
import pytest

from integration.domain.message import HttpRequest
from integration.wire.addresses import Policy
from integration.wire.http import Transport
from tests.receiver import Answer, Receiver
from tests.receiver import receiver as run_receiver
from tests.servers import free_port


@pytest.fixture
def public() -> Iterator[Transport[Any]]:
    """A transport as it is by default: public addresses only."""
    with closing(Transport[Any](connect_ms=1_000, total_ms=2_000)) as transport:
        yield transport


@pytest.fixture
def private() -> Iterator[Transport[Any]]:
    """A transport whose operator allows private addresses."""
    with closing(Transport[Any](allow_private=True, connect_ms=1_000, total_ms=1_000)) as transport:
        yield transport


def post(url: str, **more: Any) -> HttpRequest:
    return HttpRequest(url, b"{}", **more)


HOSTS = (
    "127.0.0.1", "localhost", "localhost.", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0.0.0.0",
    "127.0.0.1.", "LOCALHOST", "0x7f.1", "017700000001", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::]", "[::1]", "[::1%25lo]",
    "[fe80::1%25lo]", "[64:ff9b::7f00:1]", "[2002:7f00:1::1]", "[::7f00:1]", "user:secret@127.0.0.1", "example.com@127.0.0.1",
    "169.254.169.254", "10.0.0.1", "192.168.0.1", "100.64.0.1", "[fd00::1]", "224.0.0.1",
)  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_a_private_receiver_is_refused_however_it_is_spelled(public: Transport[Any], receiver: Receiver, host: str) -> None:
    reply = public.send(post(receiver.url("/", host)))
    assert (reply.status, reply.error, reply.ambiguous) == (0, "refused", False)
    assert receiver.requests == []


def test_digits_in_disguise_do_not_get_through(public: Transport[Any], receiver: Receiver) -> None:
    reply = public.send(post(receiver.url("/", "①②⑦.0.0.1")))
    assert reply.status == 0
    assert reply.error in ("refused", "resolve", "protocol")
    assert receiver.requests == []


def test_a_refusal_tells_nothing_of_what_was_found_there(public: Transport[Any], receiver: Receiver) -> None:
    reply = public.send(post(receiver.url()))
    assert (reply.head, reply.error, reply.detail) == (b"", "refused", "the address is not public")


OTHER = "file:///etc/passwd ftp://127.0.0.1/ gopher://127.0.0.1/ smtp://127.0.0.1/ nonsense://x http://"


@pytest.mark.parametrize("url", OTHER.split())
def test_only_http_is_spoken(private: Transport[Any], url: str) -> None:
    reply = private.send(post(url))
    assert (reply.status, reply.error, reply.head, reply.ambiguous) == (0, "protocol", b"", False)


def test_redirects_are_answers_and_not_followed(private: Transport[Any], receiver: Receiver) -> None:
    receiver.on("/away", Answer(302, headers=(("Location", receiver.url("/secret")),)))
    assert private.send(post(receiver.url("/away"))).status == 302
    assert [r.path for r in receiver.requests] == ["/away"]


def test_the_check_is_made_for_each_socket_so_a_name_that_moves_is_caught(receiver: Receiver) -> None:
    """127.0.0.2 stands for a public address here: the policy of this test allows that one only."""
    with closing(Transport[Any](total_ms=2_000)) as transport:
        transport.policy = Only("127.0.0.2")
        pin(transport, f"rebind.test:{receiver.port}:127.0.0.2")
        with answering("127.0.0.2", receiver.port, keeps=False):
            assert transport.send(post(receiver.url("/first", "rebind.test"))).status == 204
        pin(transport, f"rebind.test:{receiver.port}:127.0.0.1")
        assert transport.send(post(receiver.url("/second", "rebind.test"))).error == "refused"
    assert receiver.requests == []


def test_a_name_that_moves_while_its_connection_is_kept_is_caught_once_that_ends(receiver: Receiver) -> None:
    with closing(Transport[Any](total_ms=2_000)) as transport:
        transport.policy = only = Only("127.0.0.2")
        pin(transport, f"rebind.test:{receiver.port}:127.0.0.2")
        with answering("127.0.0.2", receiver.port, keeps=True):
            assert transport.send(post(receiver.url("/first", "rebind.test"))).status == 204
            pin(transport, f"rebind.test:{receiver.port}:127.0.0.1")
            assert transport.send(post(receiver.url("/second", "rebind.test"))).status == 204
            assert only.asked == ["127.0.0.2"], "the kept connection leads where it led"
        assert transport.send(post(receiver.url("/third", "rebind.test"))).error == "refused"
    assert receiver.requests == []


@pytest.mark.parametrize("order", ["127.0.0.9,127.0.0.1", "127.0.0.1,127.0.0.9", "127.0.0.9,[::1],127.0.0.1"])
def test_of_a_name_with_several_addresses_only_the_allowed_one_is_dialled(receiver: Receiver, order: str) -> None:
    with closing(Transport[Any](total_ms=2_000)) as transport:
        transport.policy = only = Only("127.0.0.1")
        pin(transport, f"mixed.test:{receiver.port}:{order}")
        assert transport.send(post(receiver.url("/", "mixed.test"))).status == 200
    assert only.asked[-1] == "127.0.0.1"
    assert len(receiver.requests) == 1


def test_a_public_address_that_fails_beside_a_refused_one_is_tried_again_later() -> None:
    with closing(Transport[Any](total_ms=2_000)) as transport:
        transport.policy = Only("127.0.0.1")
        port = free_port()
        pin(transport, f"mixed.test:{port}:127.0.0.9,127.0.0.1")
        assert transport.send(post(f"http://mixed.test:{port}/")).error == "connect"


class Only:
    """A policy for which one address of this machine stands for the public ones."""

    def __init__(self, public: str) -> None:
        self.public = public
        self.asked: list[str] = []

    def objection(self, address: str, _port: int) -> str:
        self.asked.append(address)
        return "" if address == self.public else "the address is not public"


def pin(transport: Transport[Any], entry: str) -> None:
    """Have a host name resolve to an address, as `host:port:address`, from now on."""
    transport._options = [*transport._options, (pycurl.RESOLVE, [entry])]
    transport._idle.clear()


@contextmanager
def answering(address: str, port: int, *, keeps: bool) -> Iterator[None]:
    """Someone who answers 204 at an address, on one connection."""
    end = b"\r\n\r\n" if keeps else b"\r\nConnection: close\r\n\r\n"

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            while connection.recv(65536):
                connection.sendall(b"HTTP/1.1 204 No Content" + end)
                if not keeps:
                    return
                connection.settimeout(0.5)

    with socket.create_server((address, port)) as listening:
        thread = threading.Thread(target=_until_quiet, args=(serve,))
        thread.start()
        yield
        thread.join()


def _until_quiet(serve: Callable[[], None]) -> None:
    with suppress(OSError):
        serve()


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"])
def test_a_proxy_of_the_environment_is_not_used(
    private: Transport[Any], public: Transport[Any], receiver: Receiver, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    with run_receiver() as proxy:
        monkeypatch.setenv(name, proxy.url(""))
        assert private.send(post(receiver.url("/direct"))).status == 200
        assert public.send(post(receiver.url("/direct"))).error == "refused"
        assert proxy.requests == []
    assert len(receiver.requests) == 1


def test_a_kept_connection_of_one_policy_is_of_no_use_to_another(
    private: Transport[Any], public: Transport[Any], receiver: Receiver
) -> None:
    assert private.send(post(receiver.url())).status == 200
    assert public.send(post(receiver.url())).error == "refused"
    assert len(receiver.requests) == 1


# -- ports -----------------------------------------------------------------------------------------------------------


def test_only_443_is_called_unless_the_operator_allows_more() -> None:
    usual, more = Policy(), Policy(frozenset({443, 80}))
    assert usual.objection("8.8.8.8", 443) == more.objection("8.8.8.8", 80) == ""
    assert usual.objection("8.8.8.8", 80) == "port 80 is not allowed"
    assert more.objection("8.8.8.8", 22) == "port 22 is not allowed"
    assert more.objection("127.0.0.1", 443) == "the address is not public"
    assert Policy(allow_private=True).objection("127.0.0.1", 22) == ""


def test_the_port_is_looked_at_when_the_socket_opens(receiver: Receiver) -> None:
    with closing(Transport[Any](ports=[receiver.port], total_ms=2_000)) as transport:
        transport.policy = PortsOf(transport.policy)
        assert transport.send(post(receiver.url())).status == 200
        reply = transport.send(post("http://127.0.0.1:9/"))
        assert (reply.error, reply.detail, reply.ambiguous) == ("refused", "port 9 is not allowed", False)
        assert transport.send(post("http://127.0.0.1/")).detail == "port 80 is not allowed"


class PortsOf:
    """A policy for which all addresses are public, with the ports of another."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy

    def objection(self, _address: str, port: int) -> str:
        return self.policy.port_objection(port)
