"""An encoder with a decoder: the encoder reads a text, the decoder writes another one.

    h = encoder(x),   logits_t = decoder(y_0 … y_{t−1}; h),   y_0 the token that the decoder begins with

A batch has the source as `input_ids` and `attention_mask` [B, T], and the tokens of the target, its end included, as
`labels` [B, T'], −100 where a row has none.  Features of texts are those of the encoder.
"""

from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers.modeling_outputs import BaseModelOutput

from metaglot.errors import MetaglotError
from metaglot.types import Batch

UNJUDGED = -100


def logits_of(module: nn.Module, hidden: Tensor, batch: Batch) -> Tensor:  # [B, T, D] -> [M, V]
    """Return the scores of the judged tokens of the targets, in row-major order, from the states of the sources.

    Raises MetaglotError where the batch has no targets.
    """
    labels = batch.get("labels")
    if labels is None or labels.ndim != 2:
        raise MetaglotError("an encoder with a decoder scores the tokens of targets; the batch needs labels [B, T']")
    logits = cast("Any", module)(
        encoder_outputs=BaseModelOutput(last_hidden_state=hidden),
        attention_mask=batch["attention_mask"],
        decoder_input_ids=shifted(labels, module),
        use_cache=False,
    ).logits
    return logits[labels != UNJUDGED]


def shifted(labels: Tensor, module: nn.Module) -> Tensor:  # [B, T'] -> [B, T']
    """Return what the decoder reads: the token it begins with, and each token of the target but the last."""
    start, pad = start_of(module), int(_config(module).pad_token_id or 0)
    known = labels.masked_fill(labels == UNJUDGED, pad)
    return torch.cat([torch.full_like(known[:, :1], start), known[:, :-1]], dim=1)


def start_of(module: nn.Module) -> int:
    """Return the token that the decoder begins with; raise MetaglotError where the model names none."""
    settings = (_config(module), getattr(module, "generation_config", None))
    found = [getattr(one, "decoder_start_token_id", None) for one in settings]
    start = next((int(token) for token in found if token is not None), None)
    if start is None:
        raise MetaglotError(
            f"a {type(module).__name__} that names no decoder_start_token_id; write it into its config.json"
        )
    return start


def opening_of(module: nn.Module) -> tuple[int, ...]:
    """Return the token that every text of a decoder is made to begin with, such as `<s>` of BART, if there is one."""
    token = getattr(getattr(module, "generation_config", None), "forced_bos_token_id", None)
    return () if token is None else (int(token),)


def check_whole(module: nn.Module, name: str) -> None:
    """Raise MetaglotError where the decoder cannot begin."""
    try:
        start_of(module)
    except MetaglotError as error:
        raise MetaglotError(f"{name}: {error}") from error


def _config(module: nn.Module) -> Any:
    return cast("Any", module).config


def judged(hidden: Tensor, batch: Batch) -> Tensor:  # [B, T, D] -> [M, D]
    """Return the hidden states of the positions to be judged, in row-major order; all where the batch names none."""
    labels = batch.get("labels")
    return hidden if labels is None or labels.shape != hidden.shape[:2] else hidden[labels != UNJUDGED]
