"""LoRA updates on a decoder: where they begin is meta-trained, and what ten examples make of it.

    multitask   the gradient of the loss on all examples of an episode (`Joint` over LoRA)
    fomaml      that of the query loss after Adam's steps on the support set, four examples each
    metanet     that of the query loss after one pass of a meta-network over the support gradient (`metanet-n`)

All have the same episodes, and as many outer steps.  The decoder itself stays as it is.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks.models import load
from benchmarks.writing.domains import FAMILY, HALVES, Domain, Shape, WrittenTasks
from metaglot.adaptation.continuing import Request, written
from metaglot.adaptation.effort import BY_PREFIX
from metaglot.adaptation.encoder import Encoder
from metaglot.adaptation.prefix_start import prefix_start
from metaglot.adaptation.support import Support
from metaglot.adaptation.writing import form_of, rows_to_learn, shown_examples
from metaglot.algorithms.gradient_based import GradientBased
from metaglot.algorithms.joint import Joint
from metaglot.algorithms.metanet import metanet_n
from metaglot.data.examples import Examples
from metaglot.decoding import Decoding
from metaglot.families.text_scores import scored_texts
from metaglot.families.write_tools import WriteTools, source_texts
from metaglot.inner import Adam, first_order
from metaglot.models import Lora, Prefix, Zeros
from metaglot.training.checkpoint import latest, save
from metaglot.training.checkpoint import load as load_state
from metaglot.training.loop import Optimisation, train
from metaglot.training.state import initial_state
from metaglot.types import Batch, Params

UPPER = ("*layers.1[5-9].*[qv]_proj*", "*layers.2?.*[qv]_proj*")  # queries and values of the upper half of 30 layers
SCOPE = Lora(8, UPPER)
LR, BATCH = 1e-3, 4  # of an adaptation: Adam's rate, and examples a step
EVERY = 15  # outer steps after which the state is saved
SHOWN = 4  # examples in a prompt
WIDE = replace(FAMILY.writes, context=2048)  # with room for ten abstracts; the model has learnt from so many tokens


def writer() -> Encoder:
    """Return builtin:smol with its weights in bf16: they are rounded once, and not in every pass."""
    encoder = load("builtin:smol").encoder
    encoder.backbone.learner.module.to(torch.bfloat16)
    return encoder


def in_fp32(params: Params) -> dict[str, Tensor]:
    """Return what is learnt in the precision that it is learnt in."""
    return {name: value.float() for name, value in params.items()}


class Manner(NamedTuple):
    """What an adaptation moves, and Adam's rate."""

    scope: Lora | Prefix = SCOPE
    lr: float = LR


AS_PREFIX = Manner(Prefix(BY_PREFIX.prefix), BY_PREFIX.lr)  # as the effort `prefix`


def steps_of(steps: int, manner: Manner = Manner()) -> GradientBased:
    """Return so many of Adam's steps, first order."""
    scope, lr = manner
    return GradientBased(scope, Zeros(), Adam(lr=lr), steps, first_order, dropout=False, batch_size=BATCH)


def algorithm_called(name: str, inner: int) -> GradientBased | Joint:
    """Return an algorithm of the table, with so many steps in an episode."""
    return {
        "multitask": Joint(dropout=False, fine_tune=steps_of(inner)),
        "fomaml": steps_of(inner),
        "metanet": metanet_n(scope=SCOPE, lr=1.0, dropout=False, estimator="first-order"),
    }[name]


class Training(NamedTuple):
    """How LoRA updates are meta-trained."""

    steps: int  # outer ones
    shape: Shape = HALVES
    lr: float = 2e-3

    @property
    def inner(self) -> int:
        """Steps of an episode, of BATCH examples each: all of its support set once."""
        return self.shape.support // BATCH


def meta_trained(encoder: Encoder, domains: Sequence[Domain], name: str, training: Training, file: Path) -> Params:
    """Return what an algorithm learns from the domains, from the file if it is there; it goes on from a checkpoint.

    What stands behind a comma in the name says how long it learns.
    """
    if file.exists():
        return load_file(file)
    learner, algorithm = encoder.backbone.learner, algorithm_called(name.split(",")[0], training.inner)
    tasks, run = WrittenTasks(tuple(domains), encoder, training.shape), file.with_suffix("")
    if (found := latest(run)) is not None:
        state = load_state(found, device=learner.device)
    else:
        state = initial_state(algorithm, learner, tasks.tasks, seed=0, freeze=["*body.*"])
        state = replace(state, params=in_fp32(state.params))
    outer = Optimisation(steps=training.steps, meta_batch=1, lr=training.lr, algorithm_lr=1e-2, warmup=3)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.with_suffix(".jsonl").open("a", encoding="utf-8") as log:
        for after, record in train(state, tasks, algorithm, learner, outer):
            state = after
            print(json.dumps({"run": file.stem, **record}), file=log, flush=True)
            if state.step % EVERY == 0:
                save(state, run)
    params = {key: value.detach().contiguous() for key, value in state.params.items()}
    save_file(params, file)
    return params


def begun_prefix(encoder: Encoder, support: Examples[str]) -> Params:
    """Return where a prefix begins: as the keys and values of examples."""
    own = Support(FAMILY, FAMILY.schema(support.targets), support, {})
    return in_fp32(prefix_start(encoder, own, BY_PREFIX.prefix, seed=0))


def after_steps(
    encoder: Encoder, support: Examples[str], stops: Sequence[int], seed: int, manner: Manner = Manner()
) -> dict[int, Params]:
    """Return what is moved after each number of steps on the support set; that of `encoder.meta` is the start."""
    learner, strategy = encoder.backbone.learner, steps_of(max(stops), manner)
    meta = encoder.meta or in_fp32(SCOPE.init(learner.body(), seed=seed))
    schema = FAMILY.schema(support.targets)
    problem = encoder.problem(FAMILY, schema)
    batch = rows_to_learn(encoder, FAMILY, FAMILY.writes, schema, support)
    inner = strategy.inner_of(problem)
    loop = replace(inner.loop, batch_size=BATCH, order=seed)
    start = inner.start(problem, meta, batch, seed=None)
    found: dict[int, Params] = {}
    for fast in loop.walk(problem, meta, start, batch, seed=None, create_graph=False):
        if len(fast.trace) in stops:
            found[len(fast.trace)] = {key: value.detach().clone() for key, value in fast.params.items()}
    return found


def in_one_pass(encoder: Encoder, support: Examples[str]) -> Params:
    """Return the LoRA updates that the meta-network writes for the support set."""
    schema = FAMILY.schema(support.targets)
    problem = encoder.problem(FAMILY, schema)
    batch = rows_to_learn(encoder, FAMILY, FAMILY.writes, schema, support)
    return algorithm_called("metanet", 1).adapt(problem, encoder.meta, batch, seed=0).params


def tools_for(shown: int) -> WriteTools:
    """Return what is read with so many examples in a prompt."""
    return WIDE if shown > SHOWN else FAMILY.writes


def loss_on(
    encoder: Encoder, params: Params, queries: Examples[str], support: Examples[str], *, shown: int = 0, size: int = 8
) -> float:
    """Return the loss a token of the targets of the queries, behind so many examples, those most like each query."""
    tools = tools_for(shown)
    form = form_of(encoder, tools)._replace(length=tools.context)
    before = shown_examples(queries.inputs, support, shown) if shown else [[] for _ in queries.targets]
    rows = [
        tools.row(form, source, target, own)
        for source, target, own in zip(source_texts(queries.inputs), queries.targets, before, strict=True)
    ]
    rows.sort(key=lambda row: len(row["input_ids"]))
    problem = encoder.problem(FAMILY, FAMILY.schema(queries.targets))
    total = judged = 0.0
    for at in range(0, len(rows), size):
        batch: Batch = problem.objective.collate(rows[at : at + size])
        with torch.no_grad():
            loss = float(problem.loss({**encoder.meta, **params}, batch))
        count = problem.objective.judged(batch)
        total, judged = total + loss * count, judged + count
    return total / judged


def texts_for(
    encoder: Encoder, params: Params, queries: Examples[str], support: Examples[str], *, shown: int, decoding: Decoding
) -> list[str]:
    """Return what is written for the queries."""
    schema = FAMILY.schema(support.targets)
    request = Request(queries.inputs, support, shown, decoding.most, decoding)
    return list(written(encoder, params, tools_for(shown), schema, request).texts)


def scores(texts: Sequence[str], truth: Sequence[str]) -> Mapping[str, float]:
    """Return chrF, BLEU and ROUGE of texts."""
    return scored_texts(texts, truth).metrics


def signature() -> str:
    """Return how BLEU is counted."""
    return next(one.meaning for one in scored_texts(["a"], ["a"]).measures if one.name == "bleu")


def with_meta(encoder: Encoder, meta: Params) -> Encoder:
    """Return the encoder with what was meta-trained."""
    return replace(encoder, meta=meta)


class Clock:
    """CPU seconds since it was made."""

    def __init__(self) -> None:
        self.began = time.process_time()

    def seconds(self) -> float:
        """Return the seconds."""
        return time.process_time() - self.began
