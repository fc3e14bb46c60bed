"""Options of several commands, each declared once: its flag, its type and its help.

An option of one command, or with a help text of its own, is declared in the file of the command.  The signature of a
command gives the default of an option.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from metaglot.choices import FAMILIES
from metaglot.cli.shared.printing import without_notes


def quietly(context: typer.Context, quiet: bool) -> bool:
    """Tell no notes until the command ends, where `--quiet` is given: the callback of that option."""
    if quiet:
        context.with_resource(without_notes())
    return quiet


def _kinds() -> str:
    """Return a list of the kinds of tasks; each has the words for what a text has."""
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
        help=f"The kind of task: {_kinds()}. If absent, the labels decide.",
        show_default=False,
    ),
]
ReadsOption = Annotated[
    Literal["both", "first", "second", "apart"] | None,
    typer.Option(
        "--reads",
        help="What of a pair is read: both texts in one pass, one alone, or both apart. If absent, a trial decides.",
        show_default=False,
    ),
]

# Where a model runs
PrecisionOption = Annotated[
    str, typer.Option("--precision", help="auto (bf16 where the processor multiplies it in hardware), bf16 or fp32.")
]
AdaptedPrecision = Annotated[
    str, typer.Option("--precision", help="auto (the precision of the adaptation), bf16 or fp32.")
]
DeviceOption = Annotated[
    str, typer.Option("--device", help="auto (cuda, then mps, then cpu), cpu, cuda, cuda:N or mps.")
]

# Models judged on tasks
Shots = Annotated[str, typer.Option(help="Support examples a class (or a label; of numbers, in all), e.g. 4,8,16.")]
ByDomain = Annotated[
    bool,
    typer.Option("--by-domain", help="Each domain of a file is a separate task (--columns domain=COLUMN)."),
]
Draws = Annotated[int, typer.Option(help="Support sets for each task and shot count.")]
Queries = Annotated[int, typer.Option(help="Query texts for each task, at most; a seed draws them.")]
JudgingSeed = Annotated[int, typer.Option(help="Seed of queries, random draws and fits.")]
Multitask = Annotated[str | None, typer.Option(help="A run of the algorithm joint, for the baseline multitask.")]
LeaveOut = Annotated[str, typer.Option(help="Tasks to leave out of a second macro mean, with commas.")]
Jobs = Annotated[
    int | None,
    typer.Option(
        help="Processes, each with its share of the threads; 1 if absent, on Ray one a CPU.", show_default=False
    ),
]
On = Annotated[
    str | None,
    typer.Option(
        "--on",
        metavar="PLACE",
        help="A Ray cluster: ray (RAY_ADDRESS, or one of this machine), ray:local, ray:HOST:PORT, ray://HOST:PORT.",
        show_default=False,
    ),
]
Threads = Annotated[int | None, typer.Option(help="CPU threads; all if absent. On Ray: of each process, else 1.")]
ResultsFolder = Annotated[
    Path, typer.Option(help="Folder for results.jsonl, table.md and report.html; an unfinished one is resumed.")
]
RestartFolder = Annotated[bool, typer.Option("--force", help="Replace the results in the folder.")]
ByTask = Annotated[bool, typer.Option("--by-task", help="Also print the differences on each task.")]
NoTable = Annotated[bool, typer.Option("--quiet", "-q", callback=quietly, help="No progress, no notes and no table.")]
NumbersAsJson = Annotated[bool, typer.Option("--json", help="Print the numbers as JSON.")]
ResultsAsJson = Annotated[bool, typer.Option("--json", help="Print the results as JSON Lines.")]

ReplaceAdapted = Annotated[bool, typer.Option("--force", help="Replace the adapted model that --out holds.")]

# Runs made from other runs
RunToMake = Annotated[Path, typer.Option(help="The new folder.", show_default=False)]
ReplaceRun = Annotated[bool, typer.Option("--force", help="Replace an existing shrunk or averaged run.")]

# Printed output
MaxNewTokens = Annotated[
    int | None,
    typer.Option(
        help="Tokens of a text that is written at most (half as many again as the longest example has, if absent).",
        show_default=False,
    ),
]
Beams = Annotated[
    int | None,
    typer.Option(help="Write by a beam search with so many beams (1, the likeliest token each time, if absent)."),
]
Sample = Annotated[bool, typer.Option("--sample", help="Draw tokens, in place of the likeliest ones.")]
Temperature = Annotated[
    float | None, typer.Option(help="Of --sample: below 1 is more careful, above 1 more daring (1 if absent).")
]
TopP = Annotated[
    float | None,
    typer.Option(help="Of --sample: draw from the fewest tokens that have so much probability (1, all, if absent)."),
]
DrawSeed = Annotated[int | None, typer.Option("--seed", help="Of --sample: same seed, same texts (0 if absent).")]
Stop = Annotated[
    list[str] | None,
    typer.Option(help="A text ends before this string (\\n is a line break); may be given several times."),
]
FuzzyBelow = Annotated[
    float | None,
    typer.Option(
        help="Of a catalogue: translations with a lower probability are marked fuzzy, so that no program shows them "
        "before a person has looked (0.5 if absent).",
        show_default=False,
        min=0.0,
        max=1.0,
    ),
]
ReplaceFile = Annotated[bool, typer.Option("--force", help="Replace the file that --out names.")]
ErrorsOnly = Annotated[bool, typer.Option("--quiet", "-q", callback=quietly, help="Print nothing but errors.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]
