"""LoRA fine-tuning: low-rank updates of the attention's queries and values, with the head.

Hu et al. 2021, https://arxiv.org/abs/2106.09685: rank 8, alpha 16, on queries and values, as in the paper.  The
encoder itself is untouched; loop, head and batches are those of `finetune`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from metaglot.adaptation import Model
from metaglot.evaluation.baselines.finetune import FineTune, Tuned
from metaglot.models import Lora
from metaglot.types import Params

LORA_BY_SHOT: Mapping[int, Tuned] = MappingProxyType({4: Tuned(2e-3, 40), 8: Tuned(1e-3, 80), 16: Tuned(2e-3, 80)})
"""The settings for k shots, the best of rates {5e-4, 1e-3, 2e-3} and steps {20, 40, 80}: docs/tuning.md."""

# Queries and values as backbones call them: BERT and its kin; Llama, OPT; DistilBERT; GPT-2 (with the keys); NeoX.
TARGETS = (("query", "value"), ("q_proj", "v_proj"), ("q_lin", "v_lin"), ("c_attn",), ("query_key_value",))


def lora(start: Model) -> FineTune:
    """Return the baseline on `start`, the untouched backbone."""
    return FineTune(start, name="lora", scope=Lora(rank=8, targets=targets_in(start.params)), by_shot=LORA_BY_SHOT)


def targets_in(body: Params) -> tuple[str, ...]:
    """Return what the body calls its queries and values; BERT's names, which `lora_init` refuses, if unknown."""
    matrices = [name for name, value in body.items() if value.ndim == 2]
    known = (targets for targets in TARGETS if all(any(f".{part}." in name for name in matrices) for part in targets))
    return next(known, TARGETS[0])
