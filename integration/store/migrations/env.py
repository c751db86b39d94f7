"""Alembic runs this for each command; the connection and its transaction come from integration.store.migrate."""

from alembic import context

from integration.store.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    # SQLite cannot alter a column: batch mode writes the table anew.
    render_as_batch=connection.dialect.name == "sqlite",
    compare_server_default=True,
)
with context.begin_transaction():
    context.run_migrations()
