"""Replies of dialogues as sets of choices: the right reply among others of the same service.

    python -m benchmarks.choice_sets FOLDER

writes `FOLDER/test.parquet`: 7 services of schema-guided dialogues (`dialogue/sgd.parquet` in the folder METAGLOT_DATA)
that `recipes/choice.yaml` keeps aside, of four kinds of business that none of its 20 services has; 20 candidates a
text, with the draws of the benchmark.

A reply that reads like the right one, but for case and punctuation, is never among the wrong ones.  A support set is
ten dialogues of the service, with all their turns; queries are turns of other dialogues.
"""

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from metaglot.data.candidates import as_cell
from metaglot.data.drawn_candidates import among
from metaglot.seeds import generator

ASIDE = ("Banks_1", "Calendar_1", "Movies_1", "Movies_2", "Movies_3", "RideSharing_1", "RideSharing_2")
DIALOGUES, QUERIES, DRAWS, CANDIDATES = 10, 100, 3, 20
Turns = Sequence[Mapping[str, str]]


def services(root: Path) -> dict[str, list[dict[str, str]]]:
    """Return the turns of each service, in the order of the file."""
    found: dict[str, list[dict[str, str]]] = {}
    for row in pq.read_table(root / "dialogue" / "sgd.parquet").to_pylist():
        found.setdefault(str(row["domain"]), []).append(row)
    return found


def dialogues(turns: Turns) -> list[int]:
    """Return the number of the dialogue of each turn: a turn goes on with the one before where they share a line."""
    numbers: list[int] = []
    for place, turn in enumerate(turns):
        lines = set(turn["source"].split("\n"))
        before = turns[place - 1] if place else None
        goes_on = before is not None and lines & {f"system: {before['target']}", *before["source"].split("\n")}
        numbers.append((numbers[-1] if numbers else -1) + (not goes_on))
    return numbers


def with_candidates(turns: Turns, row: int, rng: np.random.Generator) -> dict[str, Any]:
    """Return a turn with its own reply among others of the service, in any order."""
    found, number = among([turn["target"] for turn in turns], row, CANDIDATES, rng)
    return {"text": turns[row]["source"], "candidates": as_cell(found), "label": str(number), "turn": row}


def test_rows(root: Path) -> Iterator[dict[str, Any]]:
    """Yield support sets and queries of the services that are kept aside; queries are the same in every draw."""
    for service, turns in services(root).items():
        if service not in ASIDE:
            continue
        number = np.array(dialogues(turns))
        rng = generator(1, "choices", service)
        order = rng.permutation(number.max() + 1)
        asked = np.flatnonzero(np.isin(number, order[DIALOGUES * DRAWS :]))
        for row in rng.permutation(asked)[:QUERIES]:
            yield {**with_candidates(turns, int(row), rng), "domain": service, "part": "query"}
        for draw in range(DRAWS):
            own = order[DIALOGUES * draw : DIALOGUES * (draw + 1)]
            for row in np.flatnonzero(np.isin(number, own)):
                part = {"domain": service, "part": "support", "shot": DIALOGUES, "draw": draw}
                yield {**with_candidates(turns, int(row), rng), **part}


def write(folder: Path, root: Path) -> None:
    """Write the file."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("text", "candidates", "label", "domain", "part", "shot", "draw")
    rows = [{name: row.get(name) for name in names} for row in test_rows(root)]
    pq.write_table(pa.Table.from_pylist(rows), folder / "test.parquet")


def main() -> None:
    """Write the set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    write(parser.parse_args().folder, Path(os.environ["METAGLOT_DATA"]))


if __name__ == "__main__":
    main()
