"""CPU seconds of adapting different scopes by the same steps, and their ratios to moving everything.

    python -m benchmarks.adapt_cost [--steps 5,20] [--repeats 5] [--precision bf16,fp32] [--json]

The size is W1 of `meta_step.py`: a BERT of hidden 256, 4 layers, 4 heads, vocabulary 30,522, random weights; five
classes of five texts of 32 tokens; Adam from a head of prototypes, one thread, attention as the loader chooses it.
Each scope is adapted once uncounted; then the scopes take turns, and the median counts.  Seconds depend on the machine;
the ratios are what is asked for: head-only at most 1/20, LoRA at most 1/2.

bf16 is what the loader takes on a CPU that multiplies it in hardware.  In fp32 matrix products are nearly all of the
time, and LoRA spares one of three of them (the gradients of frozen weights): its ratio there stays above a half.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from statistics import median

import torch

from benchmarks.meta.workload import WAYS, WORKLOADS, make_module, make_tasks
from metaglot.algorithms import GradientBased
from metaglot.families.classification import Classification
from metaglot.inner import Adam, first_order
from metaglot.models import All, BiasNorm, HeadOnly, HfLearner, Lora, Prototypes, Scope
from metaglot.types import Problem, TaskInfo

SCOPES: Mapping[str, Scope] = {"all": All(), "lora": Lora(), "bias-norm": BiasNorm(), "head": HeadOnly()}
MOST = {"lora": 1 / 2, "head": 1 / 20}  # of the time of all


def costs(steps: int, precision: str, repeats: int) -> dict[str, float]:
    """Return the median CPU seconds of an adaptation for each scope."""
    size = WORKLOADS["W1"]
    attention = "eager" if precision == "bf16" else "sdpa"  # as the loader chooses
    module = make_module(size, attention).requires_grad_(requires_grad=False)
    learner = HfLearner(module, bf16=precision == "bf16")
    info = TaskInfo("t", "t", tuple(map(str, range(WAYS))), tuple(range(WAYS)))
    problem, (support, _) = Problem(learner, Classification(), info), make_tasks(size)[0]
    made = {n: GradientBased(s, Prototypes(), Adam(lr=1e-4), steps, first_order) for n, s in SCOPES.items()}
    metas = {name: algorithm.init(learner, [info], seed=0) for name, algorithm in made.items()}
    spent: dict[str, list[float]] = {name: [] for name in SCOPES}
    for turn in range(repeats + 1):
        for name, algorithm in made.items():
            began = time.process_time()
            algorithm.adapt(problem, metas[name], support, seed=turn)
            if turn:
                spent[name].append(time.process_time() - began)
    return {name: median(values) for name, values in spent.items()}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=lambda text: [int(word) for word in text.split(",")], default=[5, 20])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--precision", type=lambda text: text.split(","), default=["bf16"])
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(1)
    missed = 0
    for precision in args.precision:
        for steps in args.steps:
            found = costs(steps, precision, args.repeats)
            for name, seconds in found.items():
                ratio = seconds / found["all"]
                missed += ratio > MOST.get(name, 1.0)
                row = {"precision": precision, "steps": steps, "scope": name, "cpu_s": seconds, "ratio": ratio}
                if args.json:
                    print(json.dumps(row), flush=True)
                else:
                    bound = f"  (at most {MOST[name]:.3f})" if name in MOST else ""
                    print(
                        f"{precision} {steps:>3} steps  {name:<10} {seconds:8.4f} CPU-s  {ratio:.3f}{bound}", flush=True
                    )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
