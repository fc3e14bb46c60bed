"""How far answers are apart by how many texts are read at a time, by precision, and by who reads them.

    METAGLOT_DATA=… python -m benchmarks.serving_digits builtin:mini

For each kind of task 32 texts, by the same head: by `Adapted.predictions` 32 at a time and one at a time, and by the
engine of a server; in bf16 and in fp32.  Prints the largest difference of a probability (or number) for pairs of these.
"""

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.serving import KINDS, adapted, inputs_for, texts_of
from metaglot import Adapted
from metaglot.adaptation import Model, load_model
from metaglot.data.examples import Inputs
from metaglot.models import Runtime
from metaglot.serving.engine import Engine, Request

ROWS = 32
Read = Callable[[Inputs], np.ndarray]


def at_a_time(task: Adapted, count: int) -> Read:
    """Return what predicts by an adaptation, so many texts at a time."""

    def read(inputs: Inputs) -> np.ndarray:
        parts = [inputs.at(range(row, min(row + count, len(inputs)))) for row in range(0, len(inputs), count)]
        return np.concatenate([np.asarray(task.predictions(one.texts, one.pairs).values, float) for one in parts])

    return read


def served(model: Model, task: Adapted) -> Read:
    """Return what predicts by the engine of a server."""
    engine = Engine(model)
    own = engine.adopt(task)
    return lambda inputs: np.asarray(engine.answer([Request(own, inputs)])[0].values, float)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the differences, a kind a line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    name = parser.parse_args(arguments).model
    half, single = load_model(name, Runtime("bf16")), load_model(name, Runtime("fp32"))
    pool = texts_of(400)
    print("kind\tbf16: 32 and 1\tbf16: served and 32\tbf16 and fp32\tfp32: 32 and 1\tfp32: served and 32")
    for kind in KINDS:
        inputs = inputs_for(kind, pool[300 : 300 + ROWS], pool)
        with tempfile.TemporaryDirectory() as place:
            folder = adapted(single, kind, 8, pool).save(Path(place) / "task")
            low, high = (Adapted.load(folder, encoder=model.encoder) for model in (half, single))
            readers = [at_a_time(low, ROWS), at_a_time(low, 1), served(half, low)]
            readers += [at_a_time(high, ROWS), at_a_time(high, 1), served(single, high)]
            found = [read(inputs) for read in readers]
        pairs = [(0, 1), (2, 0), (0, 3), (3, 4), (5, 3)]
        print(kind, *(f"{np.abs(found[one] - found[other]).max():.1e}" for one, other in pairs), sep="\t", flush=True)


if __name__ == "__main__":
    main()
