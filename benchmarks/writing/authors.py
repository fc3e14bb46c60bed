"""The words of an author from one page and from five, by builtin:smol: steps of LoRA, and pages in the context.

    METAGLOT_DATA=… python -m benchmarks.writing.authors --out results/authors

A page is four blocks of 128 tokens; four other blocks of the author are judged, in nats a token.  The authors are those
of `benchmarks/domain_lm.py`, and fomaml is meta-trained on all others but those that it keeps for validation.

    untouched    each block by itself
    in context   behind the pages
    lora         after steps of Adam at 1e-3, four blocks each, from nothing
    fomaml       from where updates begin that were meta-trained: two steps on a page, judged by another

What is done is not done again.  The model has read much of the web, and the books may have been in it.
"""

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from benchmarks.domain_lm import TEST, VALIDATION
from benchmarks.running import write_table
from benchmarks.text.unseen import unseen
from benchmarks.writing.learning import SCOPE, in_fp32, steps_of, writer
from benchmarks.writing.tables import append, read_rows
from metaglot.adaptation.encoder import Encoder
from metaglot.assembly.text import read_text
from metaglot.config import CorpusSettings, TextSettings
from metaglot.data.blocks import pack
from metaglot.evaluation.statistics import t_interval
from metaglot.families.language import objective_of
from metaglot.tasks.domain_lm import DomainText, Passages
from metaglot.training.loop import Optimisation, train
from metaglot.training.state import initial_state
from metaglot.types import Batch, Episode, Params, Problem

LENGTH, PAGE, PAGES = 128, 4, (1, 5)  # tokens of a block, blocks of a page
AUTHORS = TEST[:4]
STOPS = (0, 5, 20)  # steps after which blocks are judged
METHODS = ("untouched", "in context", "lora", "fomaml")
OUTER, INNER = 16, 2
CONTEXT = "in context"
Row = dict[str, Any]


def meta_trained(encoder: Encoder, file: Path) -> Params:
    """Return where updates begin after OUTER episodes of other authors, from the file if it is there."""
    if file.exists():
        return load_file(file)
    corpus = CorpusSettings(path="books", without_domains=(*TEST, *VALIDATION))
    root, learner = f"{os.environ['METAGLOT_DATA']}/text", encoder.backbone.learner
    text = read_text(TextSettings(root=root, corpora=(corpus,), length=LENGTH, held_out=0.0)).train
    text = text._replace(table=text.table.take(list(range(0, len(text.table), 8))))  # an eighth is enough to draw from
    tasks = DomainText(
        pack(text, encoder.backbone.tokenizer, length=LENGTH), objective_of(encoder.backbone), Passages()
    )
    algorithm = steps_of(INNER)
    state = initial_state(algorithm, learner, tasks.tasks, seed=0, freeze=["*body.*"])
    state = replace(state, params=in_fp32(state.params))
    for after, record in train(state, tasks, algorithm, learner, Optimisation(OUTER, 1, 2e-3, warmup=3)):
        state = after
        print(record, flush=True)
    params = {name: value.detach().contiguous() for name, value in state.params.items()}
    save_file(params, file)
    return params


def loss_of(problem: Problem, params: Params, query: Batch) -> float:
    """Return the loss a token."""
    with torch.no_grad():
        return float(problem.loss(params, query))


def behind(support: Batch, query: Batch) -> Batch:
    """Return the blocks to judge behind all blocks of the support set; only what was judged is judged."""
    before = support["input_ids"].reshape(1, -1).expand(len(query["input_ids"]), -1)
    ids = torch.cat([before, query["input_ids"]], dim=1)
    labels = torch.cat([torch.full_like(before, -100), query["labels"]], dim=1)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}


def rows_of(
    encoder: Encoder, starts: Mapping[str, Params], same: Row, episode: Episode, stops: Sequence[int]
) -> Iterator[Row]:
    """Yield the loss of each method that has a start, after so many steps; the first two take none."""
    learner = encoder.backbone.learner
    problem = Problem(learner, episode.objective, episode.task)
    body = learner.body()
    for name, begin in starts.items():
        query = behind(episode.support, episode.query) if name == CONTEXT else episode.query
        whole = {**body, **begin}
        if not begin or (name == "fomaml" and 0 in stops):
            yield {**same, "method": name, "steps": 0, "loss": loss_of(problem, whole, query)}
        if not begin:
            continue
        inner = steps_of(max(stops)).inner_of(problem)
        start = inner.start(problem, whole, episode.support, seed=None)
        walk = inner.loop.walk(problem, whole, start, episode.support, seed=None, create_graph=False)
        for step, fast in enumerate(walk):
            if step in stops and step:
                loss = loss_of(problem, {**whole, **fast.params}, query)
                yield {**same, "method": name, "steps": step, "loss": loss}


def lines_of(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the table: the mean loss over authors, and the gain over the untouched model with its 95 % interval."""
    yield "| method | steps | " + " | ".join(f"{pages} pages | over untouched" for pages in PAGES) + " |"
    yield "|---|---:|" + "---:|---:|" * len(PAGES)
    for method, step in dict.fromkeys((row["method"], row["steps"]) for row in rows):
        cells: list[str] = []
        for pages in PAGES:
            found = {
                r["author"]: r["loss"] for r in rows if (r["pages"], r["method"], r["steps"]) == (pages, method, step)
            }
            plain = {r["author"]: r["loss"] for r in rows if (r["pages"], r["method"]) == (pages, "untouched")}
            gain = t_interval([found[one] - plain[one] for one in found]) if len(found) > 1 else None
            cells += [f"{fmean(found.values()):.3f}" if found else ""]
            cells += [f"{gain.mean:+.3f} ± {gain.half:.3f}" if gain and method != "untouched" else ""]
        yield f"| {method} | {step} | " + " | ".join(cells) + " |"


def main() -> None:
    """Judge what is left, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--authors", nargs="*", default=AUTHORS)
    parser.add_argument("--pages", nargs="*", type=int, default=PAGES)
    parser.add_argument("--methods", nargs="*", default=METHODS, choices=METHODS)
    parser.add_argument("--stops", nargs="*", type=int, default=STOPS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    encoder, file = writer(), options.out / "rows.jsonl"
    root = f"{os.environ['METAGLOT_DATA']}/text"
    starts: dict[str, dict[str, Any]] = {name: {} for name in options.methods}
    if "lora" in starts:
        starts["lora"] = in_fp32(SCOPE.init(encoder.backbone.learner.body(), seed=0))
    if "fomaml" in starts:
        starts["fomaml"] = dict(meta_trained(encoder, options.out / "fomaml.safetensors"))
    for author, pages in product(options.authors, options.pages):
        same = {"author": author, "pages": pages}
        done = {row["method"] for row in read_rows(file) if same.items() <= row.items()}
        left = {name: start for name, start in starts.items() if name not in done}
        if left:
            shape = Passages(PAGE * pages, PAGE)
            ((_, _, episode),) = unseen(encoder.backbone, root, [author], shape=shape, count=1, length=LENGTH)
            append(file, list(rows_of(encoder, left, same, episode, options.stops)))
    write_table(options.out, lines_of(read_rows(file)))


if __name__ == "__main__":
    main()
