"""How well overlap between training and evaluation text is found: copies planted among real texts.

    METAGLOT_DATA=… python -m benchmarks.leakage [--json]

The training side is what recipes/english.yaml trains on.  In each evaluation set, 5 % of the rows are replaced by
training texts, half of them verbatim, half after one light edit: case, punctuation, a word dropped, replaced or swapped
with its neighbour, or a suffix of one or two words.  Recall is the share of planted rows found; a false alarm is a row
that was not planted and is called near.  The related sets are requests to assistants and short questions, as clinc150,
snips and qnli-dev are: there a near copy need not be a false alarm.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from metaglot.config import load_recipe
from metaglot.data.folding import folded
from metaglot.data.minhash import marks_of
from metaglot.data.readers import read_table
from metaglot.data.seen import Found, Part, Seen, find_seen, seen_of

UNRELATED = (
    *("leopard/airline", "leopard/conll", "leopard/political_bias", "leopard/political_audience"),
    *("dev/agnews-test", "dev/vader-tweets-nyt", "train/stackoverflow20", "train/thucnews-titles10"),
)
RELATED = ("dev/banking77", "dev/trec6", "train/hwu64")
EDITS = ("case", "punctuation", "drop", "replace", "swap", "suffix")
LENGTHS = ((0, 5), (5, 8), (8, 16), (16, 32), (32, 1 << 30))  # words
SHARE = 0.05


def edited(text: str, edit: str, rng: np.random.Generator, vocabulary: Sequence[str]) -> str:
    """Return the text after one light edit; a text of one word is only ever changed in case, points or suffix."""
    words = text.split()
    at = int(rng.integers(len(words))) if words else 0
    new = [str(word) for word in rng.choice(vocabulary, 2)]
    if edit == "case":
        return text.upper() if rng.random() < 0.5 else text.title()
    if edit == "punctuation":
        return " ".join(words[:at]) + ", " + " ".join(words[at:]) + "!"
    if edit == "suffix" or len(words) < 2:
        return " ".join([*words, *new[: int(rng.integers(1, 3))]])
    if edit == "drop":
        return " ".join(words[:at] + words[at + 1 :])
    if edit == "replace":
        return " ".join([*words[:at], new[0], *words[at + 1 :]])
    at = min(at, len(words) - 2)
    return " ".join([*words[:at], words[at + 1], words[at], *words[at + 2 :]])


def training(root: Path) -> list[Part]:
    """Return the rows of the sets of recipes/english.yaml."""
    recipe = load_recipe(Path(__file__).parents[1] / "recipes" / "english.yaml", [])
    parts = []
    for one in recipe.data.train:
        table = read_table(root / "train" / f"{one.path}.parquet")
        langs = table["lang"].to_pylist() if "lang" in table.column_names else [None] * table.num_rows
        rows = np.array([i for i, lang in enumerate(langs) if not one.languages or lang in (None, *one.languages)])
        parts.append(Part(one.path, table, rows, ()))
    return parts


def planted(table: pa.Table, texts: Sequence[str], rng: np.random.Generator) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """Return the table with 5 % of its rows replaced, the rows, and what was done to each ("exact" or an edit)."""
    own = table["text"].to_pylist()
    rows = rng.choice(len(own), round(SHARE * len(own)), replace=False)
    vocabulary = [word for i in rng.integers(len(texts), size=500) for word in texts[int(i)].split()]
    kinds = np.array(["exact" if i % 2 else EDITS[i // 2 % len(EDITS)] for i in range(len(rows))])
    for row, kind in zip(rows, kinds, strict=True):
        text = texts[int(rng.integers(len(texts)))]
        own[row] = text if kind == "exact" else edited(text, kind, rng, vocabulary)
    return pa.table({"text": own}), rows, kinds


def rate(hits: np.ndarray) -> dict[str, float]:
    return {"found": int(hits.sum()), "of": len(hits), "share": float(hits.mean()) if len(hits) else float("nan")}


def measure(
    root: Path, parts: Sequence[Part], *, unrelated: Sequence[str], related: Sequence[str], seed: int
) -> dict[str, object]:
    """Return recall and false alarms for copies of texts of `parts` planted in the evaluation sets named."""
    rng = np.random.default_rng(seed)
    began = time.process_time()
    seen = seen_of(parts)
    spent = time.process_time() - began
    # Rows without a second text: a copy of one text of a pair is no copy of the pair.
    texts = [t for p in parts for t, other in _rows(p) if other is None and folded(t)]
    hits: list[np.ndarray] = []
    kinds: list[np.ndarray] = []
    words: list[np.ndarray] = []
    alarms: dict[str, dict[str, float]] = {}
    for name in (*unrelated, *related):
        table = read_table(root / f"{name}.parquet")
        table = table.take(pa.array(rng.permutation(table.num_rows)[:4000])).select(["text"])
        before = find_seen(seen, table)
        changed, rows, how = planted(table, texts, rng)
        found = find_seen(seen, changed)
        hits.append(np.where(how == "exact", found.exact[rows], found.any[rows]))
        kinds.append(how)
        words.append(marks_of([folded(t) for t in changed.take(pa.array(rows))["text"].to_pylist()]).words)
        alarms[name] = _alarms(before, found, rows)
    return _summed(seen, spent, np.concatenate(hits), np.concatenate(kinds), np.concatenate(words)) | {
        "rows not planted": alarms,
        "false alarms on unrelated sets": _all([alarms[name] for name in unrelated]),
    }


def _rows(part: Part) -> list[tuple[str, str | None]]:
    chosen = part.table.take(pa.array(part.rows))
    pairs = chosen["text_pair"].to_pylist() if "text_pair" in chosen.column_names else [None] * chosen.num_rows
    return list(zip(chosen["text"].to_pylist(), pairs, strict=True))


def _alarms(before: Found, found: Found, rows: np.ndarray) -> dict[str, float]:
    others = np.setdiff1d(np.arange(len(found.near)), rows)
    assert (before.near[others] == found.near[others]).all()  # a row's verdict depends on the row alone
    return rate(found.near[others]) | {"exact": int(found.exact[others].sum())}


def _all(alarms: Sequence[dict[str, float]]) -> dict[str, float]:
    near, of = sum(one["found"] for one in alarms), sum(one["of"] for one in alarms)
    return {"found": near, "of": of, "share": near / of}


def _summed(seen: Seen, spent: float, hits: np.ndarray, kinds: np.ndarray, words: np.ndarray) -> dict[str, object]:
    light, moved = kinds != "exact", ~np.isin(kinds, ("exact", "case", "punctuation"))
    return {
        "training texts": seen.texts,
        "CPU seconds to hash them": round(spent, 1),
        "exact": rate(hits[kinds == "exact"]),
        "lightly edited": rate(hits[light]),
        "by edit": {edit: rate(hits[kinds == edit]) for edit in EDITS},
        "words edited, by words of the copy": {
            f"{low} to {high - 1}" if high < 1 << 20 else f"{low} or more": rate(
                hits[moved & (words >= low) & (words < high)]
            )
            for low, high in LENGTHS
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    root = Path(os.environ["METAGLOT_DATA"])
    found = measure(root, training(root), unrelated=UNRELATED, related=RELATED, seed=args.seed)
    if args.json:
        json.dump(found, sys.stdout, indent=1)
        print()
        return
    for name, value in found.items():
        if not isinstance(value, dict):
            print(f"{name}: {value}")
        elif "share" in value:
            print(f"{name}: {said(value)}")
        else:
            print(f"{name}:", *(f"  {inner:<28} {said(one)}" for inner, one in value.items()), sep="\n")


def said(one: dict[str, float]) -> str:
    more = f", {one['exact']} exact" if one.get("exact") else ""
    return f"{100 * one['share']:6.2f} %  ({one['found']} of {one['of']}{more})"


if __name__ == "__main__":
    main()
