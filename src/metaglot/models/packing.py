"""Short texts side by side in one row, so that a network does not compute padding.

A batch [B, T] is padded to its longest text.  Here its texts are laid into rows of about that length, the longest
first, each into the first row with room for it (first fit decreasing; Johnson et al. 1974,
https://doi.org/10.1137/0203025); a mask keeps each text to itself, and positions are counted from its own first token.
What every token gets is the same, but for rounding.  Sequences are packed so in pre-training: Krell et al. 2021,
https://arxiv.org/abs/2107.02027.
"""

import math
from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor, nn

from metaglot.types import Batch

FIRST_POSITION: Mapping[str, int | None] = {
    "bert": 0,
    "electra": 0,
    "distilbert": 0,
    "gpt2": 0,
    "llama": 0,
    "qwen2": 0,
    "gpt_neox": 0,
    "mpnet": None,  # its relative positions are differences within a row, the same wherever a text stands
    "roberta": None,
    "xlm-roberta": None,
}
"""By the type of a model that takes positions and a mask for each pair of tokens: the first position; None where it is
the one after the number of the padding token."""
DECODERS = ("gpt2", "llama", "qwen2", "gpt_neox")  # of these: a token sees none after it, unless the config says so
WIDTHS = (1.0, 1.25, 1.5, 2.0)  # of a row, as multiples of the longest text
LEVEL = 250  # tokens; in rows of so many, attention on a CPU takes about as long as everything else
WORTH = 0.9  # of the cost of the padded batch; where more would be left, it stays as it is
NEVER = torch.finfo(torch.bfloat16).min  # finite also in bfloat16


class Layout(NamedTuple):
    """Texts laid into rows."""

    width: int
    start: np.ndarray  # [B], of each text in the flattened rows
    rows: int

    @property
    def cost(self) -> float:
        """About what the rows cost."""
        return cost_of(self.rows, self.width)


class Packed(NamedTuple):
    """A packed batch of R rows, and where its tokens belong."""

    inputs: dict[str, Tensor]  # input_ids, position_ids, … [R, W]; attention_mask [R, 1, W, W], bool where fused
    place: Tensor  # [N], of each token in the flattened rows, in the order of the batch
    mask: Tensor  # [B, T], bool: where tokens stand in the batch

    def unpacked(self, hidden: Tensor) -> Tensor:  # [R, W, D] -> [B, T, D]
        """Return the states of tokens where the batch has them, zeros where it is padded."""
        states = hidden.new_zeros(*self.mask.shape, hidden.shape[-1])
        return states.masked_scatter(self.mask[..., None], hidden.flatten(0, 1)[self.place])


def packed(module: nn.Module, batch: Batch) -> Packed | None:
    """Return the batch packed; None where the network does not take it so, and where it would spare little."""
    first = first_position(module)
    mask = batch["attention_mask"].bool()
    if first is None or len(mask) < 2 or bool(mask.all()) or not bool(mask.any()):
        return None
    lengths = mask.sum(1)
    if not bool((mask == (torch.arange(mask.shape[1], device=mask.device) < lengths[:, None])).all()):
        return None  # padded on the left: positions count the padding
    sizes = lengths.cpu().numpy()
    if sizes.max() > _window(module):
        return None
    widths = (int(sizes.max() * times) for times in WIDTHS)
    layouts = [Layout(width, *_laid_out(sizes, width)) for width in widths]
    width, start, rows = best = min(layouts, key=lambda one: one.cost)
    if best.cost > WORTH * cost_of(*mask.shape):
        return None
    within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    place = torch.as_tensor(np.repeat(start, sizes) + within, device=mask.device)
    number = torch.as_tensor(np.repeat(np.arange(len(sizes)) + 1, sizes), device=mask.device)

    def laid(values: Tensor) -> Tensor:
        return values.new_zeros(rows * width).index_copy(0, place, values).view(rows, width)

    inputs = {n: laid(batch[n][mask]) for n in ("input_ids", "token_type_ids") if n in batch}
    inputs["position_ids"] = laid(positions_in(module, batch["input_ids"], mask, within, first))
    text = laid(number)
    seen = text[:, :, None] == text[:, None, :]
    seen = seen.tril() if _is_causal(module) else seen
    inputs["attention_mask"] = (_added(seen) if _is_eager(module) else seen)[:, None]
    return Packed(inputs, place, mask)


def _added(mask: Tensor) -> Tensor:
    """Return what eager attention adds to its scores."""
    return torch.zeros(mask.shape, device=mask.device).masked_fill(~mask, NEVER)


def _is_eager(module: nn.Module) -> bool:
    config: Any = module.config
    return config._attn_implementation == "eager"  # what the model itself asks


def _is_causal(module: nn.Module) -> bool:
    """Whether the network hides what comes later, with a language-model head or without."""
    config: Any = module.config
    if config.model_type in DECODERS:
        return getattr(config, "is_causal", True) is not False
    return bool(getattr(config, "is_decoder", False))


def cost_of(rows: int, width: int) -> float:
    """Return about what rows of so many tokens cost, in tokens."""
    return rows * width * (1 + width / LEVEL)


def _laid_out(sizes: np.ndarray, width: int) -> tuple[np.ndarray, int]:
    """Return where each text starts in the flattened rows, and how many rows there are."""
    start, used = np.zeros(len(sizes), dtype=np.int64), np.zeros(len(sizes), dtype=np.int64)
    for i in np.argsort(-sizes, kind="stable"):
        row = int(np.argmax(used + sizes[i] <= width))
        start[i] = row * width + used[row]
        used[row] += sizes[i]
    return start, int((used > 0).sum())


def _window(module: nn.Module) -> float:
    """Return how many tokens back a token sees; a text that is no longer sees all of itself, and packing is right."""
    config: Any = module.config
    window = getattr(config, "sliding_window", None)
    return window if isinstance(window, int) and getattr(config, "use_sliding_window", True) else math.inf


def positions_in(module: nn.Module, ids: Tensor, mask: Tensor, within: np.ndarray, first: int) -> Tensor:  # [N]
    """Return the position of each token of the batch, counted from the first token of its text.

    Where the first is the one after the number of the padding token, a padding token that is written in a text keeps
    that number as its position and is not counted, as in the network itself.
    """
    config: Any = module.config
    if FIRST_POSITION[config.model_type] is not None:
        return torch.as_tensor(within + first, device=mask.device)
    counted = mask & (ids != first - 1)
    return (counted.cumsum(1) * counted)[mask] + first - 1


def first_position(module: nn.Module) -> int | None:
    """Return the position of the first token of a text; None where the network takes none, or none is known."""
    config: Any = getattr(module, "config", None)
    kind = getattr(config, "model_type", "")
    if kind not in FIRST_POSITION:
        return None
    first = FIRST_POSITION[kind]
    return _padding_of_positions(module) + 1 if first is None else first


def _padding_of_positions(module: nn.Module) -> int:
    """Return the row of the table of positions that stands for padding: MPNet's is 1, whatever its config says."""
    tables = (one for name, one in module.named_modules() if name.endswith("position_embeddings"))
    return int(cast("nn.Embedding", next(tables)).padding_idx or 0)
