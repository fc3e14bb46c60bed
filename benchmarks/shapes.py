"""Memory that a process holds after passes over batches of many shapes, forwards and backwards in bf16.

    python -m benchmarks.shapes [--steps 150]
    LD_PRELOAD=…/libjemalloc.so.2 ONEDNN_PRIMITIVE_CACHE_CAPACITY=128 python -m benchmarks.shapes

1 to 16 texts of 8 to 200 tokens, each batch of its own, on the body of builtin:mini with one thread.  It prints the
megabytes that are held and the CPU seconds.  Numbers: docs/scaling.md.
"""

import argparse
import time
from pathlib import Path

import torch

from benchmarks.models import load
from metaglot.seeds import generator

TEXTS, TOKENS, EVERY = 16, (8, 200), 50
PAGE = 4096  # bytes


def held() -> float:
    """Return the megabytes of this process that are in memory (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 2**20


def main() -> None:
    """Print what is held after every so many steps."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=150)
    options = parser.parse_args()
    torch.set_num_threads(1)
    module = load("builtin:mini").encoder.backbone.learner.module
    module.requires_grad_(True)
    rng = generator(0, "shapes")
    for step in range(1, options.steps + 1):
        shape = int(rng.integers(1, TEXTS + 1)), int(rng.integers(TOKENS[0], TOKENS[1] + 1))
        ids = torch.from_numpy(rng.integers(5, 20_000, shape))
        with torch.autocast("cpu", torch.bfloat16):
            states = module(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        states.float().square().mean().backward()
        module.zero_grad()
        if step % EVERY == 0:
            print(f"{step} batches: {held():.0f} MB, {time.process_time():.0f} CPU-s", flush=True)


if __name__ == "__main__":
    main()
