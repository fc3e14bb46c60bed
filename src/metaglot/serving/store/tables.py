"""The tables of a server, as SQLAlchemy 2 has them: https://docs.sqlalchemy.org/en/20/orm/declarative_tables.html

Times are seconds since 1970.  A row of `versions` is written in the transaction that also names it the current one, so
that a task never points at what is not there.
"""

from typing import Any

from sqlalchemy import JSON, BigInteger, Double, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAME = 200  # characters of the name of a task or token, at most
TENANT = 64
ID = 40


class Base(DeclarativeBase):
    """The tables."""

    type_annotation_map = {float: Double(), dict[str, Any]: JSON(), list[Any]: JSON()}  # noqa: RUF012  # SQLAlchemy's name


class Fact(Base):
    """What holds for the whole store, such as the model that its tasks were adapted over."""

    __tablename__ = "facts"

    name: Mapped[str] = mapped_column(String(ID), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class Task(Base):
    """A task of a tenant; before its first version is there, `current` is None."""

    __tablename__ = "tasks"
    __table_args__ = (Index("tasks_of_tenant", "tenant", "created", "id"),)

    id: Mapped[str] = mapped_column(String(ID), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(TENANT))
    name: Mapped[str] = mapped_column(String(NAME))
    family: Mapped[str] = mapped_column(String(ID))
    effort: Mapped[str | None] = mapped_column(String(ID))
    created: Mapped[float]
    current: Mapped[int | None]  # the number of the version that answers


class Version(Base):
    """An adaptation of a task: what it was made of stands in `examples`, its weights in the folder of its digest."""

    __tablename__ = "versions"
    __table_args__ = (UniqueConstraint("task_id", "number"), Index("versions_of_digest", "digest"))

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[str] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    number: Mapped[int]  # from 1
    parent: Mapped[int | None]  # the version whose examples it has too
    digest: Mapped[str] = mapped_column(String(64))
    labels: Mapped[list[Any]]
    examples: Mapped[int]  # how many
    expected: Mapped[dict[str, Any] | None]  # accuracy, low, high
    seconds: Mapped[float]  # that adapting took
    created: Mapped[float]
    bytes: Mapped[int] = mapped_column(BigInteger)  # of its weights and of the examples that are new in it


class Example(Base):
    """An example that a version added to those of its parent."""

    __tablename__ = "examples"
    __table_args__ = (Index("examples_of_version", "task_id", "version", "position"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    task_id: Mapped[str] = mapped_column(ForeignKey("tasks.id", ondelete="CASCADE"))
    version: Mapped[int]
    position: Mapped[int]
    content: Mapped[dict[str, Any]]  # as it was sent: text, label and what else


class Job(Base):
    """An adaptation that is asked for; what was sent is kept until it is done."""

    __tablename__ = "jobs"
    __table_args__ = (Index("jobs_of_state", "state", "created"), Index("jobs_of_tenant", "tenant", "state"))

    id: Mapped[str] = mapped_column(String(ID), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(TENANT))
    task_id: Mapped[str] = mapped_column(String(ID), index=True)  # of a task that may be gone
    kind: Mapped[str] = mapped_column(String(ID))  # create, or add
    state: Mapped[str] = mapped_column(String(ID))  # queued, running, done, failed
    request: Mapped[dict[str, Any] | None]
    reason: Mapped[str | None] = mapped_column(Text)  # why it failed
    fault: Mapped[str | None] = mapped_column(String(ID))  # whose fault that was: request, or server
    attempts: Mapped[int]
    version: Mapped[int | None]  # the number of the version that it made
    created: Mapped[float]
    started: Mapped[float | None]
    finished: Mapped[float | None]


class Token(Base):
    """A bearer token: its hash, never itself."""

    __tablename__ = "tokens"

    id: Mapped[str] = mapped_column(String(ID), primary_key=True)
    tenant: Mapped[str] = mapped_column(String(TENANT), index=True)
    name: Mapped[str] = mapped_column(String(NAME))
    scope: Mapped[str] = mapped_column(String(ID))  # tasks, or metrics
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    created: Mapped[float]
    revoked: Mapped[float | None]


class Key(Base):
    """An idempotency key of a tenant, and the job that the first request under it began."""

    __tablename__ = "keys"

    tenant: Mapped[str] = mapped_column(String(TENANT), primary_key=True)
    key: Mapped[str] = mapped_column(String(NAME), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))  # of the request
    job_id: Mapped[str] = mapped_column(String(ID))
    created: Mapped[float] = mapped_column(index=True)
