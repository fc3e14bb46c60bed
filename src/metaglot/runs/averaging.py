"""Runs averaged, weight by weight: θ = Σᵣ θᵣ / R, over runs that began from one base and differ in seed or recipe.

Each forgets something else of the base and learns something else of the tasks; the mean keeps what they share, and
costs no more to use than one ("model soups", Wortsman et al. 2022, https://arxiv.org/abs/2203.05482).
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors.torch import save_file

from metaglot.data.cache import atomic_folder
from metaglot.data.checked import sealed
from metaglot.data.folders import RUN, Run, new_folder, run_at
from metaglot.data.locks import writing
from metaglot.data.manifest import write_manifest
from metaglot.data.modes import usual_mode
from metaglot.data.naming import name_record
from metaglot.data.seen import Seen, merged, read_seen, write_seen
from metaglot.errors import MetaglotError
from metaglot.models import Backbone, Runtime
from metaglot.models.learnt import BESIDE, in_weights, out_of_weights
from metaglot.models.limits import check_length
from metaglot.models.load import load_base
from metaglot.runs.weights import weights_of

NAMED = ("data", "validation")  # lists of sets in model.json
PRINTED = ("fingerprints", "validation_fingerprints")  # of those sets, by name


class Member(NamedTuple):
    """A run that goes into the average."""

    folder: Path
    run: Run
    seen: Seen | None


def average(runs: Sequence[str | Path], out: str | Path, *, max_length: int | None = None, force: bool = False) -> Path:
    """Write the mean of the weights of some runs as a run of its own, and return its folder.

    `out` must not exist, or hold a shrunk or averaged run, which `force` replaces.  The average is loaded, adapted,
    evaluated and shrunk as a run is, but cannot be trained further.  Persistent heads of data sets are left out.
    `max_length` is how many tokens of a text the average reads, as many as the run that reads most if absent.  Raises
    MetaglotError for fewer than two runs, for what is no run, and for runs from different bases.
    """
    members = [Member(folder, run, read_seen(folder)) for folder, run in map(run_at, runs)]
    if len(members) < 2:
        raise MetaglotError("an average takes two runs or more; name another one")
    target = new_folder(out, force=force)
    with writing(target):
        return _mean_into(new_folder(target, force=force), members, max_length, str(out))


def _mean_into(target: Path, members: Sequence[Member], max_length: int | None, out: str) -> Path:
    first = members[0]
    for one in members[1:]:
        if one.run.base != first.run.base:
            raise MetaglotError(
                f"{one.folder} began from {one.run.base}, and {first.folder} from {first.run.base}: weights are "
                "averaged over runs from one base; leave one of them out"
            )
    if Path(first.run.base).parent == first.folder:
        raise MetaglotError(f"{first.folder}: its base model was made for it alone; begin runs from one model")
    backbone = load_base(first.run, Runtime(device="cpu"))
    if max_length is not None:
        check_length(backbone, max_length, out)
    weights = _mean([one.run for one in members], backbone)
    with atomic_folder(target, replace=target.is_dir()) as part:
        file = part / "checkpoints" / first.run.checkpoint.name / "params.safetensors"
        file.parent.mkdir(parents=True)
        with usual_mode(file):
            save_file(weights, file)
        write_manifest(file.parent)
        described = _described(members, max_length) | name_record("base", first.run.base, target)
        (part / RUN).write_text(json.dumps(sealed(described), indent=1, ensure_ascii=False) + "\n", "utf-8")
        marks = [one.seen for one in members if one.seen]
        if len(marks) == len(members):  # else not all that they saw is known
            write_seen(part, merged(marks))
    return target


def _mean(runs: Sequence[Run], backbone: Backbone) -> dict[str, torch.Tensor]:
    """Return the mean of the body's parameters, a frozen one being its base's, and of what else all runs have.

    Weights are averaged as they are in use, with LoRA and warps in them.  Where all runs have these, so has the mean,
    and its weights are those that give the mean in use.
    """
    module = backbone.learner.module
    base = {**backbone.learner.body(), **backbone.learner.language_head()}
    total: dict[str, torch.Tensor] = {}
    met: dict[str, int] = {}
    for run in runs:
        learnt = weights_of(run, backbone)
        for name, value in {**learnt, **in_weights(learnt, module)}.items():
            if name.startswith("heads."):
                continue
            if name in total and total[name].shape != value.shape:
                raise MetaglotError(f"{run.checkpoint}: its {name} has another shape than in the runs before")
            change = value.float() - base[name].float() if name in base else value.float()
            total[name] = total[name] + change if name in total else change.clone()
            met[name] = met.get(name, 0) + 1
    mean = {
        name: value / len(runs) + base[name].float() if name in base else value / len(runs)
        for name, value in total.items()
        if name in base or met[name] == len(runs)
    }
    beside = {name: value for name, value in mean.items() if name.startswith(BESIDE)}
    mean |= out_of_weights(mean, beside, module)
    return {name: value.to(base[name].dtype) if name in base else value for name, value in mean.items()}


def _described(members: Sequence[Member], max_length: int | None) -> dict[str, Any]:
    described = {key: value for key, value in members[0].run.described.items() if key != "average_with_base"}
    for key in NAMED:
        described[key] = sorted({name for one in members for name in one.run.described.get(key, [])})
    for key in PRINTED:
        description: dict[str, Any] = {}
        for one in members:
            for name, value in dict(one.run.described.get(key, {})).items():
                own = name if description.get(name, value) == value else f"{name} of {one.folder.name}"
                description[own] = value
        described[key] = description
    described["max_length"] = max_length or max(one.run.max_length for one in members)
    described["average_of"] = [one.folder.name for one in members]
    return described
