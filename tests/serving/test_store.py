"""What is acknowledged is there after a kill, what is half-written is never seen, and tenants see their own alone."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, select

from metaglot.errors import MetaglotError
from metaglot.serving.store import jobs, keys, tasks, tokens
from metaglot.serving.store.database import UnavailableError
from metaglot.serving.store.store import Store, open_store, patiently
from metaglot.serving.store.tables import Base, Example, Job, Task, Version

MADE = tasks.Made("", ["a", "b"], 2, None, 0.1)


def part(store: Store, content: str) -> Path:
    """A folder of weights that a worker wrote."""
    folder = store.weights.part()
    folder.mkdir()
    (folder / "weights.safetensors").write_text(content)
    (folder / "adapted.json").write_text("{}")
    return folder


def asked(store: Store, tenant: str = "acme", *, task: Task | None = None, rows: int = 2) -> Job:
    """A job for a new task, or for one that there is."""
    request = {"examples": [{"text": f"text {row}", "label": "ab"[row % 2]} for row in range(rows)]}
    with store.database.write() as session:
        mine = task or tasks.create(session, tenant, "tickets", "classification", None)
        return jobs.submit(session, mine, jobs.CREATE, request)


def done(store: Store, content: str = "x", tenant: str = "acme") -> Task:
    """A task with a version of these weights."""
    job = asked(store, tenant)
    assert store.finish(job.id, part(store, content), MADE) is not None
    with store.database.read() as session:
        return session.get_one(Task, job.task_id)


def test_migrations_make_the_tables_of_the_code(store: Store):
    with store.database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_a_version_its_examples_and_its_outcome_come_together(store: Store):
    task = done(store)
    with store.database.read() as session:
        (found,) = tasks.page(session, "acme", after=None, limit=10)
        job = session.scalars(select(Job)).one()
        assert (found.task.current, found.version.number, found.version.labels) == (1, 1, ["a", "b"])
        assert [one["text"] for one in tasks.examples(session, found.task, 1)] == ["text 0", "text 1"]
        assert (job.state, job.version, job.request) == (jobs.DONE, 1, None)
        assert store.weights.path(found.version.digest).is_dir()
    assert store.remove("other", task.id) is None
    assert store.remove("acme", task.id) == [found.version.digest]
    assert not store.weights.path(found.version.digest).exists()
    with store.database.read() as session:
        assert [session.scalar(select(func.count()).select_from(table)) for table in (Task, Version, Example)] == [
            0
        ] * 3


def test_examples_are_those_of_the_line_of_versions(store: Store):
    task = done(store)
    for number in range(2):
        job = asked(store, task=task, rows=1)
        store.finish(job.id, part(store, str(number)), MADE._replace(parent=1))
        with store.database.write() as session:
            mine = session.get_one(Task, task.id)
            assert len(tasks.examples(session, mine, number + 2)) == 3
            mine.current = 1  # a rollback: the next version begins from the first
    with store.database.read() as session:
        assert [(one.number, one.parent) for one in tasks.versions(session, task)] == [(1, None), (2, 1), (3, 1)]


def test_equal_weights_stay_while_a_version_has_them(store: Store):
    first, second = done(store, "same"), done(store, "same", tenant="other")
    assert store.remove("acme", first.id) == []
    (digest,) = store.remove("other", second.id) or ()
    assert not store.weights.path(digest).exists()


def test_a_job_of_a_task_that_was_deleted_leaves_nothing(store: Store):
    job = asked(store)
    store.remove("acme", job.task_id)
    assert store.finish(job.id, part(store, "x"), MADE) is None
    assert store.weights.sweep(set()) == 0


def test_tasks_are_removed_while_a_job_waits_for_the_database(store: Store, monkeypatch: pytest.MonkeyPatch):
    """As where the disk is full: a removal makes room."""
    other, job, commit, full = done(store, "other"), asked(store), Store._commit, [True]

    def tried(*arguments):
        if full:
            raise UnavailableError("database or disk is full")
        return commit(*arguments)

    monkeypatch.setattr(Store, "_commit", tried)
    with ThreadPoolExecutor(1) as pool:
        finished = pool.submit(store.finish, job.id, part(store, "new"), MADE)
        assert len(store.remove("acme", other.id) or ()) == 1
        assert not finished.done()
        full.clear()
        assert finished.result(30).state == jobs.DONE


def test_interrupted_jobs_run_again_and_are_given_up_in_the_end(store: Store):
    job = asked(store)
    for attempt in range(1, jobs.ATTEMPTS + 1):
        with store.database.write() as session:
            jobs.start(session.get_one(Job, job.id))
        found = store.recover()
        assert (found.again, found.failed) == ((1, 0) if attempt < jobs.ATTEMPTS else (0, 1))
    with store.database.read() as session:
        assert "given up" in str(session.get_one(Job, job.id).reason)
        assert session.get(Task, job.task_id) is None


def test_tenants_take_turns_and_a_task_has_one_job_at_a_time(store: Store):
    loud = [asked(store, "loud") for _ in range(3)]
    quiet = asked(store, "quiet")
    with store.database.write() as session:
        again = jobs.submit(session, session.get_one(Task, loud[0].task_id), jobs.ADD, {"examples": []})
        order: list[str] = []
        served: list[str] = []
        while (job := jobs.next_queued(session, served)) is not None:
            jobs.start(job)
            session.flush()
            order.append(job.id)
            served = [*(one for one in served if one != job.tenant), job.tenant]
    assert order == [loud[0].id, quiet.id, loud[1].id, loud[2].id]
    assert again.state == jobs.QUEUED  # its task has a job that runs


def test_a_key_knows_its_job_and_its_request(store: Store):
    job = asked(store)
    with store.database.write() as session:
        keys.remember(session, "acme", "k", "print", job.id)
    with store.database.read() as session:
        assert keys.job_of(session, "acme", "k", "print") == job.id
        assert keys.job_of(session, "other", "k", "print") is None
        with pytest.raises(keys.KeyReusedError):
            keys.job_of(session, "acme", "k", "another")


def test_tokens_are_kept_as_hashes(store: Store, tmp_path: Path):
    with store.database.write() as session:
        assert not tokens.required(session)
        token, secret = tokens.add(session, "acme")
    with store.database.write() as session:
        found = tokens.holder(session, secret)
        assert found is not None
        assert found.tenant == "acme"
        assert tokens.holder(session, secret + "x") is None
        tokens.revoke(session, token.id)
    with store.database.read() as session:
        assert tokens.holder(session, secret) is None
        assert tokens.required(session)
        assert not tokens.any_active(session)
    for file in (tmp_path / "store").glob("*.sqlite*"):
        assert secret.encode() not in file.read_bytes()
    with store.database.write() as session, pytest.raises(MetaglotError, match="small letters"):
        tokens.add(session, "../acme")


def test_a_store_is_of_one_model(store: Store):
    store.belong("mini", "1" * 64)
    store.belong("other", "2" * 64)  # nothing was adapted yet
    done(store)
    with pytest.raises(MetaglotError, match="other weights"):
        store.belong("mini", "1" * 64)


def test_two_servers_cannot_have_one_store(tmp_path: Path):
    def second() -> None:
        with open_store(tmp_path / "store"):
            pass

    with open_store(tmp_path / "store"), ThreadPoolExecutor(1) as other:
        fault = other.submit(second).exception()
    assert isinstance(fault, MetaglotError)
    assert "is writing there" in str(fault)


@pytest.mark.parametrize("url", ["mysql://x/y", "no url", "postgresql://nobody@127.0.0.1:1/none"])
def test_a_database_that_is_none_is_said(tmp_path: Path, url: str):
    with pytest.raises(MetaglotError, match="--database"), open_store(tmp_path, url):
        pass


KILLED = """
import itertools, sys
from pathlib import Path
from tests.serving.test_store import asked, part, MADE
from metaglot.serving.store.store import open_store
with open_store(Path(sys.argv[1])) as store:
    store.recover()
    for number in itertools.count():
        job = asked(store)
        store.finish(job.id, part(store, f"{sys.argv[2]} {number}"), MADE)
        print(job.task_id, flush=True)
"""


@pytest.mark.slow
def test_what_was_acknowledged_survives_a_kill(tmp_path: Path):
    acknowledged: set[str] = set()
    for kill in range(5):
        command = [sys.executable, "-c", KILLED, str(tmp_path / "store"), str(kill)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            for _ in range(5 + 3 * kill):
                acknowledged.add(child.stdout.readline().strip())
            os.kill(child.pid, signal.SIGKILL)
            acknowledged |= {line.strip() for line in child.stdout if line.endswith("\n")}
        with open_store(tmp_path / "store") as store:
            store.recover()
            with store.database.read() as session:
                found = {one.task.id: one.version for one in tasks.page(session, "acme", after=None, limit=10**6)}
            ready = {key: version for key, version in found.items() if version is not None}
            assert acknowledged <= ready.keys()
            assert all(len(list(store.weights.path(one.digest).iterdir())) == 2 for one in ready.values())
    print(f"{len(acknowledged)} tasks were acknowledged before 5 kills, and all are there")
    assert len(acknowledged) > 50


def test_patience_ends():
    def away() -> None:
        raise UnavailableError

    with pytest.raises(UnavailableError):
        patiently(away, seconds=0)


def test_old_keys_and_jobs_are_forgotten(store: Store, monkeypatch: pytest.MonkeyPatch):
    task, waits = done(store), asked(store)
    with store.database.write() as session:
        keys.remember(session, "acme", "k", "print", waits.id)
    later = jobs.time.time() + 8 * 24 * 3600
    monkeypatch.setattr(jobs.time, "time", lambda: later)
    store.tidy()
    with store.database.read() as session:
        assert keys.job_of(session, "acme", "k", "print") is None
        assert [job.id for job in jobs.page(session, "acme", after=None, limit=9)] == [waits.id]
        assert tasks.mine(session, "acme", task.id) is not None
