"""`metaglot demo`: the whole path on small real data, in minutes."""

from pathlib import Path
from typing import Annotated

import typer

from metaglot.cli.shared.options import ResultsAsJson


def demo(
    *,
    out: Annotated[Path, typer.Option(help="Where the run, the results and report.html go.")] = Path("demo"),
    tiny: Annotated[bool, typer.Option("--tiny", help="A model of 4 M parameters: quicker, weaker.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Do not go on with an earlier demo; begin again.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only the result.")] = False,
    as_json: ResultsAsJson = False,
) -> None:
    """Meta-train a small model on real text and show it learning tasks it has never seen, beside strong baselines.

    It takes about eight minutes on two cores; models and data come from PyPI packages, once.

    Example: metaglot demo
    """
    from metaglot.cli.demonstration import run_demo

    run_demo(out, tiny=tiny, fresh=fresh, quiet=quiet, as_json=as_json)
