"""`metaglot report`: the outcome of runs and evaluations, as one page."""

from pathlib import Path
from typing import Annotated

import typer

from metaglot.cli.shared.options import ErrorsOnly, NumbersAsJson
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.errors import MetaglotError


def report(
    folders: Annotated[
        list[Path], typer.Argument(help="Run directories, folders of `metaglot evaluate`, or both.", show_default=False)
    ],
    *,
    out: Annotated[Path, typer.Option(help="The page: one HTML file that needs no network.")] = Path("report.html"),
    markdown: Annotated[Path | None, typer.Option(help="A second file, with the tables as Markdown.")] = None,
    title: Annotated[str, typer.Option(help="Heading of the page; the names of the runs if absent.")] = "",
    leave_out: Annotated[str, typer.Option(help="Tasks to leave out of a second mean, with commas.")] = "",
    quiet: ErrorsOnly = False,
    as_json: NumbersAsJson = False,
) -> None:
    """Write a page on the gain over the baselines, its interval and its cost, and the tasks without a gain.

    Several folders of results become one report if they were made with the same settings.

    Examples:

      metaglot report results/english runs/english --out english.html

      metaglot report runs/english
    """
    absent = next((folder for folder in folders if not folder.is_dir()), None)
    if absent is not None:
        raise MetaglotError(
            f"{absent}: no such folder. Name a run directory of `metaglot pretrain`, or one of `metaglot evaluate`."
        )
    from metaglot.data.cache import write_whole
    from metaglot.data.owned import MARK, MARKDOWN_MARK, check_page
    from metaglot.report.numbers import numbers
    from metaglot.report.page import html, markdown_report, report_of
    from metaglot.report.report_data import gather

    check_page(out, MARK)
    if markdown is not None:
        check_page(markdown, MARKDOWN_MARK)
    tasks = [word.strip() for word in leave_out.split(",") if word.strip()]
    report_data = gather(folders, title=title, leave_out=tasks)
    page = report_of(report_data)
    write_whole(out, html(page))
    if markdown is not None:
        write_whole(markdown, f"{MARKDOWN_MARK}\n{markdown_report(page)}")
    if as_json:
        tell_json(numbers(report_data), indent=1)
    elif not quiet:
        tell(page.headline)
        tell(f"the report: {out}" + (f", {markdown}" if markdown else ""))
