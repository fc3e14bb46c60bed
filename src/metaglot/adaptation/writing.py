"""What an adaptation does where texts are written: rows to learn from, prompts with examples, and the texts.

The value of a text is p = exp(1/n Σ_t log p(y_t | x, y_1 … y_{t−1})) over the n tokens that were written: the geometric
mean of their probabilities, which says how sure the model was, not how good the text is.
"""

from collections.abc import Callable, Sequence
from math import ceil, exp
from statistics import mean
from typing import Any

import numpy as np
import torch

from metaglot.adaptation.alike import nearest
from metaglot.adaptation.encoder import Encoder
from metaglot.data.examples import Examples, Inputs
from metaglot.decoding import Continuations, Decoding
from metaglot.errors import MetaglotError
from metaglot.families.family import AnyFamily
from metaglot.families.prompts import Example
from metaglot.families.records import Predictions, Schema
from metaglot.families.write_tools import Format, WriteTools, source_texts
from metaglot.models.learner import HfLearner
from metaglot.models.positions import positions_of
from metaglot.types import Batch, Params

BATCH = 16  # prompts at a time


def form_of(encoder: Encoder, tools: WriteTools) -> Format:
    """Return how a model reads the task; raise MetaglotError for one that writes nothing.

    A model that was meta-trained reads as many tokens as it was trained on, and any other as many as is usual.
    """
    learner = encoder.backbone.learner
    if not (learner.decoder or learner.seq2seq):
        raise MetaglotError(
            f"{encoder.name} is an encoder, which reads texts and writes none; adapt a decoder, such as a folder of "
            "gpt2 or llama"
        )
    usual = max(encoder.max_length, min(tools.length, positions_of(learner.module)))
    length = encoder.max_length if encoder.meta else usual
    return tools.format_of(encoder.backbone.tokenizer, length=length, seq2seq=learner.seq2seq)


def rows_to_learn(
    encoder: Encoder, family: AnyFamily, tools: WriteTools, schema: Schema, examples: Examples[str]
) -> Batch:
    """Return the examples as a batch, on the device of the backbone."""
    form = form_of(encoder, tools)
    rows = [tools.row(form, *one) for one in zip(source_texts(examples.inputs), examples.targets, strict=True)]
    batch = family.objective(schema, encoder.pad_token_id).collate(rows)
    return {name: value.to(encoder.backbone.learner.device) for name, value in batch.items()}


def cut_rows(encoder: Encoder, tools: WriteTools, inputs: Inputs) -> int:
    """Return how many sources are longer than what is read of them."""
    return tools.cut(form_of(encoder, tools), inputs)


def shown_examples(inputs: Inputs, examples: Examples[str], count: int) -> list[list[Example]]:
    """Return for each input the examples that are most like it, the nearest first; it is none of its own examples."""
    pairs = list(zip(source_texts(examples.inputs), examples.targets, strict=True))
    found = nearest(source_texts(inputs), [source for source, _ in pairs], count)
    return [[pairs[i] for i in own] for own in found]


def most_tokens(learner: HfLearner, schema: Schema, tools: WriteTools, wish: int | None) -> int:
    """Return how many tokens are written at most: as many as wanted, or as the longest example can have."""
    longest = ceil(max(schema.levels, default=0.0)) + 4  # a token has a byte at least
    return min(tools.new_tokens, longest, positions_of(learner.module) // 2) if wish is None else wish


def written(
    encoder: Encoder,
    params: Params,
    tools: WriteTools,
    schema: Schema,
    inputs: Inputs,
    *,
    examples: Examples[str],
    shown: int,
    max_new_tokens: int | None,
    heard: Callable[[str], None] | None = None,
) -> Predictions:
    """Return the texts that are written for inputs, each with the probability of a token of it.

    `shown` of the examples stand before each source, as far as there is room.  `heard` gets the text of a lone input as
    far as it is written, after each token.
    """
    whole, learner = {**encoder.meta, **params}, encoder.backbone.learner
    form, count = form_of(encoder, tools), most_tokens(learner, schema, tools, max_new_tokens)
    before = shown_examples(inputs, examples, shown)
    room = _room(learner, tools, form, count, shown=shown)
    prompts = [
        tools.prompt(form, source, own, length=room).tokens
        for source, own in zip(source_texts(inputs), before, strict=True)
    ]
    texts, chances = [""] * len(prompts), np.zeros((len(prompts), 1))
    order = sorted(range(len(prompts)), key=lambda i: (len(prompts[i]), i))
    for rows in (order[at : at + BATCH] for at in range(0, len(order), BATCH)):
        hears = None if heard is None else lambda tokens: heard(form.template.text(tokens))
        found = continued(encoder, whole, [prompts[row] for row in rows], count, form.template.end, hears)
        for row, tokens, likelihoods in zip(rows, found.tokens, found.likelihoods, strict=True):
            texts[row], chances[row, 0] = form.template.text(tokens), chance_of(likelihoods)
    return Predictions(tuple(map(str, schema.outputs)), chances, texts)


def continued(
    encoder: Encoder,
    params: Params,
    prompts: Sequence[Sequence[int]],
    count: int,
    end: int,
    heard: Callable[[Sequence[int]], None] | None = None,
) -> Continuations:
    """Return the tokens that are written after each prompt, at most `count`, the likeliest at each place."""
    learner, width = encoder.backbone.learner, max(map(len, prompts))
    ids = torch.full((len(prompts), width), encoder.pad_token_id, device=learner.device)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt, device=learner.device)
        mask[row, width - len(prompt) :] = 1
    decoding = Decoding(max_new_tokens=count, ends=(end,))
    return learner.generate(params, {"input_ids": ids, "attention_mask": mask}, decoding, heard=heard)


def chance_of(likelihoods: Sequence[float]) -> float:
    """Return exp of the mean of log-probabilities of tokens; 0 where none was written."""
    return exp(mean(likelihoods)) if likelihoods else 0.0


def _room(learner: HfLearner, tools: WriteTools, form: Format, count: int, *, shown: int) -> int:
    """Return how many tokens a prompt may have: those of a source alone, or all that the model takes with examples."""
    positions = positions_of(learner.module)
    most = min(positions, tools.context + count) if shown else min(form.length + count, positions)
    if most - count < 2:
        raise MetaglotError(
            f"{count} tokens are to be written, and the model takes {positions} in all, so that nothing of a text "
            "would be read; ask for fewer (max_new_tokens)"
        )
    return most - count if shown else min(form.length, most - count)


def loss_of(
    encoder: Encoder,
    params: Params,
    family: AnyFamily,
    tools: WriteTools,
    schema: Schema,
    examples: Examples[str],
    before: Sequence[Sequence[Example]],
) -> float:
    """Return the loss a token of examples, each behind examples that are shown before it."""
    form = form_of(encoder, tools)
    wide = form._replace(length=min(tools.context, positions_of(encoder.backbone.learner.module)))
    objective: Any = family.objective(schema, encoder.pad_token_id)
    total = judged = 0.0
    for source, target, shown in zip(source_texts(examples.inputs), examples.targets, before, strict=True):
        row = tools.row(wide if shown else form, source, target, shown)
        batch = {n: v.to(encoder.backbone.learner.device) for n, v in objective.collate([row]).items()}
        with torch.no_grad():
            problem = encoder.problem(family, schema)
            loss = float(problem.loss({**encoder.meta, **params}, batch))
        total, judged = total + loss * objective.judged(batch), judged + objective.judged(batch)
    return total / max(1.0, judged)
