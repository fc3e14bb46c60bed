"""What of a pair of texts to read: both in one pass, the texts apart, one alone, or as a trial on the examples decides.

    METAGLOT_DATA=… python -m benchmarks.pairs --out results/pairs
    METAGLOT_DATA=… python -m benchmarks.pairs --out results/pairs --models builtin:mini,RUN --sets rte,mrpc,qnli
    METAGLOT_DATA=… python -m benchmarks.pairs --out results/pairs --steps 6,20 --sets rte,mrpc,qnli,question --draws 4

Each set (`benchmarks/pair_sets.py`) is encoded once, and heads in closed form are made on draws of the same examples
for all ways.  Numbers are balanced accuracy in %.  With --steps, bodies move by so many gradient steps on both texts in
one pass, and heads are then made on either features.  With --write FOLDER, sets of pairs with open licences and a
recipe that trains on them are written, and nothing is measured.
"""

import argparse
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml

from benchmarks.multilabel import interval
from benchmarks.pair_sets import SETS, PairRow
from metaglot.adaptation import Model, load_model
from metaglot.adaptation.effort import EFFORTS
from metaglot.adaptation.encoder import PairChoice
from metaglot.adaptation.pair_choice import PAIR_CHOICES, PARTS, best_of, conflicts_of
from metaglot.data.examples import Examples, Inputs
from metaglot.families.classes.tools import ClassTools
from metaglot.families.classification import ClassificationFamily
from metaglot.families.records import Schema
from metaglot.families.support_units import support_units
from metaglot.seeds import generator

FAMILY, TOOLS = ClassificationFamily(), ClassTools()
OPEN = ("question", "passage", "summary")  # MIT, CC BY-SA 4.0, Apache-2.0
Scores = dict[str, float]


def inputs_of(rows: Sequence[PairRow]) -> Inputs:
    """Return the texts of some pairs."""
    return Inputs(tuple(row.first for row in rows), tuple(row.second for row in rows))


def draw_of(labels: np.ndarray, shot: int, draw: int, queries: int) -> tuple[list[int], list[int]]:
    """Return rows to learn from, as many of each label, and rows that are judged in every draw."""
    order = generator(draw, "pairs", shot).permutation(np.arange(queries, len(labels)))
    chosen = [order[labels[order] == label][:shot] for label in sorted(set(labels))]
    return [int(i) for i in np.concatenate(chosen)], list(range(queries))


def closed(model: Model, rows: Sequence[PairRow], shots: Sequence[int], draws: int, queries: int) -> Iterator[Scores]:
    """Yield the score of each way to read with a head in closed form, and the way that the rules choose."""
    encoder, labels = model.encoder, np.array([row.label for row in rows])
    classes = sorted(set(labels))
    numbers, schema = torch.tensor([classes.index(one) for one in labels]), Schema(tuple(classes), (0,) * len(classes))
    inputs = inputs_of(rows)
    features = {way: replace(encoder, reads=way).features(encoder.meta, inputs).cpu() for way in PARTS}
    features["apart"] = encoder.apart(inputs, *(features[part] for part in PARTS))
    for shot in shots:
        for draw in range(draws):
            at, to = draw_of(labels, shot, draw, queries)
            right: dict[str, float] = {}
            nats: dict[PairChoice, float] = {}
            for way in PAIR_CHOICES:
                units = support_units(features[way][at], numbers[at], is_class_name=False)
                head = FAMILY.solve(units, schema, encoder.metric).params
                scores = features[way][to] @ head["head.weight"].T + head["head.bias"]
                right[way] = balanced(scores.argmax(1).numpy(), numbers[to].numpy())
                nats[way] = TOOLS.over_chance(units, len(classes), encoder.metric)
            chosen = [rows[i] for i in at]
            conflicts = conflicts_of(Examples(inputs_of(chosen), tuple(row.label for row in chosen)))
            best, before = best_of(nats, conflicts), best_of({way: nats[way] for way in PARTS}, conflicts)
            yield {"shot": shot, **right, "before": right[before], "chosen": right[best], f"is {best}": 1.0}


def stepped(
    model: Model, rows: Sequence[PairRow], shots: Sequence[int], draws: int, queries: int, steps: Sequence[int]
) -> Iterator[Scores]:
    """Yield the score of either way to read after gradient steps; 0 steps are the closed form."""
    labels = np.array([row.label for row in rows])
    classes = sorted(set(labels))
    truth = np.array([classes.index(one) for one in labels])
    for shot in shots:
        for draw in range(draws):
            at, to = draw_of(labels, shot, draw, queries)
            right: Scores = {"shot": shot}
            inputs, asked = inputs_of([rows[i] for i in at]), inputs_of([rows[i] for i in to])
            for count in (0, *steps):
                effort = EFFORTS["instant"] if count == 0 else replace(EFFORTS["fast"], steps=count)
                for way in ("both", "apart"):
                    adapted = model.adapt(
                        inputs.texts, labels[at].tolist(), pairs=inputs.pairs, effort=effort, reads=way
                    )
                    found = adapted.predict_proba(asked.texts, asked.pairs).argmax(1)
                    right[f"{way}, {count} steps"] = balanced(found, truth[to])
            yield right


def balanced(found: np.ndarray, truth: np.ndarray) -> float:
    """Return the mean over classes of the share that is right, in %."""
    return 100 * float(np.mean([(found[truth == c] == c).mean() for c in np.unique(truth)]))


def table(cells: Mapping[str, Sequence[Scores]], shots: Sequence[int]) -> Iterator[str]:
    """Yield the lines of a table, sets that lose the most by what is compared first; ± is 95 % over draws."""
    one = next(iter(cells.values()))[0]
    ways = [name for name in one if name != "shot" and not name.startswith("is ")]
    new, old = ("chosen", "before") if "chosen" in ways else (ways[-1], ways[1])  # apart: the most steps, and none
    yield f"| set | shots | {' | '.join(ways)} | {new} − {old} | what is chosen |"
    yield f"|---|---:|{'---:|' * len(ways)}---:|---|"
    gains: list[tuple[float, str]] = []
    for name, every in cells.items():
        for shot in shots:
            here = [cell for cell in every if cell["shot"] == shot]
            gain = [cell[new] - cell[old] for cell in here]
            counts = {way: sum(f"is {way}" in cell for cell in here) for way in PAIR_CHOICES}
            which = " ".join(f"{count} {way}" for way, count in counts.items() if count)
            means = " | ".join(f"{np.mean([cell[way] for cell in here]):.1f}" for way in ways)
            gains.append((float(np.mean(gain)), f"| {name} | {shot} | {means} | {interval(gain)} | {which} |"))
    yield from (line for _, line in sorted(gains, key=lambda pair: pair[0]))


def write_open(folder: Path, root: Path) -> None:
    """Write the sets with open licences as files, and a recipe that trains on them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in OPEN:
        columns = zip(*SETS[name](root, 1200), strict=True)
        pq.write_table(
            pa.table(dict(zip(("text", "text_pair", "label"), map(list, columns), strict=True))),
            folder / f"{name}.parquet",
        )
    recipe = {
        "name": "pairs",
        "threads": 1,
        "model": {"name": "builtin:mini", "max_length": 64},
        "data": {"root": str(folder.resolve()), "mixture": "uniform", "train": list(OPEN)},
        "episodes": {"ways": [2, 2], "shots": [4, 8], "queries": 6, "max_support": 16, "max_query": 12},
        "algorithm": {"name": "protonet"},
        "training": {"steps": 100, "meta_batch": 2, "lr": 1e-4, "warmup": 10, "save_every": 100},
    }
    (folder / "pairs.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False), "utf-8")


def main() -> None:
    """Measure, and write `table-MODEL.md` and the rows of every draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--models", default="builtin:mini")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--shots", default="4,8,16")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--queries", type=int, default=250)
    parser.add_argument("--rows", type=int, default=500)
    parser.add_argument("--length", type=int, default=96)
    parser.add_argument("--steps", default="")
    parser.add_argument("--write", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    root, shots = Path(os.environ["METAGLOT_DATA"]), [int(one) for one in args.shots.split(",")]
    if args.write:
        return write_open(args.write, root)
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.models.split(","):
        model = load_model(name)
        assert isinstance(model, Model)
        model, cells = Model(replace(model.encoder, max_length=args.length)), dict[str, list[Scores]]()
        kind = f"{Path(name.replace(':', '-')).name}{'-steps' if args.steps else ''}"
        with (args.out / f"{kind}.jsonl").open("w", encoding="utf-8") as file:
            for one in args.sets.split(","):
                given = SETS[one](root, args.rows), shots, args.draws, args.queries
                scores = (
                    stepped(model, *given, list(map(int, args.steps.split(","))))
                    if args.steps
                    else closed(model, *given)
                )
                for cell in scores:
                    cells.setdefault(one, []).append(cell)
                    print(json.dumps({"set": one, **cell}), file=file, flush=True)
        lines = list(table(cells, shots))
        (args.out / f"table-{kind}.md").write_text("\n".join(lines) + "\n", "utf-8")
        print("\n".join(lines), flush=True)
    return None


if __name__ == "__main__":
    main()
