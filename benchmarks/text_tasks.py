"""Meta-pre-training from raw text: arms of equal CPU time from one base model, judged on tasks never seen.

    METAGLOT_DATA=… python -m benchmarks.text_tasks --base builtin:tiny --out results/tiny
    … --arms untouched,mlm,smlmt-log --seeds 0 --minutes 2 --draws 2        a quick look
    … --arms mlm-averaged,smlmt-log-averaged       the same runs, their weights averaged half and half with the base
    … --arms scratch-plain,scratch-smlmt --out results/decoder             decoders of random weights
    … --set algorithm.name=fomaml --only smlmt-log --label smlmt-log-fomaml  a variation under a name of its own

Arms whose name begins with scratch- make a decoder of random weights; beside accuracy they show the steps to the same
held-out loss.  Every other arm goes on from one base.  All have the same optimiser and CPU minutes; SMLMT has a smaller
rate, which was chosen on dev (RATES in benchmarks/text/arms.py).  Arms with the plain objective go on from `warm`: the
base with its language-model head trained, the body frozen.  Judged are dev and leopard of $METAGLOT_DATA: by class
means at --shots, and by 40 gradient steps from them at --gradient-shots, without the names of classes.  Killed, the
same command goes on where it stopped.  OUT has runs, results.jsonl in `closed` and `gradient`, table.md, and pictures.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

from benchmarks.judging import parser_of, task_sets
from benchmarks.text.arms import ARMS, AVERAGED, WARM, from_scratch, needs_warm, plain_name, recipe_of
from benchmarks.text.curves import loss_picture, perplexities, steps_to_same_loss
from benchmarks.text.tables import gain_picture, tables
from benchmarks.text.train import numbers, trained, words
from metaglot.adaptation import Effort, Model, load_model
from metaglot.adaptation.load import load_encoder
from metaglot.config import Recipe, parse_recipe
from metaglot.errors import MetaglotError
from metaglot.evaluation import evaluate_into, read_results
from metaglot.evaluation.baselines.ours import ours
from metaglot.evaluation.protocol import Plan, TaskSet
from metaglot.evaluation.result import Result
from metaglot.evaluation.statistics import Scores, differences, macro_interval, t_interval
from metaglot.models.averaging import averaged

EFFORTS = {"closed": Effort(0), "gradient": Effort(40, 1e-4, 1e-4, 32, freeze=("embeddings",))}
AGAINST = ("untouched", "mlm", "scratch-plain")


def model_of(arm: str, seed: int, args: argparse.Namespace) -> Model:
    """Return the model of an arm, trained now if it is not yet."""
    if not ARMS[plain_name(arm)]:
        return Model(replace(load_encoder(args.base), max_length=args.length))
    if arm.endswith(AVERAGED):
        model, base = model_of(plain_name(arm), seed, args), load_encoder(args.base).backbone.learner.body()
        return Model(replace(model.encoder, meta=averaged(base, model.encoder.meta, 0.5)))
    base = args.base
    if needs_warm(arm):
        warm = args.out / "runs" / f"{WARM}-{seed}"
        trained(_recipe(WARM, args.base, seed, args.warm_minutes, args, ()), warm)
        base = str(warm)
    folder = args.out / "runs" / f"{args.label or arm}-{seed}"
    trained(_recipe(arm, base, seed, args.minutes, args, args.set), folder)
    return load_model(folder)


def _recipe(arm: str, base: str, seed: int, minutes: float, args: argparse.Namespace, changes: Sequence[str]) -> Recipe:
    values = recipe_of(arm, model=base, seed=seed, minutes=minutes, length=args.length)
    return parse_recipe(values, changes, where=f"arm {arm}")


def judged(model: Model, name: str, tasks: Sequence[TaskSet], args: argparse.Namespace) -> None:
    """Write the results of an arm at both efforts."""
    for kind, effort in EFFORTS.items():
        shots, draws = (args.shots, args.draws) if kind == "closed" else (args.gradient_shots, args.gradient_draws)
        (method,) = ours(model, [effort])
        plan = Plan(shots, draws or args.draws, args.queries, args.data_seed)
        for result in evaluate_into(args.out / kind, tasks, [replace(method, label=name)], plan) if shots else ():
            print(f"{name} {kind}: {result.task} {result.shot} shots {result.score:.3f}", file=sys.stderr)


def over_seeds(results: Sequence[Result], arm: str, shot: int, tasks: Sequence[str]) -> list[Scores]:
    """Return the accuracy of each task and draw, for each seed of an arm; of the draws that all its seeds have."""
    mine = [r for r in results if r.method.rpartition("@")[0] == arm and r.shot == shot and r.task in tasks]
    seeds = sorted({r.method for r in mine})
    found = [{(r.task, r.shot, r.draw): r.score for r in mine if r.method == seed} for seed in seeds]
    return _shared(found)


def _shared(found: Sequence[Scores]) -> list[Scores]:
    """Return the same keys of each."""
    keys = set[tuple[str, int, int]].intersection(*(set(one) for one in found)) if found else set()
    return [{key: one[key] for key in one if key in keys} for one in found] if keys else []


def mean_scores(seeds: Sequence[Scores]) -> Scores:
    """Return the mean over seeds of each task and draw."""
    return {key: fmean(one[key] for one in seeds) for key in seeds[0]}


def rows_of(args: argparse.Namespace, groups: Mapping[str, Sequence[TaskSet]]) -> Iterator[dict[str, Any]]:
    """Yield a row for each arm, group, effort and number of shots: the mean, seeds, and what it gains."""
    for kind in EFFORTS:
        file = args.out / kind / "results.jsonl"
        results = read_results(args.out / kind) if file.is_file() else []
        arms = list(dict.fromkeys(r.method.rpartition("@")[0] for r in results))
        for group, shot in product(groups, sorted({r.shot for r in results})):
            names = [task.name for task in groups[group]]
            found = {arm: over_seeds(results, arm, shot, names) for arm in arms}
            for arm, seeds in found.items():
                if seeds:
                    yield {"effort": kind, "group": group, "shot": shot, "arm": arm, **_row(arm, found)}


def _row(arm: str, found: Mapping[str, Sequence[Scores]]) -> dict[str, Any]:
    seeds = [fmean(one.values()) for one in found[arm]]
    gains = {other: _gain(found[arm], found[other]) for other in AGAINST if other != arm and found.get(other)}
    return {
        "mean": fmean(seeds),
        "seeds": seeds,
        "half_over_seeds": t_interval(seeds).half if len(seeds) > 1 else None,
        "gain": {other: gain for other, gain in gains.items() if gain is not None},
    }


def _gain(mine: Sequence[Scores], other: Sequence[Scores]) -> dict[str, Any] | None:
    """Return the paired gain in the macro mean, its interval over draws, and over seeds if there are several.

    Of the draws that both have, since one arm may have been judged on more; None where they have none.
    """
    both = _shared([*mine, *other])
    if not both:
        return None
    against = mean_scores(both[len(mine) :])
    draws = macro_interval(differences(mean_scores(both[: len(mine)]), against))
    seeds = [fmean(differences(one, against).values()) for one in both[: len(mine)]]
    over = t_interval(seeds) if len(seeds) > 1 else None
    return {
        "mean": draws.mean,
        "draws": [draws.low, draws.high],
        "seeds": None if over is None else [over.low, over.high],
    }


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = parser_of(__doc__)
    parser.set_defaults(groups=["leopard", "dev"], length=64)
    parser.add_argument("--base", default="builtin:tiny", help="a model, a folder or a run")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arms", "--only", type=words, default=[a for a in ARMS if not from_scratch(a)])
    parser.add_argument("--label", default="", help="another name for the one arm that --set changes")
    parser.add_argument("--seeds", type=numbers, default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, default=10.0, help="of CPU for each training")
    parser.add_argument("--warm-minutes", type=float, default=3.0, help="of CPU for a new language-model head")
    parser.add_argument("--gradient-shots", type=numbers, default=[8])
    parser.add_argument("--gradient-draws", type=int, default=0, help="by gradient steps, which are dear; as --draws")
    parser.add_argument("--data-seed", type=int, default=0, help="of draws and queries")
    parser.add_argument("--set", action="append", default=[], help="a change to the recipe of the arm")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(given)
    unknown = [arm for arm in args.arms if plain_name(arm) not in ARMS]
    if unknown:
        raise MetaglotError(f"unknown arm {unknown[0]!r}; there are: {', '.join(ARMS)}")
    baseless = [arm for arm in args.arms if arm.endswith(AVERAGED) and (from_scratch(arm) or not ARMS[plain_name(arm)])]
    if baseless:
        raise MetaglotError(f"{baseless[0]}: nothing was trained from a base there; leave {AVERAGED} out")
    if (args.label or args.set) and (len(args.arms) != 1 or not args.label):
        raise MetaglotError("--set changes one arm (--only ARM), under a name of its own (--label NAME)")
    return args


def main(given: Sequence[str] | None = None) -> None:
    args = arguments(given)
    groups = task_sets(args.groups, args.leave_out)
    tasks = [task for sets in groups.values() for task in sets]
    for seed in args.seeds:
        for arm in args.arms:
            name = f"{args.label or arm}@{seed if ARMS[plain_name(arm)] else 0}"
            judged(model_of(arm, seed, args), name, tasks, args)
    shown = {**groups, "all": tasks} if len(groups) > 1 else groups
    rows = list(rows_of(args, shown))
    said = "\n\n".join(filter(None, [tables(rows, AGAINST), perplexities(args.out), steps_to_same_loss(args.out)]))
    (args.out / "table.md").write_text(said + "\n", "utf-8")
    for group in shown:
        (args.out / f"{group}.svg").write_text(gain_picture(rows, group, AGAINST), "utf-8")
    (args.out / "loss.svg").write_text(loss_picture(args.out), "utf-8")
    print(json.dumps(rows) if args.json else said)


if __name__ == "__main__":
    try:
        main()
    except MetaglotError as error:
        sys.exit(f"text_tasks: {error}")
