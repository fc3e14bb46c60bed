"""`metaglot reproduce`: the same bytes from the same command, and what is said where they are not the same."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from metaglot.cli.shared.record import environment
from metaglot.data.manifest import write_manifest
from metaglot.evaluation.store import COSTS

RECIPE = """
name: small
seed: 0
model: {name: "builtin:tiny", max_length: 16, precision: fp32}
data:
  train: [{path: train.csv, min_per_class: 4}]
  validation: [{path: held.csv, min_per_class: 4}]
episodes: {ways: [2, 3], shots: [1, 2], queries: 2}
algorithm: {name: fomaml, options: {steps: 1, lr: 0.05, head: prototypes}}
training: {steps: 5, meta_batch: 2, warmup: 0, save_every: 2, lr: 1e-3}
validation: {every: 2, episodes: 3, shots: 2, queries: 2, ways: [2, 3]}
"""
Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(name="call")
def _call(metaglot) -> Call:
    """A function that calls the command line in this process and returns exit code, stdout and stderr."""
    return metaglot


@pytest.fixture(name="place", scope="module")
def _place(tmp_path_factory, metaglot, write_csv, tiny) -> Path:
    """A folder with a run and an evaluation that were made once for all tests here."""
    del tiny  # skips where it cannot be had
    place = tmp_path_factory.mktemp("place")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        write_csv(Path("train.csv"), 8)
        write_csv(Path("held.csv"), 8, start=100)
        Path("small.yaml").write_text(RECIPE)
        evaluation = ["evaluate", "run", "train.csv", "held.csv", "--out", "results", "-q"]
        evaluation += ["--queries", "6"]
        for command in (
            ["pretrain", "small.yaml", "seed=3", "--out", "run", "-q"],
            [*evaluation, "--draws", "2", "--shots", "1,2", "--against", "tfidf,frozen,knn", "--efforts", "instant"],
            [*evaluation, "--draws", "1", "--shots", "1", "--against", "bitfit", "--efforts", "fast"],
        ):
            assert metaglot(*command).code == 0, command
    return place


@pytest.fixture(name="here")
def _here(place: Path, tmp_path: Path, monkeypatch) -> Path:
    """A copy of that folder, to be tampered with."""
    shutil.copytree(place, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def verdict(call: Call, folder: str, *options: object) -> tuple[int, dict[str, object]]:
    code, out, _ = call("reproduce", folder, "--json", *options)
    return code, json.loads(out)


@pytest.mark.slow
def test_a_run_again(call, here):
    code, out, err = call("reproduce", "run")
    assert (code, out) == (0, "equal: step-5 (parameters, moments) and 9 lines of metrics\n")
    assert "reading train: 24 rows" in err


@pytest.mark.slow
def test_a_run_again_into_a_folder(call, here):
    assert call("reproduce", "run", "--out", "second", "-q")[0] == 0
    for part in ("params", "moments"):
        whole, again = (
            Path(f"{name}/checkpoints/step-5/{part}.safetensors").read_bytes() for name in ("run", "second")
        )
        assert whole == again
    assert Path("second/config.yaml").read_bytes() == Path("run/config.yaml").read_bytes()
    assert call("reproduce", "run", "--out", "second")[0] == 2  # it is not empty any more


@pytest.mark.slow
def test_an_evaluation_again(call, here):
    """Both commands that filled the folder: of 2 tasks, 2 draws and 2 shots of 6 methods, one draw and shot of 2."""
    code, out, err = call("reproduce", "results", "--out", "second")
    assert (code, out) == (0, "equal: 52 rows of results.jsonl\n")
    assert "metaglot evaluate" in err
    first, second = (
        [
            {k: v for k, v in json.loads(line).items() if k not in COSTS}
            for line in Path(f"{name}/results.jsonl").read_text().splitlines()
        ]
        for name in ("results", "second")
    )
    assert first == second
    assert len(first) == 52


@pytest.mark.slow
def test_a_tampered_row(call, here):
    file = Path("results/results.jsonl")
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    rows[7]["metrics"]["accuracy"] = 0.123
    rows[8]["cpu_seconds"] += 5  # not compared
    rows[8]["peak_mb"] = 1.0
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    code, out, _ = call("reproduce", "results", "-q")
    assert code == 1
    row = rows[7]
    where = f"{row['task']}, {row['shot']} shots, draw {row['draw']}, {row['method']}"
    assert out.startswith(f"different: results.jsonl, {where}: accuracy 0.123, now ")
    assert len(out.splitlines()) == 1


@pytest.mark.slow
def test_an_evaluation_that_was_cut_short(call, here):
    file = Path("results/results.jsonl")
    file.write_text("".join(line + "\n" for line in file.read_text().splitlines()[:40]))
    code, out, _ = call("reproduce", "results", "-q")
    assert (code, "12 more that the command makes were never written" in out) == (0, True)


@pytest.mark.slow
def test_tampered_parameters_and_metrics(call, here):
    """Each is named, and nothing else."""
    file = Path("run/checkpoints/step-5/params.safetensors")
    tensors = load_file(file)
    next(iter(tensors.values())).view(-1)[0] += 1e-3
    save_file(tensors, file)
    file = Path("run/metrics.jsonl")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    lines[3]["loss" if "loss" in lines[3] else "accuracy"] = 9.0
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    code, found = verdict(call, "run")
    assert (code, found["outcome"]) == (1, "different")
    assert len(found["differences"]) == 2
    assert [line for line in found["differences"] if line.startswith("params.safetensors of step-5:")]
    assert [line for line in found["differences"] if f"at step {lines[3]['step']}" in line]


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["run", "results"])
def test_other_data(call, here, folder, write_csv):
    """Said before anything is computed."""
    write_csv(Path("train.csv"), 9)
    code, found = verdict(call, folder, "--out", "second")
    assert (code, found["compared"]) == (1, "data")
    assert all(line.startswith("data train") for line in found["differences"])
    assert not Path("second/metrics.jsonl").exists()
    assert not Path("second/results.jsonl").exists()


@pytest.mark.slow
def test_other_weights_are_said_before_the_rows(call, here):
    file = Path("run/checkpoints/step-5/params.safetensors")
    tensors = {name: value + 0.1 * torch.ones_like(value) for name, value in load_file(file).items()}
    save_file(tensors, file)
    write_manifest(file.parent)
    code, found = verdict(call, "results")
    assert code == 1
    assert str(found["differences"][0]).startswith("settings.json: method ours-")


@pytest.mark.slow
def test_other_versions_are_said_first(call, here):
    file = Path("run/command.json")
    record = json.loads(file.read_text())
    record["runs"][0]["environment"] |= {"torch": "1.0", "threads": "1"}
    file.write_text(json.dumps(record))
    now = environment()["torch"]
    code, out, err = call("reproduce", "run")
    assert (code, out.startswith("equal")) == (0, True)
    assert err.startswith(f"not as before: torch 1.0, now {now}\n")
    lines = Path("run/metrics.jsonl").read_text().splitlines()
    Path("run/metrics.jsonl").write_text("\n".join(lines[:-1]) + "\n")
    code, out, _ = call("reproduce", "run", "-q")
    assert (code, out.splitlines()[0]) == (1, f"different: torch 1.0, now {now}")
    assert out.splitlines()[1] == "metrics.jsonl: 8 lines, now 9"


@pytest.mark.slow
def test_a_run_that_a_budget_ended(call, here):
    """It ended after one step, where the schedule would go on: so does the second."""
    assert call("pretrain", "small.yaml", "budget.cpu_minutes=1e-9", "--out", "short", "-q")[0] == 0
    step = json.loads(Path("short/metrics.jsonl").read_text().splitlines()[-1])["step"]
    code, found = verdict(call, "short")
    assert (code, found["compared"].startswith(f"step-{step} ")) == (0, True)


@pytest.mark.slow
def test_a_record_holds_nothing_of_the_machine(here):
    record = json.loads(Path("results/command.json").read_text())
    assert record["command"] == "evaluate"
    assert len(record["runs"]) == 2
    first = record["runs"][0]["arguments"]
    assert first[0] == "evaluate"
    assert first[first.index("--") :] == ["--", "run", "train.csv", "held.csv"]
    assert first[first.index("--seed") + 1] == "0"  # the default, should it change
    assert not {"--out", "--quiet", "-q", "results"} & set(first)
    assert set(record["data"]) == {"train.csv", "held.csv"}
    assert str(here) not in json.dumps(record)
    assert str(Path.home()) not in json.dumps(record)
    assert {"torch", "transformers", "threads", "metaglot"} <= record["runs"][0]["environment"].keys()


@pytest.mark.slow
def test_resumed_commands_stand_once(call, here):
    before = Path("run/command.json").read_bytes()
    threads = json.loads(before)["runs"][0]["environment"]["threads"]
    torch.set_num_threads(int(threads))
    assert call("pretrain", "small.yaml", "seed=3", "--out", "run", "--resume", "-q")[0] == 0
    assert Path("run/command.json").read_bytes() == before


@pytest.mark.slow
def test_force_begins_the_record_anew(call, here):
    command = ["evaluate", "run", "held.csv", "--shots", "1", "--draws", "1", "--queries", "6", "--against", "tfidf"]
    assert call(*command, "--out", "results", "--force", "-q")[0] == 0
    record = json.loads(Path("results/command.json").read_text())
    assert (len(record["runs"]), list(record["data"])) == (1, ["held.csv"])


@pytest.mark.slow
def test_a_refused_command_leaves_no_trace(call, here):
    before = Path("results/command.json").read_bytes()
    assert (
        call("evaluate", "run", "held.csv", "--seed", "9", "--shots", "1", "--draws", "1", "--out", "results")[0] == 2
    )
    assert Path("results/command.json").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no command.json there"),
        ("{", "damaged"),
        ("[]", "damaged"),
        ('{"format": 1, "command": "pretrain", "runs": [{}], "data": {}}', "damaged"),
        ('{"format": 2, "command": "pretrain", "runs": [], "data": {}}', "not of format 1"),
        (
            '{"format": 1, "command": "demo", "runs": [{"arguments": ["demo"], "environment": {}}], "data": {}}',
            "made by `metaglot demo`",
        ),
    ],
)
def test_bad_input(call, here, content, said):
    Path("run/command.json").unlink()
    if content is not None:
        Path("run/command.json").write_text(content)
    code, out, err = call("reproduce", "run")
    assert (code, out) == (2, "")
    assert err.startswith("metaglot: run")
    assert said in err


@pytest.mark.slow
def test_a_run_without_a_checkpoint(call, here):
    shutil.rmtree("run/checkpoints")
    code, _, err = call("reproduce", "run", "-q")
    assert (code, "no checkpoint there yet" in err) == (2, True)


@pytest.mark.slow
def test_an_option_given_as_nothing_is_nothing_again(here, metaglot, call):
    command = ["evaluate", "run", "held.csv", "--shots", "1", "--draws", "1", "--queries", "6", "--efforts", "instant"]
    assert metaglot(*command, "--against", "", "--out", "bare", "-q").code == 0
    assert (here / "bare" / "results.jsonl").read_text().count("\n") == 1
    code, said = verdict(call, "bare")
    assert (code, said["outcome"]) == (0, "equal")
