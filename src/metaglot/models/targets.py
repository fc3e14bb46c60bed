"""Which weight matrices LoRA and warps act on where no names are given: the queries and values of the attention.

Families of models call them by names of their own.  A network without attention, or whose queries and values are no
matrices (FNet, XLNet), gives all matrices of its layers.
Hu et al. 2021, https://arxiv.org/abs/2106.09685, section 4.2.
"""

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase

from torch import Tensor

from metaglot.errors import MetaglotError
from metaglot.types import Params

TARGETS = (
    ("query_key_value",),  # GPT-NeoX, Bloom, Falcon: queries, keys and values in one
    ("query", "value"),  # BERT and its kin; query_proj, value_proj of DeBERTa
    ("q_proj", "v_proj"),  # Llama, Qwen, OPT, BART
    ("q_lin", "v_lin"),  # DistilBERT, XLM
    ("q_head", "v_head"),  # Funnel
    (".q.", ".v."),  # T5, MPNet
    ("Wq", "Wv"),  # CTRL
    ("qkv",),  # Wqkv of ModernBERT and MPT; qkv_proj of Phi-3
    ("c_attn",),  # GPT-2
    ("in_proj",),  # the first DeBERTa; Mamba, which has no attention
)
"""By families, the first whose names are all there is taken."""
IN_LAYER = re.compile(r"\.\d+\.")


def default_targets(matrices: Sequence[str]) -> tuple[str, ...]:
    """Return patterns of the queries and values among the names of weight matrices, or else the names in the layers.

    Raises MetaglotError where the layers have no matrix.
    """
    for names in TARGETS:
        if all(matching(matrices, name) for name in names):
            return names
    in_layers = tuple(name for name in matrices if IN_LAYER.search(name) and name.endswith(".weight"))
    if not in_layers:
        raise MetaglotError(
            "the layers of this network have no weight matrix for LoRA or warps to act on; use the scope all, "
            "bias-norm or named"
        )
    return in_layers


def matrices_of(body: Params) -> list[str]:
    """Return the names of the weights that are matrices."""
    return [name for name, value in body.items() if is_matrix(value)]


def is_matrix(value: Tensor) -> bool:
    """Return whether a weight is a matrix [m, n], or a convolution over single places [m, n, 1]."""
    return value.ndim == 2 or (value.ndim == 3 and value.shape[2] == 1)


def matching(matrices: Sequence[str], target: str) -> list[str]:
    """Return the names that have a target in them, which may be a shell pattern."""
    return [name for name in matrices if fnmatchcase(name, f"*{target}*")]
