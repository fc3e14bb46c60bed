"""What Alembic runs: the changes, in the transaction of the connection that `open_database` gives."""

from alembic import context

from metaglot.serving.store.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a table by copying it
    transactional_ddl=True,
)
context.run_migrations()
