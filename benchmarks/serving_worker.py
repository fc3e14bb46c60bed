"""How long predictions take while something adapts, by what adapts: `python -m benchmarks.serving_worker [--model M]`.

A client predicts eight texts again and again, first alone, then while another client has tasks learnt with the effort
`thorough`, one after the other.  Prints percentiles for each kind of worker; on this machine alone, for a fixed time.
"""

import argparse
import tempfile
import threading
import time
from pathlib import Path

from benchmarks.soaked_server import SoakedServer
from metaglot.serving import Client

TEXTS = [f"a text about {word}" for word in ("fees", "crashes", "parcels", "logins", "refunds", "bugs", "rain", "tea")]
LABELS = ("billing", "technical", "delivery", "other")
EXAMPLES = [(f"{text} {number}", LABELS[row % 4]) for number in range(4) for row, text in enumerate(TEXTS)]


def asked(client: Client, task: str, seconds: float) -> list[float]:
    """Return how long each prediction took, over so many seconds."""
    taken: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        begin = time.monotonic()
        client.predict(task, TEXTS)
        taken.append(time.monotonic() - begin)
    return taken


def told(name: str, taken: list[float]) -> str:
    """Return the percentiles, in milliseconds."""
    ordered = sorted(taken)
    at = [1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))] for share in (0.5, 0.95, 0.99, 1)]
    return f"{name:<28}{len(ordered):>6}" + "".join(f"{value:>9.1f}" for value in at)


def measure(model: str, worker: str, seconds: float, folder: Path) -> None:
    """Print two rows for one kind of worker."""
    server = SoakedServer(model, folder, worker=worker)
    server.start()
    try:
        with Client(server.url) as client, Client(server.url) as other:
            task = client.create("asked", EXAMPLES, effort="instant").id
            asked(client, task, 1)
            print(told(f"{worker}, nothing adapts", asked(client, task, seconds)), flush=True)
            stop, count = threading.Event(), [0]

            def adapt() -> None:
                while not stop.is_set():
                    other.create("learnt", EXAMPLES, effort="thorough")
                    count[0] += 1

            thread = threading.Thread(target=adapt)
            thread.start()
            print(told(f"{worker}, while it adapts", asked(client, task, seconds)), flush=True)
            stop.set()
            thread.join()
            print(f"{'':<28}{count[0]} tasks were learnt by the end")
    finally:
        server.kill()


def main() -> None:
    """Measure both kinds of workers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="builtin:mini")
    parser.add_argument("--seconds", type=float, default=20)
    options = parser.parse_args()
    print(f"{'predictions of 8 texts':<28}{'count':>6}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'most':>9}")
    for worker in ("thread", "process"):
        with tempfile.TemporaryDirectory() as folder:
            measure(options.model, worker, options.seconds, Path(folder))


if __name__ == "__main__":
    main()
