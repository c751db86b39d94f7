"""Server-Sent Events as they come over a wire: in pieces, with what the standard allows, and ends of every kind."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration.wire import stream
from integration.wire.stream import Frame, Frames, StreamLost, StreamRefused, follow
from tests.receiver import Answer, Receiver

TEXT = (
    b"retry: 1000\nid: AAA\n\n: still here\nid: AAB\n\n"
    b'id:AAC\r\nevent: grade_changed\r\ndata: {"a": 1}\r\n\r\n'
    b"data: one\ndata:  two\n\n"
)
TOLD = [Frame("AAA"), Frame("AAB"), Frame("AAC", "grade_changed", '{"a": 1}'), Frame("", "", "one\n two")]


@given(st.lists(st.integers(0, len(TEXT)), max_size=12))
def test_blocks_are_the_same_however_the_bytes_come(cuts: list[int]):
    places = [0, *sorted(cuts), len(TEXT)]
    frames = Frames()
    assert [frame for start, end in pairwise(places) for frame in frames.feed(TEXT[start:end])] == TOLD


def test_a_block_that_is_cut_off_is_none():
    assert list(Frames().feed(b"id: A\ndata: half")) == []
    assert list(Frames().feed(b"id: A\ndata: whole\n")) == []


@contextmanager
def serves(*parts: bytes | float, hold: bool = False) -> Iterator[str]:
    """A server that answers one request with these bytes, pausing for seconds between them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        done = threading.Event()

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                for part in parts:
                    time.sleep(part) if isinstance(part, float) else connection.sendall(part)
                if hold:
                    done.wait(20)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/stream"
        finally:
            done.set()
            thread.join(5)


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def test_it_ends_when_the_server_ends_it():
    with serves(HEAD, chunk(TEXT[:30]), 0.1, chunk(TEXT[30:]), chunk(b"")) as url:
        assert list(follow(url, {"X-Api-Key": "k"})) == TOLD


def test_blocks_come_while_the_stream_goes_on():
    with serves(HEAD, chunk(b"data: now\n\n"), hold=True) as url:
        following = follow(url, {})
        began = time.monotonic()
        assert next(following).data == "now"
        assert time.monotonic() - began < 5
        following.close()  # type: ignore[attr-defined]


def test_one_that_breaks_off_is_lost_after_what_came():
    with serves(HEAD, chunk(b"data: one\n\ndata: tw")) as url:
        following = follow(url, {})
        assert next(following).data == "one"
        with pytest.raises(StreamLost):
            next(following)


def test_one_that_says_nothing_any_more_is_lost(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(stream, "SILENT_S", 1)
    with serves(HEAD, chunk(b"data: one\n\n"), hold=True) as url, pytest.raises(StreamLost):
        list(follow(url, {}))


def test_nobody_there_is_lost():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(StreamLost, match="onnect"):
        list(follow(f"http://127.0.0.1:{port}/", {}))


def test_a_refusal_says_status_reason_and_when_to_come_again(receiver: Receiver):
    receiver.on("/stream", Answer(429, b'{"error": {"message": "full"}}', (("Retry-After", "7"),)))
    with pytest.raises(StreamRefused) as refused:
        list(follow(receiver.url("/stream"), {"X-Api-Key": "k", "Last-Event-ID": "AAA"}))
    assert (refused.value.status, refused.value.retry_after) == (429, 7.0)
    assert b"full" in refused.value.body
    (request,) = receiver.requests
    assert (request.headers["x-api-key"], request.headers["last-event-id"]) == ("k", "AAA")
    assert request.headers["accept"] == "text/event-stream"


def test_a_redirect_is_not_followed(receiver: Receiver):
    receiver.on("/stream", Answer(302, b"", (("Location", receiver.url("/other")),)))
    with pytest.raises(StreamRefused):
        list(follow(receiver.url("/stream"), {}))
    assert [request.path for request in receiver.requests] == ["/stream"]
