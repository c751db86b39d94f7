"""One door to the database, SQLite or PostgreSQL alike: short reads, and write transactions that begin as writers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url

from integration.store.turns import Turns

_BEGIN = "gradewire_begin"
#: How long PostgreSQL may take to answer a new connection, in seconds, unless its URL says otherwise.
CONNECT_S = 10
#: How much of an SQLite file is read through the page cache of the system, without a call for each page (bytes): the most it can.
MAPPED = 2_147_418_112


def normalise_url(url: str) -> str:
    """The URL with the driver we ship: `postgres://` and `postgresql://` mean psycopg 3."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


class _Died(Exception):
    """A connection that was kept is no more."""


class Database:
    """Connections of one process to one database."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = make_url(normalise_url(url))
        # An error says what was asked, never with what: it may end in a log.
        options: dict[str, Any] = {"pool_size": pool_size, "max_overflow": 20, "hide_parameters": True}
        if not self.is_sqlite:
            options |= {"pool_pre_ping": True, "connect_args": {"connect_timeout": CONNECT_S, **self.url.query}}
        self.engine: Engine = create_engine(self.url, **options)
        self._form: dict[str, Any] = {} if self.is_sqlite else {"binary": True}
        self._peeking = _unguarded(self.url, options)
        self._turns = Turns() if self.is_sqlite else None
        if self.is_sqlite:
            event.listen(self.engine, "connect", _configure_sqlite)
            event.listen(self.engine, "begin", _begin_sqlite)

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite; else it is PostgreSQL."""
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view; nothing written in it is kept."""
        with self.engine.connect() as connection:
            yield connection

    def peek(self, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """The rows of one statement that reads, in the driver's own spelling: a tenth of what a transaction costs.

        A connection that died while it was not used is made anew.
        """
        try:
            return self._peek(sql, parameters)
        except _Died:
            self._peeking.dispose()  # its fellows died with it
            return self._peek(sql, parameters)

    def _peek(self, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        dialect, connection = self._peeking.dialect, self._peeking.raw_connection()
        try:
            cursor = connection.cursor(**self._form)
            cursor.execute(sql, tuple(parameters))
            return list(cursor.fetchall())
        except dialect.loaded_dbapi.Error as error:
            if not dialect.is_disconnect(error, connection.driver_connection, None):
                raise
            connection.invalidate(error)
            raise _Died from error
        finally:
            connection.close()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction, committed at the end, rolled back on an error. On SQLite it waits for its turn at once: for other
        threads of this process as long as it takes, for other processes 10 s."""
        with (
            self._turns.take() if self._turns else nullcontext(),
            self.engine.connect().execution_options(**{_BEGIN: "BEGIN IMMEDIATE"}) as connection,
            connection.begin(),
        ):
            yield connection

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()
        self._peeking.dispose()


def _unguarded(url: URL, options: dict[str, Any]) -> Engine:
    """An engine whose connections have no transactions, are not tried before each use, and are not reset after it."""
    engine = create_engine(url, **options | {"pool_pre_ping": False, "pool_reset_on_return": None})
    event.listen(engine, "connect", _map_sqlite if url.get_backend_name() == "sqlite" else _commit_at_once)
    return engine


def _map_sqlite(connection: Any, record: Any) -> None:
    _configure_sqlite(connection, record)
    connection.execute(f"PRAGMA mmap_size={MAPPED}")


def _commit_at_once(connection: Any, _record: Any) -> None:
    connection.autocommit = True


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # sqlite3 must not begin transactions by itself: _begin_sqlite does
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=10000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(str(connection.get_execution_options().get(_BEGIN, "BEGIN")))
