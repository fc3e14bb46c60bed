"""The database of a server: SQLite with a write-ahead log, or PostgreSQL by its URL.

`read` and `write` give a session for the length of a block.  A block that writes is one transaction, and holds the lock
of writers: one server has a store, so that a count that was read in a block still holds when the block ends.  SQLite
writes to the disk before it says that a transaction is done (`synchronous = FULL`, https://www.sqlite.org/wal.html).
"""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from metaglot.errors import MetaglotError

MIGRATIONS = Path(__file__).parent / "migrations"
WAIT = 10  # seconds for a connection, or for another process that writes
CONNECTIONS = 16


class UnavailableError(Exception):
    """The database cannot be reached at the moment; the same call may succeed later."""


@dataclass(frozen=True)
class Database:
    """An engine with the tables of `metaglot.serving.store.tables`."""

    engine: Engine
    _writers: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def read(self) -> Generator[Session]:
        """Give a session that reads; raise UnavailableError where the database cannot be reached."""
        with _reachable(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Generator[Session]:
        """Give a session whose changes stand when the block ends, all or none; raises as `read` does."""
        session = Session(_immediate(self.engine), expire_on_commit=False)
        with _reachable(), self._writers, session, session.begin():
            yield session

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def open_database(url: str) -> Database:
    """Return the database of a URL, with its tables as this version has them; raise MetaglotError where none is."""
    try:
        engine = _engine(url)
        with engine.begin() as connection:
            _migrate(connection)
    except (ArgumentError, NoSuchModuleError) as error:
        raise MetaglotError(f"--database: {error}; give postgresql://USER@HOST/NAME, or leave it out") from error
    except ModuleNotFoundError as error:
        raise MetaglotError(f"--database: {error}; pip install 'metaglot[postgres]'") from error
    except DBAPIError as error:
        raise MetaglotError(f"--database: cannot be used: {_first_line(error)}") from error
    return Database(engine)


def sqlite_url(file: Path) -> str:
    """Return the URL of a file."""
    return f"sqlite:///{file}"


def _engine(url: str) -> Engine:
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
        waits = {"connect_timeout": WAIT}
        return create_engine(parsed, pool_pre_ping=True, pool_size=CONNECTIONS, pool_timeout=WAIT, connect_args=waits)
    if parsed.get_backend_name() != "sqlite":
        raise ArgumentError(f"{parsed.get_backend_name()} is no database that a server can use")
    engine = create_engine(parsed, pool_size=CONNECTIONS, pool_timeout=WAIT, connect_args={"timeout": WAIT})
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare(connection: Any, record: object) -> None:
    """Let SQLAlchemy begin transactions, so that changes of tables are a part of them, and set what a server needs."""
    del record
    connection.isolation_level = None
    for pragma in ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    """Begin at once as a writer where the block writes: one that read before could be refused."""
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _immediate(engine: Engine) -> Engine:
    return engine.execution_options(immediate=True)


def _migrate(connection: Connection) -> None:
    """Bring the tables to this version, in the transaction of the connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@contextmanager
def _reachable() -> Generator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise UnavailableError("all connections to the database are in use") from error
    except DBAPIError as error:
        if error.connection_invalidated or type(error).__name__ in ("OperationalError", "InterfaceError"):
            raise UnavailableError(_first_line(error)) from error
        raise


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0][:200]
