"""`metaglot shrink`: a run as a small difference from its base model."""

from typing import Annotated

import typer

from metaglot.cli.shared.options import ReplaceRun, RunToMake, Silent
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.errors import MetaglotError


def shrink(
    run: Annotated[str, typer.Argument(help="A run directory.", show_default=False)],
    *,
    out: RunToMake,
    megabytes: Annotated[float, typer.Option(help="At most so large.")] = 4.0,
    max_length: Annotated[
        int | None, typer.Option(help="Tokens of a text that are read; as many as the run reads if absent.")
    ] = None,
    force: ReplaceRun = False,
    quiet: Silent = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print what came of it as JSON.")] = False,
) -> None:
    """Write a run as what it changed of its base model, in few megabytes: low rank, bfloat16.

    The folder is used like the run, where its base model is at hand; it cannot be trained further.  What is lost tells
    `metaglot evaluate` on both.

    Example: metaglot shrink runs/english --out english-4mb
    """
    if not 0 < megabytes < float("inf"):
        raise MetaglotError(f"--megabytes {megabytes}: expected a number above 0")
    if max_length is not None and max_length < 1:
        raise MetaglotError(f"--max-length {max_length}: expected 1 or more")
    from metaglot.data.folders import check_model, folder_of, is_run

    if is_run(folder_of(run)):  # else the function itself says what is wrong
        check_model(run)
    from metaglot.runs.shrinking import shrink as write

    made = write(run, out, megabytes=megabytes, max_length=max_length, force=force)
    if as_json:
        tell_json({"out": str(out), **made._asdict()})
    elif not quiet:
        said = f"{made.bytes / 1e6:.1f} MB, with {100 * made.kept:.0f} % of what the matrices changed by (squared)"
        tell(f"{out}: {said}")
