"""Options that several commands have, each declared once: its flag, its type and its help.

An option that only one command has, or that it explains in words of its own, is declared there.  What stands in the
signature of a command beside an option is its default there.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from metaglot.choices import FAMILIES


def _kinds() -> str:
    """Return the kinds of tasks in a row, with what a text has in each."""
    *others, last = [f"{name} ({kind.words})" if kind.words else name for name, kind in FAMILIES.kinds.items()]
    return f"{', '.join(others)} or {last}"


# Files of texts, and how a model reads them
Columns = Annotated[
    str | None, typer.Option(help="Names of the columns in the file, e.g. text=body,label=topic (text_pair=… too).")
]
Encoding = Annotated[
    str | None, typer.Option(help="The encoding of a text file that is not UTF-8, e.g. cp1252.", show_default=False)
]
TaskOption = Annotated[
    str | None,
    typer.Option(
        "--task",
        help=f"The kind of task: {_kinds()}. What the labels look like if absent.",
        show_default=False,
    ),
]
ReadsOption = Annotated[
    Literal["both", "first", "second"] | None,
    typer.Option(
        "--reads", help="Of pairs of texts: what is read. Chosen by the examples if absent.", show_default=False
    ),
]

# Where a model runs
PrecisionOption = Annotated[
    str, typer.Option("--precision", help="auto (bf16 where the processor multiplies it in hardware), bf16 or fp32.")
]
AdaptedPrecision = Annotated[
    str, typer.Option("--precision", help="auto (the one that the model was adapted in), bf16 or fp32.")
]
DeviceOption = Annotated[
    str, typer.Option("--device", help="auto (cuda, then mps, then cpu), cpu, cuda, cuda:N or mps.")
]

# Models judged on tasks
Shots = Annotated[str, typer.Option(help="Support examples a class (or a label; of numbers, in all), e.g. 4,8,16.")]
ByDomain = Annotated[
    bool,
    typer.Option("--by-domain", help="Each domain of a file is a task of its own (--columns domain=COLUMN names it)."),
]
Draws = Annotated[int, typer.Option(help="Support sets for each task and shot count.")]
Queries = Annotated[int, typer.Option(help="Texts judged for each task: a seeded subset.")]
JudgingSeed = Annotated[int, typer.Option(help="Of queries, random draws and fits.")]
Multitask = Annotated[str | None, typer.Option(help="A run of the algorithm joint, for the baseline multitask.")]
LeaveOut = Annotated[str, typer.Option(help="Tasks that the macro mean is also shown without.")]
Jobs = Annotated[int, typer.Option(help="Processes; with several, each has its share of the threads.")]
Threads = Annotated[int | None, typer.Option(help="CPU threads; all if absent.")]
ResultsFolder = Annotated[
    Path, typer.Option(help="Folder for results.jsonl, table.md and report.html; resumed if killed.")
]
Afresh = Annotated[bool, typer.Option("--force", help="Start the folder afresh.")]
ByTask = Annotated[bool, typer.Option("--by-task", help="Print each task's differences too.")]
NoTable = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no table.")]
NumbersAsJson = Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")]
ResultsAsJson = Annotated[bool, typer.Option("--json", help="Print the results as JSON Lines.")]

# Runs that are made from runs
RunToMake = Annotated[Path, typer.Option(help="The folder to make.", show_default=False)]
ReplaceRun = Annotated[bool, typer.Option("--force", help="Replace a shrunk or averaged run that is there.")]

# What is printed
ErrorsOnly = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Silent = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]
