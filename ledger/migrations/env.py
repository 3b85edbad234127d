"""Alembic's environment: the connection is given by `Ledger.migrate`, never read from a file."""

from alembic import context

from ledger.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
