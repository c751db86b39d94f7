"""Whether a database has the tables of this version: looked at without what makes them, which costs a process 10 MB."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import inspect, text

from integration.store.database import Database

MIGRATIONS = Path(__file__).with_name("migrations")


def newest() -> str:
    """The revision that this version wants: the names of migrations begin with theirs."""
    return max(path.name.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def revision(database: Database) -> str | None:
    """The revision that the database is at; None for one that was never migrated."""
    with database.read() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return found


def bring_up_to_date(database: Database) -> None:
    """Run the migrations that are missing, as `migrate.upgrade` does."""
    if revision(database) != newest():
        from integration.store import migrate

        migrate.upgrade(database)
