"""Bring a database to the tables of this version, and back."""

from __future__ import annotations

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from integration.store.database import Database
from integration.store.queries._dialect import lock_schema
from integration.store.schema import MIGRATIONS

log = structlog.get_logger()


def config(connection: Connection | None = None) -> Config:
    """Alembic's settings without a file; migrations run on the given connection, in its transaction."""
    settings = Config()
    settings.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    settings.attributes["connection"] = connection
    return settings


def upgrade(database: Database, to: str = "head") -> None:
    """Run every migration that is missing, all in one transaction, whoever else may want to at the same time.

    A database that a newer version has migrated already is left as it is: migrations only add to what this version knows, so
    the two run beside each other while one takes the other's place.
    """
    with database.write() as connection:
        lock_schema(connection)
        at = MigrationContext.configure(connection).get_current_revision()
        if at is None or at in _known():
            command.upgrade(config(connection), to)
        else:
            log.warning("schema_is_newer", revision=at)


def _known() -> set[str]:
    return {script.revision for script in ScriptDirectory.from_config(config()).walk_revisions()}


def downgrade(database: Database, to: str = "base") -> None:
    """Undo migrations, by default all of them: the data goes with the tables."""
    with database.write() as connection:
        command.downgrade(config(connection), to)
