"""The objective that a backbone is made for."""

import numpy as np

from metaglot.errors import MetaglotError
from metaglot.families.language.causal_lm import CausalLm
from metaglot.families.language.masked_lm import MaskedLm
from metaglot.families.language.permutation_lm import PermutationLm
from metaglot.models import Backbone
from metaglot.models.two_streams import has_two_streams


def objective_of(
    backbone: Backbone, *, share: float = 0.15, continuation: np.ndarray | None = None
) -> MaskedLm | CausalLm | PermutationLm:
    """Return causal language modelling for a decoder, and masked for an encoder with a language-model head.

    A network with two-stream attention (XLNet) sees both sides of a token, and gets permutation language modelling.

    Raises MetaglotError for an encoder that was loaded without one, a tokenizer that cannot mask, and a share outside
    0 to 1.
    """
    tokenizer, learner = backbone.tokenizer, backbone.learner
    padding = int(tokenizer.pad_token_id or 0)
    special = frozenset(int(token) for token in tokenizer.all_special_ids)
    if learner.decoder and has_two_streams(learner.module):
        return PermutationLm(padding, special, _checked(share))
    if learner.decoder:
        return CausalLm(padding)
    if learner.seq2seq:
        raise MetaglotError(
            f"{backbone.name}: an encoder with a decoder learns to write (the kind generation), and neither masked nor "
            "causal language modelling; take an encoder or a decoder"
        )
    if learner.language is None:
        raise MetaglotError(f"{backbone.name}: it was loaded without its language-model head (Runtime(language=True))")
    if tokenizer.mask_token_id is None:
        raise MetaglotError(
            f"{backbone.name}: its tokenizer has no token to mask with, which masked language modelling needs; set "
            "mask_token in tokenizer_config.json, or take a decoder"
        )
    return MaskedLm(padding, int(tokenizer.mask_token_id), len(tokenizer), special, _checked(share), continuation)


def _checked(share: float) -> float:
    if not 0 < share < 1:
        raise MetaglotError(f"the share of masked tokens must be above 0 and below 1, got {share}; 0.15 is usual")
    return share
