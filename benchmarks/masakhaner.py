"""Names in news of five African languages that no training had, beside transfer from fifteen others, on equal draws.

    METAGLOT_DATA=… python -m benchmarks.masakhaner --meta RUN --joint RUN --out results/masakhaner [--only GROUP …]

RUN of --meta and of --joint are of `recipes/names.yaml`, the second one with `algorithm.name=joint`: one head over all
fifteen languages, whose four labels (PER, ORG, LOC, DATE) the five languages have too.  A shot is a sentence that has a
span of the type; supports are drawn from the parts for training and development, queries from that for tests.  Each
GROUP of methods has a folder in OUT; killed, the same command goes on where it stopped.
"""

import argparse
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import pyarrow.compute as pc
import torch

from benchmarks.models import load
from benchmarks.tag_heads import HeadedFineTune, Rates, Transferred, of_run
from benchmarks.tagging import Dictionary, WordLR
from metaglot.data.readers import read_table
from metaglot.data.task_kind import cells_of
from metaglot.evaluation import Plan, TaskSet, evaluate_into, read_results
from metaglot.evaluation.baselines import FeatureCache
from metaglot.evaluation.baselines.ours import Ours
from metaglot.evaluation.kinds import draws_by
from metaglot.evaluation.protocol import Limit
from metaglot.evaluation.result import Result
from metaglot.evaluation.statistics import t_interval
from metaglot.families.choose import family_called

LABELS = ("DATE", "LOC", "ORG", "PER")
LANGUAGES = ("bam", "hau", "luo", "wol", "zul")  # Mande, Chadic, Nilotic, Atlantic, and Bantu beside its kin
MIDDLE = (7, 8, 9)  # of 12 layers
LOWER = ("embeddings", *(f"layer.{n}." for n in range(6)))  # what does not move, in meta-training neither
TUNED = Rates(steps=20, lr=1e-4, head_lr=1e-4)
TRANSFER = Rates(steps=20, lr=1e-4, head_lr=1e-2)  # on ibo as good as 40 steps, and as 3e-4 and 3e-2
DEAR = ("finetune", "joint-finetune")


def tasks_of(root: Path, languages: Sequence[str]) -> Iterator[TaskSet]:
    """Yield the task of each language."""
    family = family_called("tagging")
    table = read_table(root / "tagging" / "masakhaner.parquet", cells=cells_of("tagging"))
    for language in languages:
        own = table.filter(pc.equal(table["lang"], language))
        yield TaskSet(language, own, draws_by(own, family, seed=0), family=family)


def groups(meta: str, joint: str) -> Mapping[str, Callable[[], Sequence[Any]]]:
    """Return the methods by group."""

    def frozen() -> Sequence[Any]:
        e5, plain = load("builtin:e5"), load("builtin:multilingual")
        lr = [WordLR(e5, "lr-middle", MIDDLE), WordLR(plain, "lr")]
        return [Dictionary(), *lr, _effort(e5, "instant", "instant-e5"), _effort(plain, "instant", "instant")]

    def finetune() -> Sequence[Any]:
        encoder = load("builtin:multilingual").encoder
        return [HeadedFineTune(encoder, "finetune", None, {5: TUNED, 20: TUNED}, LOWER)]

    def transfer() -> Sequence[Any]:
        model, head = load(joint), of_run(joint, "masakhaner", LABELS)
        zero = [
            Transferred(model.encoder, f"joint-{name}", head, calibrated)
            for name, calibrated in (("zero-shot", False), ("calibrated", True))
        ]
        return [*zero, _effort(model, "instant", "joint-instant")]

    def transfer_finetune() -> Sequence[Any]:
        head = of_run(joint, "masakhaner", LABELS)
        return [HeadedFineTune(load(joint).encoder, "joint-finetune", head, {5: TRANSFER, 20: TRANSFER}, LOWER)]

    def transfer_stepped() -> Sequence[Any]:
        return [_effort(load(joint), "fast", "joint-fast")]

    def learnt() -> Sequence[Any]:
        return [_effort(load(meta), "instant", "ours-instant")]

    def stepped() -> Sequence[Any]:
        return [_effort(load(meta), "fast", "ours-fast")]

    every = (frozen, transfer, transfer_stepped, learnt, stepped, transfer_finetune, finetune)
    return {one.__name__.replace("_", "-"): one for one in every}


def _effort(model: Any, effort: str, label: str) -> Ours:
    return Ours(model, effort, FeatureCache(model.encoder), label=label)


def table(results: Sequence[Result], shot: int, best: str) -> Iterator[str]:
    """Yield the lines of the table of a shot: span F1 by language, and what `best` gains, over languages."""
    rows = [one for one in results if one.shot == shot]
    tasks = sorted({one.task for one in rows})
    yield f"| {shot} sentences a type | {' | '.join(tasks)} | mean | ECE | CPU-s | {best} gains |"
    yield f"|---|{'---:|' * (len(tasks) + 4)}"
    cells = {(one.method, one.task, one.draw): one for one in rows}
    for method in dict.fromkeys(one.method for one in rows):
        mine = [one for one in rows if one.method == method]
        own = [[100 * one.score for one in mine if one.task == task] for task in tasks]
        each = [fmean(scores) if scores else float("nan") for scores in own]
        ece, seconds = 100 * fmean(one.metrics["span_ece"] for one in mine), fmean(one.cpu_seconds for one in mine)
        numbers = " | ".join(f"{value:.1f}" for value in (*each, fmean(each), ece, seconds))
        draws = f" ({len({one.draw for one in mine})} draw)" if method in DEAR else ""
        yield f"| {method}{draws} | {numbers} | {_gain(cells, tasks, best, method)} |"


def _gain(cells: Mapping[tuple[str, str, int], Result], tasks: Sequence[str], best: str, method: str) -> str:
    """Return the mean gain of `best` in points, with a 95 % interval over languages."""
    if method == best:
        return ""
    pairs = [
        [
            100 * (cells[best, task, draw].score - one.score)
            for (name, where, draw), one in cells.items()
            if (name, where) == (method, task) and (best, task, draw) in cells
        ]
        for task in tasks
    ]
    if not all(pairs):
        return ""
    found = t_interval([fmean(own) for own in pairs])
    return f"{found.mean:+.1f} ± {found.half:.1f}"


def main() -> None:
    """Run what is left of the evaluation, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--meta", required=True, help="a run of prototypes on the fifteen languages")
    parser.add_argument("--joint", required=True, help="a run with one head on the fifteen languages")
    parser.add_argument("--only", nargs="*", help="groups of methods to run; all if absent")
    parser.add_argument("--languages", nargs="*", default=list(LANGUAGES))
    parser.add_argument("--shots", type=int, nargs="*", default=[5, 20])
    parser.add_argument("--draws", type=int, default=2)
    parser.add_argument("--queries", type=int, default=60)
    parser.add_argument("--dear-draws", type=int, default=1, help="draws of what is fine-tuned for 20 steps")
    args = parser.parse_args()
    torch.set_num_threads(1)
    tasks = list(tasks_of(Path(os.environ["METAGLOT_DATA"]), args.languages))
    limits = tuple((name, Limit(draws=args.dear_draws)) for name in DEAR)
    plan = Plan(shots=args.shots, draws=args.draws, queries=args.queries, seed=0, limits=limits)
    every = groups(args.meta, args.joint)
    for name in every if args.only is None else args.only:
        for result in evaluate_into(args.out / name, tasks, every[name](), plan):
            print(json.dumps([*result.cell, round(result.score, 4), result.cpu_seconds]), flush=True)
    results = [one for name in every if (args.out / name).is_dir() for one in read_results(args.out / name)]
    best = next((m for m in ("ours-fast", "ours-instant") if any(one.method == m for one in results)), "")
    lines = [line for shot in args.shots for line in (*table(results, shot, best), "")]
    (args.out / "table.md").write_text("\n".join(lines), "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
