"""Out through the operator's proxy: what is refused before it is asked, and what its failures mean. Real sockets throughout."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pycurl
import pytest

from integration.domain.message import HttpRequest
from integration.wire.egress import ProxiedTransport
from tests.peers.proxy import Proxy, running_proxy
from tests.peers.tls import server_tls
from tests.receiver import Answer, Receiver
from tests.receiver import receiver as run_receiver
from tests.servers import free_port

#: A name that only the proxy knows, as in a network where workers can look up nothing.
OUTSIDE = "outside.invalid"


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with running_proxy({OUTSIDE: "127.0.0.1", "8.8.8.8": "127.0.0.1", "named.invalid": "127.0.0.1"}) as running:
        yield running


@pytest.fixture
def out(proxy: Proxy, receiver: Receiver) -> Iterator[ProxiedTransport[Any]]:
    """Through the proxy to public addresses, and to the receiver's port beside 443."""
    with closing(transport(proxy.url(), receiver)) as ready:
        yield ready


def transport(proxy: str, receiver: Receiver, **options: Any) -> ProxiedTransport[Any]:
    return ProxiedTransport[Any](proxy, ports=[receiver.port], **{"total_ms": 2_000, **options})


def post(url: str, **more: Any) -> HttpRequest:
    return HttpRequest(url, b"{}", **more)


def known(out: ProxiedTransport[Any], *entries: str) -> None:
    """Host names as they are looked up here, each as `host:port:address,address`."""
    out._options = [*out._options, (pycurl.RESOLVE, list(entries))]


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
def test_a_name_goes_to_the_proxy_which_looks_it_up(proxy: Proxy, receiver: Receiver, scheme: str) -> None:
    with closing(transport(proxy.url(scheme), receiver)) as out:
        for _ in range(2):
            reply = out.send(post(receiver.url("/x", OUTSIDE)))
            assert (reply.status, reply.head, reply.error) == (200, b"ok", None)
    first, second = receiver.requests
    assert first.connection == second.connection, "the tunnel is kept"
    assert proxy.asked == [f"{'CONNECT' if scheme == 'http' else 'SOCKS name'} {OUTSIDE}:{receiver.port}"]


def test_a_name_that_is_public_here_goes_to_the_proxy(out: ProxiedTransport[Any], proxy: Proxy, receiver: Receiver) -> None:
    known(out, f"named.invalid:{receiver.port}:8.8.8.8")
    assert out.send(post(receiver.url("/", "named.invalid"))).status == 200
    assert out.send(post(receiver.url("/", "8.8.8.8"))).status == 200
    assert len(proxy.asked) == 2


HERE = (
    "127.0.0.1", "localhost", "localhost.", "2130706433", "0x7f000001", "0177.0.0.1", "127.1", "0.0.0.0", "10.0.0.1",
    "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]", "[64:ff9b::a9fe:a9fe]", "[fe80::1%25eth0]",
    "user:secret@127.0.0.1", f"{OUTSIDE}@127.0.0.1",
)  # fmt: skip


@pytest.mark.parametrize("host", HERE)
def test_a_private_literal_is_refused_before_the_proxy_is_asked(
    out: ProxiedTransport[Any], proxy: Proxy, receiver: Receiver, host: str
) -> None:
    reply = out.send(post(receiver.url("/", host)))
    assert (reply.status, reply.error, reply.detail, reply.head) == (0, "refused", "the address is not public", b"")
    assert not reply.ambiguous
    assert proxy.asked == []


@pytest.mark.parametrize("addresses", ["10.0.0.1", "8.8.8.8,10.0.0.1", "10.0.0.1,8.8.8.8", "[fd00::1],8.8.8.8"])
def test_a_name_with_any_private_address_is_refused_for_the_proxy_may_take_that_one(
    out: ProxiedTransport[Any], proxy: Proxy, receiver: Receiver, addresses: str
) -> None:
    known(out, f"mixed.invalid:{receiver.port}:{addresses}")
    reply = out.send(post(receiver.url("/", "mixed.invalid")))
    assert (reply.error, reply.detail) == ("refused", "the address is not public")
    assert proxy.asked == []


@pytest.mark.parametrize("host", [OUTSIDE, "8.8.8.8"])
def test_only_allowed_ports_are_asked_for(out: ProxiedTransport[Any], proxy: Proxy, host: str) -> None:
    reply = out.send(post(f"http://{host}:22/"))
    assert (reply.error, reply.detail) == ("refused", "port 22 is not allowed")
    assert out.send(post(f"http://{host}/")).detail == "port 80 is not allowed"
    assert proxy.asked == []


ODD = (
    f"https://a:443@{OUTSIDE}:22/", f"https:/{OUTSIDE}:22/", f"https:///{OUTSIDE}:22/", f"https://{OUTSIDE}:443\\@{OUTSIDE}:22/",
    f"https://{OUTSIDE}:0022/", f"https://{OUTSIDE}:22?:443/", f"https://{OUTSIDE}:22#:443/", f"HTTPS://{OUTSIDE.upper()}:22/",
)  # fmt: skip


@pytest.mark.parametrize("url", ODD)
def test_the_port_is_the_one_that_libcurl_reads(out: ProxiedTransport[Any], proxy: Proxy, url: str) -> None:
    reply = out.send(post(url))
    assert (reply.error, reply.detail) == ("refused", "port 22 is not allowed")
    assert proxy.asked == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "gopher://8.8.8.8/", "ftp://8.8.8.8/"])
def test_only_http_is_spoken_through_it(out: ProxiedTransport[Any], proxy: Proxy, url: str) -> None:
    assert out.send(post(url)).error == "protocol"
    assert proxy.asked == []


@pytest.mark.parametrize("name", ["no_proxy", "NO_PROXY"])
def test_exceptions_of_the_environment_do_not_lead_past_it(
    out: ProxiedTransport[Any], proxy: Proxy, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "*")
    known(out, f"{OUTSIDE}:{receiver.port}:8.8.8.8")
    assert out.send(post(receiver.url("/", OUTSIDE))).status == 200
    assert len(proxy.asked) == 1


def test_what_the_proxy_answers_is_not_what_the_receiver_answers(
    out: ProxiedTransport[Any], proxy: Proxy, receiver: Receiver
) -> None:
    receiver.on("/", Answer(503))
    assert out.send(post(receiver.url("/", OUTSIDE))).retry_after is None
    reply = out.send(post(receiver.url("/", "elsewhere.invalid")))
    assert (reply.status, reply.error, reply.detail, reply.head) == (0, "proxy", "It answered 403.", b"")
    assert (reply.retry_after, reply.ambiguous) == (None, False)


def test_a_proxy_that_fails_sent_nothing_and_is_said_to_be_at_fault(proxy: Proxy, receiver: Receiver) -> None:
    proxy.refusal = b"HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n"
    for url in (proxy.url(), f"http://127.0.0.1:{free_port()}", "http://no-such-proxy.invalid:3128", "socks5h://127.0.0.1:1"):
        with closing(transport(url, receiver)) as out:
            reply = out.send(post(receiver.url("/", OUTSIDE)))
        assert (reply.status, reply.error, reply.ambiguous) == (0, "proxy", False), url
        assert "127.0.0.1" not in reply.detail
        assert "no-such-proxy" not in reply.detail
    assert receiver.requests == []


def test_a_socks_proxy_that_refuses_is_said_to_be_at_fault(proxy: Proxy, receiver: Receiver) -> None:
    with closing(transport(proxy.url("socks5h"), receiver)) as out:
        reply = out.send(post(receiver.url("/", "elsewhere.invalid")))
    assert (reply.status, reply.error, reply.ambiguous) == (0, "proxy", False)


def test_the_deadline_holds_for_looking_up_and_the_proxy_together(proxy: Proxy, receiver: Receiver) -> None:
    proxy.silent = True
    with closing(transport(proxy.url(), receiver, total_ms=300)) as out:
        reply = out.send(post(receiver.url("/", OUTSIDE)))
    assert (reply.status, reply.error, reply.ambiguous) == (0, "timeout", False)
    assert reply.duration_ms < 1_500


def test_tls_goes_through_the_tunnel_to_the_receiver(proxy: Proxy, tmp_path: Path) -> None:
    context, trusted = server_tls(tmp_path, OUTSIDE)
    assert isinstance(context, ssl.SSLContext)
    with run_receiver(tls=context) as receiver:
        with closing(transport(proxy.url(), receiver)) as out:
            reply = out.send(post(receiver.url("/", OUTSIDE)))
            assert (reply.error, reply.ambiguous) == ("certificate", False)
        with closing(transport(proxy.url(), receiver, ca_file=str(trusted))) as out:
            assert out.send(post(receiver.url("/", OUTSIDE))).status == 200


def test_many_are_scouted_and_sent_at_once(out: ProxiedTransport[Any], receiver: Receiver) -> None:
    hosts = [OUTSIDE, "127.0.0.1", "named.invalid", "10.0.0.1"] * 5
    for number, host in enumerate(hosts):
        out.start(number, post(receiver.url(f"/{number}", host)))
    found: dict[int, Any] = {}
    while len(found) < len(hosts):
        found.update(out.finished(1.0))
    assert [found[n].error or found[n].status for n in range(len(hosts))] == [200, "refused", 200, "refused"] * 5
    assert out.in_flight == 0
