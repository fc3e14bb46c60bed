"""What benchmarks that judge models share: the tasks, and the arguments of who is judged on what."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from benchmarks.text.train import numbers, words
from metaglot.evaluation.protocol import TaskSet


def task_sets(groups: Sequence[str], leave_out: Sequence[str] = ()) -> dict[str, list[TaskSet]]:
    """Return the tasks of each group: a folder of $METAGLOT_DATA, or NAME=FOLDER."""
    found: dict[str, list[TaskSet]] = {}
    for group in groups:
        name, given, folder = group.partition("=")
        path = Path(folder) if given else Path(os.environ["METAGLOT_DATA"]) / name
        files = sorted(file for file in path.iterdir() if file.suffix in {".parquet", ".csv", ".jsonl"})
        found[name] = [TaskSet.load(file) for file in files if file.stem not in leave_out]
    return found


def parser_of(about: str | None, *, shots: Sequence[int] = (4, 8, 16), draws: int = 5) -> argparse.ArgumentParser:
    """Return a parser of the tasks and their draws; a benchmark adds what is its own."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=words, default=["dev"], help="folders of $METAGLOT_DATA, or NAME=FOLDER")
    parser.add_argument("--leave-out", type=words, default=[], help="tasks of the groups")
    parser.add_argument("--shots", type=numbers, default=list(shots))
    parser.add_argument("--draws", type=int, default=draws)
    parser.add_argument("--queries", type=int, default=300)
    parser.add_argument("--length", type=int, default=96, help="tokens a text")
    return parser
