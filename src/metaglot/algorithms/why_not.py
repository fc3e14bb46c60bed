"""The reason why a combination of scope, head, rule and estimator makes no sense."""

from collections.abc import Callable, Sequence
from typing import Protocol

from metaglot.inner import (
    Adam,
    Adjoint,
    Curvature,
    Estimator,
    Implicit,
    LayerRates,
    MetaNet,
    MetaSgd,
    Momentum,
    Recurrent,
    Rule,
    Sgd,
    Towards,
)
from metaglot.models.heads import Generated, Head, Latent, Matching, Ridge, Svm, Zeros
from metaglot.models.scopes import AllBut, Context, HeadOnly, Lora, Scope, Warp


class Combination(Protocol):
    """What is chosen."""

    @property
    def scope(self) -> Scope: ...  # noqa: D102
    @property
    def head(self) -> Head: ...  # noqa: D102
    @property
    def rule(self) -> Rule: ...  # noqa: D102
    @property
    def estimator(self) -> Estimator: ...  # noqa: D102
    @property
    def steps(self) -> int: ...  # noqa: D102
    @property
    def weights(self) -> tuple[float, ...] | None: ...  # noqa: D102
    @property
    def proximal(self) -> float: ...  # noqa: D102
    @property
    def stream(self) -> bool: ...  # noqa: D102


def why_not(choices: Combination) -> str | None:
    """Return the reason why the choices are refused, or None."""
    return next((reason for check in CHECKS if (reason := check(choices))), None)


def _steps(c: Combination) -> str | None:
    if c.steps < 0:
        return f"the inner loop cannot take {c.steps} steps; use 0 or more"
    if c.steps == 0 and isinstance(c.head, Zeros):
        return "no inner step and a head of zeros learn nothing from the support set; use head=prototypes or steps ≥ 1"
    return None


def _towards(c: Combination) -> str | None:
    if isinstance(c.estimator, Towards) and (c.steps == 0 or isinstance(c.scope, HeadOnly | Context)):
        return (
            "Reptile moves the start to where the inner loop went: it needs steps ≥ 1 and a scope beyond the head (a "
            "context begins anew in each task)"
        )
    return None


def _untaught(c: Combination) -> str | None:
    """Reptile follows what the inner loop moves, so what a head or scope learns beside that would stay as it starts."""
    if not isinstance(c.estimator, Towards):
        return None
    if isinstance(c.head, Generated | Latent | Ridge | Svm) or isinstance(c.scope, AllBut | Warp):
        which = f"the head {c.head}" if isinstance(c.head, Generated | Latent | Ridge | Svm) else f"the scope {c.scope}"
        return (
            f"Reptile teaches only what its inner loop moves, so what {which} learns beside it would stay; use "
            "another head or scope, or the estimator unrolled or first-order"
        )
    return None


def _weights(c: Combination) -> str | None:
    if c.weights is None:
        return None
    if len(c.weights) != c.steps or not any(c.weights):
        return f"a weight for each of {c.steps} steps is needed, one of them above 0; got {list(c.weights)}"
    if isinstance(c.estimator, Towards | Implicit):
        return f"the estimator {c.estimator.name} looks only at the end of the inner loop; leave its weights out"
    return None


def _proximal(c: Combination) -> str | None:
    if c.proximal < 0:
        return f"the pull towards the start must be 0 or more, got {c.proximal}"
    if isinstance(c.estimator, Implicit):
        if c.proximal == 0 or c.steps == 0:
            return "the implicit gradient is that of a regularised solution: it needs proximal > 0 and steps ≥ 1"
        return None
    if c.proximal > 0 and isinstance(c.estimator, Adjoint):
        return "the adjoint sweep does not carry the pull towards the start; use the estimator unrolled or implicit"
    return None


def _stream(c: Combination) -> str | None:
    if c.stream and isinstance(c.estimator, Towards | Implicit):
        return (
            f"the estimator {c.estimator.name} looks at all of the support set at once, so that a stream has no order "
            "there; use the estimator unrolled, adjoint or first-order"
        )
    return None


def _learning(c: Combination) -> str | None:
    learning = isinstance(c.rule, MetaSgd | LayerRates | Curvature | Recurrent | MetaNet)
    if learning and c.steps > 0 and isinstance(c.estimator, Towards | Implicit):
        return (
            f"the estimator {c.estimator.name} looks only at where the inner loop ends, so what the rule itself learns "
            "would never change; use the estimator unrolled, adjoint or first-order, or the rule sgd"
        )
    return None


def _writing(c: Combination) -> str | None:
    if not isinstance(c.rule, MetaNet):
        return None
    if not isinstance(c.scope, Lora):
        return "the meta-network writes LoRA weights; use scope={lora: {rank: 8, targets: [query, value]}}"
    if isinstance(c.head, Zeros) and c.steps == 1:
        return (
            "a head of zeros passes no gradient on, so the meta-network would read nothing; use head=prototypes or "
            "steps ≥ 2"
        )
    return None


def cannot_step(head: Head, steps: int) -> str | None:
    """Return the reason why a head cannot be moved by so many steps, or None."""
    if isinstance(head, Matching) and steps > 0:
        return (
            f"matching compares with the support examples themselves: there is no layer for {steps} inner steps to "
            "move; use steps=0, or head=prototypes"
        )
    return None


def cannot_share(c: Combination) -> str | None:
    """Return the reason why an algorithm learns nothing of tasks that share one head, or None."""
    if c.steps == 0 or isinstance(c.head, Generated | Latent | Matching | Ridge | Svm):
        return (
            "these tasks share a head that is meta-learnt, and this algorithm makes the head of each task from its "
            "support set; use an algorithm that takes steps from a learnt start, such as fomaml, reptile or joint"
        )
    return None


def _head(c: Combination) -> str | None:
    if reason := cannot_step(c.head, c.steps):
        return reason
    if isinstance(c.head, Latent) and c.steps > 0 and isinstance(c.rule, MetaSgd | MetaNet):
        return "the rule learns rates for the weight and bias of a head, a latent one has a code; use the rule sgd"
    return None


def _frozen_head(c: Combination) -> str | None:
    if not isinstance(c.rule, Sgd | Adam | Momentum) or c.rule.head_lr != 0 or c.steps == 0:
        return None
    if isinstance(c.scope, HeadOnly):
        return "head_lr=0 keeps the head as it starts, and the scope moves nothing else; use scope=all"
    if isinstance(c.head, Zeros):
        return "head_lr=0 keeps the head as it starts, and zeros tell no class from another; use head=prototypes"
    return None


CHECKS: Sequence[Callable[[Combination], str | None]] = (
    *(_steps, _towards, _untaught, _weights, _proximal, _stream, _learning, _writing),
    *(_head, _frozen_head),
)
