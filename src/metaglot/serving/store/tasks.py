"""Tasks and their versions: what a tenant has, and nothing of another's.

Every function that gets a name from outside gets the tenant too, and looks for both.
"""

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from metaglot.serving.store.ids import new_id
from metaglot.serving.store.tables import Example, Job, Task, Version


class Made(NamedTuple):
    """What adapting gave."""

    digest: str  # of the folder of weights
    labels: list[Any]
    examples: int
    expected: dict[str, Any] | None
    seconds: float
    parent: int | None = None  # the version to which the examples were added
    bytes: int = 0  # of weights and examples


class Answering(NamedTuple):
    """A task, and the version of it that answers; None before the first is there."""

    task: Task
    version: Version | None


def create(session: Session, tenant: str, name: str, family: str, effort: str | None) -> Task:
    """Return a new task without a version."""
    task = Task(id=new_id("task"), tenant=tenant, name=name, family=family, effort=effort, created=time.time())
    session.add(task)
    return task


def mine(session: Session, tenant: str, task_id: str) -> Task | None:
    """Return the tenant's task of this id."""
    return session.scalar(select(Task).where(Task.id == task_id, Task.tenant == tenant))


def answering(session: Session, tenant: str, ids: Sequence[str]) -> dict[str, Answering]:
    """Return those of the ids that are tasks of the tenant, each with its version."""
    query = (
        select(Task, Version)
        .outerjoin(Version, (Version.task_id == Task.id) & (Version.number == Task.current))
        .where(Task.tenant == tenant, Task.id.in_(ids))
    )
    return {task.id: Answering(task, version) for task, version in session.execute(query)}


def page(session: Session, tenant: str, *, after: Task | None, limit: int) -> list[Answering]:
    """Return tasks of the tenant in the order in which they were made, those after one."""
    query = (
        select(Task, Version)
        .outerjoin(Version, (Version.task_id == Task.id) & (Version.number == Task.current))
        .where(Task.tenant == tenant)
        .order_by(Task.created, Task.id)
        .limit(limit)
    )
    if after is not None:
        later = (Task.created > after.created) | ((Task.created == after.created) & (Task.id > after.id))
        query = query.where(later)
    return [Answering(task, version) for task, version in session.execute(query)]


def count(session: Session, tenant: str) -> int:
    """Return how many tasks the tenant has."""
    return session.scalar(select(func.count()).select_from(Task).where(Task.tenant == tenant)) or 0


def size(session: Session, tenant: str) -> int:
    """Return how many bytes the versions of the tenant have."""
    query = select(func.sum(Version.bytes)).join(Task, Version.task_id == Task.id).where(Task.tenant == tenant)
    return int(session.scalar(query) or 0)


def remove(session: Session, task: Task) -> list[str]:
    """Remove a task with all that belongs to it, and return the hashes of weights that nothing has any more."""
    own = set(session.scalars(select(Version.digest).where(Version.task_id == task.id)))
    session.execute(delete(Job).where(Job.task_id == task.id))
    session.execute(delete(Example).where(Example.task_id == task.id))
    session.execute(delete(Version).where(Version.task_id == task.id))
    session.delete(task)
    session.flush()
    return sorted(own - set(session.scalars(select(Version.digest).where(Version.digest.in_(own)))))


def versions(session: Session, task: Task) -> list[Version]:
    """Return all versions of a task, the first one first."""
    return list(session.scalars(select(Version).where(Version.task_id == task.id).order_by(Version.number)))


def count_versions(session: Session, task: Task) -> int:
    """Return how many versions a task has."""
    return session.scalar(select(func.count()).select_from(Version).where(Version.task_id == task.id)) or 0


def version(session: Session, task: Task, number: int | None) -> Version | None:
    """Return the version of this number."""
    return session.scalar(select(Version).where(Version.task_id == task.id, Version.number == number))


def add_version(session: Session, task: Task, made: Made, examples: Sequence[dict[str, Any]]) -> Version:
    """Add what adapting gave as the version that answers, with the examples that are new in it."""
    numbers = session.scalars(select(Version.number).where(Version.task_id == task.id))
    number = max(numbers, default=0) + 1
    new = Version(task_id=task.id, number=number, created=time.time(), **made._asdict())
    rows = [
        Example(task_id=task.id, version=number, position=position, content=content)
        for position, content in enumerate(examples)
    ]
    session.add_all([new, *rows])
    session.flush()
    task.current = number
    return new


def examples(session: Session, task: Task, number: int | None) -> list[dict[str, Any]]:
    """Return the examples of a version, those of its parents first, as they were sent."""
    parents = {one.number: one.parent for one in versions(session, task)}
    line: list[int] = []
    while number is not None:
        line.append(number)
        number = parents[number]
    query = select(Example).where(Example.task_id == task.id, Example.version.in_(line))
    return [one.content for one in session.scalars(query.order_by(Example.version, Example.position))]


def is_kept(session: Session, digest: str) -> bool:
    """Return whether some version has weights of this hash."""
    return session.scalar(select(Version.id).where(Version.digest == digest).limit(1)) is not None


def uncounted(session: Session) -> list[Version]:
    """Return the versions whose bytes were not counted when they were made."""
    return list(session.scalars(select(Version).where(Version.bytes == 0)))


def digests(session: Session) -> set[str]:
    """Return the hashes of all weights that some version has."""
    return set(session.scalars(select(Version.digest).distinct()))
