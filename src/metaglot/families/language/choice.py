"""The objective that a backbone is made for."""

import numpy as np

from metaglot.data.vocabulary import SENTINEL, sentinels_of
from metaglot.errors import MetaglotError
from metaglot.families.language.causal_lm import CausalLm
from metaglot.families.language.masked_lm import MaskedLm
from metaglot.families.language.permutation_lm import PermutationLm
from metaglot.families.language.span_denoising import SpanDenoising
from metaglot.models import Backbone
from metaglot.models.two_streams import has_two_streams


def objective_of(
    backbone: Backbone,
    *,
    share: float = 0.15,
    continuation: np.ndarray | None = None,
    span: float | None = None,
    length: int | None = None,
) -> MaskedLm | CausalLm | PermutationLm | SpanDenoising:
    """Return causal language modelling for a decoder, and masked for an encoder with a language-model head.

    A network with two-stream attention (XLNet) sees both sides of a token, and gets permutation language modelling; an
    encoder with a decoder gets span denoising, in which `span` is the mean length of a gap (3 tokens if None) and
    `length` the tokens of the rows to come, if they are known.

    Raises MetaglotError for an encoder that was loaded without one, a tokenizer that cannot mask or has no sentinels,
    a share outside 0 to 1, and a span that has no effect or needs more sentinels.
    """
    tokenizer, learner = backbone.tokenizer, backbone.learner
    padding = int(tokenizer.pad_token_id or 0)
    special = frozenset(int(token) for token in tokenizer.all_special_ids)
    if learner.seq2seq:
        return _denoising(backbone, special, share, 3.0 if span is None else span, length)
    if span is not None:
        raise MetaglotError(
            f"span: {backbone.name} has no decoder beside an encoder, and so no spans to write; leave it out"
        )
    if learner.decoder and has_two_streams(learner.module):
        return PermutationLm(padding, special, _checked(share))
    if learner.decoder:
        return CausalLm(padding)
    if learner.language is None:
        raise MetaglotError(f"{backbone.name}: it was loaded without its language-model head (Runtime(language=True))")
    if tokenizer.mask_token_id is None:
        raise MetaglotError(
            f"{backbone.name}: its tokenizer has no token to mask with, which masked language modelling needs; set "
            "mask_token in tokenizer_config.json, or take a decoder"
        )
    return MaskedLm(padding, int(tokenizer.mask_token_id), len(tokenizer), special, _checked(share), continuation)


def _denoising(
    backbone: Backbone, special: frozenset[int], share: float, span: float, length: int | None
) -> SpanDenoising:
    tokenizer = backbone.tokenizer
    sentinels = sentinels_of(tokenizer)
    if not sentinels:
        raise MetaglotError(
            f"{backbone.name}: its tokenizer has no sentinels ({SENTINEL.format(0)}, {SENTINEL.format(1)}, …), which "
            "stand for what is hidden in span denoising; take a T5, or random weights (model.scratch), which get them"
        )
    end = next((one for one in (tokenizer.eos_token_id, tokenizer.sep_token_id) if one is not None), None)
    if end is None:
        raise MetaglotError(
            f"{backbone.name}: its tokenizer names no end of a text; set eos_token in tokenizer_config.json"
        )
    if not span >= 1:
        raise MetaglotError(f"the mean length of a hidden span must be 1 token or more, got {span}; 3 is usual")
    padding, framing = int(tokenizer.pad_token_id or 0), special - set(sentinels)
    objective = SpanDenoising(padding, int(end), sentinels, framing, _checked(share), span)
    if length is not None and length > 1:
        objective.sizes(length)
    return objective


def _checked(share: float) -> float:
    if not 0 < share < 1:
        raise MetaglotError(f"the share of masked tokens must be above 0 and below 1, got {share}; 0.15 is usual")
    return share
