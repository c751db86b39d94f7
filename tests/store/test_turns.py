"""Whoever writes without a break keeps nobody else out."""

from __future__ import annotations

import threading
import time

import pytest

from integration.store.database import Database
from integration.store.queries import installation
from integration.store.turns import Busy, Turns


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


def test_who_is_not_to_wait_is_told_that_others_write(sqlite_database: Database) -> None:
    elsewhere = Database(sqlite_database.url.render_as_string(hide_password=False))  # as another process would
    for other in (sqlite_database, elsewhere):
        with other.write() as connection:
            installation.put(connection, "who", "another")
            began = time.monotonic()
            with pytest.raises(Busy), sqlite_database.write(wait=False):
                pass
            assert time.monotonic() - began < 5
        with sqlite_database.write(wait=False) as connection:
            installation.put(connection, "who", "me")
        with elsewhere.read() as connection:
            assert installation.get(connection, "who") == "me"
    elsewhere.close()


def test_who_was_not_to_wait_once_waits_the_next_time(sqlite_database: Database) -> None:
    elsewhere = Database(sqlite_database.url.render_as_string(hide_password=False))
    begun = threading.Event()

    def write_a_while() -> None:
        with elsewhere.write() as connection:
            installation.put(connection, "who", "another")
            begun.set()
            time.sleep(0.5)

    writing = threading.Thread(target=write_a_while)
    writing.start()
    begun.wait(5)
    with pytest.raises(Busy), sqlite_database.write(wait=False):
        pass
    with sqlite_database.write() as connection:
        assert installation.get(connection, "who") == "another"
    writing.join(5)
    elsewhere.close()


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
