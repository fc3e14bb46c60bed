"""The estimated cost of an evaluation where texts are written: tokens that are read and written, times their cost here.

Reading is timed on one batch of random tokens, and writing on a few steps of another.  A text counts with as many
tokens as it may have at most, so that the estimate is rather too high.
"""

import time
from collections.abc import Iterable, Mapping
from math import ceil
from statistics import mean
from typing import NamedTuple

import torch

from metaglot.adaptation import Effort, Encoder
from metaglot.adaptation.continuing import BATCH
from metaglot.adaptation.effort import AUTO, WORDS, WRITING_EFFORTS, efforts_of
from metaglot.adaptation.writing import form_of, longest_target, most_tokens
from metaglot.decoding import Decoding
from metaglot.evaluation.baselines import FineTune, FrozenInstant, Method, Ours
from metaglot.evaluation.baselines.finetune import WRITTEN, settings_for
from metaglot.evaluation.protocol import Cell, TaskSet
from metaglot.families.family import AnyFamily
from metaglot.families.write_tools import WriteTools, source_texts
from metaglot.models.positions import positions_of
from metaglot.seeds import torch_generator

ROWS, TOKENS, STEPS = 2, 64, 4  # of the timed batches
BACK = 3.0  # the cost of a token that is learnt from, in tokens that are read


class Pace(NamedTuple):
    """CPU seconds on this machine."""

    reading: float  # of a token
    writing: float  # of a step of a batch of texts


class Lengths(NamedTuple):
    """Mean tokens of the examples of a cell."""

    source: float
    target: float
    most: int  # that a text has at most


def pace_of(encoder: Encoder) -> Pace:
    """Return how quickly a model reads and writes, timed on random tokens."""
    learner = encoder.backbone.learner
    size = int(learner.body()[f"body.{learner.embedding.name}"].shape[0]) if learner.embedding else 2

    def seconds(rows: int, length: int, steps: int) -> float:
        ids = torch.randint(size, (rows, length), generator=torch_generator(0, "pace")).to(learner.device)
        batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        begin = time.process_time()
        learner.generate(encoder.meta, batch, Decoding(steps, min_new_tokens=steps))
        return time.process_time() - begin

    seconds(1, 2, 1)  # the first call costs more
    fixed = seconds(1, 2, 1)
    length = min(TOKENS, positions_of(learner.module) - 2)
    reading = max(0.0, seconds(ROWS, length, 1) - fixed) / (ROWS * length)
    writing = max(0.0, seconds(BATCH, 2, 1 + STEPS) - seconds(BATCH, 2, 1)) / STEPS
    return Pace(reading, writing)


def seconds_of_cells(
    cells: Iterable[Cell],
    tasks: Mapping[str, TaskSet],
    methods: Mapping[str, Method],
    encoder: Encoder,
    *,
    queries: int,
) -> dict[Cell, float]:
    """Return an estimate of the CPU seconds of each cell whose task writes; nothing of a method without a model."""
    found: dict[Cell, float] = {}
    if not (encoder.backbone.learner.decoder or encoder.backbone.learner.seq2seq):
        return found
    pace: Pace | None = None
    lengths: dict[tuple[str, int], Lengths] = {}
    for cell in cells:
        task, method = tasks[cell.task], methods[cell.method]
        tools = task.family.writes
        effort = None if tools is None else _effort(method, task.family, cell.shot)
        if tools is None or effort is None:
            continue
        pace = pace_of(encoder) if pace is None else pace
        key = cell.task, cell.shot
        if key not in lengths:
            lengths[key] = _lengths(encoder, tools, task, cell)
        found[cell] = _seconds(effort, lengths[key], pace, tools, shot=cell.shot, queries=queries)
    return found


def _effort(method: Method, family: AnyFamily, shot: int) -> Effort | None:
    """Return what a method does, as an effort; None where it reads no model."""
    if isinstance(method, FineTune):
        return Effort(settings_for(shot, method.table_for(family)).steps, batch_size=WRITTEN)
    if isinstance(method, FrozenInstant):
        return WRITING_EFFORTS["instant"]
    if not isinstance(method, Ours) or method.effort == WORDS:
        return None
    if method.effort == AUTO:  # which tries all of them on most of the examples
        return Effort(2 * sum(one.steps for one in WRITING_EFFORTS.values()), batch_size=WRITTEN, shown=1)
    if isinstance(method.effort, str):
        return efforts_of(family).get(method.effort, WRITING_EFFORTS["fast"])
    return method.effort if isinstance(method.effort, Effort) else WRITING_EFFORTS["fast"]


def _lengths(encoder: Encoder, tools: WriteTools, task: TaskSet, cell: Cell) -> Lengths:
    support, form = task.support(cell.shot, cell.draw), form_of(encoder, tools)
    sources = [len(form.template.tokens(text)) for text in source_texts(support.inputs)]
    targets = [len(form.template.tokens(text)) + 1 for text in support.targets]
    schema = task.family.schema(support.targets)
    most = most_tokens(encoder.backbone.learner, schema, tools, longest_target(form, support.targets))
    return Lengths(min(form.length, mean(sources)), mean(targets), most)


def _seconds(effort: Effort, lengths: Lengths, pace: Pace, tools: WriteTools, *, shot: int, queries: int) -> float:
    example = lengths.source + lengths.target
    before = min(tools.context, min(effort.shown, shot) * example)
    often = ceil(queries / BATCH) if shot <= effort.shown else queries  # read once where all of them are shown
    read = queries * lengths.source + often * before
    learnt = BACK * effort.steps * min(effort.batch_size, shot) * example
    return (read + learnt) * pace.reading + ceil(queries / BATCH) * lengths.most * pace.writing
