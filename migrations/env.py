"""Runs the migrations in the transaction that :mod:`timeline.drivers.sql.revision` hands over."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
