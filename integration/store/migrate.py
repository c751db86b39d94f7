"""Bring a database to the tables of this version, and back."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from integration.store.database import Database

MIGRATIONS = Path(__file__).with_name("migrations")


def config(connection: Connection | None = None) -> Config:
    """Alembic's settings without a file; migrations run on the given connection, in its transaction."""
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    settings.attributes["connection"] = connection
    return settings


def upgrade(database: Database, to: str = "head") -> None:
    """Run every migration that is missing, all in one transaction."""
    with database.write() as connection:
        command.upgrade(config(connection), to)


def downgrade(database: Database, to: str = "base") -> None:
    """Undo migrations, by default all of them: the data goes with the tables."""
    with database.write() as connection:
        command.downgrade(config(connection), to)


def revision(database: Database) -> str | None:
    """The revision that the database is at; None for one that was never migrated."""
    with database.read() as connection:
        return MigrationContext.configure(connection).get_current_revision()
