"""Every snippet of the README and of docs/ runs: the blocks of a page in their order, in an empty folder.

A block that cannot run here stands under a line `<!-- not run: the reason -->`; a fence in a language that this file
does not know fails.  What is made smaller than the page says is listed in the tables below, and nothing else is.
"""

import csv
import json
import os
import random
import re
import shlex
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from metaglot.cli.app import main
from metaglot.config import load_recipe, parse_recipe
from metaglot.data.builtin import fetch
from metaglot.errors import MetaglotError

ROOT = Path(__file__).parent.parent.parent
PAGES = [ROOT / "README.md", *sorted(p for p in (ROOT / "docs").rglob("*.md") if "_build" not in p.parts)]
GENERATED = {"cli.md", "recipe.md"}  # written by Sphinx; tests/docs/test_extensions.py
RUN = {"python", "sh", "yaml"}
SHOWN = {"text"}  # output, layouts and signatures; directives in braces are Sphinx's
BLOCK = re.compile(r"(?:^<!-- not run: (?P<reason>.+?) -->\n)?^```(?P<language>\S*)\n(?P<body>.*?)^```$", re.M | re.S)

# What is smaller here than on the page; a time to work (`cpu_seconds`) is one second.
WORDS = {
    "builtin:minilm": "builtin:tiny",
    "builtin:mini": "builtin:tiny",
    "minilm": "tiny",
    "vader": "tiny",
    "english": "small.yaml",
    "recipes/english.yaml": "small.yaml",
}
APPENDED = {
    "evaluate": ["--shots", "1", "--draws", "2", "--queries", "6"],
    "compare": ["--shots", "1", "--draws", "2", "--queries", "6"],
    "bench": ["--shots", "1", "--queries", "6"],
    "pretrain": [
        "threads=1",
        "model={name: 'builtin:tiny', max_length: 16, precision: fp32}",
        "training.steps=2",
        "training.meta_batch=1",
        "training.warmup=0",
        "validation.episodes=2",
        "validation.queries=2",
    ],
}
RECIPE = """
name: small
data:
  train: [{path: train.csv, min_per_class: 4}]
  validation: [{path: held.csv, min_per_class: 4}]
episodes: {ways: [2, 3], shots: [1, 2], queries: 2}
"""
TOPICS = {
    "billing": ["invoice", "refund", "payment", "receipt", "charge"],
    "technical": ["crash", "error", "bug", "screen", "login"],
    "delivery": ["parcel", "courier", "shipping", "package", "tracking"],
}


class Block(NamedTuple):
    """One fenced block of a page."""

    language: str
    body: str
    line: int
    reason: str | None  # why it is not run


def blocks(page: Path) -> list[Block]:
    text = page.read_text("utf-8")
    return [
        Block(m["language"], m["body"], text.count("\n", 0, m.start("body")), m["reason"]) for m in BLOCK.finditer(text)
    ]


def code(page: Path) -> list[Block]:
    return [b for b in blocks(page) if b.language not in SHOWN and not b.language.startswith("{")]


QUICK = ("tutorial.md",)  # the others run in `make test-all`
WITH_CODE = [page for page in PAGES if page.name not in GENERATED and code(page)]


class Runner:
    """Runs blocks as a reader would, one after the other."""

    def __init__(self, trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.trained, self.monkeypatch, self.capsys = trained, monkeypatch, capsys
        self.scope: dict[str, object] = {"__name__": "__main__"}
        self.commands = 0

    def run(self, block: Block, where: str) -> None:
        {"python": self.python, "sh": self.shell, "yaml": self.recipe}[block.language](block, where)

    def python(self, block: Block, where: str) -> None:
        source = re.sub(r"builtin:mini(lm)?\b", WORDS["builtin:mini"], block.body)
        source = re.sub(r"cpu_seconds=\d+", "cpu_seconds=1", source)
        exec(compile(source, where, "exec"), self.scope)

    def recipe(self, block: Block, where: str) -> None:
        """A whole recipe loads; a part of one fits into one.  A first line `# NAME.yaml` names the file it becomes."""
        values = yaml.safe_load(block.body)
        named = re.match(r"# (\S+\.yaml)\n", block.body)
        if named:
            Path(named[1]).write_text(block.body, "utf-8")
            assert load_recipe(named[1]).name, where
        else:
            base = {"data": {"train": ["a.csv"], "validation": ["b.csv"]}}
            assert parse_recipe({**base, **values}).data.train, where

    def shell(self, block: Block, where: str) -> None:
        for line in block.body.replace("\\\n", " ").splitlines():
            words = [os.path.expandvars(word) for word in shlex.split(line, comments=True)]
            if not words:
                continue
            program, arguments = Path(words[0]).name, words[1:]
            if program == "metaglot":
                self.metaglot(arguments, where)
            elif program == "make":
                targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), flags=re.M)
                assert set(arguments) <= set(targets), where
            elif program == "export":
                name, _, value = arguments[0].partition("=")
                self.monkeypatch.setenv(name, value)
            else:
                pytest.fail(f"{where}: no way to run {program!r}; mark the block `<!-- not run: reason -->`")

    def metaglot(self, arguments: list[str], where: str) -> None:
        words = [WORDS.get(word, word) for word in arguments]
        words += APPENDED.get(words[0], []) + (["--seconds", "0.1"] if "--goal" in words else [])
        self.provide(words)
        out, err, status = call(words, self.monkeypatch, self.capsys)
        allowed = {0, 3} if any("goal" in word for word in words) else {0}
        assert status in allowed, f"{where}: metaglot {' '.join(words)} ended with {status}\n{out}\n{err}"
        assert out or err or "--quiet" in words, where
        self.commands += 1

    def provide(self, words: list[str]) -> None:
        """Make the files and runs that the page takes for granted."""
        columns = dict(pair.split("=") for pair in after("--columns", words).split(",") if pair)
        names = columns.get("text", "text"), columns.get("label", "label")
        for word in words:
            path = Path(word)
            if path.suffix in {".csv", ".jsonl"} and not path.exists():
                write_rows(path, names)
            is_run = word == "demo/run" or (word.startswith("runs/") and word != after("--out", words))
            if is_run and not path.exists():
                shutil.copytree(self.trained, path)


def after(option: str, words: list[str]) -> str:
    return words[words.index(option) + 1] if option in words else ""


def write_rows(path: Path, names: tuple[str, str] = ("text", "label"), per_class: int = 8) -> None:
    draw = random.Random(path.stem)  # texts of its own: a run knows lightly edited ones for what it was trained on
    rows = [
        (" ".join([words[i % 5], words[(i + 1) % 5], *(pseudoword(draw) for _ in range(4))]), label)
        for label, words in TOPICS.items()
        for i in range(per_class)
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        if path.suffix == ".csv":
            csv.writer(file).writerows([names, *rows])
        else:
            file.writelines(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows)


def pseudoword(draw: random.Random) -> str:
    return "".join(draw.choices("abcdefghiklmnoprstuvw", k=6))


def call(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[str, str, int]:
    """Call the command in this process, as the console script does; return what it printed and its exit code."""
    before, handler = dict(os.environ), signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(sys, "argv", ["metaglot", *words])
    capsys.readouterr()
    try:
        with pytest.raises(SystemExit) as ended:
            main()
    finally:
        signal.signal(signal.SIGINT, handler)
        os.environ.clear()
        os.environ.update(before)
    return *capsys.readouterr(), int(ended.value.code or 0)


def prepare(folder: Path) -> None:
    (folder / "small.yaml").write_text(RECIPE, "utf-8")
    write_rows(folder / "train.csv")
    write_rows(folder / "held.csv")


@pytest.fixture(scope="module", autouse=True)
def tiny() -> None:
    try:
        fetch("tiny")
    except MetaglotError as error:
        pytest.skip(f"builtin:tiny cannot be had: {error}")


@pytest.fixture
def runner(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    trained: Callable[[], Path],
) -> Runner:
    run = trained()
    here = tmp_path_factory.mktemp("page")
    monkeypatch.chdir(here)
    prepare(here)
    return Runner(run, monkeypatch, capsys)


@pytest.fixture(scope="module")
def made() -> dict[str, Path]:
    return {}


@pytest.fixture
def trained(
    made: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[[], Path]:
    """Return a function that gives a run of two steps, trained once."""

    def make() -> Path:
        if "run" not in made:
            folder = tmp_path_factory.mktemp("trained")
            monkeypatch.chdir(folder)
            prepare(folder)
            words = ["pretrain", "small.yaml", *APPENDED["pretrain"], "--out", "run"]
            *said, status = call(words, monkeypatch, capsys)
            assert status == 0, said
            made["run"] = folder / "run"
        return made["run"]

    return make


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=() if page.name in QUICK else pytest.mark.slow) for page in WITH_CODE],
    ids=lambda page: page.relative_to(ROOT).as_posix(),
)
def test_the_snippets_of_a_page_run(page: Path, runner: Runner) -> None:
    found = code(page)
    ran = marked = 0
    for block in found:
        where = f"{page.relative_to(ROOT)}:{block.line}"
        assert block.language in RUN, (
            f"{where}: a fence in {block.language or 'no language'!r}; use one of {RUN, SHOWN}"
        )
        if block.reason:
            marked += 1
        else:
            runner.run(block, where)
            ran += 1
    assert ran + marked == len(found) == page.read_text("utf-8").count("\n```") // 2 - shown(page)
    print(f"{page.relative_to(ROOT)}: {ran} blocks ran ({runner.commands} commands), {marked} are marked")


def shown(page: Path) -> int:
    return len(blocks(page)) - len(code(page))


def test_few_blocks_are_marked_and_each_says_why() -> None:
    found = [block for page in WITH_CODE for block in code(page)]
    marked = [block for block in found if block.reason]
    assert len(found) >= 45
    assert len(marked) <= len(found) // 4
    assert all(len(block.reason.split()) >= 3 for block in marked)
