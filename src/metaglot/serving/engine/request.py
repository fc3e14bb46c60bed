"""What is asked of a task, and what it answers."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from metaglot.adaptation import Adapted, Explanation
from metaglot.adaptation.arguments import check_decoding, check_target
from metaglot.adaptation.evidence import tools_of, units_of
from metaglot.data.arguments import check_whole
from metaglot.data.examples import Inputs


@dataclass(frozen=True)
class Options:
    """What is wanted beside the predictions.

    Parameters
    ----------
    top_k : int, optional
        How many outputs are named for each text, the likeliest first; by default all.
    unknown : str, optional
        The prediction for a text that is likelier of none of the classes.
    explain : int, default=0
        How many examples that decided are named.
    max_new_tokens : int, optional
        How many tokens a text that is written has at most.

    Examples
    --------
    >>> from metaglot.serving.engine import Options
    >>> Options(top_k=2).needs_examples, Options(explain=3).needs_examples
    (False, True)
    """

    top_k: int | None = None
    unknown: str | None = None
    explain: int = 0
    max_new_tokens: int | None = None

    @property
    def needs_examples(self) -> bool:
        """Whether the features of the examples are asked, so that a task must be loaded whole."""
        return self.unknown is not None or self.explain > 0


@dataclass(frozen=True, eq=False)
class Request:
    """Texts for a task.

    Parameters
    ----------
    task : metaglot.Adapted
        The task, over the encoder of the engine (`Engine.adopt`, `Engine.load`).
    inputs : metaglot.data.examples.Inputs
        The texts; `metaglot.data.texts.inputs_of` makes them.
    options : Options, optional
        What else is wanted.
    """

    task: Adapted
    inputs: Inputs
    options: Options = Options()

    def check(self) -> None:
        """Raise MetaglotError for what the task cannot do; the encoder is not asked."""
        fit, options = self.task.fit, self.options
        fit.check_inputs(self.inputs)
        if fit.family.tokens is None and options.top_k is not None:
            check_whole("top_k", options.top_k, least=1)
        check_whole("explain", options.explain, least=0)
        if options.unknown is not None:
            tools_of(fit, "unknown")
            check_target("unknown", options.unknown, fit.family)
            units_of(fit, "the scope of the classes")
        if options.explain:
            units_of(fit, "an explanation")
        check_decoding(fit.family, options.max_new_tokens, None)


@dataclass(frozen=True, eq=False)
class Answer:
    """What a task says of texts.

    Attributes
    ----------
    targets : list
        The prediction for each text; `task.fit.family.plain` makes JSON of it.
    outputs : tuple of str
        The names of the columns of `values`.
    values : ndarray of shape (n, K)
        Probabilities or numbers; a row for each unit where a text has many.
    top : list of list of (str, float)
        The likeliest outputs of each text with their probabilities; none where outputs of texts have none.
    in_scope : ndarray of shape (n,), optional
        The probability that each text is of one of the classes, where `unknown` was given.
    explanations : list of metaglot.Explanation, optional
        The examples that decided, where they were asked for.
    """

    targets: list[Any]
    outputs: tuple[str, ...]
    values: np.ndarray
    top: list[list[tuple[str, float]]]
    in_scope: np.ndarray | None = None
    explanations: list[Explanation] | None = None


def likeliest(outputs: tuple[str, ...], values: np.ndarray, count: int | None) -> list[list[tuple[str, float]]]:
    """Return the names of the largest values of each row, with these; all of them without a count."""
    order = np.argsort(-values, axis=1, kind="stable")[:, :count]
    return [[(outputs[i], float(row[i])) for i in own] for own, row in zip(order.tolist(), values, strict=True)]
