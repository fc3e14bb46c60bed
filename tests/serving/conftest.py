"""A store in a folder, on SQLite and, where Debian's package is installed, on a real PostgreSQL."""

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.serving.servers import Server, running

from metaglot.adaptation import Model, load_model
from metaglot.serving.store.store import Store, open_store


def postgres_programs() -> Path | None:
    """The folder of Debian's newest PostgreSQL; None where it is not installed."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    return folders[-1] if folders else None


class Postgres:
    """A server of its own in a folder, that listens on a socket there alone."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs, self.folder = programs, folder
        self.url = f"postgresql://postgres@/postgres?host={folder}"
        self._run("initdb", "--auth=trust", "--username=postgres", "--no-sync", "-D", str(folder / "data"))
        self.start()

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses='' -c shared_buffers=16MB"
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-o", options, "-l", log, "-w", "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")

    def database(self, name: str) -> str:
        """Make a database, and return its URL."""
        self._run("createdb", "-h", str(self.folder), "-U", "postgres", name)
        return self.url.replace("/postgres?", f"/{name}?")

    def _run(self, program: str, *arguments: str) -> None:
        user = [] if os.geteuid() else ["runuser", "-u", "postgres", "--"]  # it refuses to be run by root
        command = [*user, str(self.programs / program), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self.folder, timeout=60)


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    programs = postgres_programs()
    if programs is None:
        pytest.skip("Debian's package postgresql is not installed")
    folder = Path(tempfile.mkdtemp(prefix="pg", dir="/tmp"))  # the path of a socket is short
    try:
        if not os.geteuid():
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
        server = Postgres(programs, folder)
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.slow)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    url = None
    if request.param == "postgres":
        url = request.getfixturevalue("postgres").database(f"t{abs(hash(tmp_path))}")
    with open_store(tmp_path / "store", url) as opened:
        opened.recover()
        yield opened


@pytest.fixture(scope="session")
def model(tiny: str) -> Model:
    return load_model(tiny)


@pytest.fixture(scope="session")
def server(model: Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that several tests share, each with tenants of its own."""
    with running(model, tmp_path_factory.mktemp("server") / "store") as own:
        yield own


@pytest.fixture
def client(server: Server, request: pytest.FixtureRequest) -> httpx.Client:
    """A client of a tenant that this test has alone."""
    return server.client(f"t{abs(hash(request.node.nodeid)):x}")
