"""Learnt updates on tasks that drift: REML beside tuned gradient descent, MAML and learnt rates.

    METAGLOT_DATA=… python -m benchmarks.drift rows.jsonl            # minutes of one core a kind of task
    python -m benchmarks.drift rows.jsonl --table                    # the tables of docs/results/drift.md

A support set is a stream of eight parts; an inner step meets one part, and never those before.  The query comes after
the end.  The world is small, so that all methods can be trained on it: features of builtin:minilm (or synthetic ones),
64 principal components, then a learnt linear map W and a learnt start V of the head; all of it moves in the inner loop.

    moving    synthetic: means of three classes that walk at random in 64 dimensions; each task has its own
    sliding   three labels that slide from one intent to another (clinc150 to train, banking77 to test)
    still     the same labels without the slide
    taste     a user of MovieLens: films that the user rated above the own median so far, or not; later films are judged
"""

import argparse
import json
import os
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from benchmarks.drift_tasks import NAMES, PARTS, Mapped, World, world_of
from metaglot.algorithms import GradientBased
from metaglot.evaluation.statistics import Interval, t_interval
from metaglot.inner import LayerRates, Recurrent, Sgd, Unrolled, first_order
from metaglot.models import All, Prototypes, Zeros
from metaglot.seeds import fold
from metaglot.training import Optimisation
from metaglot.training.loop import train
from metaglot.training.state import initial_state
from metaglot.types import Batch, Learner, Params, Problem, TaskDistribution

RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
FACTORS = (0.1, 0.3, 1.0, 3.0, 10.0)  # of the rate of what was trained, tuned again afterwards
ALONE = "start alone"
VALIDATION, TEST = 30_001, 30_002  # seeds of the episodes


def learners(rate: float) -> dict[str, GradientBased]:
    """Return the methods that are trained, at the rate that suits gradient descent best."""
    plain = GradientBased(All(), Zeros(), Sgd(lr=rate), PARTS, Unrolled(), dropout=False, stream=True)
    return {
        ALONE: replace(plain, rule=Sgd(lr=0.0), estimator=first_order),
        "FOMAML": replace(plain, estimator=first_order),
        "MAML": plain,
        "learnt rates": replace(plain, rule=LayerRates(lr=rate, per_step=True)),
        "REML": replace(plain, rule=Recurrent(lr=rate)),
    }


def judged(algorithm: GradientBased, learner: Mapped, meta: Params, tasks: TaskDistribution, seed: int, count: int):
    """Return accuracy of each episode, and the mean loss."""
    right, losses = list[float](), list[float]()
    for n in range(count):
        episode = tasks(seed, n, {})
        problem = Problem(learner, episode.objective, episode.task)  # pyright: ignore[reportArgumentType]
        fast = algorithm.adapt(problem, meta, episode.support, seed=0)
        with torch.no_grad():
            found = episode.objective.metrics(problem.logits({**meta, **fast.params}, episode.query), episode.query)
        right.append(found["accuracy"])
        losses.append(found["loss"])
    return right, float(np.mean(losses))


def tuned(algorithm: GradientBased, world: World, meta: Params, count: int, factors: Sequence[float]) -> GradientBased:
    """Return the algorithm with its inner rate times the factor that does best on the episodes to tune on."""
    rule = cast("Any", algorithm.rule)  # every rule has a rate
    made = {factor: replace(algorithm, rule=replace(rule, lr=rule.lr * factor)) for factor in factors}
    found = {
        f: np.mean(judged(one, world.learner, meta, world.validation, VALIDATION, count)[0]) for f, one in made.items()
    }
    return made[max(found, key=lambda factor: found[factor])]


def trained(algorithm: GradientBased, world: World, seed: int, steps: int) -> Params:
    """Return the meta-parameters after so many steps of four episodes."""
    learner = cast("Learner", world.learner)  # it generates no text
    first = initial_state(algorithm, learner, world.train.tasks, seed=seed)
    options = Optimisation(steps=steps, lr=3e-3, algorithm_lr=1e-2, warmup=10, weight_decay=0.0)
    last = deque(train(first, world.train, algorithm, learner, options), maxlen=1)
    return last.pop()[0].params


def measured(name: str, world: World, args: argparse.Namespace, write: Callable[[dict[str, object]], None]) -> None:
    """Write the accuracies of every method on the test episodes."""

    def put(method: str, seed: int, algorithm: GradientBased, meta: Params, spent: float) -> None:
        right, loss = judged(algorithm, world.learner, meta, world.test, TEST, args.episodes)
        row = {"task": name, "method": method, "seed": seed, "accuracy": right, "loss": loss, "cpu": round(spent, 1)}
        write(row)
        print(
            f"{name:8} {method:22} seed {seed}: {100 * np.mean(right):.1f} {loss:.3f} ({spent:.0f} CPU-s)", flush=True
        )

    body = dict(world.learner.body())
    descent = tuned(learners(1.0)["MAML"], world, body, args.tuning, RATES)
    rate = cast("Any", descent.rule).lr
    for head, share in (("all", 1.0), ("last quarter", 0.25)):
        put(f"class means, {head}", 0, replace(descent, head=Latest(share), steps=0, stream=False), body, 0.0)
    put("SGD", 0, descent, body, 0.0)
    for seed in range(args.seeds):
        for method, algorithm in learners(rate).items():
            if method == ALONE and name != "taste":
                continue  # labels mean another thing in each task: nothing to learn without adapting
            before = time.process_time()
            meta = trained(algorithm, world, fold(seed, name), args.steps)
            spent = time.process_time() - before
            if method == ALONE:
                put(method, seed, algorithm, meta, spent)
                put(
                    "SGD from that start",
                    seed,
                    tuned(learners(1.0)["MAML"], world, meta, args.tuning, RATES),
                    meta,
                    spent,
                )
            else:
                put(method, seed, tuned(algorithm, world, meta, args.tuning, FACTORS), meta, spent)
    print(f"{name}: the rate of gradient descent is {rate}")


@dataclass(frozen=True)
class Latest(Prototypes):
    """The class means of the last part of a stream."""

    share: float = 1.0

    def __init__(self, share: float) -> None:
        object.__setattr__(self, "share", share)

    def start(self, problem: Problem, meta: Params, support: Batch, *, seed: int | None = None) -> Params:
        """Return the layer of the class means of the last examples."""
        count = len(support["labels"])
        last = {key: value[count - round(self.share * count) :] for key, value in support.items()}
        return super().start(problem, meta, last, seed=seed)


def table(rows: Sequence[Mapping[str, object]]) -> str:
    """Return a table for each kind of task: accuracy, and REML's lead with its interval over tasks and over seeds."""
    lines: list[str] = []
    for task in dict.fromkeys(str(row["task"]) for row in rows):
        lines += [f"### {task}", "", "| method | accuracy, % | spread over seeds | REML − it | over seeds | CPU-s |"]
        lines += ["|---|---:|---:|---:|---:|---:|"]
        mine = {
            m: [r for r in rows if r["task"] == task and r["method"] == m]
            for m in dict.fromkeys(str(r["method"]) for r in rows if r["task"] == task)
        }
        reml = np.array([row["accuracy"] for row in mine["REML"]])
        for method, found in mine.items():
            values = np.array([row["accuracy"] for row in found])
            seeds = 100 * values.mean(1)
            lead = reml - (values if len(values) == len(reml) else values[:1])
            over_tasks, over_seeds = (
                t_interval((100 * lead.mean(0)).tolist()),
                t_interval((100 * lead.mean(1)).tolist()),
            )
            spread = f"{seeds.min():.1f}–{seeds.max():.1f}" if len(seeds) > 1 else "–"
            leads = (_shown(over_tasks), _shown(over_seeds)) if method != "REML" else ("", "")
            cpu = np.mean([float(cast("float", row["cpu"])) for row in found])
            lines.append(f"| {method} | {seeds.mean():.1f} | {spread} | {leads[0]} | {leads[1]} | {cpu:.0f} |")
        lines.append("")
    return "\n".join(lines)


def _shown(one: Interval) -> str:
    return f"{one.mean:+.1f} [{one.low:+.1f}, {one.high:+.1f}]"


def main(given: Sequence[str] | None = None) -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("rows", type=Path)
    parser.add_argument("--tasks", default=",".join(NAMES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--tuning", type=int, default=100)
    parser.add_argument("--table", action="store_true")
    args = parser.parse_args(given)
    if args.table:
        print(table([json.loads(line) for line in args.rows.read_text("utf-8").splitlines()]))
        return
    torch.set_num_threads(1)
    with args.rows.open("a", encoding="utf-8") as file:

        def write(row: dict[str, object]) -> None:
            file.write(json.dumps(row) + "\n")
            file.flush()

        for name in args.tasks.split(","):
            measured(name, world_of(name, Path(os.environ.get("METAGLOT_DATA", "."))), args, write)


if __name__ == "__main__":
    main()
