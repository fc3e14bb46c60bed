"""Every JSON file that metaglot writes, with any value at any place: it is read, or the message names file and key."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from tests.classes import FAMILY
from tests.hardening.conftest import counted

from metaglot.adaptation.kept import read_examples
from metaglot.adaptation.stored import read_adaptation
from metaglot.cli.shared.record import read_command
from metaglot.data.environment import read_settings, read_versions
from metaglot.data.folders import read_run
from metaglot.data.seen import read_seen
from metaglot.errors import MetaglotError
from metaglot.evaluation.leakage import read_leakages
from metaglot.training import checkpoint

VALUES: list[Any] = [None, True, -1, 10**30, 1.5, float("nan"), float("inf"), "x", "\ud800", [], {}, [[]], {"x": []}]
EFFORT = {"steps": 0, "lr": 0.0, "head_lr": 0.0, "batch_size": 16, "freeze": ["x"], "head": "blend", "names": True}
COUNTS = {"rows": 3, "exact": 1, "near": 0}
GOOD: dict[str, Any] = {
    "adapted.json": {
        "format": 2,
        "labels": ["a", "b"],
        "counts": [1, 2],
        "effort": {**EFFORT, "kept": 0.5, "contrast": 1.0},
        "seed": 0,
        "precision": "fp32",
        "reads": "first",
        "paired": True,
        "solver": "ridge",
        "model_source": "builtin:tiny",
        "model_source_relative": "../m",
        "model_sha256": "0f",
        "examples_sha256": "",
        "provenance": {
            "model": "m",
            "base": "m",
            "data_sha256": "0f",
            "meta_training": {"data": ["one"]},
            "versions": {"torch": "2"},
            "choice": {
                "reason": "r",
                "expected": {"accuracy": 0.5, "low": 0.1, "high": 0.9, "per_class": 2.0, "doubled": 0.1},
            },
            "names": {"a": "first"},
            "reads": "first",
            "added": ["0f"],
        },
    },
    "model.json": {
        "base": "builtin:tiny",
        "base_relative": "../m",
        "max_length": 16,
        "average_with_base": 0.5,
        "algorithm": {"name": "maml", "options": {}},
        "estimator": {"name": "adjoint", "keep": 2},
        "data": ["one"],
        "fingerprints": {"one": "0f"},
        "validation": ["two"],
        "validation_fingerprints": {"two": "0f"},
        "average_of": ["x"],
    },
    "state.json": {"step": 3, "seed": 0, "cpu_seconds": 1.0, "goal": {"accuracy": 0.5}, "parts": ["params"]},
    "seen/sets.json": {"format": 1, "near": False, "sets": [{"name": "one", "texts": 2, "labels": ["a"]}]},
    "leakage.json": {
        "format": 1,
        "model": "m",
        "known": True,
        "texts": 2,
        "excluded": False,
        "near": True,
        "tasks": [
            {
                "task": "one",
                "queries": COUNTS,
                "pool": COUNTS,
                "support": COUNTS,
                "excluded": 0,
                "classes": 2,
                "named": 1,
                "shared": ["a"],
                "sets": {"one": 1},
            }
        ],
    },
    "settings.json": {
        "seed": 0,
        "queries": 4,
        "overlap": "kept",
        "reference": "m",
        "task one": "0f",
        "method m": {"model": "m"},
    },
    "environment.json": {"torch": "2", "threads": 1},
    "command.json": {
        "format": 1,
        "command": "evaluate",
        "runs": [{"arguments": ["evaluate"], "environment": {"torch": "2"}}],
        "data": {"one": "0f"},
    },
    "examples.jsonl": {"text": "a", "text_pair": "b", "label": "x"},
}
READ: dict[str, Callable[[Path], Any]] = {
    "adapted.json": lambda folder: read_adaptation(folder / "adapted.json"),
    "model.json": read_run,
    "state.json": lambda folder: checkpoint.load(folder, device=torch.device("cpu")),
    "seen/sets.json": read_seen,
    "leakage.json": read_leakages,
    "settings.json": lambda folder: read_settings(folder / "settings.json"),
    "environment.json": lambda folder: read_versions(folder / "environment.json"),
    "command.json": read_command,
    "examples.jsonl": lambda folder: read_examples(folder, FAMILY),
}
FREE = {"options", "near", "label", "names", "method m"}  # of several types, or with a default that null stands for


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "checkpoints" / "step-1").mkdir(parents=True)
    (tmp_path / "seen").mkdir()
    save_file({"exact": np.array([1, 2], np.uint64)}, tmp_path / "seen" / "hashes.safetensors")
    save_file({"w": np.zeros(2, np.float32)}, tmp_path / "params.safetensors")
    return tmp_path


def changed(good: Any) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield the document with one of VALUES at each place, and with each key left out, with the place."""
    parts: list[tuple[str | int, Any]] = list(good.items()) if isinstance(good, dict) else list(enumerate(good))
    for key, inner in parts:
        for value in VALUES:
            yield (key,), {**good, key: value} if isinstance(good, dict) else [value]
        if isinstance(good, dict):
            yield (key,), {name: one for name, one in good.items() if name != key}
        if isinstance(inner, dict | list):
            for place, whole in changed(inner):
                yield (key, *place), {**good, key: whole} if isinstance(good, dict) else [whole]


def complaint(name: str, folder: Path) -> str | None:
    """Return what reading the file complains of."""
    try:
        READ[name](folder)
    except MetaglotError as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", GOOD)
def test_any_value_at_any_place(name, folder, tally):
    file, refused = folder / name, 0
    file.write_text(json.dumps(GOOD[name]))
    READ[name](folder)
    for place, whole in changed(GOOD[name]):
        file.write_text(json.dumps(whole))
        with counted(tally):
            said = complaint(name, folder)
        if said is None:
            continue
        refused += 1
        key = next((part for part in place if isinstance(part, str)), "")
        assert str((folder / name).parent) in said
        assert any(word in said for word in (f"{key}", "Invalid JSON", "there is no array", "do not fit")), (
            place,
            said,
        )
    assert refused > 5


@pytest.mark.parametrize("name", GOOD)
def test_a_list_of_lists_is_refused_at_every_typed_place(name, folder):
    for place, whole in changed(GOOD[name]):
        text = json.dumps(whole)
        if "[[]]" not in text or FREE & {part for part in place if isinstance(part, str)}:
            continue
        (folder / name).write_text(text)
        with pytest.raises(MetaglotError, match=r"expected|should be|valid"):
            READ[name](folder)


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"3", b"\xff\xfe", b"[" * 100_000, b'{"a": ' * 100_000])
def test_what_is_no_such_file(name, content, folder, answered):
    (folder / name).write_bytes(content)
    answered(lambda: READ[name](folder), naming=(name,))
