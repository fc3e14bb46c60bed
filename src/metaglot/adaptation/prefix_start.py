"""Where a prefix begins: as the keys and values that attention has of examples, read one after the other.

Lu et al. 2025, https://arxiv.org/abs/2507.04221, begin so from a few examples and learn from all of them; a prefix at
random begins worse than no prefix (Li and Liang 2021, https://arxiv.org/abs/2101.00190, section 7.4).
"""

import torch

from metaglot.adaptation.encoder import Encoder
from metaglot.adaptation.support import Support
from metaglot.adaptation.writing import form_of
from metaglot.families.write_tools import WriteTools, source_texts
from metaglot.families.writing import UNJUDGED
from metaglot.models import Prefix
from metaglot.models.positions import positions_of
from metaglot.types import Batch, Params


def prefix_start(encoder: Encoder, support: Support, size: int, *, seed: int) -> Params:
    """Return `algorithm.prefix.*` of at most `size` places; at random where the kind of task writes no texts."""
    tools, learner = support.family.writes, encoder.backbone.learner
    if tools is None:
        return Prefix(size).init(encoder.params, seed=seed)
    read = learner.read(encoder.meta, _one_row(encoder, tools, support, size))
    return {f"algorithm.{name}": value for name, value in read.items()}


def _one_row(encoder: Encoder, tools: WriteTools, support: Support, size: int) -> Batch:
    """Return the end of examples in one row of `size` tokens, behind the token that every row begins with.

    Attention rests on that first token (Xiao et al. 2023, https://arxiv.org/abs/2309.17453): without it a text is worse
    off than without any prefix.
    """
    learner, form = encoder.backbone.learner, form_of(encoder, tools)
    size = min(size, positions_of(learner.module))
    tokens: list[int] = []
    targets: list[int] = []
    for one in zip(source_texts(support.examples.inputs), support.examples.targets, strict=True):
        row = tools.row(form, *one)
        tokens += row["input_ids"]
        targets += [token for token in row["labels"] if token != UNJUDGED]
        if (len(targets) if form.seq2seq else len(tokens)) >= size:
            break
    ids = torch.tensor([tokens if len(tokens) <= size else [tokens[0], *tokens[len(tokens) - size + 1 :]]])
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    batch |= {"labels": torch.tensor([targets[:size]])} if form.seq2seq else {}
    return {name: value.to(learner.device) for name, value in batch.items()}
