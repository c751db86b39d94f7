"""Whoever writes without a break keeps nobody else out."""

from __future__ import annotations

import threading
import time

import pytest

from integration.store.database import Database
from integration.store.queries import installation
from integration.store.turns import Turns


def test_turns_are_taken_in_the_order_in_which_they_were_asked_for() -> None:
    turns, order, threads = Turns(), list[int](), list[threading.Thread]()

    def ask(number: int) -> None:
        with turns.take():
            order.append(number)

    with turns.take():
        for number in range(20):
            threads.append(threading.Thread(target=ask, args=(number,)))
            threads[-1].start()
            while len(turns._waiting) <= number:
                time.sleep(0.001)
    for thread in threads:
        thread.join(5)
    assert order == list(range(20))


def test_an_error_passes_the_turn_on() -> None:
    turns = Turns()
    with pytest.raises(ZeroDivisionError), turns.take():
        raise ZeroDivisionError
    with turns.take():
        pass


def test_writers_that_hardly_pause_let_others_write(sqlite_database: Database) -> None:
    stop, written, overtaken = threading.Event(), list[int](), list[int]()

    def without_a_break() -> None:
        while not stop.is_set():
            with sqlite_database.write() as connection:
                installation.put(connection, "much", str(len(written)))
                written.append(1)
                time.sleep(0.03)

    busy = [threading.Thread(target=without_a_break) for _ in range(4)]
    for thread in busy:
        thread.start()
    try:
        for number in range(8):
            before = len(written)
            with sqlite_database.write() as connection:
                overtaken.append(len(written) - before)
                installation.put(connection, "little", str(number))
    finally:
        stop.set()
        for thread in busy:
            thread.join(15)
    assert max(overtaken) <= len(busy) + 1
    with sqlite_database.read() as connection:
        assert installation.get(connection, "little") == "7"
