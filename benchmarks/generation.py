"""Texts that are written, on domains that nothing was trained on, from ten examples each.

    METAGLOT_DATA=… python -m benchmarks.generation TABLE --out results/generation [--threads 1]

TABLE is one of

    replies     replies of seven services of Schema-Guided Dialogue, trained on twenty others
    summaries   a sentence for abstracts of three fields (SciTLDR), trained on nine others
    unlike      one meta-training over classes, answers, replies and translations; summaries are a kind kept aside

on builtin:smol.  LoRA updates are meta-trained where FOLDER has none yet (`benchmarks/writing/learning.py`), then each
domain is judged (`benchmarks/writing/cells.py`): what is done is not done again.  `rows-TABLE.jsonl`, `table.md` and
pictures are written to the folder; with `--samples 3` also `samples-TABLE.md`: what is written for the first three
texts of each domain, next to sources and references.  With `--beams 4` texts are written by a search, after steps alone
and without losses, to `rows-TABLE-4-beams.jsonl`.  With `--shots 50` so many examples are learnt from, the ten among
them, and the same texts are judged.  Numbers: docs/results/generation.md.
"""

import argparse
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks.running import write_table
from benchmarks.writing.cells import Copies, Size, best_sentence, lead, of_nearest, of_nearest_in, place_of, rows_of
from benchmarks.writing.domains import FEW, WHOLE, Domain, Shape, fields, services, split_fields, split_services
from benchmarks.writing.learning import BATCH, Training, meta_trained, signature, writer
from benchmarks.writing.samples import samples
from benchmarks.writing.tables import Row, append, pictures, read_rows, table_of
from benchmarks.writing.unlike import domains as unlike_domains

PLAIN = ("zero-shot", "in context", "in context, ten", "lora", "prefix")  # methods that nothing was meta-trained for
POOL = "nearest in the pool"
PASSES = 3  # over examples, where there are more than FEW
SHORTER = "fomaml, a minute"
PROMPTED = ("fomaml", "multitask")  # algorithms whose starts are judged with examples in the prompt too


class Table(NamedTuple):
    """What a table is made of."""

    title: str
    runs: Mapping[str, Training]  # of each algorithm
    size: Size
    copies: Mapping[str, Copies]
    metrics: Sequence[str]
    beside: tuple[str, int]  # the method that gains are over
    over: Sequence[str]  # metrics whose gains are shown
    pooled: bool = False  # whether the nearest source of the domains that are trained on is a baseline
    draws: int = 3
    once: tuple[str, ...] = ()  # methods that are judged on the first draw alone, since they cost much
    short: tuple[str, ...] = ()  # kinds that texts are written of; of all where none is named

    def size_of(self, domain: Domain) -> Size:
        """Return what is measured of a domain."""
        writes = not self.short or domain.kind in self.short
        return self.size if writes else self.size._replace(written_after=())

    def learning_from(self, shots: int) -> "Table":
        """Return the table of so many examples: plain steps are one and PASSES passes over them, others one."""
        if shots == FEW:
            return self
        once, more = (round(n * shots / BATCH) for n in (1, PASSES))
        size = self.size._replace(shots=shots, stops=(once, more), meta_stops=(once,), written_after=(0, once, more))
        return self._replace(size=size, beside=(self.beside[0], more if self.beside[1] else 0))

    def searched(self, beams: int) -> "Table":
        """Return the table of what a search writes; with one beam, it is this one."""
        if beams == 1:
            return self
        size = self.size._replace(beams=beams, losses=0, written_after=(self.size.meta_stops[-1], self.size.stops[-1]))
        metrics, over = ([name for name in names if name != "loss"] for names in (self.metrics, self.over))
        return self._replace(size=size, metrics=metrics, over=over)


TABLES = {
    "replies": Table(
        "Replies of a service never met, ten turns",
        {"multitask": Training(108), "fomaml": Training(108), SHORTER: Training(12), "metanet": Training(12)},
        Size(queries=16, written=16, most=32),
        {"nearest": of_nearest},
        ("chrf", "bleu", "rouge1", "loss"),
        ("in context", 0),
        ("chrf", "bleu", "rouge1", "loss"),
        pooled=True,
    ),
    "summaries": Table(
        "Summaries of a field never met, ten abstracts",
        dict.fromkeys(("multitask", "fomaml"), Training(64, Shape(4, 4))),
        Size(queries=34, losses=8, written=34, most=40, stops=(20,), meta_stops=(5,), shown_losses=0),
        {"lead sentence": lead, "best sentence": best_sentence},
        ("rouge1", "rouge2", "rougeL", "chrf", "loss"),
        ("lora", 20),
        ("rouge1",),
        once=("in context", "fomaml in context"),
    ),
    "unlike": Table(
        "Kinds and domains kept aside, ten examples",
        dict.fromkeys(("multitask", "fomaml"), Training(32, Shape(4, 4))),
        Size(queries=12, losses=12, written=12, most=8, stops=(20,), meta_stops=(5,), shown_losses=3),
        {"nearest": of_nearest},
        ("loss", "exact_match"),
        ("lora", 20),
        ("loss",),
        short=("classes", "answers"),
    ),
}


def domains_of(name: str, tokenizer: Any) -> tuple[list[Domain], list[Domain]]:
    """Return the domains of a table that are trained on, and those kept aside."""
    if name == "unlike":
        return unlike_domains(tokenizer)
    return split_services(services(tokenizer, WHOLE)) if name == "replies" else split_fields(fields(tokenizer))


def file_of(folder: Path, table: str, name: str) -> Path:
    """Return the file of what is meta-trained."""
    return folder / f"{table}-{name.replace(', ', '-').replace(' ', '-')}.safetensors"


def options_asked() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--train", nargs="*", help="train these alone, if they are not there, and judge nothing")
    parser.add_argument("--domains", nargs="*", help="judge these alone; all that are kept aside by default")
    parser.add_argument("--draws", nargs="*", type=int, help="judge these alone; all by default")
    parser.add_argument("--methods", nargs="*", help="judge these alone; all by default")
    parser.add_argument("--beams", type=int, default=1, help="of a search; texts are written greedily by default")
    parser.add_argument(
        "--shots", type=int, default=FEW, help="examples of a domain; steps are passes over them if more"
    )
    parser.add_argument("--samples", type=int, default=0, help="so many texts of each domain go to samples-TABLE.md")
    return parser.parse_args()


def main() -> None:
    """Train and judge what is left, and write the table."""
    options = options_asked()
    torch.set_num_threads(options.threads)
    made, plain = TABLES[options.table].searched(options.beams).learning_from(options.shots), writer()
    stem = options.table if options.beams == 1 else f"{options.table}-{options.beams}-beams"
    stem += f"-{options.shots}" if options.shots != FEW else ""
    trained_on, kept = domains_of(options.table, plain.backbone.tokenizer)
    asked_for = options.methods if options.train is None else options.train
    runs = {
        name: meta_trained(plain, trained_on, name, training, file_of(options.out, options.table, name))
        for name, training in made.runs.items()
        if asked_for is None or name in {one.removesuffix(" in context") for one in asked_for}
    }
    if options.train is not None:
        return
    copies = {**made.copies, **({POOL: of_nearest_in(trained_on)} if made.pooled else {})}
    file = options.out / f"rows-{stem}.jsonl"
    starts = {**{name: {} for name in (*copies, *PLAIN)}, **runs}
    starts |= {f"{name} in context": runs[name] for name in PROMPTED if name in runs}
    for draw, domain, name in product(range(made.draws), kept, starts):
        own = [row for row in read_rows(file) if (row["domain"], row["method"]) == (domain.name, name)]
        asked = domain.name in (options.domains or [domain.name]) and name in (options.methods or [name])
        wanted = asked and draw in (options.draws or [draw]) and not (draw and name in made.once)
        if wanted and draw not in {row["draw"] for row in own}:
            place, known = place_of(domain, draw, made.size_of(domain)), [row for row in own if row["draw"] == 0]
            append(file, list(rows_of(plain, name, starts[name], place, copies.get(name), known)))
    show(made, stem, kept, options.out, read_rows(file), options.samples)


def show(made: Table, stem: str, kept: Sequence[Domain], out: Path, rows: Sequence[Row], count: int) -> None:
    """Write table and pictures, and so many texts of each domain next to their references."""
    write_table(out, table_of(rows, made.metrics, beside=made.beside, over=made.over))
    print(f"BLEU: {signature()}")
    pictures(out, rows, made.metrics, title=made.title, stem=stem)
    if count:
        lines = samples(rows, [place_of(domain, 0, made.size_of(domain)) for domain in kept], count)
        (out / f"samples-{stem}.md").write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    main()
