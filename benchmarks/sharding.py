"""A step of two ranks with the body whole and divided (`training.shard`): memory and CPU seconds of a rank.

    python -m benchmarks.sharding --out runs/sharding                # some minutes on two cores
    python -m benchmarks.sharding --out runs/sharding --cases 0 1    # some of the cases

A BERT of random weights, in float32.  It stays as it is (first-order MAML over LoRA, two inner steps), or is learnt
(prototypes, AdamW).  Each rank is a process of one thread with an episode a step.  Its peak is the most resident memory
from the first step on, less what Python, torch and transformers take before there is a model; CPU seconds are the
median of the steps after the first.
"""

import argparse
import json
import os
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

from benchmarks.local_ranks import outputs
from benchmarks.scaling_model import Size

STEPS = 3
BASE = Size(12, 768, 30522, 10, 10, 32, 2, 2)
MANNERS = ("whole", "whole, recomputed", "divided", "divided, recomputed")
FOMAML, PROTOTYPES = "stays: fomaml over LoRA", "learnt: prototypes"


class Case(NamedTuple):
    """What is trained, and how its body is held."""

    size: Size
    learning: str
    manner: str


CASES = tuple(Case(BASE, learning, manner) for learning in (FOMAML, PROTOTYPES) for manner in MANNERS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/sharding"))
    parser.add_argument("--cases", type=int, nargs="*", default=range(len(CASES)))
    parser.add_argument("--rank", type=int, help=argparse.SUPPRESS)  # of which case
    arguments = parser.parse_args()
    if arguments.rank is not None:
        rank(CASES[arguments.rank])
        return
    arguments.out.mkdir(parents=True, exist_ok=True)
    with (arguments.out / "steps.jsonl").open("a") as file:
        for number in arguments.cases:
            for line in started(number, 2):
                file.write(json.dumps(line) + "\n")
                file.flush()
                print({k: round(v, 2) if isinstance(v, float) else v for k, v in line.items()}, flush=True)


def started(number: int, count: int) -> list[dict[str, Any]]:
    """Run ranks of a case and return what each found."""
    arguments = ["benchmarks.sharding", "--rank", str(number)]
    return [json.loads(text) for text in outputs(arguments, count)]


def rank(case: Case) -> None:
    """Train a case as a rank that the environment names, and print what it took."""
    from benchmarks.scaling_world import INFO, world
    from metaglot.algorithms import build_algorithm
    from metaglot.assembly.sharding import in_turn
    from metaglot.models.parts import own_of
    from metaglot.models.releasing import release_large_blocks
    from metaglot.models.sharded import Sharded, sharded
    from metaglot.training import initial_state
    from metaglot.training.joining import joined
    from metaglot.training.loop import train

    stays, divided = case.learning == FOMAML, case.manner.startswith("divided")
    lora = {"scope": "lora", "steps": case.size.steps, "lr": 0.01, "head": "prototypes"}
    algorithm = build_algorithm("fomaml", lora) if stays else build_algorithm("protonet")
    with joined(os.environ) as ranks:
        before = resident("VmRSS")

        def made() -> Any:
            if divided:
                release_large_blocks()  # as a run does it
            state, distribution, _, learner, optimisation = world(case.size, STEPS)
            del state
            learner = replace(learner, checkpointing="recomputed" in case.manner)
            learnt = () if stays else learner.body().keys()
            if divided:
                learner = sharded(learner, ranks=ranks.count, device=learner.device, learnt=learnt)
            return learner, distribution, optimisation

        learner, distribution, optimisation = in_turn(ranks, made)
        after_loading, loading = resident("VmRSS"), resident("VmHWM")
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        state = initial_state(algorithm, learner, [INFO], seed=1, freeze=("*",) if stays else ())
        seconds: list[float] = []
        for after, record in train(state, distribution, algorithm, learner, optimisation, ranks=ranks):
            state = after
            seconds.append(float(record["cpu_seconds"]))
        held = learner.held_bytes() if isinstance(learner, Sharded) else sum(v.nbytes for v in learner.body().values())
        held += sum(own_of(value).nbytes for value in state.moments.values())
        line = {"case": case, "rank": ranks.rank, "cpu_seconds": median(seconds[1:]), "held": held, "before": before}
        line |= {"resident": after_loading - before, "loading": loading - before, "peak": resident("VmHWM") - before}
        print(json.dumps(line | {"load": os.getloadavg()[0]}), flush=True)


def resident(which: str) -> int:
    """Return the resident memory (VmRSS), or the most of it so far (VmHWM), in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(which))


if __name__ == "__main__":
    main()
