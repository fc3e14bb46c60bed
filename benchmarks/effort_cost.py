"""CPU seconds of each effort for 5 classes × 8 texts of 30 words, after the model is loaded.

    python -m benchmarks.effort_cost [MODEL]

The median of three on one thread, after a first call that is not counted.
"""

import sys
import time
from statistics import median

import numpy as np
import torch

import metaglot

SENTENCE = (
    "the quick brown fox jumps over a lazy dog while seven wizards discuss monetary policy and football results with "
    "great enthusiasm under bright lights near an old harbour where ships unload coffee tea and copper every morning"
)
WORDS = SENTENCE.split()


def main(name: str = "builtin:minilm") -> None:
    torch.set_num_threads(1)
    model = metaglot.load(name)
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(WORDS, 30)) for _ in range(40)]
    labels = [f"class {i % 5}" for i in range(40)]
    model.adapt(texts, labels, effort="fast")
    for effort in ("instant", "fast", "thorough"):
        spent = []
        for seed in range(3):
            began = time.process_time()
            model.adapt(texts, labels, effort=effort, seed=seed)
            spent.append(time.process_time() - began)
        print(f"{effort:<9} {median(spent):6.2f} CPU-s")


if __name__ == "__main__":
    main(*sys.argv[1:2])
