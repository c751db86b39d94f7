"""Migrations lead to the tables as they are written down, and back to nothing, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

from integration.store import migrate
from integration.store.database import Database
from integration.store.tables import metadata
from tests.conftest import postgresql_copy


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
    assert migrate.revision(empty) is None
    migrate.upgrade(empty)
    assert migrate.revision(empty) is not None
    with empty.read() as connection:
        # On SQLite the comparison takes an empty default for none; PostgreSQL's holds for both, as there is one migration.
        options = {"compare_type": True, "compare_server_default": not empty.is_sqlite}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []


def test_a_downgrade_leaves_nothing_behind_and_the_way_up_is_open_again(empty: Database) -> None:
    migrate.upgrade(empty)
    migrate.downgrade(empty)
    assert migrate.revision(empty) is None
    with empty.read() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]
    migrate.upgrade(empty)
    with empty.read() as connection:
        assert set(metadata.tables) < set(inspect(connection).get_table_names())


def test_an_upgrade_of_an_upgraded_database_changes_nothing(database: Database) -> None:
    before = migrate.revision(database)
    migrate.upgrade(database)
    assert migrate.revision(database) == before
