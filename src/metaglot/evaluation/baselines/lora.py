"""LoRA fine-tuning: low-rank updates of the attention's queries and values, with the head.

Hu et al. 2021, https://arxiv.org/abs/2106.09685: rank 8, alpha 16, on queries and values, as in the paper.  The
encoder itself is untouched; loop, head and batches are those of `finetune`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from metaglot.adaptation import Encoder
from metaglot.evaluation.baselines.finetune import FineTune, FineTuneSettings
from metaglot.evaluation.baselines.start import Start
from metaglot.models import Lora
from metaglot.models.targets import default_targets, matrices_of

LORA_BY_SHOT: Mapping[int, FineTuneSettings] = MappingProxyType(
    {4: FineTuneSettings(2e-3, 40), 8: FineTuneSettings(1e-3, 80), 16: FineTuneSettings(2e-3, 80)}
)
"""The settings for k shots, the best of rates {5e-4, 1e-3, 2e-3} and steps {20, 40, 80}: docs/tuning.md."""


def begin(start: Start) -> FineTune:
    """Return the baseline."""
    return lora(start.backbone.encoder)


def lora(start: Encoder) -> FineTune:
    """Return the baseline on `start`, the untouched backbone."""
    targets = default_targets(matrices_of(start.params))
    return FineTune(start, name="lora", scope=Lora(rank=8, targets=targets), by_shot=LORA_BY_SHOT)
