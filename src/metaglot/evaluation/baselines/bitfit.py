"""BitFit: fine-tuning of the biases and norms only, with the head.

Ben Zaken et al. 2022, https://arxiv.org/abs/2106.10199, train only the biases; here the gains of the norms are trained
too (about as many), since some backbones have no bias elsewhere.  Loop, head and batches are those of `finetune`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from metaglot.adaptation import Encoder
from metaglot.evaluation.baselines.finetune import FineTune, FineTuneSettings
from metaglot.evaluation.baselines.start import Start
from metaglot.evaluation.baselines.vectors import Vectors

BITFIT_BY_SHOT: Mapping[int, FineTuneSettings] = MappingProxyType(
    {4: FineTuneSettings(3e-3, 40), 8: FineTuneSettings(3e-3, 20), 16: FineTuneSettings(3e-3, 40)}
)
"""The settings for k shots, the best of rates {1e-3, 3e-3} and steps {20, 40, 80}: docs/tuning.md."""


def begin(start: Start) -> FineTune:
    """Return the baseline."""
    return bitfit(start.backbone.encoder)


def bitfit(start: Encoder) -> FineTune:
    """Return the baseline on `start`, the untouched backbone."""
    return FineTune(start, name="bitfit", scope=Vectors(), by_shot=BITFIT_BY_SHOT)
