"""Are the published numbers still those of this code: one draw of each task again, beside docs/results/mini-rows.csv.

    METAGLOT_DATA=… python -m benchmarks.golden --out results/golden
    … --groups leopard --efforts instant --against frozen --shots 8
    … --keep docs/results/golden.json   (writes the rows with all their digits)
    … --exact docs/results/golden.json  (sets them beside those of a file that was kept)

It runs `metaglot bench builtin:mini` with one draw (`auto` at 8 shots only, as it is dear) and prints each row whose
accuracy, macro F1 or calibration error is another one: in the four digits that are published, or with `--exact` in any
digit.  Models run in bf16, so that another kind of processor gives other digits: a query or two of 300 change sides.
What a change of the code does is told by `--exact` and a file that was kept on the same machine.  Exit code 0 where all
are the same, 1 where one is not.  Killed, the same command goes on where it stopped.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean

from metaglot.evaluation import Result, read_results

ROWS = Path(__file__).resolve().parents[1] / "docs" / "results" / "mini-rows.csv"
NUMBERS = ("accuracy", "macro_f1", "ece")
FIELDS = ("model", "method", "task", "shots", "draw")
Key = tuple[str, str, str, str, str]  # the fields of a row that say which it is
Table = Mapping[Key, Mapping[str, str]]  # its numbers, as they are printed


def published(path: Path = ROWS) -> Table:
    """Return the published rows, of four digits."""
    with path.open(encoding="utf-8", newline="") as file:
        return {_key(row): {name: row[name] for name in NUMBERS} for row in csv.DictReader(file)}


def kept(path: Path) -> Table:
    """Return the rows of a file that `keep` wrote, of all digits."""
    rows = json.loads(path.read_text("utf-8"))["rows"]
    return {_key(row): {name: all_digits(row[name]) for name in NUMBERS} for row in rows}


def keep(rows: Sequence[Result], path: Path, environment: Mapping[str, str]) -> None:
    """Write rows with all their digits, a row a line, and where they were computed."""
    described = [
        dict(zip(FIELDS, key_of(row), strict=True)) | {name: row.metrics[name] for name in NUMBERS} for row in rows
    ]
    lines = ",\n".join(json.dumps(row) for row in described)
    path.write_text(f'{{"environment": {json.dumps(dict(environment))}, "rows": [\n{lines}\n]}}\n', "utf-8")


def _key(row: Mapping[str, str]) -> Key:
    model, method, task, shots, draw = (row[name] for name in FIELDS)
    return model, method, task, shots, draw


def key_of(row: Result) -> Key:
    """Return where the row stands in the table: ours is of `mini`, every baseline of its base."""
    return "mini" if row.method.startswith("ours-") else "base", row.method, row.task, str(row.shot), str(row.draw)


def four_digits(value: float) -> str:
    """Return a number as it is published."""
    return f"{value:.4f}"


def all_digits(value: float) -> str:
    """Return a number as no other number is written."""
    return repr(float(value))


def changed(rows: Sequence[Result], before: Table, written: Callable[[float], str] = four_digits) -> Iterator[str]:
    """Yield a line for each row that has other numbers than before."""
    for row in rows:
        key = key_of(row)
        now = {name: written(row.metrics[name]) for name in NUMBERS}
        if key in before and now != before[key]:
            parts = [f"{name} {before[key][name]} -> {now[name]}" for name in NUMBERS if now[name] != before[key][name]]
            yield f"{' '.join(key)}: {', '.join(parts)}"


def distance(rows: Sequence[Result], before: Table) -> str:
    """Return how far the accuracies lie from those before, on average and at most."""
    away = [row.metrics["accuracy"] - float(before[key_of(row)]["accuracy"]) for row in rows]
    return f"accuracy: {fmean(away):+.4f} on average, at most {max(map(abs, away)):.4f} apart"


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate again, and tell what is different."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--groups", default="leopard,dev", help="folders of $METAGLOT_DATA")
    parser.add_argument("--efforts", default="auto,instant")
    parser.add_argument("--against", default="tfidf,frozen")
    parser.add_argument("--shots", default="4,8,16")
    parser.add_argument("--keep", type=Path, help="a file to write the rows to, with all their digits")
    parser.add_argument("--exact", type=Path, help="a file that --keep wrote, to be compared with in all digits")
    args = parser.parse_args(arguments)
    rows = evaluated(args)
    if isinstance(rows, int):
        return rows
    if args.keep is not None:
        record = json.loads((args.out / "command.json").read_text("utf-8"))
        keep(rows, args.keep, record["runs"][-1]["environment"])
    before, written = (kept(args.exact), all_digits) if args.exact is not None else (published(), four_digits)
    held = [row for row in rows if key_of(row) in before]
    lines = list(changed(held, before, written))
    where = "in the file" if args.exact is not None else "published"
    print("\n".join([*lines, f"{len(held)} rows of {len(rows)} were {where}; {len(lines)} have other numbers now"]))
    if held:
        print(distance(held, before))
    return 1 if lines or not held else 0


def evaluated(args: argparse.Namespace) -> list[Result] | int:
    """Return the rows of one draw of each task, or the exit code of the command where it failed."""
    folders = [str(Path(os.environ["METAGLOT_DATA"]) / name) for name in args.groups.split(",")]
    words = [sys.executable, "-c", "from metaglot.cli.app import main; main()", "bench", "builtin:mini", *folders]
    words += ["--out", str(args.out), "--shots", args.shots, "--draws", "1"]
    words += ["--efforts", args.efforts, "--against", args.against, "--jobs", "1"]
    if "auto" in args.efforts.split(","):
        words += ["--limit", "ours-auto:shots=8"]
    if code := subprocess.run(words, check=False).returncode:
        return code
    return [row for name in args.groups.split(",") for row in read_results(args.out / name)]


if __name__ == "__main__":
    sys.exit(main())
