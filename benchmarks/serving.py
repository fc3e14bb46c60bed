"""CPU of many tasks over one encoder beside that of one task, and what a task costs in memory and from disk.

    METAGLOT_DATA=… python -m benchmarks.serving builtin:mini
    … --tasks 64 --resident 1000 --rows 32 --batches 8 --repeats 5 --precision fp32

Texts are questions of banking77 ($METAGLOT_DATA/dev); labels, spans and answers are made up from them, since CPU does
not depend on how good a task is.  The tasks have 2 to 150 classes, as many of each size on a scale of ratios.

"One task" is `Adapted.predictions` of the plain model, as anybody calls it without a server: the same inputs in batches
of as many rows, all of a kind for one task of the kind.  Both take turns; figures are medians of CPU seconds.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple, TypeVar

import numpy as np
import pyarrow.parquet as pq
import torch

from metaglot import Adapted, Answer, Choice, Span
from metaglot.adaptation import Model, load_model
from metaglot.data.candidates import as_cell
from metaglot.data.examples import Inputs
from metaglot.errors import MetaglotError
from metaglot.models import Runtime
from metaglot.serving.engine import Engine, Request, bytes_of

KINDS = ("classification", "pairs", "multilabel", "regression", "tagging", "choice", "question-answering")
FEWEST, MOST = 2, 150  # classes
CLOSE = 1e-5  # a probability alone and among others


class Task(NamedTuple):
    """A task over the plain model, and the same one over the engine's."""

    kind: str
    alone: Adapted
    served: Adapted


def texts_of(count: int) -> list[str]:
    """Return so many questions, in an order of their own."""
    every = pq.read_table(Path(os.environ["METAGLOT_DATA"]) / "dev" / "banking77.parquet")["text"].to_pylist()
    order = np.random.default_rng(0).permutation(len(every))
    return [every[i] for i in order[:count]]


def sizes_of(count: int) -> list[int]:
    """Return numbers of classes, even on a scale of ratios."""
    return np.geomspace(FEWEST, MOST, count).round().astype(int).tolist()


def seconds_of(kind: str, texts: Sequence[str], pool: Sequence[str]) -> list[str] | None:
    """Return the second text of each: another question, a passage of three, or four candidates."""
    others = [[pool[(7 * i + j) % len(pool)] for j in range(4)] for i, _ in enumerate(texts)]
    if kind == "pairs":
        return [own[0] for own in others]
    if kind == "choice":
        return [as_cell(own) for own in others]
    return [" ".join(own[:3]) for own in others] if kind == "question-answering" else None


def targets_of(kind: str, texts: Sequence[str], seconds: Sequence[str] | None, classes: int) -> list[Any]:
    """Return a target for each text."""
    names = [f"class {i % classes}" for i in range(len(texts))]
    if kind in ("classification", "pairs"):
        return names
    if kind == "multilabel":
        return [{one, other} if i % 3 == 0 else {one} for i, (one, other) in enumerate(pairwise([*names, names[0]]))]
    if kind == "regression":
        return [len(text) / 10 + 0.05 for text in texts]
    if kind == "tagging":
        return [(Span(0, len(text.split()[0]), f"label {i % min(classes, 20)}"),) for i, text in enumerate(texts)]
    if kind == "choice":
        return [Choice(i % 4) for i in range(len(texts))]
    assert seconds is not None
    return [Answer(passage.split()[0], 0, len(passage.split()[0])) for passage in seconds]


def adapted(model: Model, kind: str, classes: int, pool: Sequence[str]) -> Adapted:
    """Return a task in closed form, of two examples a class; of other kinds, of 16."""
    count = 2 * classes if kind in ("classification", "pairs", "multilabel") else 16
    texts = [pool[(classes + i) % len(pool)] for i in range(max(4, count))]
    seconds = seconds_of(kind, texts, pool)
    task = "classification" if kind == "pairs" else kind
    reads = "both" if kind == "pairs" else None
    targets = targets_of(kind, texts, seconds, classes)
    return model.adapt(texts, targets, task=task, pairs=seconds, effort="instant", reads=reads)


def inputs_for(kind: str, texts: Sequence[str], pool: Sequence[str]) -> Inputs:
    """Return texts as a task of the kind reads them."""
    return Inputs.of(texts, seconds_of(kind, texts, pool))


def cpu(work: Callable[[], object]) -> float:
    """Return the CPU seconds of some work."""
    began = time.process_time()
    work()
    return time.process_time() - began


class Rows(NamedTuple):
    """Rows for many tasks, mixed, and the same inputs for one task of each kind, kind by kind."""

    mixed: list[list[Request]]  # batches
    alone: list[tuple[Adapted, Inputs]]  # batches of as many rows


def rows_of(tasks: Sequence[Task], pool: Sequence[str], *, rows: int, batches: int) -> Rows:
    """Return batches in which no task stands twice where there are enough of them."""
    draws = np.random.default_rng(1)
    chosen = [tasks[i] for _ in range(batches * rows // len(tasks) + 1) for i in draws.permutation(len(tasks))]
    chosen = chosen[: batches * rows]
    asked = [inputs_for(one.kind, [pool[i % len(pool)]], pool[i % 97 :]) for i, one in enumerate(chosen)]
    requests = [Request(one.served, inputs) for one, inputs in zip(chosen, asked, strict=True)]
    alone: list[tuple[Adapted, Inputs]] = []
    for kind in dict.fromkeys(one.kind for one in tasks):
        own = [inputs for one, inputs in zip(chosen, asked, strict=True) if one.kind == kind]
        task = next(one.alone for one in tasks if one.kind == kind)
        alone += [(task, joined(some)) for some in in_parts(own, rows)]
    return Rows(in_parts(requests, rows), alone)


T = TypeVar("T")


def in_parts(values: Sequence[T], size: int) -> list[list[T]]:
    """Return values in lists of so many."""
    return [list(values[at : at + size]) for at in range(0, len(values), size)]


def joined(inputs: Sequence[Inputs]) -> Inputs:
    """Return inputs one after the other."""
    whole = inputs[0]
    for one in inputs[1:]:
        whole = whole.plus(one)
    return whole


def compared(engines: Sequence[Engine], rows: Rows, repeats: int) -> tuple[float, list[float]]:
    """Return the CPU seconds of one task, and of many by each engine."""

    def one() -> None:
        for task, inputs in rows.alone:
            task.fit.predict(inputs)

    def many(engine: Engine) -> Callable[[], None]:
        requests = [[Request(engine.adopt(one.task), one.inputs) for one in batch] for batch in rows.mixed]

        def work() -> None:
            for batch in requests:
                engine.answer(batch)

        return work

    ways = [one, *map(many, engines)]
    for way in ways:
        way()
    seconds = [[cpu(way) for way in ways] for _ in range(repeats)]
    first, *rest = (median(column) for column in zip(*seconds, strict=True))
    return first, rest


def agreement(engine: Engine, rows: Rows, tasks: Sequence[Task]) -> dict[str, Any]:
    """Return how many rows have the bits that they have alone, and the largest difference from the plain model.

    The plain model reads a text alone, and packs texts that are together: either rounds in its own way.
    """
    plain = {id(one.served): one.alone for one in tasks}
    answers = [(row, answer) for batch in rows.mixed for row, answer in zip(batch, engine.answer(batch), strict=True)]
    same = sum(np.array_equal(row.task.fit.predict(row.inputs).values, answer.values) for row, answer in answers)
    far = [
        float(np.abs(plain[id(row.task)].fit.predict(row.inputs).values - answer.values).max(initial=0))
        for row, answer in answers
        if row.task.fit.family.probable
    ]
    return {"rows": len(answers), "same_bits": same, "largest_difference": max(far)}


def ms_of(work: Callable[[], object]) -> float:
    """Return the milliseconds of some work."""
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def saved(tasks: Sequence[Task], folder: Path) -> list[Path]:
    """Return the folders of the tasks."""
    return [task.alone.save(folder / str(i), keep_examples=True) for i, task in enumerate(tasks)]


def cold(engine: Engine, folders: Sequence[Path], count: int) -> tuple[dict[str, Any], list[Adapted]]:
    """Return what a task costs from disk and in memory, and so many tasks that were loaded."""
    engine.load(folders[0])
    times = {whole: [ms_of(lambda f=f, w=whole: engine.load(f, whole=w)) for f in folders] for whole in (False, True)}
    tracemalloc.start()  # what torch allocates is not among it
    tasks = [engine.load(folders[i % len(folders)], whole=False) for i in range(count)]
    objects = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    tensors = sum(value.untyped_storage().nbytes() for task in tasks for value in task.fit.params.values())
    record = {
        "tasks": count,
        "ms_median": median(times[False]),
        "ms_most": max(times[False]),
        "ms_median_whole": median(times[True]),
        "ms_most_whole": max(times[True]),
        "kb_objects": objects / count / 1000,
        "kb_tensors": tensors / count / 1000,
        "kb_counted": float(np.mean([bytes_of(task) for task in tasks])) / 1000,
        "kb_counted_most": max(map(bytes_of, tasks)) / 1000,
    }
    return record, tasks


def parts_of(args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Yield the figures, part by part."""
    model = load_model(args.model, Runtime(precision=args.precision, device="cpu"))
    exact, loose = Engine(model), Engine(model, exact=False)
    pool = texts_of(2000)
    yield {"model": args.model, "precision": model.encoder.precision, "rows": args.rows}
    for name, kinds in (("classes", KINDS[:1]), ("mixed", KINDS)):
        made = [(kinds[i % len(kinds)], size) for i, size in enumerate(sizes_of(args.tasks))]
        alone = [(kind, adapted(model, kind, size, pool)) for kind, size in made]
        tasks = [Task(kind, one, exact.adopt(one)) for kind, one in alone]
        rows = rows_of(tasks, pool, rows=args.rows, batches=args.batches)
        one, (many, unsteady) = compared([exact, loose], rows, args.repeats)
        ratios = {"one": one, "many": many, "ratio": many / one, "ratio_inexact": unsteady / one}
        yield {name: ratios | agreement(exact, rows, tasks)}
        if len(kinds) == 1:
            yield from resident(exact, tasks, pool, args)


def resident(engine: Engine, tasks: Sequence[Task], pool: Sequence[str], args: argparse.Namespace) -> Iterator[Any]:
    """Yield what tasks cost from disk and in memory, and how long answers take where many are there."""
    with tempfile.TemporaryDirectory() as folder:
        figures, loaded = cold(engine, saved(tasks, Path(folder)), args.resident)
    yield {"cold": figures}
    every = [Task(tasks[0].kind, tasks[i % len(tasks)].alone, one) for i, one in enumerate(loaded)]
    rows = rows_of(every, pool, rows=args.rows, batches=max(args.batches, args.resident // args.rows))
    one, (many,) = compared([engine], rows, max(1, args.repeats // 2))
    yield {"resident": {"one": one, "many": many, "ratio": many / one}}


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--tasks", type=int, default=64)
    parser.add_argument("--resident", type=int, default=1000, help="tasks in memory")
    parser.add_argument("--rows", type=int, default=32, help="of a batch, each for a task of its own")
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--precision", default="auto", choices=("auto", "bf16", "fp32"))
    args = parser.parse_args(given)
    torch.set_num_threads(1)
    for part in parts_of(args):
        print(json.dumps(part), flush=True)


if __name__ == "__main__":
    try:
        main()
    except MetaglotError as error:
        sys.exit(f"error: {error}")
