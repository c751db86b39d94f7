"""One door to the database, SQLite or PostgreSQL alike: short reads, and write transactions that begin as writers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from integration.store.peeking import Peeking, Rows
from integration.store.turns import Busy, Turns

_BEGIN, _WAIT = "gradewire_begin", "gradewire_wait"
#: How long SQLite waits for other processes that write (ms).
PATIENCE_MS = 10_000
#: How long PostgreSQL may take to answer a new connection, in seconds, unless its URL says otherwise.
CONNECT_S = 10


def normalise_url(url: str) -> str:
    """The URL with the driver we ship: `postgres://` and `postgresql://` mean psycopg 3."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    return url


class Database:
    """Connections of one process to one database."""

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.url = make_url(normalise_url(url))
        # An error says what was asked, never with what: it may end in a log.
        options: dict[str, Any] = {"hide_parameters": True}
        if not self.is_sqlite:
            options["connect_args"] = {"connect_timeout": CONNECT_S, **self.url.query}
        pool = {"pool_size": pool_size, "max_overflow": 20, "pool_pre_ping": not self.is_sqlite}
        self.engine: Engine = create_engine(self.url, **options, **pool)
        unpooled = create_engine(self.url, **options, poolclass=NullPool)
        self._peeking = Peeking(unpooled)
        self._turns = Turns() if self.is_sqlite else None
        if self.is_sqlite:
            event.listen(self.engine, "connect", _configure_sqlite)
            event.listen(unpooled, "connect", _configure_sqlite)
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

    def peek(self, sql: str, parameters: Sequence[str | int]) -> Rows:
        """The rows of one statement that reads, in a small part of the time that a transaction takes.

        Parameters are written ?1, ?2, … on SQLite and $1, $2, … on PostgreSQL. Texts come as their bytes in UTF-8. A connection
        that died while it was not used is made anew.
        """
        return self._peeking.rows(sql, parameters)

    @contextmanager
    def write(self, *, wait: bool = True) -> Iterator[Connection]:
        """One transaction, committed at the end, rolled back on an error. On SQLite it waits for its turn at once: for other
        threads of this process as long as it takes, for other processes 10 s; or it raises Busy where it is not to wait."""
        options: dict[str, Any] = {_BEGIN: "BEGIN IMMEDIATE", _WAIT: wait}
        with (
            self._turns.take(wait=wait) if self._turns else nullcontext(),
            self.engine.connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            yield connection

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()
        self._peeking.close()


def _configure_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # sqlite3 must not begin transactions by itself: _begin_sqlite does
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", f"busy_timeout={PATIENCE_MS}", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    begin = str(options.get(_BEGIN, "BEGIN"))
    if options.get(_WAIT, True):
        connection.exec_driver_sql(begin)
        return
    connection.exec_driver_sql("PRAGMA busy_timeout=0")
    try:
        connection.exec_driver_sql(begin)
    except OperationalError as error:
        raise Busy from error
    finally:
        connection.exec_driver_sql(f"PRAGMA busy_timeout={PATIENCE_MS}")
