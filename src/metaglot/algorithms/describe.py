"""What each algorithm is: its four choices, the papers its docstring names, and what its gradient costs."""

import re
import sys
from typing import NamedTuple

from metaglot.algorithms.build import AnyAlgorithm, adapting, named
from metaglot.algorithms.check import exact_of
from metaglot.algorithms.gradient_based import GradientBased
from metaglot.algorithms.joint import Joint
from metaglot.choices import ALGORITHMS, HEADS, RULES, SCOPES
from metaglot.inner import Adjoint, Auto, FirstOrder, Implicit, Towards, Unrolled
from metaglot.models import HeadOnly

NAMED = re.compile(r"((?:[A-Z][\w-]+(?: et al\.| and [A-Z][\w-]+)? )(?:\([^()]*\) )?\d{4})[^;.]*?(https?://[^\s,;)]+)")
NONE = "none"


class Paper(NamedTuple):
    """Where an algorithm comes from."""

    cite: str  # such as "Finn et al. 2017"
    url: str


class Cost(NamedTuple):
    """What a meta-gradient costs through the body."""

    passes: str  # for each inner step
    grows: str  # what of its memory grows with the steps; "no" if nothing does


class Described(NamedTuple):
    """An algorithm with its defaults."""

    name: str
    summary: str  # the first sentence of its file
    scope: str
    head: str
    rule: str
    steps: int
    estimator: str
    exact: bool  # whether its gradient is that of the query loss
    papers: tuple[Paper, ...]
    cost: Cost


def describe(name: str) -> Described:
    """Return what the algorithm `name` is with its defaults; its name must be one of `ALGORITHMS`."""
    make = ALGORITHMS[name]
    algorithm: AnyAlgorithm = make()
    multitask = isinstance(algorithm, Joint) and not algorithm.single_source
    module = Joint.__module__ if multitask else make.__module__
    text = " ".join((sys.modules[module].__doc__ or "").split())
    papers = papers_in(text)
    summary = re.split(r"(?<=[.;]) ", text)[0].rstrip(".;")
    if isinstance(algorithm, Joint):
        tuned = algorithm.fine_tune
        choices = ("all", "one a data set", NONE, 0, "plain")
        cost = Cost(f"none; {tuned.steps} of fine-tuning on a new task", "no")
        return Described(name, summary, *choices, exact=True, papers=papers, cost=cost)
    alone = adapting(algorithm)
    estimator = alone.estimator.name if alone.steps or not alone.estimator.exact else "plain"
    return Described(
        name,
        summary,
        named(alone.scope, SCOPES),
        named(alone.head, HEADS),
        named(alone.rule, RULES) if alone.steps else NONE,
        alone.steps,
        estimator,
        exact=exact_of(alone) == alone,
        papers=papers,
        cost=cost_of(alone),
    )


def papers_in(text: str) -> tuple[Paper, ...]:
    """Return the papers named as `Author et al. YEAR …, URL`, each URL once."""
    papers = {match[2].rstrip("."): match[1] for match in NAMED.finditer(text)}
    return tuple(Paper(cite, url) for url, cite in papers.items())


def cost_of(algorithm: GradientBased) -> Cost:
    """Return the cost of its estimator: gradients of the support loss, and products with their derivative."""
    if algorithm.steps == 0:
        return Cost("none", "no")
    if isinstance(algorithm.scope, HeadOnly):  # the body runs once over the support set
        return Cost("none through the body", "no")
    match algorithm.estimator:
        case Unrolled():
            return Cost("1 gradient, 1 product", "a graph a step")
        case Auto():
            return Cost("1 gradient, 1 product; 2 gradients where memory is short", "a graph a step, or a state")
        case Adjoint() as adjoint:
            tested = 4 if getattr(adjoint.product, "tolerance", None) is not None else 2
            passes = "2 gradients, 1 product" if adjoint.exact else f"{2 + tested} gradients"
            return Cost(passes, "a state a step" if adjoint.stored is None else "no")
        case Implicit() as implicit:
            return Cost(f"1 gradient, and {implicit.iterations} products in all", "no")
        case FirstOrder() | Towards():
            return Cost("1 gradient", "no")
        case _:
            return Cost("unknown", "unknown")
