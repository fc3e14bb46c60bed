"""`--on ray --workers N` of `metaglot pretrain`: meta-gradients are found by workers on a Ray cluster."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    from metaglot.config import Recipe
    from metaglot.training import Plan

MOST_WORKERS = 1024
NumberOfWorkers = Annotated[
    int | None,
    typer.Option("--workers", help="With --on: processes that find meta-gradients; one a CPU.", show_default=False),
]


def check_workers(on: str | None, workers: int | None) -> None:
    """Raise MetaglotError for workers without a cluster, one that does not answer, and an impossible number."""
    from metaglot.cli.shared.checks import check_count
    from metaglot.cluster import check_reachable

    if workers is not None and on is None:
        raise MetaglotError("--workers: they are of a Ray cluster; give --on ray too")
    check_count("--workers", workers, most=MOST_WORKERS)
    if on is not None:
        check_reachable(on)


def hold_cluster(context: typer.Context, on: str | None) -> None:
    """Connect to the Ray cluster of `--on`, if any, until the command ends; raise MetaglotError where there is none."""
    if on is not None:
        from metaglot.cluster import connected

        context.with_resource(connected(on))


def with_workers(
    context: typer.Context, plan: "Plan", settings: "Recipe", folder: Path, *, on: str | None, workers: int | None
) -> "Plan":
    """Return the plan with the loop that workers on a cluster serve until the command ends; without `on`, as it is.

    The cluster is held already.
    """
    if on is None:
        return plan
    from dataclasses import replace
    from functools import partial

    import ray

    from metaglot.assembly.parts import parts_of
    from metaglot.training.asynchronous import train_asynchronously
    from metaglot.training.on_ray import ray_crew

    threads, gpus = settings.threads or 1, int(plan.learner.device.type == "cuda")
    count = workers or max(1, int(ray.cluster_resources().get("CPU", 1)) // threads)
    makes = [partial(parts_of, settings, folder)] * count
    crew = context.with_resource(ray_crew(makes, on=on, threads=threads, gpus=gpus))
    return replace(plan, loop=partial(train_asynchronously, crew=crew, staleness=settings.training.staleness))
