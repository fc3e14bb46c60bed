"""States of a text that have the same bits whatever texts are beside it.

    states(text, batch) = states(text, other batch), bit for bit

Three things of a batch reach a text through rounding: how far its row is padded, where a packed row has it, and which
kernel a library takes for the size of a product.  Here all texts stand in one row of tokens without padding, so that
layers on tokens are products with as many rows as there are tokens, 32 at least: from there on a row of a product has
the same bits whatever the number of rows is.  Attention and pooling see a text at the beginning of a row whose width
follows from its own length.  No library promises this; `tests/models/test_steady.py` looks.

A network whose attention is not known to be a plain product runs padded texts, those of one width at a time.

On sums in another order, and servers: He et al. 2025,
https://thinkingmachines.ai/blog/defeating-nondeterminism-in-llm-inference/.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from transformers import AttentionInterface

from metaglot.models.packing import NEVER, first_position, positions_in
from metaglot.models.prefix import NAME as PREFIXED

NAME = "metaglot_steady"
STEP = 8  # tokens; widths are multiples of it
LEAST = 32  # tokens of a row
ALIGNED = 16  # the number of tokens is a multiple of it
FEW = 16  # texts that are pooled at a time, at least; where there are fewer, they stand there again
SHAPE = 4  # padded texts that are run at a time
PLAIN = ("bert", "electra", "distilbert", "roberta", "xlm-roberta")  # their attention is softmax(q kᵀ s) v

Run = Callable[[Mapping[str, Any]], Tensor]


def steady_states(module: nn.Module, run: Run, inputs: Mapping[str, Tensor]) -> Tensor:  # [B, T] -> [B, T, D]
    """Return the states of the tokens of a batch, zeros where it is padded; `run` runs the network."""
    config: Any = module.config
    mask = inputs["attention_mask"].bool()
    lengths = mask.sum(1)
    on_right = torch.equal(mask, torch.arange(mask.shape[1], device=mask.device) < lengths[:, None])
    prefixed = config._attn_implementation == PREFIXED  # its attention has a way of its own
    plain = config.model_type in PLAIN and not getattr(config, "is_decoder", False) and not prefixed
    if not (plain and on_right and bool(lengths.min() > 0)):
        return _padded(run, inputs, mask)
    row = _row(module, inputs, mask, lengths.cpu().numpy())
    with _attention(config):
        states = run(row)[0]
    return states.new_zeros(*mask.shape, states.shape[-1]).masked_scatter(mask[..., None], states[: int(mask.sum())])


def pooled_steadily(pool: Callable[[Tensor, Tensor], Tensor], hidden: Tensor, mask: Tensor) -> Tensor:  # [B, D]
    """Return the pooled vectors of hidden states [B, T, D], of texts of one width at a time."""
    order: list[Tensor] = []
    found: list[Tensor] = []
    for width, rows in _widths(mask.bool()):
        again = _enough(rows, FEW)
        states = pad(hidden, (0, 0, 0, max(0, width - hidden.shape[1])))[again, :width]
        found.append(pool(states, _wide(mask, width)[again])[: len(rows)])
        order.append(rows)
    return torch.cat(found)[torch.cat(order).argsort()]


def _padded(run: Run, inputs: Mapping[str, Tensor], mask: Tensor) -> Tensor:
    """Return the states from runs of one shape a width: what a library does may depend on it."""
    states: Tensor | None = None
    for width, rows in _widths(mask):
        for some in rows.split(SHAPE):
            again = _enough(some, SHAPE)
            own = run({name: _wide(value, width)[again] for name, value in inputs.items()})[: len(some)]
            states = own.new_zeros(*mask.shape, own.shape[-1]) if states is None else states
            states[some, : own.shape[1]] = own[:, : mask.shape[1]]
    assert states is not None, "a batch without texts"
    return states.masked_fill(~mask[..., None], 0)


def _wide(value: Tensor, width: int) -> Tensor:  # [B, T] -> [B, width]
    return pad(value, (0, max(0, width - value.shape[1])))[:, :width]


def _widths(mask: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Yield each width, which may be beyond that of the batch, and the texts of it: those whose tokens it holds."""
    place = torch.arange(1, mask.shape[1] + 1, device=mask.device)
    widths = _up((mask * place).amax(1).clamp(min=1), STEP)
    for width in widths.unique().tolist():
        yield width, (widths == width).nonzero()[:, 0]


def _enough(rows: Tensor, least: int) -> Tensor:
    return rows.repeat(-(-least // len(rows)))[: max(least, len(rows))]


def _up(value: Any, step: int) -> Any:
    return -(-value // step) * step


class Alike(NamedTuple):
    """Texts of one width in a row of tokens."""

    size: tuple[int, int]  # texts, width
    source: Tensor  # [n · w], the token at each place; where there is none, the first of the text
    bias: Tensor  # [n, 1, 1, w], added to scores
    there: Tensor  # [m], the places that have a token
    target: Tensor  # [m], these tokens


def _row(module: nn.Module, inputs: Mapping[str, Tensor], mask: Tensor, lengths: np.ndarray) -> dict[str, Any]:
    """Return what a network takes: all texts in one row, and how attention finds them there."""
    count = int(lengths.sum())
    total = max(LEAST, _up(count, ALIGNED))

    def laid(values: Tensor) -> Tensor:
        return torch.cat([values, values.new_zeros(total - count)])[None]

    start = np.cumsum(lengths) - lengths
    within = np.arange(count) - np.repeat(start, lengths)
    first = first_position(module)
    assert first is not None, "a network without positions"
    row = {n: laid(inputs[n][mask]) for n in ("input_ids", "token_type_ids") if n in inputs}
    row["position_ids"] = laid(positions_in(module, inputs["input_ids"], mask, within, first))
    row["attention_mask"] = mask.new_zeros(1, 1, 1, 1, dtype=torch.float32)  # of four dimensions: taken as it is
    return {**row, "alike": _groups(start, lengths, mask.device)}


def _groups(start: np.ndarray, lengths: np.ndarray, device: torch.device) -> list[Alike]:
    widths, groups = _up(lengths, STEP), list[Alike]()
    for width in np.unique(widths).tolist():
        rows = np.flatnonzero(widths == width)
        rows = rows.repeat(2) if len(rows) == 1 else rows  # a library has a way of its own for a lone one
        at = np.arange(width)[None]
        there = at < lengths[rows][:, None]
        source = start[rows][:, None] + np.where(there, at, 0)
        bias = np.where(there, 0.0, NEVER).astype(np.float32)[:, None, None]
        arrays = (source.ravel(), bias, np.flatnonzero(there.ravel()), source[there])
        groups.append(Alike((len(rows), width), *(torch.from_numpy(one).to(device) for one in arrays)))
    return groups


def _attend(
    module: nn.Module,
    query: Tensor,  # [1, H, N, d]
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    *,
    alike: Sequence[Alike],
    **_: Any,
) -> tuple[Tensor, None]:
    """Return softmax(q kᵀ s) v of each text by itself, [1, N, H, d]."""
    del module, attention_mask
    tokens = [one[0].transpose(0, 1) for one in (query, key, value)]  # [N, H, d]
    heads, width = tokens[0].shape[1:]
    scale = width**-0.5 if scaling is None else scaling
    found = tokens[2].new_zeros(tokens[2].shape)
    for group in alike:
        q, k, v = (one.index_select(0, group.source).view(*group.size, heads, -1).transpose(1, 2) for one in tokens)
        chances = (q @ k.transpose(2, 3) * scale + group.bias).softmax(-1)
        own = (chances @ v.to(chances.dtype)).transpose(1, 2).reshape(-1, heads, width)
        found[group.target] = own[group.there].to(found.dtype)
    return found[None], None


AttentionInterface.register(NAME, _attend)


@contextmanager
def _attention(config: Any) -> Generator[None]:
    """Within the block the network attends in one row; its turn is held meanwhile."""
    before = config._attn_implementation
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = before
