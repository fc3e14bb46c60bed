"""How often the 95 % intervals of a report hold the truth, in simulations where it is known.

    python -m benchmarks.coverage [--trials N] [--json]

One process, no model, no data; the standard error of a figure is √(0.95 · 0.05 / trials).
"""

import argparse
import json

from metaglot.evaluation.statistics import coverage_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of a Markdown table")
    chosen = parser.parse_args()
    if not chosen.json:
        print("| interval | sample | coverage |\n| --- | --- | ---: |")
    for row in coverage_table(trials=chosen.trials, seed=chosen.seed):
        if chosen.json:
            print(json.dumps(row._asdict(), ensure_ascii=False))
        else:
            print(f"| {row.interval} | {row.sample} | {100 * row.coverage:.1f} % |")


if __name__ == "__main__":
    main()
