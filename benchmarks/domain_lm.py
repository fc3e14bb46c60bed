"""Adapting a decoder to authors and domains it never met: perplexity after 0, 1, 5, 10 and more steps.

    METAGLOT_DATA=… python -m benchmarks.domain_lm --out results/domain-lm
    … --arms plain,fomaml --seeds 0 --minutes 2 --base-minutes 4 --episodes 2      a quick look

A decoder of 11 million parameters is trained from random weights on books (`base`); every arm goes on from it with the
same optimiser and CPU minutes, by the plain objective alone or with episodes of domain language modelling beside it.
The authors of TEST and VALIDATION are in no training.  For each arm and number of steps the rule (as trained, SGD,
Adam) and its rate are those with the least loss on the authors of VALIDATION; the inner rate of arms that meta-learn is
the one that suits `base` best.  An episode has --support blocks of 128 tokens to adapt to and --query others to judge.
Killed, the same command goes on where it stopped.  OUT has runs, results.jsonl, table.md and picture.svg.
"""

import argparse
import json
import math
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")

import torch

from benchmarks.text.arms import DECODER
from benchmarks.text.train import numbers, trained, words
from benchmarks.text.unseen import Trained, candidates, load_trained, losses, unseen
from metaglot.config import Recipe, parse_recipe
from metaglot.errors import MetaglotError
from metaglot.evaluation.statistics import Scores, differences, macro_interval
from metaglot.report.drawing.lines import Series, line_chart
from metaglot.tasks.domain_lm import Passages
from metaglot.types import Episode

TEST = ("Jane Austen", "Jules Verne", "Mark Twain", "Plato", "python-enhancement-proposals")
VALIDATION = ("Charles Darwin", "Herman Melville", "Lewis Carroll")
BASE, LENGTH = "base", 128
ARMS: Mapping[str, dict[str, Any]] = {
    "plain": {"name": "joint"},
    "fomaml": {"name": "fomaml", "options": {"steps": 5}},
    "rates": {"name": "maml++", "options": {"steps": 5, "estimator": "first-order"}},
    "reptile": {"name": "reptile", "options": {"steps": 5}},
}
"""The algorithm of each arm; those that meta-learn get their inner rate from `base`."""


def recipe_of(arm: str, seed: int, rate: float, args: argparse.Namespace) -> Recipe:
    """Return the recipe of an arm, or of the base."""
    plain = {"kind": "plain", "batch": 8}
    domains = {"kind": "domain-lm", "support": args.support, "query": args.query}
    algorithm = ARMS["plain"] if arm == BASE else ARMS[arm]
    meta = algorithm["name"] != "joint"
    if meta:
        algorithm = {**algorithm, "options": {**algorithm["options"], "lr": rate}}
    corpus = {"path": "books", "without_domains": [*TEST, *VALIDATION]}
    base = {"scratch": DECODER} if arm == BASE else {"name": str(args.out / "runs" / BASE)}
    values = {
        "name": f"{arm}-{seed}",
        "seed": seed,
        "threads": 1,
        "model": {**base, "max_length": 64},
        "text": {"root": "$METAGLOT_DATA/text", "corpora": [corpus], "length": LENGTH},
        "tasks": [{**plain, "weight": 0.5}, {**domains, "weight": 0.5}] if meta else [plain],
        "algorithm": algorithm,
        "training": {
            "steps": 1_000_000,  # the budget ends it
            "meta_batch": 4,
            "lr": 1e-3 if arm == BASE else 3e-4,
            "algorithm_lr": 1e-2,
            "warmup": 100 if arm == BASE else 20,
            "schedule": "constant",
            "save_every": 25,
        },
        "validation": {"every": 50, "batches": 16},
        "budget": {"cpu_minutes": args.base_minutes if arm == BASE else args.minutes},
    }
    return parse_recipe(values, (), where=f"arm {arm}")


def chosen(name: str, model: Trained, args: argparse.Namespace) -> dict[int, str]:
    """Return the rule with the least validation loss at each number of steps; kept in OUT/chosen."""
    file = args.out / "chosen" / f"{name}.json"
    if not file.is_file():
        tune = _authors(model, VALIDATION, args.tuning_episodes, args)
        found = {}
        for rule_name, rule in candidates(model).items():
            found[rule_name] = _mean([losses(model, rule, episode, args.steps) for _, _, episode in tune])
            print(f"{name}: {rule_name} {_perplexities(found[rule_name])}", file=sys.stderr)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    found = json.loads(file.read_text("utf-8"))
    return {step: min(found, key=lambda rule: found[rule][str(step)]) for step in args.steps}


def inner_rate(args: argparse.Namespace) -> float:
    """Return the rate of plain descent that suits the base best after five steps, or the last mark."""
    found = json.loads((args.out / "chosen" / f"{BASE}.json").read_text("utf-8"))
    mark = "5" if 5 in args.steps else str(max(args.steps))
    best = min((rule for rule in found if rule.startswith("SGD")), key=lambda rule: found[rule][mark])
    return float(best.removeprefix("SGD "))


def judged(arm: str, seed: int, args: argparse.Namespace) -> None:
    """Write the test losses of an arm, if they are not there yet."""
    done = {(r["arm"], r["seed"]) for r in _results(args.out)}
    if (arm, seed) in done:
        return
    model = load_trained(args.out / "runs" / f"{arm}-{seed}")
    # One choice for an arm, not for a seed: what a user could do once.
    rules = chosen(arm, model, args)
    rows = []
    episodes = _authors(model, TEST, args.episodes, args)
    for name in dict.fromkeys(rules.values()):
        marks = [step for step in args.steps if rules[step] == name]
        for author, n, episode in episodes:
            for step, loss in losses(model, candidates(model)[name], episode, marks).items():
                rows.append(
                    {"arm": arm, "seed": seed, "author": author, "n": n, "steps": step, "rule": name, "loss": loss}
                )
    with (args.out / "results.jsonl").open("a", encoding="utf-8") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))


def _authors(
    model: Trained, authors: Sequence[str], count: int, args: argparse.Namespace
) -> list[tuple[str, int, Episode]]:
    shape = Passages(args.support, args.query)
    root = "$METAGLOT_DATA/text"
    return unseen(model.backbone, root, authors, shape=shape, count=count, length=LENGTH)


def _results(out: Path) -> list[dict[str, Any]]:
    file = out / "results.jsonl"
    return [json.loads(line) for line in file.read_text("utf-8").split("\n") if line] if file.is_file() else []


def _mean(found: Sequence[Mapping[int, float]]) -> dict[int, float]:
    return {step: fmean(one[step] for one in found) for step in found[0]}


def _perplexities(found: Mapping[int, float]) -> str:
    return " ".join(f"{step}: {math.exp(loss):.1f}" for step, loss in found.items())


def scores(rows: Sequence[Mapping[str, Any]], arm: str, step: int) -> Scores:
    """Return the loss of each author and episode, mean over seeds."""
    mine = [row for row in rows if row["arm"] == arm and row["steps"] == step]
    keys = dict.fromkeys((row["author"], row["n"]) for row in mine)
    return {(a, step, n): fmean(r["loss"] for r in mine if (r["author"], r["n"]) == (a, n)) for a, n in keys}


def seed_means(rows: Sequence[Mapping[str, Any]], arm: str, step: int) -> list[float]:
    """Return the mean loss of each seed."""
    mine = [row for row in rows if row["arm"] == arm and row["steps"] == step]
    return [fmean(r["loss"] for r in mine if r["seed"] == seed) for seed in sorted({r["seed"] for r in mine})]


def table(rows: Sequence[Mapping[str, Any]], steps: Sequence[int]) -> Iterator[str]:
    """Yield lines of Markdown: perplexities, and each arm's change beside plain at the same steps, in per cent."""
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    yield "| arm | " + " | ".join(f"{step} steps" for step in steps) + " |"
    yield "|---|" + "---:|" * len(steps)
    for arm in arms:
        cells = []
        for step in steps:
            mine = scores(rows, arm, step)
            seeds = [math.exp(loss) for loss in seed_means(rows, arm, step)]
            spread = f" ({min(seeds):.1f}-{max(seeds):.1f})" if len(seeds) > 1 else ""
            cells.append(f"{math.exp(fmean(mine.values())):.1f}{spread}")
        yield f"| {arm} | " + " | ".join(cells) + " |"
    if "plain" not in arms:
        return
    yield ""
    yield "| perplexity over plain, % | " + " | ".join(f"{step} steps" for step in steps) + " |"
    yield "|---|" + "---:|" * len(steps)
    for arm in arms:
        if arm == "plain":
            continue
        gains = [macro_interval(differences(scores(rows, arm, s), scores(rows, "plain", s))) for s in steps]
        cells = [f"{_per_cent(g.mean):+.1f} [{_per_cent(g.low):+.1f}, {_per_cent(g.high):+.1f}]" for g in gains]
        yield f"| {arm} | " + " | ".join(cells) + " |"


def by_author(rows: Sequence[Mapping[str, Any]], steps: Sequence[int]) -> Iterator[str]:
    """Yield lines of Markdown: perplexity of each author at the first mark and the others."""
    yield "| author | arm | " + " | ".join(f"{step} steps" for step in steps) + " |"
    yield "|---|---|" + "---:|" * len(steps)
    for author in dict.fromkeys(row["author"] for row in rows):
        mine = [row for row in rows if row["author"] == author]
        for arm in dict.fromkeys(row["arm"] for row in mine):
            cells = [f"{math.exp(fmean(scores(mine, arm, step).values())):.1f}" for step in steps]
            yield f"| {author} | {arm} | " + " | ".join(cells) + " |"


def picture(rows: Sequence[Mapping[str, Any]], steps: Sequence[int]) -> str:
    """Return perplexity against steps, a line for each arm, as SVG."""
    lines = []
    for style, arm in enumerate(dict.fromkeys(row["arm"] for row in rows)):
        found = [math.exp(fmean(scores(rows, arm, step).values())) for step in steps]
        lines.append(Series(arm, [float(step) for step in steps], found, style=style))
    return line_chart(lines, title="Perplexity on authors never met", x="adaptation steps", marks=list(steps))


def _per_cent(difference: float) -> float:
    return 100 * math.expm1(difference)


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--arms", type=words, default=list(ARMS))
    parser.add_argument("--seeds", type=numbers, default=[0, 1, 2])
    parser.add_argument("--minutes", type=float, default=10.0, help="of CPU for each arm")
    parser.add_argument("--base-minutes", type=float, default=20.0, help="of CPU for what all arms start from")
    parser.add_argument("--support", type=int, default=4, help="blocks to adapt to")
    parser.add_argument("--query", type=int, default=4, help="blocks to judge")
    parser.add_argument("--steps", type=numbers, default=[0, 1, 5, 10, 30], help="numbers of adaptation steps")
    parser.add_argument("--episodes", type=int, default=5, help="of each test author")
    parser.add_argument("--tuning-episodes", type=int, default=2, help="of each validation author")
    args = parser.parse_args(given)
    args.out = args.out.resolve()
    unknown = [arm for arm in args.arms if arm not in ARMS]
    if unknown:
        raise MetaglotError(f"unknown arm {unknown[0]!r}; there are: {', '.join(ARMS)}")
    return args


def check_settings(args: argparse.Namespace) -> None:
    """Keep what the numbers depend on in OUT/settings.json; refuse a folder that was begun with something else."""
    names = ("minutes", "base_minutes", "support", "query", "steps", "episodes", "tuning_episodes")
    wanted = {name: getattr(args, name) for name in names}
    file = args.out / "settings.json"
    args.out.mkdir(parents=True, exist_ok=True)
    held = json.loads(file.read_text("utf-8")) if file.is_file() else wanted
    if other := [name for name in names if held.get(name) != wanted[name]]:
        raise MetaglotError(f"{file}: {other[0]} is {held.get(other[0])}, not {wanted[other[0]]}; use another --out")
    file.write_text(json.dumps(wanted, indent=1) + "\n", "utf-8")


def main(given: Sequence[str] | None = None) -> None:
    args = arguments(given)
    check_settings(args)
    torch.set_num_threads(1)
    trained(recipe_of(BASE, 0, 0.0, args), args.out / "runs" / BASE)
    base = load_trained(args.out / "runs" / BASE)
    print(f"base: {chosen(BASE, base, args)}", file=sys.stderr)
    rate = inner_rate(args)
    for seed in args.seeds:
        for arm in args.arms:
            trained(recipe_of(arm, seed, rate, args), args.out / "runs" / f"{arm}-{seed}")
            judged(arm, seed, args)
    rows = _results(args.out)
    said = "\n".join([*table(rows, args.steps), "", *by_author(rows, args.steps)])
    (args.out / "table.md").write_text(said + "\n", "utf-8")
    (args.out / "picture.svg").write_text(picture(rows, args.steps), "utf-8")
    print(said)


if __name__ == "__main__":
    try:
        main()
    except MetaglotError as error:
        sys.exit(f"domain_lm: {error}")
