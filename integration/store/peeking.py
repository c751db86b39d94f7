"""What pollers ask thousands of times a second: one statement that reads, without a transaction, and no text decoded."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import Engine

#: How much of an SQLite file is read through the page cache of the system, without a call for each page (bytes): the most it can.
MAPPED = 2_147_418_112

Rows = list[tuple[Any, ...]]


class Died(Exception):
    """A connection that was kept is no more."""


class Link(Protocol):
    """One open connection."""

    driver: Any

    def rows(self, sql: str, parameters: Sequence[str | int]) -> Rows:
        """The rows of one statement. Raises Died, or the driver's error for a statement that is wrong."""


class Peeking:
    """Open connections, as many as threads ask at once; neither tried before a statement nor reset after it."""

    def __init__(self, engine: Engine) -> None:
        """The engine opens the connections; it pools none."""
        self._engine = engine
        self._idle: deque[Link] = deque()

    def rows(self, sql: str, parameters: Sequence[str | int]) -> Rows:
        """The rows of a statement. A connection that died while it was not used is made anew."""
        try:
            return self._rows(sql, parameters)
        except Died:
            self.close()  # its fellows died with it
            return self._rows(sql, parameters)

    def _rows(self, sql: str, parameters: Sequence[str | int]) -> Rows:
        try:
            link = self._idle.pop()
        except IndexError:
            link = self._open()
        try:
            rows = link.rows(sql, parameters)
        except BaseException:
            link.driver.close()
            raise
        self._idle.append(link)
        return rows

    def _open(self) -> Link:
        made = self._engine.raw_connection()
        driver = made.driver_connection
        made.detach()
        if self._engine.dialect.name == "sqlite":
            return _SQLite(driver)
        from integration.store.libpq import Wire

        return Wire(driver)

    def close(self) -> None:
        """Close every connection that nobody is using."""
        while self._idle:
            self._idle.pop().driver.close()


class _SQLite:
    def __init__(self, driver: Any) -> None:
        self.driver = driver
        driver.text_factory = bytes
        driver.execute(f"PRAGMA mmap_size={MAPPED}")

    def rows(self, sql: str, parameters: Sequence[str | int]) -> Rows:
        return list(self.driver.execute(sql, parameters))
