"""Steps of meta-training in one rank and in two: CPU seconds, wall, shares; and what more ranks would take.

    python -m benchmarks.scaling measure --out runs/scaling            # some minutes on two cores, or in parts:
    python -m benchmarks.scaling measure --out runs/scaling --part 2   # 0, 3, 4: sizes; 1, 2: so many ranks
    python -m benchmarks.scaling predict --out runs/scaling       # fit, check, table, plot

Each rank is a process of one thread.  A step's compute is the time in gradients, data the time that it waited for
episodes, all-reduce the time in collectives; CPU seconds are of the process.  Sizes are measured in the order of their
memory in one process, so that its peak so far is that of the size.  The machine's load stands beside each number.
"""

import argparse
import json
import os
import resource
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.local_ranks import outputs
from benchmarks.scaling_model import Size
from benchmarks.scaling_points import CHECKED, FITTED, LARGE, LATER, TWO

STEPS = 3  # measured, after one that is not; one of the large models


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", choices=["measure", "predict", "rank"])
    parser.add_argument("--out", type=Path, default=Path("runs/scaling"))
    parser.add_argument("--part", type=int, choices=range(5), help="all if absent")
    parser.add_argument("--sizes", help=argparse.SUPPRESS)
    parser.add_argument("--steps", type=int, default=STEPS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work == "rank":
        rank([Size(*one) for one in json.loads(arguments.sizes)], arguments.steps)
    elif arguments.work == "measure":
        measure(arguments.out, (0, 3, 2, 1, 2, 4) if arguments.part is None else (arguments.part,))
    else:
        from benchmarks.scaling_page import predict  # a rank, whose memory is measured, needs no report

        predict(arguments.out)


def measure(out: Path, parts: Sequence[int]) -> None:
    """Measure sizes in one rank (parts 0, 3 and 4), and a few in one or two; append what was found to `steps.jsonl`."""
    out.mkdir(parents=True, exist_ok=True)
    by_memory = sorted({*FITTED, *CHECKED} - {*LATER}, key=lambda size: 36 * size.parameters + 15 * size.kept)
    with (out / "steps.jsonl").open("a") as file:
        for part in parts:
            sizes = {0: by_memory, 3: LATER, 4: LARGE}.get(part, TWO)
            for line in started(2 if part == 2 else 1, sizes, 1 if part == 4 else STEPS):
                file.write(json.dumps(line) + "\n")
                file.flush()
                print({k: round(v, 3) if isinstance(v, float) else v for k, v in line.items()}, flush=True)


def started(count: int, sizes: Iterable[Size], steps: int) -> list[dict[str, Any]]:
    """Run ranks of this file and return what each found of each size."""
    arguments = ["benchmarks.scaling", "rank", "--sizes", json.dumps(list(sizes)), "--steps", str(steps)]
    return [json.loads(line) for text in outputs(arguments, count) for line in text.splitlines()]


def rank(sizes: list[Size], measured: int) -> None:
    """Train each size for a step and the measured ones, as a rank that the environment names; print a line for each."""
    from benchmarks.scaling_world import Times, world
    from metaglot.training.joining import joined
    from metaglot.training.loop import train

    before = peak()
    with joined(os.environ) as ranks:
        for size in sizes:
            state, distribution, algorithm, learner, optimisation = world(size, measured + 1)
            times = Times()
            steps = []
            for _, record in train(
                state, distribution, algorithm, learner, optimisation, combine=times.combine, ranks=ranks
            ):
                steps.append({**times.taken(), **{n: record[n] for n in ("cpu_seconds", "seconds", "waited_seconds")}})
            line = {name: median(step[name] for step in steps[1:]) for name in steps[0]}
            line |= {"least_seconds": min(step["seconds"] for step in steps[1:]), "peak": peak(), "before": before}
            line |= {"size": size, "rank": ranks.rank, "ranks": ranks.count, "load": os.getloadavg()[0]}
            print(json.dumps(line), flush=True)


def peak() -> int:
    """Return the most resident memory so far, in bytes."""
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    main()
