"""The real command in ranks: lost ones are started again and the parameters are those of an undisturbed run."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.watched_runs import ended, records, smoke_run, wait_for, weights_at

from metaglot.models import load_backbone

SHORT = (
    "training.steps=24",
    "training.save_every=4",
    "training.warmup=4",
    "training.meta_batch=3",
    "validation.every=12",
    "validation.episodes=3",
    "episodes.max_support=8",
    "episodes.max_query=8",
    "model.max_length=16",
)


@pytest.fixture(scope="module", autouse=True)
def _ingredients(tiny) -> None:
    if not os.environ.get("METAGLOT_DATA"):
        pytest.skip("METAGLOT_DATA is not set: recipes/smoke.yaml reads its sets from there")


def started(out: Path, *arguments: str, ranks: int = 2) -> subprocess.Popen[str]:
    return smoke_run(out, [*SHORT, *arguments, "--ranks", str(ranks)])


def workers(process: subprocess.Popen[str]) -> dict[int, int]:
    """Return the processes of the ranks, by rank."""
    children = Path(f"/proc/{process.pid}/task").glob("*/children")
    found = {}
    for child in (int(number) for file in children for number in file.read_text().split()):
        variables = Path(f"/proc/{child}/environ").read_bytes().split(b"\0")
        ranks = [int(one.partition(b"=")[2]) for one in variables if one.startswith(b"RANK=")]
        found |= dict.fromkeys(ranks, child)
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A run that nobody disturbed."""
    out = tmp_path_factory.mktemp("whole") / "run"
    code, said, err = ended(started(out))
    assert code == 0, err
    assert json.loads(said)["step"] == 24
    return out


@pytest.mark.slow
def test_ranks_are_killed_and_started_again(whole, tmp_path):
    """Rank 1 and then rank 0 are killed; the launcher starts all again, and the run is that of nobody disturbed."""
    out = tmp_path / "run"
    process = started(out)
    for rank, step in ((1, 6), (0, 14)):
        wait_for(process, out, step)
        os.kill(workers(process)[rank], signal.SIGKILL)
    code, said, err = ended(process)
    assert code == 0, err
    assert "Traceback" not in err
    assert err.count("a rank was lost; all go on from step") == 2
    assert json.loads(said)["outcome"] == "done"
    assert weights_at(out, 24) == weights_at(whole, 24)
    assert records(out) == records(whole)


@pytest.mark.slow
def test_asked_to_stop_and_resumed_by_another_number_of_ranks(whole, tmp_path):
    out = tmp_path / "run"
    process = started(out)
    wait_for(process, out, 7)
    process.send_signal(signal.SIGTERM)
    code, said, err = ended(process)
    assert code == 130, err
    assert "Traceback" not in err
    outcome = json.loads(said)
    assert outcome["outcome"] == "interrupted"
    assert 7 <= outcome["step"] < 24
    assert (out / f"checkpoints/step-{outcome['step']}/params.safetensors").is_file()
    code, said, err = ended(started(out, "--resume", ranks=1))
    assert (code, json.loads(said)["outcome"]) == (0, "done"), err
    one, two = (load_file(folder / "checkpoints/step-24/params.safetensors") for folder in (out, whole))
    assert one.keys() == two.keys()
    for name, value in one.items():
        assert torch.allclose(value, two[name], atol=2e-4, rtol=0), name


@pytest.mark.slow
def test_a_rank_with_a_part_of_the_body_is_killed_and_the_run_is_asked_to_stop(tmp_path):
    """All begin again from the checkpoint; what is saved at the end loads in one process, which divides nothing."""
    out = tmp_path / "run"
    learner = "algorithm={name: fomaml, options: {scope: lora, steps: 2, head: prototypes}}"
    process = started(out, learner, "training.freeze=['*']", "training.meta_batch=2", "training.shard=true")
    wait_for(process, out, 5)
    os.kill(workers(process)[1], signal.SIGKILL)
    wait_for(process, out, 10)
    process.send_signal(signal.SIGTERM)
    code, said, err = ended(process)
    assert code == 130, err
    assert "Traceback" not in err
    assert err.count("a rank was lost; all go on from step 4") == 1
    assert 10 <= json.loads(said)["step"] < 24
    assert load_backbone(str(out)).name == str(out)


@pytest.mark.slow
def test_an_error_of_the_data_is_said_once(tmp_path):
    """It is found by the ranks, which read the files: one line, exit code 2, and nothing is started again."""
    (tmp_path / "one.csv").write_text("text,label\n" + "a text,red\n" * 9)
    recipe = f"data={{train: ['{tmp_path}/one.csv']}}"
    code, _, err = ended(started(tmp_path / "run", recipe, "validation.every=1000"))
    assert code == 2, err
    assert err.count("metaglot:") == 1, err
    assert "Traceback" not in err
    assert not (tmp_path / "run").exists()
