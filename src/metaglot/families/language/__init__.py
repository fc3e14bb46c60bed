"""The plain objectives of language models, one file each; `metaglot.choices.OBJECTIVES` is their list."""

from collections.abc import Sequence

from metaglot.choices import FAMILIES
from metaglot.families.language.causal_lm import CausalLm
from metaglot.families.language.choice import objective_of
from metaglot.families.language.judging import perplexity, with_perplexity
from metaglot.families.language.masked_lm import MaskedLm
from metaglot.families.language.permutation_lm import PermutationLm
from metaglot.families.language.replaced_tokens import ReplacedTokens
from metaglot.families.language.simcse import SimCse
from metaglot.families.language.span_denoising import SpanDenoising
from metaglot.types import TaskInfo


def of_language(infos: Sequence[TaskInfo]) -> bool:
    """Return whether any of the tasks is one that the learner's own head scores."""
    return any(FAMILIES.over_vocabulary(info.family) for info in infos)


__all__ = [
    "CausalLm",
    "MaskedLm",
    "PermutationLm",
    "ReplacedTokens",
    "SimCse",
    "SpanDenoising",
    "objective_of",
    "of_language",
    "perplexity",
    "with_perplexity",
]
