"""Changes of the tables from version to version, which Alembic runs when a server starts."""
