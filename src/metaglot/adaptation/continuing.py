"""The texts that an adaptation writes for sources, and how likely they are.

The value of a text is p = exp(1/n Σ_t log p(y_t | x, y_1 … y_{t−1})) over the n tokens that were written: the geometric
mean of their probabilities, which says how sure the model was, not how good the text is.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import exp
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from metaglot.adaptation.encoder import Encoder
from metaglot.adaptation.writing import form_of, most_tokens, room_of, shown_examples
from metaglot.data.examples import Examples, Inputs
from metaglot.decoding import Continuations, Decoding
from metaglot.families.prompts import Whole
from metaglot.families.records import Predictions, Schema
from metaglot.families.write_tools import Format, WriteTools, source_texts
from metaglot.families.writing import Writing, decoder_row, source_and_target_row
from metaglot.types import Params

BATCH = 16  # prompts at a time


class Texts(NamedTuple):
    """Texts that were written."""

    texts: list[str]
    chances: list[float]  # the geometric mean of the probabilities of the tokens of each
    likelihoods: list[float] | None = None  # the log-probability of each, in nats; None where no model wrote it
    tokens: list[int] | None = None  # how many each has
    seconds: float = 0.0

    def predictions(self, schema: Schema) -> Predictions:
        """Return the texts as predictions."""
        return Predictions(tuple(map(str, schema.outputs)), np.array(self.chances).reshape(-1, 1), self.texts)


class Request(NamedTuple):
    """What is to be written for, and how."""

    inputs: Inputs
    examples: Examples[str]  # of which `shown` at most stand before each source, as far as there is room
    shown: int
    longest: int  # tokens of the longest target that was learnt from; 0 where that is not known
    decoding: Decoding | None = None


class Reading(NamedTuple):
    """How sources are read before something is written for them."""

    form: Format
    decoding: Decoding
    length: int  # tokens of a prompt


def reading_of(encoder: Encoder, tools: WriteTools, schema: Schema, request: Request) -> Reading:
    """Return how sources are read; raise MetaglotError where nothing of them would be."""
    learner, form = encoder.backbone.learner, form_of(encoder, tools)
    asked = Decoding() if request.decoding is None else request.decoding
    count = asked.max_new_tokens or max(asked.min_new_tokens, most_tokens(learner, schema, tools, request.longest))
    decoding = replace(asked, max_new_tokens=count, ends=(*asked.ends, form.template.end))
    return Reading(form, decoding, room_of(learner, tools, form, count, shown=request.shown))


def cut_rows(encoder: Encoder, tools: WriteTools, schema: Schema, request: Request) -> int:
    """Return how many sources are longer than what is read of them."""
    form, _, length = reading_of(encoder, tools, schema, request)
    return sum(tools.prompt(form, source, length=length).cut for source in source_texts(request.inputs))


def written(
    encoder: Encoder,
    params: Params,
    tools: WriteTools,
    schema: Schema,
    request: Request,
    *,
    heard: Callable[[str], None] | None = None,
    done: Callable[[int], None] = lambda _: None,
) -> Texts:
    """Return what is written for inputs.

    `heard` gets the text of a lone input as far as it is written, after each token; a beam search has none before its
    end.  `done` gets how many more were written.
    """
    whole = {**encoder.meta, **params}
    form, decoding, length = reading_of(encoder, tools, schema, request)
    before = shown_examples(request.inputs, request.examples, request.shown)
    sources = zip(source_texts(request.inputs), before, strict=True)
    prompts = [tools.prompt(form, source, own, length=length).tokens for source, own in sources]

    def text_of(tokens: Sequence[int]) -> str:
        text = form.template.text(tokens)  # not stripped, since a stop string may begin or end with white space
        return min((text.split(end, 1)[0] for end in decoding.stop), key=len, default=text).strip()

    hears = None if heard is None or decoding.beams > 1 else lambda tokens: heard(text_of(tokens))
    found = continued(encoder, whole, prompts, decoding, hears, done)
    likelihoods = found.likelihoods
    if decoding.beams > 1:
        wholes = [Whole(prompt, list(one), cut=False) for prompt, one in zip(prompts, found.tokens, strict=True)]
        likelihoods = [likelihoods_of(encoder, whole, one, seq2seq=form.seq2seq) for one in wholes]
    return Texts(
        [text_of(tokens) for tokens in found.tokens],
        [chance_of(one) for one in likelihoods],
        [sum(one) for one in likelihoods],
        [len(tokens) for tokens in found.tokens],
        found.seconds,
    )


def continued(
    encoder: Encoder,
    params: Params,
    prompts: Sequence[Sequence[int]],
    decoding: Decoding,
    heard: Callable[[Sequence[int]], None] | None = None,
    done: Callable[[int], None] = lambda _: None,
) -> Continuations:
    """Return the tokens that are written after each prompt."""
    if not prompts:
        return Continuations((), 0.0)
    learner, width = encoder.backbone.learner, max(map(len, prompts))
    ids = torch.full((len(prompts), width), encoder.pad_token_id, device=learner.device)
    mask = torch.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, width - len(prompt) :] = torch.tensor(prompt, device=learner.device)
        mask[row, width - len(prompt) :] = 1
    return learner.generate(
        params,
        {"input_ids": ids, "attention_mask": mask},
        decoding,
        tokenizer=encoder.backbone.tokenizer,
        heard=heard,
        at_once=BATCH,
        done=done,
    )


def likelihoods_of(encoder: Encoder, params: Params, whole: Whole, *, seq2seq: bool) -> tuple[float, ...]:
    """Return the log-probability of each token of a target behind its prompt, by one pass over both."""
    if not whole.target:
        return ()
    row = source_and_target_row(whole) if seq2seq else decoder_row(whole)
    learner = encoder.backbone.learner
    batch = {n: v.to(learner.device) for n, v in Writing(encoder.pad_token_id).collate([row]).items()}
    with torch.no_grad():
        logits = learner.forward(params, batch, logits=True).logits
    assert logits is not None
    chosen = Tensor.gather(
        logits.float().log_softmax(-1), 1, torch.tensor(whole.target, device=learner.device)[:, None]
    )
    return tuple(chosen[:, 0].tolist())


def chance_of(likelihoods: Sequence[float]) -> float:
    """Return exp of the mean of log-probabilities of tokens; 0 where none was written."""
    return exp(sum(likelihoods) / len(likelihoods)) if likelihoods else 0.0
