"""A full disk: exit code 2, what was saved before is whole, nothing half-written stays, and one can go on after."""

import json
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from transformers.utils.logging import set_verbosity_error

from metaglot.adaptation import Adapted


@pytest.fixture(autouse=True)
def _quiet() -> None:
    """What transformers logs goes to pytest's own file, which the limit on lengths would meet too."""
    set_verbosity_error()


@pytest.fixture
def mounted(tmp_path) -> Iterator[Callable[[str], Path | None]]:
    """Return a function that mounts a small disk of a size, or gives None where that is not allowed."""
    made: list[Path] = []

    def mount(size: str) -> Path | None:
        disk = tmp_path / "disk"
        disk.mkdir()
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", disk], capture_output=True, check=False
        )
        if done.returncode:
            return None
        made.append(disk)
        return disk

    yield mount
    for disk in made:
        subprocess.run(["umount", disk], check=True)


@contextmanager
def no_space(disk: Path | None, *, left: int) -> Iterator[None]:
    """Within the block the disk has `left` bytes left; where none could be mounted, no file may be longer."""
    if disk is None:  # the system then says that the file is too large, at the same place
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (left, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        return
    filler = disk / "filler"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    filler.write_bytes(bytes(max(0, free - left)))
    try:
        yield
    finally:
        filler.unlink()


SMALL = pytest.mark.parametrize("mount", [pytest.param(True, marks=pytest.mark.slow), False], ids=["disk", "limit"])


def place(mounted, mount: bool, size: str, tmp_path: Path) -> tuple[Path, Path | None]:
    disk = mounted(size) if mount else None
    if mount and disk is None:
        pytest.skip("this user may not mount a file system")
    return disk or tmp_path, disk


@SMALL
def test_adapt(mount, mounted, handled, tiny, examples, tmp_path):
    folder, disk = place(mounted, mount, "1m", tmp_path)
    effort = ("--effort", "instant" if disk else "fast")  # the one saves kilobytes, the other megabytes
    arguments = ("adapt", tiny, examples, "--out", folder / "m", *effort, "--keep-examples")
    handled(*arguments, code=0)
    before = Adapted.load(folder / "m").predict_proba(["refund the invoice"])
    with no_space(disk, left=1024 if disk else 1 << 20):
        said = handled(*arguments, "--force", "--seed", 1, naming=("cannot be written",), code=2)
        assert "untouched" in said.err
        handled(*arguments[:3], "--out", folder / "new", *effort, naming=("cannot be written",), code=2)
    assert (Adapted.load(folder / "m").predict_proba(["refund the invoice"]) == before).all()
    assert not [p.name for p in folder.iterdir() if p.name.endswith(".part") or p.name == "new"]
    handled(*arguments, "--force", "--seed", 1, code=0)


@SMALL
def test_evaluate(mount, mounted, handled, tiny, tmp_path, write_csv):
    folder, disk = place(mounted, mount, "4m", tmp_path)
    task = write_csv(tmp_path / "task.csv", 8)
    arguments = ("evaluate", tiny, task, "--efforts", "instant", "--against", "tfidf", "--out", folder / "r", "-q")
    handled(*arguments, "--shots", 1, "--draws", 2, code=0)
    results = folder / "r" / "results.jsonl"
    before = results.read_bytes()
    report = (folder / "r" / "report.html").read_bytes()
    with no_space(disk, left=0 if disk else len(before) + 50):
        handled(*arguments, "--shots", "1,2,3", "--draws", 20, naming=("No space left", "File too large"), code=2)
    assert results.read_bytes().startswith(before)
    assert (folder / "r" / "report.html").read_bytes() == report
    handled(*arguments, "--shots", "1,2", "--draws", 2, code=0)
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    assert len({(row["shot"], row["draw"], row["method"]) for row in rows}) == len(rows) >= 8


@SMALL
def test_pretrain(mount, mounted, handled, small_recipe, tmp_path):
    """The checkpoint that was there stays whole, and the run goes on from it once there is room."""
    folder, disk = place(mounted, mount, "400m", tmp_path)
    arguments = ("pretrain", small_recipe, "--out", folder / "run", "-q")
    handled(*arguments, "training.steps=2", code=0)
    (folder / "run" / "config.yaml").write_text(
        (folder / "run" / "config.yaml").read_text().replace("steps: 2", "steps: 4")
    )
    before = {p.name: p.read_bytes() for p in (folder / "run" / "checkpoints" / "step-2").iterdir()}
    with no_space(disk, left=1 << 20):
        said = handled(*arguments, "--resume", naming=("the checkpoint cannot be written",), code=2)
    assert "--resume" in said.err
    checkpoints = folder / "run" / "checkpoints"
    assert [p.name for p in checkpoints.iterdir()] == ["step-2"]
    assert {p.name: p.read_bytes() for p in (checkpoints / "step-2").iterdir()} == before
    assert json.loads(handled(*arguments[:-1], "--resume", "--json", code=0).out)["step"] == 4


@SMALL
def test_the_cache(mount, mounted, handled, small_recipe, tmp_path, monkeypatch):
    """Tokenised texts that do not fit: told with the file, and nothing half-written in the cache."""
    folder, disk = place(mounted, mount, "256k", tmp_path)
    monkeypatch.setenv("METAGLOT_CACHE", str(folder / "cache"))
    built = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "metaglot" / "builtin"
    (folder / "cache").mkdir()
    (folder / "cache" / "builtin").symlink_to(built)
    with no_space(disk, left=1024 if not disk else 0):
        handled("pretrain", small_recipe, "--out", tmp_path / "run", "-q", naming=("cannot", "space"), code=2)
    assert not list((folder / "cache").glob("tokens/*"))
    assert not (tmp_path / "run").exists()


@SMALL
def test_shrink_and_average(mount, mounted, handled, small_recipe, tmp_path):
    """Neither leaves anything half-written, and both runs are what they were."""
    folder, disk = place(mounted, mount, "64m", tmp_path)
    for seed in (0, 1):
        run = ("pretrain", small_recipe, "training.steps=1", f"seed={seed}", "--out", tmp_path / f"run{seed}", "-q")
        handled(*run, code=0)
    asked = {
        "small": ("shrink", tmp_path / "run0", "--megabytes", 1, "--out", folder / "small"),
        "mean": ("average", tmp_path / "run0", tmp_path / "run1", "--out", folder / "mean"),
    }
    before = sorted(path.name for path in folder.iterdir())
    for name, arguments in asked.items():
        with no_space(disk, left=1 << 15):
            said = handled(*arguments, naming=(f"{name}: cannot be written",), keeps=tmp_path / "run0", code=2)
        assert "Free some space" in said.err
        assert sorted(path.name for path in folder.iterdir()) == before
    handled(*asked["small"], code=0)


@pytest.mark.slow
@SMALL
def test_bench_and_report(mount, mounted, handled, tiny, tmp_path, write_csv):
    """What was judged stays, a page that was there stays whole, and the same commands go on once there is room."""
    folder, disk = place(mounted, mount, "4m", tmp_path)
    task = write_csv(tmp_path / "task.csv", 8)
    judged = ("--efforts", "instant", "--against", "tfidf", "--queries", 6, "--max-length", 16, "--jobs", 1, "-q")
    asked = ("bench", tiny, task, *judged, "--out", folder / "b")
    report = ("report", folder / "b" / "tasks", "--out", folder / "page.html", "--markdown", folder / "page.md")
    handled(*asked, "--shots", 1, "--draws", 2, code=0)
    handled(*report, code=0)
    before = {
        p: p.read_bytes() for p in (folder / "b" / "tasks" / "results.jsonl", folder / "page.html", folder / "page.md")
    }
    with no_space(disk, left=0 if disk else len(before[folder / "b" / "tasks" / "results.jsonl"]) + 50):
        handled(*asked, "--shots", "1,2,3", "--draws", 20, naming=("No space left", "File too large"), code=2)
        handled(*report, "--title", "another", naming=("page.html: cannot be written",), code=2)
    assert all(path.read_bytes().startswith(content) for path, content in before.items())
    assert not [p.name for p in folder.iterdir() if p.name.endswith(".part")]
    handled(*asked, "--shots", "1,2", "--draws", 2, code=0)
    handled(*report, code=0)


@pytest.mark.slow
@SMALL
def test_demo(mount, mounted, handled, tiny, tmp_path):
    """There is a message from the first file on, and nothing half-written stands in the way of a demo later."""
    folder, disk = place(mounted, mount, "1m", tmp_path)
    with no_space(disk, left=0 if disk else 100):
        handled(
            "demo",
            "--tiny",
            "-q",
            "--out",
            folder / "demo",
            naming=("cannot be written", "No space", "too large"),
            code=2,
        )
    assert not [str(path) for path in folder.rglob("*") if path.is_file()]
