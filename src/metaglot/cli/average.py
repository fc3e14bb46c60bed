"""`metaglot average`: the mean of several runs as one."""

from typing import Annotated

import typer

from metaglot.cli.shared.options import ErrorsOnly, ReplaceRun, RunToMake
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.errors import MetaglotError


def average(
    runs: Annotated[list[str], typer.Argument(help="Run directories, two or more, from one base.", show_default=False)],
    *,
    out: RunToMake,
    max_length: Annotated[
        int | None, typer.Option(help="Tokens of a text that it reads. Default: that of the runs.", show_default=False)
    ] = None,
    force: ReplaceRun = False,
    quiet: ErrorsOnly = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the new run as JSON.")] = False,
) -> None:
    """Write the mean of the weights of several runs; it is about as good as the best of them.

    The runs began from one base and differ in seed or recipe; they can be trained at the same time.  The folder is used
    like a run, and can be shrunk, but not trained further.

    Example: metaglot average runs/mini-0 runs/mini-1 runs/mini-2 --out runs/mini
    """
    if max_length is not None and max_length < 1:
        raise MetaglotError(f"--max-length {max_length}: expected 1 or more")
    from metaglot.data.folders import check_model, folder_of, is_run

    for run in runs:
        if is_run(folder_of(run)):  # for anything else the function `average` has a better message
            check_model(run)
    from metaglot.runs.averaging import average as write

    folder = write(runs, out, max_length=max_length, force=force)
    if as_json:
        tell_json({"out": str(folder), "average_of": runs})
    elif not quiet:
        tell(f"{out}: the mean of {len(runs)} runs")
