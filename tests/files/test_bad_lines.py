"""A bad line of metrics.jsonl or results.jsonl stops nothing: it is named, and the rest is kept."""

import json
from pathlib import Path

import pytest

from metaglot.errors import MetaglotError
from metaglot.evaluation.store import DAMAGED_LINES, read_results, resume, saved_results
from metaglot.training.run import metrics_note, read_metrics

BAD = {
    "torn": b'{"kind": "step", "st',
    "garbage": b"\x00\xff\xfe garbage",
    "a list": b"[1, 2]",
    "a number": b"5",
    "null": b"null",
    "a step in words": b'{"kind": "step", "step": "two"}',
    "nested": b'{"kind": "step", "step": {"a": 1}}',
    "deep": b"[" * 50_000,
}


@pytest.mark.parametrize("where", ["first", "middle", "last"])
@pytest.mark.parametrize("bad", BAD)
def test_metrics(bad, where, tmp_path):
    whole = [json.dumps({"kind": "step", "step": n, "loss": 0.5}).encode() for n in (1, 2, 3)]
    at = {"first": 0, "middle": 2, "last": 3}[where]
    file = tmp_path / "metrics.jsonl"
    file.write_bytes(b"\n".join([*whole[:at], BAD[bad], *whole[at:]]))
    assert [record["step"] for record in read_metrics(file)] == [1, 2, 3]
    note = metrics_note(file)
    assert note is not None
    assert f"line {at + 1} is no record" in note
    file.write_bytes(b"\n".join(whole) + b"\n")
    assert metrics_note(file) is None


def test_resume_over_bad_lines(metaglot, small_recipe, tmp_path):
    """What is kept, and the run itself, are as without them."""
    for name in ("plain", "hurt"):
        assert metaglot("pretrain", small_recipe, "training.steps=2", "--out", name, "-q").code == 0
        config = Path(name, "config.yaml")
        config.write_text(config.read_text().replace("steps: 2", "steps: 4"))
    file = Path("hurt/metrics.jsonl")
    lines = file.read_bytes().split(b"\n")
    file.write_bytes(b"\n".join([lines[0], *BAD.values(), *lines[1:-1], BAD["torn"]]))
    said = metaglot("pretrain", small_recipe, "--out", "hurt", "--resume")
    assert said.code == 0, said
    assert f"{len(BAD) + 1} lines are no records, first 2" in said.err
    assert metaglot("pretrain", small_recipe, "--out", "plain", "--resume", "-q").code == 0
    records = [
        [{k: v for k, v in one.items() if "seconds" not in k} for one in read_metrics(Path(name, "metrics.jsonl"))]
        for name in ("plain", "hurt")
    ]
    assert records[0] == records[1]
    for part in ("params", "moments"):
        files = [Path(name, "checkpoints/step-4", f"{part}.safetensors") for name in ("plain", "hurt")]
        assert files[0].read_bytes() == files[1].read_bytes()


ROW = {"task": "a", "shot": 1, "draw": 0, "method": "m", "accuracy": 0.5, "macro_f1": 0.5, "ece": 0.1}
ROW |= {
    "cpu_seconds": 1.0,
    "queries": 5,
    "support": 2,
    "seed": 0,
    "model": "m",
    "bins": [[1, 5, 2.5, 3]],
    "peak_mb": 9.0,
}
WRONG = {
    "accuracy in words": {"accuracy": "0.5"},
    "no number": {"accuracy": float("nan")},
    "a draw of a half": {"draw": 0.5},
    "a list for a task": {"task": ["a"]},
    "bins of one": {"bins": [1]},
    "bins of words": {"bins": [["a", "b", "c", "d"]]},
    "null": {"model": None},
}


@pytest.mark.parametrize("wrong", [*BAD, *WRONG])
def test_results(wrong, tmp_path):
    lines = [json.dumps({**ROW, "draw": n}).encode() for n in (0, 1)]
    bad = BAD[wrong] if wrong in BAD else json.dumps({**ROW, **WRONG[wrong]}).encode()
    file = tmp_path / "results.jsonl"
    file.write_bytes(b"\n".join([lines[0], bad, lines[1], b'{"task": "a"']))
    (tmp_path / "settings.json").write_text('{"seed": 0}')
    with pytest.raises(MetaglotError, match=r"results\.jsonl, line 2: not a result"):
        read_results(file)
    assert [result.draw for result in saved_results(tmp_path)[0]] == [0, 1]
    assert "line 2 is not a result" in str(saved_results(tmp_path)[1])
    assert [result.draw for result in resume(tmp_path, {"seed": 0})] == [0, 1]
    assert file.read_bytes() == b"\n".join(lines) + b"\n"
    assert (tmp_path / DAMAGED_LINES).read_bytes() == bad + b"\n"
    assert [result.draw for result in read_results(file)] == [0, 1]


def test_rows_of_older_versions(tmp_path):
    older = {name: value for name, value in ROW.items() if name not in {"bins", "peak_mb"}}
    (tmp_path / "results.jsonl").write_text(json.dumps(older) + "\n" + json.dumps({**ROW, "new": 1}) + "\n")
    first, second = read_results(tmp_path)
    assert (first.bins, first.peak_mb) == ((), None)
    assert second.bins[0].confidence == 2.5


def test_evaluate_goes_on_over_a_bad_line(metaglot, tiny, examples, tmp_path):
    arguments = ("evaluate", tiny, examples, "--efforts", "instant", "--against", "tfidf", "--out", tmp_path / "r")
    arguments = (*arguments, "--shots", "1", "--draws", "2")
    assert metaglot(*arguments).code == 0
    file = tmp_path / "r" / "results.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([lines[0], b"garbage\n", *lines[2:]]))
    said = metaglot(*arguments)
    assert said.code == 0, said
    assert "line 2 is not a result" in said.err
    cells = [(r.draw, r.method) for r in read_results(file)]
    assert len(cells) == len(set(cells)) == 4
