"""Every example runs, and the README names targets that exist; its snippets run in tests/docs/test_snippets.py."""

import csv
import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
ROWS = [("a good and happy day", "up"), ("happy news today", "up"), ("a sad and bad day", "down"), ("bad news", "down")]


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "examples.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *ROWS])
    return tmp_path


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = re.findall(r"^make (\S+)", README, flags=re.M)
    assert targets
    assert all(re.search(rf"^{target}:", makefile, flags=re.M) for target in targets)


def test_example_adapts(tiny: str, capsys: pytest.CaptureFixture[str]) -> None:
    example("adapt_in_python").main(tiny)
    assert "delivery" in capsys.readouterr().out


def test_example_learns_labels_and_numbers(tiny: str, capsys: pytest.CaptureFixture[str]) -> None:
    example("labels_and_numbers").main(tiny)
    *lines, scores = capsys.readouterr().out.splitlines()
    assert [line.split("  labels: ")[0] for line in lines] == ["Why is my bill so high?!", "Good morning."]
    macro_f1, mae = map(float, scores.split())
    assert 0.5 < macro_f1 <= 1
    assert 0 <= mae < 2.5


def test_example_trains_an_algorithm_of_its_own(here: Path, tiny: str) -> None:
    file = here / "many.csv"
    with file.open("w", newline="") as out:
        csv.writer(out).writerows(
            [("text", "label"), *((f"{text} {i}", label) for i in range(8) for text, label in ROWS)]
        )
    loss = example("own_algorithm").main([str(file)], model=tiny, steps=2)
    assert 0 < loss < 5
    assert sys.modules.get("own_algorithm") is None
