"""English to German, Galician and Slovak from random weights: what size, text and time would be needed.

    METAGLOT_DATA=… python -m benchmarks.writing.curve --out results/curve [--sizes d48 d96] [--texts three]

Strings of Django's interface.  The English ones that are judged (`benchmarks/locales.py`) stand in no training pair; 96
of them are judged, in each of the three languages.  An encoder–decoder (T5, two layers each) over a shared byte-level
BPE of 2,048 tokens learns to write the string of a language for its name and the English one.  It learns from the other
strings, in

    three    the three languages
    twenty   those and 17 others of Europe that are written in Latin letters
    all      every locale

Each cell, a size and a text, trains for CPU seconds up to the last of STOPS; at each of these the loss a token is
taken.  Cells that are done are not done again.  Table, fits and picture (`benchmarks/writing/curve_fit.py`) are made
of `rows.jsonl`.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from math import log
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

import numpy as np
import torch

from benchmarks.locales import is_judged, locales, nearest
from benchmarks.running import write_table
from benchmarks.writing.curve_fit import lines_of, picture_of
from benchmarks.writing.domains import FAMILY, table
from benchmarks.writing.learning import loss_on, with_meta
from benchmarks.writing.small_t5 import small_t5
from benchmarks.writing.tables import append, read_rows
from metaglot.adaptation.alike import nearest as alike
from metaglot.adaptation.continuing import Request, written
from metaglot.adaptation.encoder import Encoder
from metaglot.adaptation.writing import form_of
from metaglot.algorithms.joint import Joint
from metaglot.data.cache import data_dir
from metaglot.data.examples import Examples
from metaglot.decoding import Decoding
from metaglot.families.chrf import chrf
from metaglot.families.writing import Writing
from metaglot.seeds import fold, generator
from metaglot.tasks.passes import items_at
from metaglot.training.loop import Optimisation, train
from metaglot.training.state import State, initial_state
from metaglot.types import Episode, Record, Snapshot, TaskInfo

LANGUAGES = ("de", "gl", "sk")
TWENTY = (
    *LANGUAGES,
    "es",
    "pt",
    "fr",
    "it",
    "ca",
    "ro",
    "nl",
    "da",
    "sv",
    "nb",
    "cs",
    "pl",
    "hr",
    "sl",
    "fi",
    "hu",
    "et",
)
SIZES = {"0.3 M": (56, 3e-3), "0.9 M": (112, 2e-3), "2.9 M": (208, 1.5e-3), "7.7 M": (352, 1e-3)}  # width, rate
TEXTS: dict[str, tuple[str, ...]] = {"three": LANGUAGES, "twenty": TWENTY, "all": ()}
STOPS = (7.5, 15.0, 30.0, 60.0)  # CPU seconds of steps
VOCABULARY, BATCH, JUDGED, SUPPORT, MOST = 2048, 48, 96, 200, 40
LONGEST = 240  # characters of a pair that is learnt from: a long one would be padding for all others of its batch
TASK = TaskInfo("strings", "strings", ("text",), (0,), FAMILY.name)
Pairs = list[tuple[str, str]]


class Judged(NamedTuple):
    """What is judged of a language."""

    english: list[str]
    right: list[str]
    copied: dict[str, list[str]]  # by the baseline


def with_language(language: str, english: str) -> str:
    """Return a source."""
    return f"{language}: {english}"


def pairs_of(text: str) -> Pairs:
    """Return the training pairs, in the order of their table; no judged English string is among them."""
    judged = {row["source"] for row in table("translation/django") if is_judged(row["source"])}
    rows = [row for row in table("translation/django") if not row["target_lang"].startswith("en")]
    rows = [row for row in rows if row["target_lang"] in (TEXTS[text] or (row["target_lang"],))]
    kept = [row for row in rows if row["source"] not in judged and len(row["source"] + row["target"]) <= LONGEST]
    return [(with_language(row["target_lang"], row["source"]), row["target"]) for row in kept]


def judged_strings() -> dict[str, Judged]:
    """Return what is judged of each language: strings that all three have, and what copying gives for them."""
    root = data_dir()
    assert root is not None, "METAGLOT_DATA is not set"
    strings = locales(root)
    both = sorted(set.intersection(*(set(strings[one]) for one in LANGUAGES)))
    judged = [one for one in both if is_judged(one)]
    chosen = sorted(judged[i] for i in generator(0, "judged strings").permutation(len(judged))[:JUDGED])
    found: dict[str, Judged] = {}
    for language in LANGUAGES:
        own = strings[language]
        known = sorted(one for one in own if not is_judged(one))
        support = [known[i] for i in generator(fold(0, language), "support").permutation(len(known))[:SUPPORT]]
        others = {name: one for name, one in strings.items() if name[:2] != language}
        near = nearest(others, own, support)
        copied = {
            "English": chosen,
            f"nearest locale ({near})": [strings[near].get(one, one) for one in chosen],
            "nearest of 200 strings": [own[support[at[0]]] for at in alike(chosen, support, 1)],
        }
        found[language] = Judged(chosen, [own[one] for one in chosen], copied)
    return found


@dataclass(frozen=True)
class Batches:
    """Episode n is the n-th batch of shuffled passes over the pairs; `Joint` learns from both its halves at once."""

    pairs: Pairs
    encoder: Encoder

    @property
    def tasks(self) -> Sequence[TaskInfo]:
        """One task."""
        return [TASK]

    def __call__(self, seed: int, n: int, snapshot: Snapshot) -> Episode:
        """Return a batch as an episode."""
        del snapshot
        form, objective = form_of(self.encoder, FAMILY.writes), Writing(self.encoder.pad_token_id)
        chosen = items_at(np.arange(n * BATCH, (n + 1) * BATCH), len(self.pairs), seed=seed)
        rows = [FAMILY.writes.row(form, *self.pairs[i]) for i in chosen.tolist()]
        return Episode(TASK, objective, objective.collate(rows[::2]), objective.collate(rows[1::2]))

    def update(self, snapshot: Snapshot, records: Sequence[Record]) -> Snapshot:
        """Return the snapshot: this sampler learns nothing."""
        del records
        return snapshot


def begun(size: str, out: Path) -> Encoder:
    """Return an encoder–decoder of random weights; its tokenizer is of all training text, whatever it trains on."""
    folder = out / size.replace(" ", "")
    return small_t5(folder, partial(pairs_of, "all"), width=SIZES[size][0], vocabulary=VOCABULARY)


def trained(size: str, text: str, out: Path, judged: dict[str, Judged], stops: Sequence[float]) -> list[dict[str, Any]]:
    """Return the rows of a cell: after each stop the loss a token, and after the last chrF of what is written."""
    encoder, pairs = begun(size, out), pairs_of(text)
    learner, algorithm = encoder.backbone.learner, Joint(dropout=False)
    state = initial_state(algorithm, learner, [TASK], seed=0)
    count = sum(value.numel() for name, value in state.params.items() if name.startswith("body."))
    plan = Optimisation(steps=10**6, meta_batch=1, lr=SIZES[size][1], warmup=20, schedule="constant")
    rows: list[dict[str, Any]] = []
    learnt, left = list[float](), list(stops)
    for now, record in train(state, Batches(pairs, encoder), algorithm, learner, plan):
        learnt.append(float(record["loss"]))
        if now.cpu_seconds < left[0]:
            continue
        row = {"size": size, "text": text, "parameters": count, "pairs": len(pairs), "batch": BATCH}
        row |= {"stop": left.pop(0), "cpu": now.cpu_seconds, "steps": now.step, "train": fmean(learnt[-20:])}
        rows.append(row | judged_by_loss(encoder, now, judged))
        print(rows[-1], flush=True)
        if not left:
            rows[-1] |= {"chrf": judged_by_texts(with_meta(encoder, now.params), judged)}
            break
    return rows


def judged_by_loss(encoder: Encoder, state: State, judged: dict[str, Judged]) -> dict[str, Any]:
    """Return the loss a token of each language, and their mean."""
    found: dict[str, float] = {}
    for language, own in judged.items():
        queries = Examples.of([with_language(language, one) for one in own.english], own.right)
        found[language] = loss_on(encoder, state.params, queries, queries, size=32)
    return {"losses": found, "loss": fmean(found.values())}


def judged_by_texts(encoder: Encoder, judged: dict[str, Judged]) -> dict[str, float]:
    """Return chrF of what is written greedily."""
    found: dict[str, float] = {}
    for language, own in judged.items():
        queries = Examples.of([with_language(language, one) for one in own.english], own.right)
        request = Request(queries.inputs, queries.at([0]), 0, MOST, Decoding(max_new_tokens=MOST))
        texts = written(encoder, {}, FAMILY.writes, FAMILY.schema(own.right), request).texts
        found[language] = 100 * chrf(list(texts), own.right)
    return found


def copies(judged: dict[str, Judged]) -> list[dict[str, Any]]:
    """Return the chrF of what is copied."""
    found: list[dict[str, Any]] = []
    for language, own in judged.items():
        scores = {name: 100 * chrf(texts, own.right) for name, texts in own.copied.items()}
        found.append({"language": language, "copied": scores})
    return found


def counted(tokenizer: Any, judged: dict[str, Judged]) -> float:
    """Return the loss a token of who counts the tokens of `three`, a half more of each, and reads no source."""
    learnt = Counter(token for _, target in pairs_of("three") for token in _tokens(tokenizer, target))
    total = sum(learnt.values()) + len(tokenizer) / 2
    own = [[one for text in part.right for one in _tokens(tokenizer, text)] for part in judged.values()]
    return fmean(-fmean(log((learnt[one] + 0.5) / total) for one in part) for part in own)


def _tokens(tokenizer: Any, text: str) -> list[int]:
    return [*tokenizer(text)["input_ids"], tokenizer.eos_token_id]


def main() -> None:
    """Train what is left, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sizes", nargs="*", default=list(SIZES), choices=SIZES)
    parser.add_argument("--texts", nargs="*", default=list(TEXTS), choices=TEXTS)
    parser.add_argument("--stops", nargs="*", type=float, default=STOPS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    judged, file = judged_strings(), options.out / "rows.jsonl"
    for text, size in product(options.texts, options.sizes):
        done = {row["stop"] for row in read_rows(file) if (row["size"], row["text"]) == (size, text)}
        if max(options.stops) not in done:
            append(file, trained(size, text, options.out, judged, options.stops))
    rows = read_rows(file)
    least = counted(begun(options.sizes[0], options.out).backbone.tokenizer, judged)
    write_table(options.out, [*lines_of(rows, copies(judged)), f"counting tokens: {least:.2f}"])
    (options.out / "curve.svg").write_text(picture_of(rows), "utf-8")


if __name__ == "__main__":
    main()
