"""`metaglot shrink`: a run as a small difference from its base model."""

from typing import Annotated

import typer

from metaglot.cli.shared.options import ErrorsOnly, ReplaceRun, RunToMake
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.errors import MetaglotError


def shrink(
    run: Annotated[str, typer.Argument(help="A run directory.", show_default=False)],
    *,
    out: RunToMake,
    megabytes: Annotated[float, typer.Option(help="The largest size of the folder.")] = 4.0,
    max_length: Annotated[
        int | None, typer.Option(help="Tokens of a text that are read; as many as the run reads if absent.")
    ] = None,
    force: ReplaceRun = False,
    quiet: ErrorsOnly = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the size and what is kept as JSON.")] = False,
) -> None:
    """Write a run as its difference from the base model, in few megabytes: low rank, bfloat16.

    The folder is used like the run, and needs its base model; it cannot be trained further.  `metaglot evaluate` on
    both shows the loss.

    Example: metaglot shrink runs/english --out english-4mb
    """
    if not 0 < megabytes < float("inf"):
        raise MetaglotError(f"--megabytes {megabytes}: expected a number above 0")
    if max_length is not None and max_length < 1:
        raise MetaglotError(f"--max-length {max_length}: expected 1 or more")
    from metaglot.data.folders import check_model, folder_of, is_run

    if is_run(folder_of(run)):  # for anything else the function `shrink` has a better message
        check_model(run)
    from metaglot.runs.shrinking import shrink as write

    outcome = write(run, out, megabytes=megabytes, max_length=max_length, force=force)
    if as_json:
        tell_json({"out": str(out), **outcome._asdict()})
    elif not quiet:
        facts = f"{outcome.bytes / 1e6:.1f} MB, with {100 * outcome.kept:.0f} % of the squared change of the matrices"
        tell(f"{out}: {facts}")
