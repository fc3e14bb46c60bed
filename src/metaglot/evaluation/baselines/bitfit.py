"""BitFit: fine-tuning of nothing but the biases and norms, with the head.

Ben Zaken et al. 2022, https://arxiv.org/abs/2106.10199, who move the biases alone; the gains of the norms are here
moved too (as many again), since some backbones have no bias elsewhere.  Loop, head and batches are those of `finetune`.
"""

from collections.abc import Mapping
from types import MappingProxyType

from metaglot.adaptation import Model
from metaglot.evaluation.baselines.finetune import FineTune, Tuned
from metaglot.evaluation.baselines.vectors import Vectors

BITFIT_BY_SHOT: Mapping[int, Tuned] = MappingProxyType({4: Tuned(1e-3, 40), 8: Tuned(1e-3, 40), 16: Tuned(1e-3, 40)})
"""TUNE"""


def bitfit(start: Model) -> FineTune:
    """Return the baseline on `start`, the untouched backbone."""
    return FineTune(start, name="bitfit", scope=Vectors(), by_shot=BITFIT_BY_SHOT)
