"""Answers that end too early, from a real server."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest

from integration.domain.errors import UpstreamError
from integration.sources.trader_grades import SOURCE
from tests.sources.samples import SLOT
from tests.tokenmetrics.recorder import Around, answer, grades

BODY = answer(grades(range(1, 4)))
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (len(BODY), BODY)


@contextmanager
def server(*answers: bytes) -> Iterator[str]:
    """Gives each connection its answer as it stands, and closes it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_answer, args=(listening, answers))
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join(10)


def _answer(listening: socket.socket, answers: Sequence[bytes]) -> None:
    listening.settimeout(10)
    for given in answers:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(given)


def test_a_body_that_is_cut_off_is_read_again() -> None:
    around = Around()
    with server(WHOLE[:-20], WHOLE) as url:
        fetched = around.client(base=url).fetch(SOURCE, slot=SLOT)
    assert fetched.batch.subjects == ["token:1", "token:2", "token:3"]
    assert [call["error"] for call in around.calls] == ["trader-grades: the answer was cut off", None]


def test_a_body_that_is_cut_off_twice_is_an_error() -> None:
    with server(WHOLE[:-20], WHOLE[:-20]) as url, pytest.raises(UpstreamError, match="cut off"):
        Around().client(base=url).fetch(SOURCE, slot=SLOT)


def test_a_connection_that_closes_without_an_answer_is_tried_three_times() -> None:
    around = Around()
    with server(b"", b"", WHOLE) as url:
        assert around.client(base=url).fetch(SOURCE, slot=SLOT).calls == 3
    assert around.calls[0]["error"] == "trader-grades: no connection"
