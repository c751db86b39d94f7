"""Migrations lead to the tables as they are written down, and back to nothing, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, inspect, text

from integration import logs
from integration.config import load
from integration.service.wiring import build
from integration.store import migrate, schema
from integration.store.database import Database
from integration.store.tables import metadata
from tests.conftest import postgresql_copy
from tests.market import KEY, at_once


@pytest.fixture(params=["sqlite", "postgresql"])
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path}/empty.db")
        yield database
        database.close()
    else:
        with postgresql_copy(request.getfixturevalue("postgresql_url")) as url:
            database = Database(url)
            yield database
            database.close()


def test_an_upgrade_makes_the_tables_as_they_are_written_down(empty: Database) -> None:
    assert schema.revision(empty) is None
    migrate.upgrade(empty)
    assert schema.revision(empty) == schema.newest()
    with empty.read() as connection:
        # On SQLite the comparison takes an empty default for none; PostgreSQL's holds for both, as there is one migration.
        options = {"compare_type": True, "compare_server_default": not empty.is_sqlite}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []


def test_a_downgrade_leaves_nothing_behind_and_the_way_up_is_open_again(empty: Database) -> None:
    migrate.upgrade(empty)
    migrate.downgrade(empty)
    assert schema.revision(empty) is None
    with empty.read() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]
    migrate.upgrade(empty)
    with empty.read() as connection:
        assert set(metadata.tables) < set(inspect(connection).get_table_names())


def test_an_upgrade_of_an_upgraded_database_changes_nothing(database: Database) -> None:
    before = schema.revision(database)
    migrate.upgrade(database)
    assert schema.revision(database) == before


def test_shadows_and_groups_are_what_they_were_before_there_were_columns_for_them(empty: Database) -> None:
    migrate.upgrade(empty, "0002")
    when = {"created_at": 1, "changed_at": 1}
    place = {"account_id": "acc_1", "label": "", "hint": "", "config": b"", "status": "active", **when}
    wish = {"account_id": "acc_1", "rule_id": "rul_1", "scope": "{}", "origin": "api", **when}
    with empty.write() as connection:
        put(connection, "account", id="acc_1", email="a@example.com", created_at=1)
        put(connection, "rule", id="rul_1", trigger="t", semantics=1, options="{}", created_at=1)
        for channel, status in (("webhook", "active"), ("email", "shadow")):
            put(connection, "destination", id=f"dst_{channel}", channel=channel, **place)
            put(connection, "subscription", id=channel, destination_id=f"dst_{channel}", status=status, **wish)
    migrate.upgrade(empty)
    with empty.read() as connection:
        rows = connection.execute(text("SELECT id, manner, shadow FROM subscription ORDER BY id")).all()
    assert [tuple(row) for row in rows] == [("email", "grouped", 1), ("webhook", "each", 0)]


def put(connection: Connection, table: str, **values: Any) -> None:
    names = ", ".join(values)
    connection.execute(text(f"INSERT INTO {table} ({names}) VALUES (:{', :'.join(values)})"), values)


def test_processes_that_start_together_migrate_once(empty: Database) -> None:
    url = empty.url.render_as_string(hide_password=False)
    several = [Database(url) for _ in range(4)]
    at_once(*(partial(migrate.upgrade, each) for each in several))
    for each in several:
        assert schema.revision(each) == schema.newest()
        each.close()


def test_a_version_starts_on_the_schema_of_a_newer_one_and_leaves_it(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.configure(load({}), default="warning")
    with database.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    settings = load({}).replace(data=tmp_path, secret_key=KEY, database_url=database.url.render_as_string(hide_password=False))
    build(settings).close()
    assert schema.revision(database) == "9999"
    assert "schema_is_newer" in capsys.readouterr().err
