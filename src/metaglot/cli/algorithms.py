"""`metaglot algorithms` and `metaglot check-gradient`: what there is to choose from, and whether its gradient holds."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from metaglot.cli.shared.options import Json
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    from metaglot.algorithms.check import Checked
    from metaglot.algorithms.describe import Described

MOST = 100  # directions
UNSEEN = "CANNOT BE TOLD: the loss is too noisy for differences in every direction (casts to lower precision inside?)"


def algorithms(*, as_json: Json = False) -> None:
    """List every algorithm: scope, head, rule and estimator of its defaults, what its gradient costs, its paper.

    Example: metaglot algorithms
    """
    from metaglot.algorithms.describe import describe
    from metaglot.choices import ALGORITHMS

    found = [describe(name) for name in ALGORITHMS]
    if as_json:
        tell_json([_plain(one) for one in found], indent=1)
        return
    tell("\n\n".join(_shown(one) for one in found))
    tell(
        "\nGradients and products (the derivative of a gradient along a direction, about two gradients) are of the\n"
        "support loss through the body, for each inner step of meta-training."
    )


def check_gradient(
    model: Annotated[str, typer.Argument(help="builtin:NAME, a folder, or a hub id.")],
    *,
    algorithm: Annotated[str, typer.Option(help="A name from `metaglot algorithms`.")],
    option: Annotated[
        list[str] | None, typer.Option("--option", "-o", help="key=value of the algorithm; may stand several times.")
    ] = None,
    directions: Annotated[int, typer.Option(help="Random directions.")] = 3,
    as_json: Json = False,
) -> None:
    """Compare a meta-gradient with finite differences, in float64, on an episode of random tokens.

    Exit code 0: it holds, or it is not meant to be exact (its cosine with the exact one is printed); 1: it does not
    hold, or the loss is too noisy to tell. Networks that cast to fp32 inside are noisy: what is allowed is measured.

    Example: metaglot check-gradient builtin:tiny --algorithm maml --option steps=2
    """
    from metaglot.cli.shared.checks import check_count
    from metaglot.data.folders import check_model

    check_count("--directions", directions, most=MOST)
    options = _options(option or [])
    check_model(model)
    from dataclasses import replace

    from metaglot.algorithms import build_algorithm
    from metaglot.algorithms.check import check_gradient as check
    from metaglot.models import Runtime, load_backbone

    built = build_algorithm(algorithm, options)
    learner = load_backbone(model, Runtime("fp32", "eager", "cpu", second_order=True)).learner
    found = check(built, replace(learner, module=learner.module.double()), directions=directions)
    if as_json:
        tell_json(_found(model, algorithm, found))
    else:
        tell(_said(algorithm, found))
    if found.exact and not found.holds:
        raise typer.Exit(1)


def _shown(one: "Described") -> str:
    rule = f"{one.rule} × {one.steps}" if one.steps else "no step"
    memory = "memory does not grow with the steps" if one.cost.grows == "no" else f"memory grows by {one.cost.grows}"
    exact = "exact" if one.exact else "an estimate"
    lines = [
        f"{one.name}: scope {one.scope}, head {one.head}, {rule}, {one.estimator} ({exact})",
        f"    a step: {one.cost.passes}; {memory}",
        *(f"    {paper.cite}, {paper.url}" for paper in one.papers),
    ]
    return "\n".join(lines)


def _options(given: list[str]) -> dict[str, Any]:
    from metaglot.data.yamltext import parse_yaml

    options: dict[str, Any] = {}
    for one in given:
        key, found, value = one.partition("=")
        if not found or not key:
            raise MetaglotError(f"--option {one!r}: expected key=value, e.g. steps=2")
        options[key] = parse_yaml(value, f"--option {one[:60]!r}")
    return options


def _said(name: str, found: "Checked") -> str:
    if not found.exact:
        cosine = "" if found.cosine is None else f"; its cosine with the exact gradient here: {found.cosine:.4f}"
        parts = ", ".join(f"{part} {value:.4f}" for part, value in found.cosines.items())
        return f"{name}: an estimate by design ({found.kind}){cosine}{f' ({parts})' if parts else ''}"
    lines = [
        f"  direction {i}: gradient {one.gradient:+.10e}, differences {one.difference:+.10e}, "
        f"apart {one.error:.1e} (allowed {one.allowed:.1e})"
        for i, one in enumerate(found.along, start=1)
    ]
    verdict = {True: "holds", False: "DOES NOT HOLD", None: UNSEEN}[found.holds]
    return "\n".join([f"{name}: {found.kind}, {found.estimator}: {verdict}", *lines])


def _found(model: str, name: str, found: "Checked") -> dict[str, Any]:
    along = [one._asdict() for one in found.along]
    plain = {
        "estimator": found.estimator,
        "exact": found.exact,
        "kind": found.kind,
        "holds": found.holds,
        "cosines": dict(found.cosines),
    }
    return {"model": model, "algorithm": name, **plain, "cosine": found.cosine, "directions": along}


def _plain(one: "Described") -> dict[str, Any]:
    papers = [paper._asdict() for paper in one.papers]
    return {**one._asdict(), "papers": papers, "cost": one.cost._asdict()}
