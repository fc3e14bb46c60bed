"""Which part of a pair one pass reads: what that is worth where a part tells, and costs where it does not.

Kinds of names within sentences (conll of LEOPARD and three languages of masakhaner: the second text is the name), and
tasks on how two texts agree (rte, mrpc, qnli): in closed form, reading both, the first alone, the second alone, as
chosen, as was chosen before a part had to be better than chance too, and as chosen if no part could stand under several
labels.

    python -m benchmarks.reading --draws 40
"""

import argparse
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
import torch
from scipy.stats import t

from metaglot.adaptation import Model, load_model
from metaglot.adaptation.encoder import PairChoice
from metaglot.adaptation.pair_choice import PARTS, best_of, conflicts_of
from metaglot.data.examples import Examples, Inputs
from metaglot.families.classes.tools import ClassTools
from metaglot.families.classification import ClassificationFamily
from metaglot.families.heads.classes import held_out_score
from metaglot.families.records import Schema
from metaglot.families.support_units import SupportUnits, support_units
from metaglot.seeds import generator

Rows = list[tuple[str, str, str]]  # first text, second, label
PAIRS, LANGUAGES = ("rte", "mrpc", "qnli-dev"), ("swa", "hau", "pcm")
MOST, QUERIES = 1500, 300  # rows of a set, and those of them that are judged


def agreeing(name: str, root: Path) -> Rows:
    """Return the rows of a set on how two texts agree."""
    plain = pq.read_table(root / "train" / f"{name}.parquet", columns=["text", "text_pair", "label"]).to_pydict()
    return list(zip(plain["text"], plain["text_pair"], map(str, plain["label"]), strict=True))


def names_in(language: str, root: Path) -> Rows:
    """Return sentences, each with a name that stands in it and the kind of the name."""
    table = pq.read_table(root / "tagging" / "masakhaner.parquet")
    return [
        (" ".join(tokens), " ".join(tokens[start:end]), kind)
        for row in table.to_pylist()
        if row["lang"] == language
        for tokens in [row["tokens"].split(" ")]
        for start, end, kind in spans(row["tags"].split(" "))
    ]


def spans(tags: list[str]) -> Iterator[tuple[int, int, str]]:
    """Yield start, end and kind of each name in BIO tags."""
    for start, tag in enumerate(tags):
        if tag.startswith("B-"):
            end = start + 1
            while end < len(tags) and tags[end] == f"I-{tag[2:]}":
                end += 1
            yield start, end, tag[2:]


def conll(root: Path) -> tuple[list[Rows], Rows]:
    """Return the support sets of LEOPARD's conll, and its questions."""
    rows = pq.read_table(root / "leopard" / "conll.parquet").to_pylist()
    found: dict[tuple[int, int], Rows] = {}
    for row in rows:
        if row["part"] == "support":
            found.setdefault((row["shot"], row["draw"]), []).append((row["text"], row["text_pair"], row["label"]))
    asked = [(row["text"], row["text_pair"], row["label"]) for row in rows if row["part"] == "query"]
    return list(found.values()), asked


def draws_of(name: str, root: Path, shots: list[int], draws: int) -> tuple[list[Rows], Rows]:
    """Return support sets, and the rows that are judged."""
    if name == "conll":
        supports, asked = conll(root)
        order = generator(0, "rows", name).permutation(len(asked))
        sizes = {shot * len({label for *_, label in asked}) for shot in shots}
        return [rows for rows in supports if len(rows) in sizes], [asked[i] for i in order[:QUERIES]]
    rows = agreeing(name, root) if name in PAIRS else names_in(name, root)
    kept = [rows[i] for i in generator(0, "rows", name).permutation(len(rows))[:MOST]]
    asked, rest = kept[:QUERIES], kept[QUERIES:]
    labels, supports = np.array([label for _, _, label in rest]), []
    for shot in shots:
        for draw in range(draws):
            order = generator(draw, name, shot).permutation(len(rest))
            chosen = np.concatenate([order[labels[order] == label][:shot] for label in sorted(set(labels))])
            supports.append([rest[i] for i in chosen])
    return supports, asked


class Cell(NamedTuple):
    """What was right, in percent, with one support set."""

    shot: int
    right: dict[str, float]  # by the part that is read, and "chosen", "before", "strict"
    which: dict[str, str]  # the part that each of these three ways to choose reads


def judged(model: Model, supports: list[Rows], asked: Rows) -> Iterator[Cell]:
    """Yield a cell for each support set; the features of a text are made once."""
    every = sorted({row[:2] for rows in (*supports, asked) for row in rows})
    place = {pair: i for i, pair in enumerate(every)}
    inputs = Inputs.of(*zip(*every, strict=True))
    features = {part: replace(model.encoder, reads=part).features(model.encoder.meta, inputs) for part in PARTS}
    for rows in supports:
        classes = sorted({label for *_, label in rows})
        numbers = torch.tensor([classes.index(label) for *_, label in rows])
        family, schema = ClassificationFamily(), Schema(tuple(classes), (0,) * len(classes))
        wanted = torch.tensor([classes.index(label) for *_, label in asked])
        at, to = ([place[row[:2]] for row in of] for of in (rows, asked))
        known: dict[PairChoice, SupportUnits] = {
            part: support_units(features[part][at], numbers, is_class_name=False) for part in PARTS
        }
        right: dict[str, float] = {}
        for part in PARTS:
            head = family.solve(known[part], schema, model.encoder.metric).params
            found = (features[part][to] @ head["head.weight"].T + head["head.bias"]).argmax(1)
            right[part] = 100 * float((found == wanted).double().mean())
        which = choices(known, rows, len(classes), model.encoder.metric)
        right |= {way: right[part] for way, part in which.items()}
        yield Cell(len(rows) // len(classes), right, which)


def choices(known: dict[PairChoice, SupportUnits], rows: Rows, classes: int, metric: str) -> dict[str, str]:
    """Return the part that is read as chosen now, as before (never compared with chance), and without any conflict."""
    first, second, labels = (list(column) for column in zip(*rows, strict=True))
    nats: dict[PairChoice, float] = {part: ClassTools().over_chance(known[part], classes, metric) for part in PARTS}
    conflicts = conflicts_of(Examples.of(first, labels, second))
    plain = {part: held_out_score(known[part], classes, metric).nats for part in PARTS}
    earlier: dict[PairChoice, float] = {part: plain[part] - plain["both"] for part in PARTS}
    return {
        "chosen": best_of(nats, conflicts),
        "before": best_of(earlier, dict.fromkeys(conflicts, 0.0)),
        "strict": best_of(nats, {part: float(share > 0) for part, share in conflicts.items()}),
    }


def interval(values: list[float]) -> str:
    """Return the mean and the half of its 95 % interval (Student's t over draws)."""
    half = float(t.ppf(0.975, len(values) - 1)) * float(np.std(values, ddof=1)) / len(values) ** 0.5
    return f"{np.mean(values):+.1f} ± {half:.1f}"


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="builtin:mini")
    parser.add_argument("--sets", default=",".join((*PAIRS, "conll", *LANGUAGES)))
    parser.add_argument("--shots", default="4,8,16")
    parser.add_argument("--draws", type=int, default=40)
    args = parser.parse_args()
    root, model = Path(os.environ["METAGLOT_DATA"]), load_model(args.model)
    shots = [int(shot) for shot in args.shots.split(",")]
    shown = (*PARTS, "before", "chosen", "strict")
    print(f"| set | shots | draws | {' | '.join(shown)} | chosen − before | which, before | which, chosen |")
    print("|---|---:|---:|" + "---:|" * len(shown) + "---:|---|---|")
    for name in args.sets.split(","):
        cells = list(judged(model, *draws_of(name, root, shots, args.draws)))
        for shot in shots:
            here = [cell for cell in cells if cell.shot == shot]
            means = " | ".join(f"{np.mean([cell.right[way] for cell in here]):.1f}" for way in shown)
            gain = interval([cell.right["chosen"] - cell.right["before"] for cell in here])
            ways = (Counter(cell.which[way] for cell in here) for way in ("before", "chosen"))
            which = " | ".join(" ".join(f"{n} {part}" for part, n in sorted(way.items())) for way in ways)
            print(f"| {name} | {shot} | {len(here)} | {means} | {gain} | {which} |", flush=True)


if __name__ == "__main__":
    main()
