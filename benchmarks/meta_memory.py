"""Memory of one meta-gradient against the number of inner steps, for each estimator, as a table and a picture.

    python -m benchmarks.meta_memory --steps 1,2,4,8,16,32 --out docs/img/memory-steps.svg

One task of workload W1 (`meta_step.py`), bf16 autocast, one thread; a process for each point; the peak of resident
memory minus what the process holds before.  `adjoint-1` remembers one state and recomputes the others; `implicit`
pulls towards the start, and its conjugate gradients do not grow with the steps; `finite-differences` runs in fp32,
without its check of the step size, which may refuse random weights.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("OMP_NUM_THREADS", "1")

ESTIMATORS = ("unrolled", "mixed", "adjoint", "adjoint-1", "finite-differences", "first-order", "reptile", "implicit")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", default="1,2,4,8,16,32")
    parser.add_argument("--workload", default="W1", choices=["W1", "W2", "tiny"])
    parser.add_argument("--out", type=Path, help="an SVG file")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        worker(args.worker, args.workload)
        return
    steps = [int(s) for s in args.steps.split(",")]
    rows = [point(estimator, count, args.workload) for estimator in ESTIMATORS for count in steps]
    if args.json:
        print("\n".join(json.dumps(row) for row in rows))
    else:
        print("estimator    " + "".join(f"{count:>9}" for count in steps) + "   (peak MB at so many steps)")
        for estimator in ESTIMATORS:
            peaks = [row["peak_mb"] for row in rows if row["estimator"] == estimator]
            print(f"{estimator:13}" + "".join(f"{peak:9.0f}" for peak in peaks))
    if args.out:
        draw(rows, args.out)


def worker(request: str, workload: str) -> None:
    import torch

    from benchmarks.meta.worker import measured, ours_step
    from benchmarks.meta.workload import WORKLOADS, make_module, make_tasks

    estimator, steps = json.loads(request)
    torch.set_num_threads(1)
    size = WORKLOADS[workload]
    # A difference of two gradients in bf16 is mostly rounding.
    contender = SimpleNamespace(precision="fp32" if estimator == "finite-differences" else "bf16", estimator=estimator)
    step = ours_step(make_module(size, "eager"), make_tasks(size)[:1], contender, steps=steps)
    seconds, megabytes, _ = measured(step)
    print(json.dumps({"estimator": estimator, "steps": steps, "cpu_s": round(seconds, 3), "peak_mb": megabytes}))


def point(estimator: str, steps: int, workload: str) -> dict[str, float]:
    command = [
        sys.executable,
        "-m",
        "benchmarks.meta_memory",
        "--worker",
        json.dumps([estimator, steps]),
        "--workload",
        workload,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{estimator}, {steps} steps failed:\n{done.stderr[-2000:]}")
    print(done.stdout.strip(), file=sys.stderr)
    return json.loads(done.stdout.strip().split("\n")[-1])


def draw(rows: list[dict[str, float]], out: Path) -> None:
    from metaglot.report.drawing.lines import Series, line_chart

    series = []
    for style, name in enumerate(ESTIMATORS):
        mine = [row for row in rows if row["estimator"] == name]
        series.append(Series(name, [row["steps"] for row in mine], [row["peak_mb"] for row in mine], style=style))
    out.parent.mkdir(parents=True, exist_ok=True)
    marks = sorted({row["steps"] for row in rows})
    title = "Peak memory of a meta-gradient, MB"
    out.write_text(line_chart(series, title=title, x="inner steps", log=True, marks=marks), "utf-8")


if __name__ == "__main__":
    main()
