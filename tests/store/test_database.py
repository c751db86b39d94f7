from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from integration.config import load
from integration.domain.errors import Conflict
from integration.service.wiring import build
from integration.store.database import Database, normalise_url
from integration.store.queries import installation
from tests.market import KEY


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("postgres://u:p@h/d", "postgresql+psycopg://u:p@h/d"),
        ("postgresql://h/d?sslmode=require", "postgresql+psycopg://h/d?sslmode=require"),
        ("sqlite:////tmp/x.db", "sqlite:////tmp/x.db"),
    ],
)
def test_addresses_name_the_driver_that_comes_along(given: str, wanted: str) -> None:
    assert normalise_url(given) == wanted


def test_what_is_written_is_there_and_what_fails_is_not(database: Database) -> None:
    with database.write() as connection:
        installation.put(connection, "k", "1")
    with suppress(ZeroDivisionError), database.write() as connection:
        installation.put(connection, "k", "2")
        raise ZeroDivisionError
    with database.read() as connection:
        assert installation.get(connection, "k") == "1"


def test_a_reader_writes_nothing(database: Database) -> None:
    with database.read() as connection:
        installation.put(connection, "k", "1")
    with database.read() as connection:
        assert installation.get(connection, "k") is None


def test_sqlite_waits_keeps_a_log_and_checks_references(sqlite_database: Database) -> None:
    with sqlite_database.read() as connection:
        found = {name: connection.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "busy_timeout", "foreign_keys")}
    assert found == {"journal_mode": "wal", "busy_timeout": 10_000, "foreign_keys": 1}


def test_a_value_is_bound_once_and_beats_move_on(database: Database) -> None:
    with database.write() as connection:
        assert [installation.bind(connection, "k", value) for value in ("a", "b")] == ["a", "a"]
        installation.beat(connection, "worker", 1)
        installation.beat(connection, "worker", 2)
        assert installation.beats(connection) == {"worker": 2}


def test_a_database_holds_readings_of_one_upstream(sqlite_database: Database, tmp_path: Path) -> None:
    common = {"data": tmp_path, "secret_key": KEY, "database_url": sqlite_database.url.render_as_string(hide_password=False)}
    sandbox = load({}).replace(**common)
    build(sandbox).close()
    build(sandbox).close()
    others: list[dict[str, Any]] = [{"tokenmetrics_api_key": "tm-1"}, {"sandbox_tokens": 41}, {"sandbox_replay": "/prices"}]
    for change in others:
        with pytest.raises(Conflict, match="a sandbox of 200 tokens"):
            build(sandbox.replace(**change))


def test_the_sandbox_and_the_real_market_have_files_of_their_own(tmp_path: Path) -> None:
    settings = load({}).replace(data=tmp_path, secret_key=KEY)
    assert settings.database_url.endswith("/sandbox.db")
    assert settings.replace(tokenmetrics_api_key="tm-1").database_url.endswith("/gradewire.db")


def test_a_peek_sees_what_is_committed_and_gets_over_connections_that_died(database: Database) -> None:
    sql = "SELECT count(*) FROM heartbeat"
    assert database.peek(sql, ()) == [(0,)]
    with database.write() as connection:
        connection.execute(text("INSERT INTO heartbeat (name, at) VALUES ('beat', 1)"))
        assert database.peek(sql, ()) == [(0,)]
    assert database.peek(sql, ()) == [(1,)]
    if not database.is_sqlite:
        with database.write() as connection:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> "
            connection.execute(text(others + "pg_backend_pid()"))
    assert database.peek(sql, ()) == [(1,)]


def test_a_peek_that_is_wrong_says_so(database: Database) -> None:
    with pytest.raises(Exception, match="nothing"):
        database.peek("SELECT 1 FROM nothing", ())
    assert database.peek("SELECT 1", ()) == [(1,)]


def test_a_peek_gets_over_statements_that_are_no_longer_ready(database: Database) -> None:
    """A pooler between us and PostgreSQL may give us another session, which knows none of ours."""
    mark = "?1" if database.is_sqlite else "CAST($1 AS bigint)"
    sql = f"SELECT 2 + {mark}"
    assert database.peek(sql, (40,)) == [(42,)]
    if not database.is_sqlite:
        (link,) = database._peeking._idle
        link.driver.execute("DEALLOCATE ALL")
    assert database.peek(sql, (40,)) == [(42,)]


def test_more_statements_than_are_kept_ready_are_answered_alike(database: Database) -> None:
    mark = "?1" if database.is_sqlite else "CAST($1 AS text)"
    for number in range(120):
        assert database.peek(f"SELECT {number}, {mark}, NULL", ("żółw",)) == [(number, "żółw".encode(), None)]
    assert database.peek(f"SELECT -1 WHERE {mark} = 'nobody'", ("żółw",)) == []


def test_threads_that_peek_at_once_have_a_connection_each(database: Database) -> None:
    with ThreadPoolExecutor(40) as pool:
        asked = [pool.submit(database.peek, f"SELECT {number}", ()) for number in range(400)]
    assert [each.result() for each in asked] == [[(number,)] for number in range(400)]
