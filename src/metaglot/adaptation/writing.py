"""What an adaptation reads where texts are written: rows to learn from, examples in prompts, and the loss."""

from collections.abc import Sequence
from math import ceil
from typing import Any

import torch

from metaglot.adaptation.alike import nearest
from metaglot.adaptation.encoder import Encoder
from metaglot.data.examples import Examples, Inputs
from metaglot.errors import MetaglotError
from metaglot.families.family import AnyFamily
from metaglot.families.prompts import Example
from metaglot.families.records import Schema
from metaglot.families.write_tools import Format, WriteTools, source_texts
from metaglot.models.learner import HfLearner
from metaglot.models.positions import check_written, positions_of
from metaglot.models.seq2seq import opening_of
from metaglot.types import Batch, Params

LONGEST = 32  # targets whose tokens are counted


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
    opening = opening_of(learner.module) if learner.seq2seq else ()
    return tools.format_of(encoder.backbone.tokenizer, length=length, seq2seq=learner.seq2seq, opening=opening)


def rows_to_learn(
    encoder: Encoder, family: AnyFamily, tools: WriteTools, schema: Schema, examples: Examples[str]
) -> Batch:
    """Return the examples as a batch, on the device of the backbone."""
    form = form_of(encoder, tools)
    rows = [tools.row(form, *one) for one in zip(source_texts(examples.inputs), examples.targets, strict=True)]
    batch = family.objective(schema, encoder.pad_token_id).collate(rows)
    return {name: value.to(encoder.backbone.learner.device) for name, value in batch.items()}


def shown_examples(inputs: Inputs, examples: Examples[str], count: int) -> list[list[Example]]:
    """Return for each input the examples that are shown, the most useful first: those that are most like it.

    Where there are no more than are shown, all inputs have them in one order, so that a model reads them once.
    """
    pairs = list(zip(source_texts(examples.inputs), examples.targets, strict=True))
    if len(pairs) <= count:
        return [pairs[::-1]] * len(inputs)
    found = nearest(source_texts(inputs), [source for source, _ in pairs], count)
    return [[pairs[i] for i in own] for own in found]


def longest_target(form: Format, targets: Sequence[str]) -> int:
    """Return how many tokens the longest of the targets has, its end included; of many, the longest in bytes count."""
    few = sorted(set(targets), key=lambda target: -len(target.encode("utf-8", "surrogatepass")))[:LONGEST]
    return max((len(form.template.tokens(form.template.lead + target)) + 1 for target in few), default=0)


def most_tokens(learner: HfLearner, schema: Schema, tools: WriteTools, longest: int) -> int:
    """Return how many tokens are written at most where nobody says: half as many again as the longest example has.

    Where its tokens are not known, it has as many as it has bytes.
    """
    least = ceil(max(schema.levels, default=0.0)) + 4
    count = longest + longest // 2 + 8 if longest else least
    return min(tools.new_tokens, count, positions_of(learner.module) // 2)


def room_of(learner: HfLearner, tools: WriteTools, form: Format, count: int, *, shown: int) -> int:
    """Return how many tokens a prompt may have: those of a source alone, or all that the model takes with examples.

    Raises MetaglotError where `count` tokens that are to be written leave none, or are too many.
    """
    check_written(learner.module, count)
    positions = positions_of(learner.module)
    free = positions if form.seq2seq and count <= positions else positions - count
    most = min(free, tools.context if shown else form.length)
    if most < 2:
        raise MetaglotError(
            f"{count} tokens are to be written, and the model takes {positions} in all, so that nothing of a text "
            "would be read; ask for fewer (max_new_tokens)"
        )
    return most


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
