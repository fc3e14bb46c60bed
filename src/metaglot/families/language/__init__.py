"""The plain objectives of language models, one file each, and one dict."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from metaglot.families.language.causal_lm import CausalLm
from metaglot.families.language.choice import objective_of
from metaglot.families.language.judging import perplexity, with_perplexity
from metaglot.families.language.masked_lm import MaskedLm
from metaglot.types import TaskInfo

OBJECTIVES: Mapping[str, Callable[..., Any]] = MappingProxyType({"masked-lm": MaskedLm, "causal-lm": CausalLm})
"""By the names of families."""


def of_language(infos: Sequence[TaskInfo]) -> bool:
    """Return whether any of the tasks is language modelling, which the learner's own head scores."""
    return any(info.family in OBJECTIVES for info in infos)


__all__ = ["OBJECTIVES", "CausalLm", "MaskedLm", "objective_of", "of_language", "perplexity", "with_perplexity"]
