"""One meta-gradient step: CPU seconds, peak memory and gradient error of ours and of higher, torchopt, torch.func.

    python -m benchmarks.meta_step --workload W1 --order 2
    python -m benchmarks.meta_step --workload W1 --json > results.jsonl

Each contender runs in a process of its own, one thread, and in turn (so that a busy moment of the machine meets all);
the median over the rounds is shown.  Memory is the peak of resident memory minus what the process holds before its
first step.  The error is relative to the same gradient in float64, over the parameters of the body.  `higher` and
`torchopt` take part where they are installed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from statistics import median
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")

OURS = {
    (2, "fp32"): ("unrolled", "adjoint", "mixed"),
    (2, "bf16"): ("unrolled", "adjoint", "mixed"),
    (1, "fp32"): ("first-order",),
    (1, "bf16"): ("first-order", "first-order-precise"),  # the second: the query loss in fp32
}
PEERS = ("torch.func", "higher", "torchopt")


class Contender(NamedTuple):
    """Who is measured, and how."""

    peer: str
    precision: str  # fp32, bf16
    estimator: str
    order: int


def contenders(orders: list[int]) -> list[Contender]:
    present = [p for p in PEERS if p == "torch.func" or find_spec(p)]
    return [
        Contender(peer, precision, estimator, order)
        for order in orders
        for precision in ("fp32", "bf16")
        for peer in (*present, "metaglot")
        for estimator in (
            OURS[order, precision] if peer == "metaglot" else ("unrolled" if order == 2 else "first-order",)
        )
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workload", default="W1", choices=["W1", "W2", "tiny"])
    parser.add_argument("--order", type=int, choices=[1, 2], help="both if absent")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="JSON lines instead of a table")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    parser.add_argument("--reference", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        from benchmarks.meta.worker import measure

        print(json.dumps(measure(Contender(*json.loads(args.worker)), args.workload, args.reference)))
        return
    orders = [args.order] if args.order else [2, 1]
    with tempfile.TemporaryDirectory() as folder:
        for order in orders:
            call(Contender("torch.func", "fp64", "reference", order), args.workload, folder)
        found: dict[Contender, list[dict[str, float]]] = {c: [] for c in contenders(orders)}
        for number in range(args.rounds):
            for contender, rows in found.items():
                rows.append(call(contender, args.workload, folder))
                print(f"round {number + 1}/{args.rounds} {contender}: {rows[-1]}", file=sys.stderr)
    rows = [summary(contender, values, args.workload) for contender, values in found.items()]
    print("\n".join(json.dumps(row) for row in rows) if args.json else table(rows))


def call(contender: Contender, workload: str, folder: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.meta_step", "--worker", json.dumps(contender), "--workload", workload]
    done = subprocess.run([*command, "--reference", folder], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{contender} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().split("\n")[-1])


def summary(contender: Contender, rows: list[dict[str, float]], workload: str) -> dict[str, object]:
    middle = {name: median(row[name] for row in rows) for name in ("cpu_s", "peak_mb", "grad_error")}
    return {**contender._asdict(), "workload": workload, **middle, "rounds": len(rows)}


def table(rows: list[dict[str, object]]) -> str:
    """Return a table, with time and memory relative to the best peer of the same order in fp32 and in bf16."""
    lines = ["order precision who                    CPU-s  of fp32  of bf16   peak MB  of fp32  of bf16  grad. error"]
    for row in rows:
        peers = {
            p: [r for r in rows if r["order"] == row["order"] and r["precision"] == p and r["peer"] != "metaglot"]
            for p in ("fp32", "bf16")
        }
        cells = []
        for field, form in (("cpu_s", "8.2f"), ("peak_mb", "9.0f")):
            ratios = [float(row[field]) / min(float(r[field]) for r in peers[p]) for p in peers]  # type: ignore[arg-type]
            cells += [f"{row[field]:{form}}", *(f"{ratio:8.2f}" for ratio in ratios)]
        who = f"{row['peer']} {row['estimator']}"
        lines.append(f"{row['order']:5} {row['precision']:9} {who:22}{' '.join(cells)}  {row['grad_error']:.1e}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
