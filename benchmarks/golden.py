"""Are the published numbers still those of this code: one draw of each task again, beside docs/results/mini-rows.csv.

    METAGLOT_DATA=… python benchmarks/golden.py --out results/golden
    … --groups leopard --efforts instant --against frozen --shots 8

It runs `metaglot bench builtin:mini` with one draw (`auto` at 8 shots only, as it is dear) and prints each row whose
accuracy, macro F1 or calibration error is another one in its four digits.  Exit code 0 where all are the same, 1
where one is not.  Killed, the same command goes on where it stopped.
"""

import argparse
import csv
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from metaglot.evaluation import Result, read_results

ROWS = Path(__file__).resolve().parents[1] / "docs" / "results" / "mini-rows.csv"
NUMBERS = ("accuracy", "macro_f1", "ece")
Key = tuple[str, str, str, str, str]  # model, method, task, shots, draw: of a row


def published(path: Path = ROWS) -> dict[Key, dict[str, str]]:
    """Return the published rows: their numbers as they are printed."""
    with path.open(encoding="utf-8", newline="") as file:
        return {
            (row["model"], row["method"], row["task"], row["shots"], row["draw"]): {name: row[name] for name in NUMBERS}
            for row in csv.DictReader(file)
        }


def key_of(row: Result) -> Key:
    """Return where the row stands in the table: ours is of `mini`, every baseline of its base."""
    return "mini" if row.method.startswith("ours-") else "base", row.method, row.task, str(row.shot), str(row.draw)


def changed(rows: Sequence[Result], before: dict[Key, dict[str, str]]) -> Iterator[str]:
    """Yield a line for each row that has other numbers than were published."""
    for row in rows:
        key = key_of(row)
        now = {name: f"{row.metrics[name]:.4f}" for name in NUMBERS}
        if key in before and now != before[key]:
            parts = [f"{name} {before[key][name]} -> {now[name]}" for name in NUMBERS if now[name] != before[key][name]]
            yield f"{' '.join(key)}: {', '.join(parts)}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Evaluate again, and tell what is different."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--groups", default="leopard,dev", help="folders of $METAGLOT_DATA")
    parser.add_argument("--efforts", default="auto,instant")
    parser.add_argument("--against", default="tfidf,frozen")
    parser.add_argument("--shots", default="4,8,16")
    args = parser.parse_args(arguments)
    folders = [str(Path(os.environ["METAGLOT_DATA"]) / name) for name in args.groups.split(",")]
    words = [sys.executable, "-c", "from metaglot.cli.app import main; main()", "bench", "builtin:mini", *folders]
    words += ["--out", str(args.out), "--shots", args.shots, "--draws", "1"]
    words += ["--efforts", args.efforts, "--against", args.against, "--jobs", "1"]
    if "auto" in args.efforts.split(","):
        words += ["--limit", "ours-auto:shots=8"]
    if code := subprocess.run(words, check=False).returncode:
        return code
    rows = [row for name in args.groups.split(",") for row in read_results(args.out / name)]
    before = published()
    held = [row for row in rows if key_of(row) in before]
    lines = list(changed(held, before))
    print("\n".join([*lines, f"{len(held)} rows of {len(rows)} were published; {len(lines)} have other numbers now"]))
    return 1 if lines or not held else 0


if __name__ == "__main__":
    sys.exit(main())
