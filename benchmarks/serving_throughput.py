"""Texts a second over HTTP, and of the bare encoder: `python -m benchmarks.serving_throughput [--rounds 5]`.

Requests of 32 texts, by some clients at once, to a task in closed form; then the same texts by `Model.embed` in batches
of 32, in turn and on one thread each.  Prints both, and their ratio; on this machine alone.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median

import torch

import metaglot as mg
from benchmarks.soaked_server import SoakedServer
from metaglot.serving import Client

BATCH = 32
WORDS = ("the", "order", "refund", "screen", "parcel", "late", "invoice", "black", "please", "again", "login", "fee")


def texts_of(draw: random.Random, count: int) -> list[list[str]]:
    """Return batches of texts of 6 to 20 words, no two alike."""
    return [
        [f"{row} {number} " + " ".join(draw.choices(WORDS, k=draw.randint(6, 20))) for row in range(BATCH)]
        for number in range(count)
    ]


def rate(answers: Iterable[object]) -> float:
    """Return texts a second; the answers are made while they are taken."""
    begin = time.monotonic()
    count = sum(1 for _ in answers)
    return count * BATCH / (time.monotonic() - begin)


def measure(name: str, rounds: int, batches: int, clients: int, folder: Path) -> tuple[list[float], list[float]]:
    """Return the rates over HTTP and of the encoder, round by round."""
    server, draw = SoakedServer(name, folder, worker="thread"), random.Random(0)
    server.command += ["--threads", "1"]
    torch.set_num_threads(1)
    model = mg.load(name)
    server.start()
    own, bare = list[float](), list[float]()
    try:
        with Client(server.url) as client, ThreadPoolExecutor(clients) as pool:
            examples = [(f"{word} {number}", word) for word in WORDS[:4] for number in range(4)]
            task = client.create("x", examples, effort="instant").id
            for number in range(rounds + 1):
                some = texts_of(draw, batches)
                http = rate(pool.map(partial(client.predict, task), some))
                embed = rate(map(model.embed, some))
                if number:  # the first round warms up
                    own.append(http)
                    bare.append(embed)
    finally:
        server.kill()
    return own, bare


def main() -> None:
    """Print the rates and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="builtin:mini")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batches", type=int, default=20)
    parser.add_argument("--clients", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        own, bare = measure(options.model, options.rounds, options.batches, options.clients, Path(folder))
    ratios = [one / other for one, other in zip(own, bare, strict=True)]
    print(
        f"over HTTP {median(own):.0f} texts/s, bare encoder {median(bare):.0f} texts/s (medians of {len(own)} rounds)"
    )
    print(f"ratio {median(ratios):.2f} (rounds: {', '.join(f'{ratio:.2f}' for ratio in ratios)})")


if __name__ == "__main__":
    main()
