"""`metaglot algorithms` lists the algorithms; `metaglot check-gradient` checks the gradient of one."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from metaglot.cli.shared.options import Json
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    from metaglot.algorithms.check import Checked
    from metaglot.algorithms.describe import Described

MOST_DIRECTIONS = 100  # directions
TOO_NOISY = "UNKNOWN: the loss is too noisy for differences in every direction (casts to lower precision inside?)"


def algorithms(*, as_json: Json = False) -> None:
    """List every algorithm: scope, head, rule and estimator of its defaults, what its gradient costs, its paper.

    Example: metaglot algorithms
    """
    from metaglot.algorithms.describe import describe
    from metaglot.choices import ALGORITHMS

    descriptions = [describe(name) for name in ALGORITHMS]
    if as_json:
        tell_json([_described_json(description) for description in descriptions], indent=1)
        return
    tell("\n\n".join(_description(description) for description in descriptions))
    tell(
        "\nGradients and products (the derivative of a gradient along a direction, about two gradients) are of the\n"
        "support loss through the body, for each inner step of meta-training."
    )


def check_gradient(
    model: Annotated[str, typer.Argument(help="builtin:NAME, a folder, or a hub id.")],
    *,
    algorithm: Annotated[str, typer.Option(help="A name from `metaglot algorithms`.")],
    option: Annotated[
        list[str] | None, typer.Option("--option", "-o", help="key=value of the algorithm; may be given several times.")
    ] = None,
    directions: Annotated[int, typer.Option(help="Random directions.")] = 3,
    as_json: Json = False,
) -> None:
    """Compare a meta-gradient with finite differences, in float64, on an episode of random tokens.

    Exit code 0: it holds, or it is not meant to be exact (its cosine with the exact one is printed); 1: it does not
    hold, or the loss is too noisy. Networks that cast to fp32 inside are noisy: the allowed difference is measured.

    Example: metaglot check-gradient builtin:tiny --algorithm maml --option steps=2
    """
    from metaglot.cli.shared.checks import check_count
    from metaglot.data.folders import check_model

    check_count("--directions", directions, most=MOST_DIRECTIONS)
    options = _options(option or [])
    check_model(model)
    from dataclasses import replace

    from metaglot.algorithms import build_algorithm
    from metaglot.algorithms.check import check_gradient as check
    from metaglot.models import Runtime, load_backbone

    built_algorithm = build_algorithm(algorithm, options)
    learner = load_backbone(model, Runtime("fp32", "eager", "cpu", second_order=True)).learner
    outcome = check(built_algorithm, replace(learner, module=learner.module.double()), directions=directions)
    if as_json:
        tell_json(_checked_json(model, algorithm, outcome))
    else:
        tell(_verdict(algorithm, outcome))
    if outcome.exact and not outcome.holds:
        raise typer.Exit(1)


def _description(algorithm: "Described") -> str:
    rule = f"{algorithm.rule} × {algorithm.steps}" if algorithm.steps else "no step"
    memory = (
        "memory does not grow with the steps"
        if algorithm.cost.grows == "no"
        else f"memory grows by {algorithm.cost.grows}"
    )
    exact = "exact" if algorithm.exact else "an estimate"
    lines = [
        f"{algorithm.name}: scope {algorithm.scope}, head {algorithm.head}, {rule}, {algorithm.estimator} ({exact})",
        f"    a step: {algorithm.cost.passes}; {memory}",
        *(f"    {paper.cite}, {paper.url}" for paper in algorithm.papers),
    ]
    return "\n".join(lines)


def _options(texts: list[str]) -> dict[str, Any]:
    from metaglot.data.yamltext import parse_yaml

    options: dict[str, Any] = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise MetaglotError(f"--option {text!r}: expected key=value, e.g. steps=2")
        options[key] = parse_yaml(value, f"--option {text[:60]!r}")
    return options


def _verdict(name: str, outcome: "Checked") -> str:
    if not outcome.exact:
        cosine = "" if outcome.cosine is None else f"; its cosine with the exact gradient here: {outcome.cosine:.4f}"
        parts = ", ".join(f"{part} {value:.4f}" for part, value in outcome.cosines.items())
        return f"{name}: an estimate by design ({outcome.kind}){cosine}{f' ({parts})' if parts else ''}"
    lines = [
        f"  direction {number}: gradient {direction.gradient:+.10e}, differences {direction.difference:+.10e}, "
        f"apart {direction.error:.1e} (allowed {direction.allowed:.1e})"
        for number, direction in enumerate(outcome.along, start=1)
    ]
    verdict = {True: "holds", False: "DOES NOT HOLD", None: TOO_NOISY}[outcome.holds]
    return "\n".join([f"{name}: {outcome.kind}, {outcome.estimator}: {verdict}", *lines])


def _checked_json(model: str, name: str, outcome: "Checked") -> dict[str, Any]:
    directions = [direction._asdict() for direction in outcome.along]
    facts = {
        "estimator": outcome.estimator,
        "exact": outcome.exact,
        "kind": outcome.kind,
        "holds": outcome.holds,
        "cosines": dict(outcome.cosines),
    }
    return {"model": model, "algorithm": name, **facts, "cosine": outcome.cosine, "directions": directions}


def _described_json(description: "Described") -> dict[str, Any]:
    papers = [paper._asdict() for paper in description.papers]
    return {**description._asdict(), "papers": papers, "cost": description.cost._asdict()}
