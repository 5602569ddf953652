"""Alembic's entry point: runs revisions inside the transaction of the connection it is given."""

from __future__ import annotations

from alembic import context

from jobsentinel_workers.store.schema import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite can roll back table changes too; Alembic only assumes that it cannot.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
