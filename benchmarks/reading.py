"""Which part of a pair the adaptation reads: what that is worth where a part tells, and costs where it does not.

Kinds of names within sentences (three languages of masakhaner: the second text is the name), and tasks on how two texts
agree (rte, mrpc, qnli): in closed form, reading both, the first alone, the second alone, and as chosen.

    python benchmarks/reading.py --draws 5
"""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from metaglot.adaptation import load_model
from metaglot.adaptation.reading import READS
from metaglot.seeds import generator

Rows = list[tuple[str, str, str]]  # first text, second, label
PAIRS, LANGUAGES = ("rte", "mrpc", "qnli-dev"), ("swa", "hau", "pcm")
MOST, QUERIES = 1500, 100  # rows of a set, and judged of a draw


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


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="builtin:minilm")
    parser.add_argument("--shots", default="4,8,16")
    parser.add_argument("--draws", type=int, default=5)
    args = parser.parse_args()
    root, model = Path(os.environ["METAGLOT_DATA"]), load_model(args.model)
    sets = {name: agreeing(name, root) for name in PAIRS} | {
        f"names, {lang}": names_in(lang, root) for lang in LANGUAGES
    }
    print("| set | shots | both | first | second | as chosen | which |\n|---|---:|---:|---:|---:|---:|---|")
    for name, rows in sets.items():
        kept = [rows[i] for i in generator(0, "rows", name).permutation(len(rows))[:MOST]]
        labels = np.array([label for _, _, label in kept])
        for shot in map(int, args.shots.split(",")):
            right: dict[str, list[float]] = {part: [] for part in (*READS, "chosen")}
            which = dict.fromkeys(READS, 0)
            for draw in range(args.draws):
                order = generator(draw, name, shot).permutation(len(kept))
                support = np.concatenate([order[labels[order] == label][:shot] for label in sorted(set(labels))])
                judged = np.setdiff1d(order, support)[:QUERIES]
                for part in (*READS, None):
                    texts, pairs, given = (list(column) for column in zip(*(kept[i] for i in support), strict=True))
                    adapted = model.adapt(texts, given, pairs=pairs, effort="instant", reads=part)
                    asked, beside, wanted = (list(column) for column in zip(*(kept[i] for i in judged), strict=True))
                    hits = [a == b for a, b in zip(adapted.predict(asked, beside), wanted, strict=True)]
                    right[part or "chosen"].append(100 * float(np.mean(hits)))
                    if part is None:
                        which[adapted.model.reads or "both"] += 1
            means = " | ".join(f"{np.mean(values):.1f}" for values in right.values())
            print(f"| {name} | {shot} | {means} | {' '.join(f'{n} {p}' for p, n in which.items() if n)} |", flush=True)


if __name__ == "__main__":
    main()
