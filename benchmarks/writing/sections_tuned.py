"""A fine-tune beside the lexicon, on the domains of translation of `benchmarks/writing/sections.py`.

    METAGLOT_DATA=… python -m benchmarks.writing.sections_tuned --out results/sections --captions --support 300
    METAGLOT_DATA=… python -m benchmarks.writing.sections_tuned --out results/sections --support 200 --draws 0

Support and judged strings are those of `sections.py`, and so are the rows of its methods, which stand beside:

    smol, zero-shot      builtin:smol is asked in English for the translation
    smol, in context     with the first four strings of the support before it
    smol, lora           after passes of LoRA over the support: Adam at 1e-3, four strings a step
    smol, multitask      the same from where LoRA begins after OUTER steps on strings of packages, of 16 strings each
    smol, fomaml         the same after as many episodes of first-order MAML; an episode is of one language and section
    t5                   an encoder–decoder of random weights (3.3 M parameters) after TRAINING CPU seconds of learning
                         from strings of packages
    t5, fine-tuned       all of its weights, further on the support alone, after CPU seconds
    t5, support alone    from random weights on the support, for as long

Strings of packages are of five languages, and of no section that is kept aside.  What is done is not done again.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from benchmarks.running import write_table
from benchmarks.writing.curve import BATCH, LONGEST, TASK, Batches, with_language
from benchmarks.writing.domains import HALVES, Domain, domain_of, table
from benchmarks.writing.learning import BATCH as AT_A_STEP
from benchmarks.writing.learning import SHOWN, Clock, Training, after_steps, meta_trained, texts_for, with_meta, writer
from benchmarks.writing.sections import CAPTIONED, CAPTIONS, LANGUAGES, SECTIONS, Pairs, Task, rows_of, tasks
from benchmarks.writing.small_t5 import small_t5
from benchmarks.writing.tables import append, by_place, cells_of, read_rows
from metaglot.adaptation.encoder import Encoder
from metaglot.algorithms.joint import Joint
from metaglot.data.examples import Examples
from metaglot.decoding import Decoding
from metaglot.evaluation.statistics import t_interval
from metaglot.families.chrf import chrf
from metaglot.families.write_tools import source_texts
from metaglot.training.loop import Optimisation, train
from metaglot.training.state import initial_state
from metaglot.types import Params

NAMES = {"de": "German", "es": "Spanish", "fr": "French", "cs": "Czech", "ru": "Russian"}
WIDTH, VOCABULARY, RATE, TUNED_RATE = 208, 4096, 1.5e-3, 5e-4
TRAINING, TUNING = 600.0, (10.0, 30.0)  # CPU seconds
OUTER = 150  # steps of LoRA on packages
STARTS = ("multitask", "fomaml")
PASSES = (1, 3)  # of LoRA over the support
MOST = 64  # tokens of a text
BASE = ("lexicon, other", -1)  # what gains are over, and the last of the two is what they are to be compared with
BOTH = ("lexicon, both", -1)


def packages() -> Pairs:
    """Return the strings of packages that the encoder–decoder learns from: of no section that is kept aside."""
    rows = _rows_of_packages()
    return [(with_language(row["target_lang"], row["source"]), row["target"]) for row in rows]


def domains() -> list[Domain]:
    """Return the strings of packages by language and section, asked for as builtin:smol is asked."""
    found: dict[str, list[tuple[str, str]]] = {}
    for row in _rows_of_packages():
        name = f"{row['target_lang']} {row['domain']}"
        found.setdefault(name, []).append((_asked(row["target_lang"], row["source"]), row["target"]))
    return [domain_of(name, "translations", own) for name, own in sorted(found.items()) if len(own) >= sum(HALVES)]


def _rows_of_packages() -> list[dict[str, Any]]:
    rows = table("translation/debian")
    aside = {row["source"] for row in rows if row["domain"] in SECTIONS}
    kept = [row for row in rows if row["target_lang"] in NAMES and row["source"] not in aside]
    return [row for row in kept if len(with_language(row["target_lang"], row["source"]) + row["target"]) <= LONGEST]


def begun(out: Path) -> Encoder:
    """Return the encoder–decoder of random weights, with a tokenizer of what it learns from."""
    return small_t5(out / "t5", packages, width=WIDTH, vocabulary=VOCABULARY)


def learnt(
    encoder: Encoder, start: Params | None, pairs: Pairs, stops: Sequence[float], rate: float
) -> Iterator[tuple[float, Params]]:
    """Yield all weights after each number of CPU seconds of steps on the pairs."""
    learner, algorithm = encoder.backbone.learner, Joint(dropout=False)
    state = initial_state(algorithm, learner, [TASK], seed=0)
    if start is not None:
        state = replace(state, params={name: value.clone() for name, value in start.items()})
    plan = Optimisation(steps=10**6, meta_batch=1, lr=rate, head_lr=rate, warmup=20, schedule="constant")
    left = list(stops)
    for now, record in train(state, Batches(pairs, encoder), algorithm, learner, plan):
        if now.cpu_seconds < left[0]:
            continue
        print(f"{now.step} steps, {now.cpu_seconds:.0f} CPU-s, loss {record['loss']:.2f}", flush=True)
        yield left.pop(0), {name: value.detach().clone() for name, value in now.params.items()}
        if not left:
            return


def trained(encoder: Encoder, out: Path) -> Params:
    """Return the weights after TRAINING seconds on strings of packages, from the file if it is there."""
    file = out / "t5.safetensors"
    if not file.exists():
        pairs = packages()
        print(f"{len(pairs)} strings of packages, {BATCH} a step", flush=True)
        ((_, params),) = learnt(encoder, None, pairs, [TRAINING], RATE)
        save_file({name: value.contiguous() for name, value in params.items()}, file)
    return load_file(file)


def rows_of_t5(encoder: Encoder, start: Params, task: Task) -> Iterator[dict[str, Any]]:
    """Yield what the encoder–decoder writes: as it is, fine-tuned, and of the support alone."""
    support, judged = _asked_of_t5(task, task.support), _asked_of_t5(task, task.judged)
    pairs = list(zip(source_texts(support.inputs), support.targets, strict=True))
    yield _row(task, "t5", 0, _chrf(encoder, start, judged, support))
    for name, begins, rate in (("t5, fine-tuned", start, TUNED_RATE), ("t5, support alone", None, RATE)):
        for seconds, params in learnt(encoder, begins, pairs, TUNING, rate):
            yield _row(task, name, int(seconds), _chrf(encoder, params, judged, support), cpu=seconds)


def rows_of_smol(encoder: Encoder, task: Task) -> Iterator[dict[str, Any]]:
    """Yield what builtin:smol writes: asked alone, behind examples, and after passes of LoRA over the support."""
    support, judged = _asked_of_smol(task, task.support), _asked_of_smol(task, task.judged)
    yield _row(task, "smol, zero-shot", 0, _chrf(encoder, {}, judged, support))
    yield _row(task, "smol, in context", 0, _chrf(encoder, {}, judged, support.at(range(SHOWN)), shown=SHOWN))
    yield from _after_passes(encoder, task, "smol, lora")


def rows_of_start(encoder: Encoder, name: str, start: Params, task: Task) -> Iterator[dict[str, Any]]:
    """Yield what is written from where LoRA begins: before any step, and after passes over the support."""
    support, judged = _asked_of_smol(task, task.support), _asked_of_smol(task, task.judged)
    moved = with_meta(encoder, start)
    yield _row(task, f"smol, {name}", 0, _chrf(moved, start, judged, support))
    yield from _after_passes(moved, task, f"smol, {name}")


def _after_passes(encoder: Encoder, task: Task, method: str) -> Iterator[dict[str, Any]]:
    support, judged = _asked_of_smol(task, task.support), _asked_of_smol(task, task.judged)
    stops, clock = [round(n * len(task.support) / AT_A_STEP) for n in PASSES], Clock()
    found = after_steps(encoder, support, stops, 0)
    spent = clock.seconds()
    for steps, params in found.items():
        score = _chrf(encoder, {**encoder.meta, **params}, judged, support)
        yield _row(task, method, steps, score, cpu=spent * steps / stops[-1])


def _asked_of_t5(task: Task, pairs: Pairs) -> Examples[str]:
    language = task.place[0].split()[0]
    return Examples.of([with_language(language, source) for source, _ in pairs], [target for _, target in pairs])


def _asked_of_smol(task: Task, pairs: Pairs) -> Examples[str]:
    language = task.place[0].split()[0]
    return Examples.of([_asked(language, source) for source, _ in pairs], [target for _, target in pairs])


def _asked(language: str, source: str) -> str:
    return f"Translate into {NAMES[language]}: {source}"


def _chrf(encoder: Encoder, params: Params, judged: Examples[str], support: Examples[str], *, shown: int = 0) -> float:
    decoding = Decoding(max_new_tokens=MOST)
    texts = texts_for(with_meta(encoder, params), {}, judged, support, shown=shown, decoding=decoding)
    return chrf(texts, judged.targets)


def _row(task: Task, method: str, steps: int, score: float, **numbers: float) -> dict[str, Any]:
    return {"domain": task.place[0], "draw": task.place[1], "method": method, "steps": steps, "chrf": score, **numbers}


def lines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the table: chrF by language and on the mean, and gains over two lexicons, where both were judged."""
    languages = list(dict.fromkeys(str(row["domain"]).split()[0] for row in rows))
    yield f"| method | steps or seconds | places | CPU-s | {' | '.join(languages)} | mean | other | both |"
    yield f"|---|---:|---:|---:|{'---:|' * len(languages)}---:|---:|---:|"
    for cell in (cell for cell in cells_of(rows) if cell[0] not in ("lexicon", "neighbour") or cell[1] < 0):
        found = by_place(rows, cell, "chrf")
        own = [[v for (domain, _), v in found.items() if domain.split()[0] == one] for one in languages]
        shown = " | ".join(f"{100 * fmean(one):.1f}" if one else "" for one in own)
        seconds = list(by_place(rows, cell, "cpu").values())
        cost = f"{fmean(seconds):.0f}" if seconds else ""
        gains = " | ".join(_gain(rows, cell, base) for base in (BASE, BOTH))
        steps = cell[1] if cell[1] > 0 else ""
        yield f"| {cell[0]} | {steps} | {len(found)} | {cost} | {shown} | {100 * fmean(found.values()):.1f} | {gains} |"


def _gain(rows: Sequence[dict[str, Any]], cell: tuple[str, int], base: tuple[str, int]) -> str:
    """Return the gain over a lexicon, over languages and sections: draws of one count once."""
    own, other = by_place(rows, cell, "chrf"), by_place(rows, base, "chrf")
    found: dict[str, list[float]] = {}
    for place in own.keys() & other.keys():
        found.setdefault(place[0], []).append(100 * (own[place] - other[place]))
    if cell == base or len(found) < 2:
        return ""
    interval = t_interval([fmean(one) for one in found.values()])
    return f"{interval.mean:+.1f} ± {interval.half:.1f}"


def options_asked() -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--support", type=int, default=300, help="strings of the domain to learn from")
    parser.add_argument("--captions", action="store_true", help="captions of pictures in place of sections of packages")
    parser.add_argument("--draws", nargs="*", type=int, help="judge these alone; all by default")
    of = ["lexicon", "t5", "smol", *STARTS]
    parser.add_argument("--of", nargs="*", default=of, choices=of, help="judge these alone")
    return parser.parse_args()


def methods_of(options: argparse.Namespace) -> dict[str, Callable[[Task], Iterator[dict[str, Any]]]]:
    """Return what yields the rows of a task, by what is asked for; what has to be trained is, if it is not there."""
    made: dict[str, Callable[[Task], Iterator[dict[str, Any]]]] = {}
    if "lexicon" in options.of:
        made["lexicon"] = lambda task: (row for row in rows_of(task) if row["steps"] < 0)
    if "t5" in options.of:
        t5 = begun(options.out)
        made["t5"] = partial(rows_of_t5, t5, trained(t5, options.out))
    if not {"smol", *STARTS} & set(options.of):
        return made
    smol = writer()
    if "smol" in options.of:
        made["smol, lora"] = partial(rows_of_smol, smol)
    for name in STARTS:
        if name in options.of:
            start = meta_trained(smol, domains(), name, Training(OUTER), options.out / f"packages-{name}.safetensors")
            made[f"smol, {name}"] = partial(rows_of_start, smol, name, start)
    return made


def main() -> None:
    """Judge what is left, and write the table."""
    options = options_asked()
    torch.set_num_threads(1)
    options.out.mkdir(parents=True, exist_ok=True)
    file = options.out / f"rows-tuned-{CAPTIONS if options.captions else 'sections'}-{options.support}.jsonl"
    made = methods_of(options)
    for task in tasks(CAPTIONED if options.captions else LANGUAGES, support=options.support, captions=options.captions):
        if options.draws is not None and task.place[1] not in options.draws:
            continue
        done = {row["method"] for row in read_rows(file) if (row["domain"], row["draw"]) == task.place}
        for name, judged in made.items():
            if name not in {*done, *(one.split(",")[0] for one in done if not one.startswith("smol"))}:
                append(file, list(judged(task)))
    write_table(options.out, lines(read_rows(file)))


if __name__ == "__main__":
    main()
