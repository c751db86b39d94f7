"""A redirect that means "I have it": only to the host that the request names, and never followed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from integration.domain.message import HttpRequest
from integration.wire.http import Transport
from tests.receiver import Answer, Receiver

SAID = "script.googleusercontent.com"


@pytest.fixture
def transport() -> Iterator[Transport[Any]]:
    with closing(Transport[Any](allow_private=True, total_ms=2_000)) as made:
        yield made


@pytest.mark.parametrize(
    ("location", "taken"),
    [
        (f"https://{SAID}/macros/echo?user_content_key=abc&lib=def", True),
        (f"HTTPS://{SAID.upper()}/macros/echo", True),
        (f"http://{SAID}/macros/echo", False),
        (f"https://{SAID}.evil.example/macros/echo", False),
        (f"https://evil.example/{SAID}", False),
        (f"https://{SAID}@evil.example/", False),
        ("https://accounts.google.com/ServiceLogin", False),
        ("/macros/echo", False),
        ("//[half", False),
        ("https://\xff\xfe/", False),
        ("", False),
        (None, False),
    ],
)
def test_only_a_redirect_to_the_named_host_says_so(
    transport: Transport[Any], receiver: Receiver, location: str | None, taken: bool
) -> None:
    receiver.on("/exec", Answer(302, headers=() if location is None else (("Location", location),)))
    reply = transport.send(HttpRequest(receiver.url("/exec"), b"{}", taken_at=SAID))
    assert (reply.status, reply.taken) == (302, taken)
    assert len(receiver.requests) == 1


def test_a_request_that_names_no_host_is_never_taken_so(transport: Transport[Any], receiver: Receiver) -> None:
    receiver.on("/exec", Answer(302, headers=(("Location", f"https://{SAID}/macros/echo"),)))
    assert transport.send(HttpRequest(receiver.url("/exec"), b"{}", taken_at=SAID)).taken
    assert not transport.send(HttpRequest(receiver.url("/exec"), b"{}")).taken
    assert not transport.send(HttpRequest(receiver.url("/fine"), b"{}", taken_at=SAID)).taken


def test_it_is_not_followed_even_to_a_receiver_that_is_there(transport: Transport[Any], receiver: Receiver) -> None:
    receiver.on("/exec", Answer(302, headers=(("Location", receiver.url("/macros/echo")),)))
    transport.send(HttpRequest(receiver.url("/exec"), b"{}", taken_at="127.0.0.1"))
    assert [request.path for request in receiver.requests] == ["/exec"]
