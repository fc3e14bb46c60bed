"""The perplexity of hidden spans on the documents that a run kept aside, beside that of counted tokens.

    METAGLOT_DATA=… python -m benchmarks.denoising runs/scratch-t5

The run is one of a recipe with the task `plain` over an encoder with a decoder.  Counted: a token of a target has the
share that it has in targets of the training text (200 batches), one added to every count; the text is not read.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from metaglot.assembly import assemble
from metaglot.config import load_recipe
from metaglot.families.language import perplexity
from metaglot.types import Episode

BATCHES = 200


def counted(train: Iterable[Episode], aside: Iterable[Episode], size: int) -> float:
    """Return the mean loss in nats of the judged tokens of `aside` by the counts of those of `train`."""
    counts = np.ones(size)
    for episode in train:
        counts += np.bincount(_judged(episode), minlength=size)
    losses = -np.log(counts / counts.sum())
    return float(np.concatenate([losses[_judged(episode)] for episode in aside]).mean())


def main() -> None:
    """Print both perplexities."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    folder = parser.parse_args().run
    made = assemble(load_recipe(folder / "config.yaml"), run=folder)
    text = made.plan.text
    assert text is not None
    train = (made.plan.train(made.plan.seed, n, {}) for n in range(BATCHES))
    loss = counted(train, (text(0, n, {}) for n in range(text.count)), len(made.backbone.tokenizer))
    records = (folder / "metrics.jsonl").read_text("utf-8").splitlines()
    last = [line for line in records if '"text_loss"' in line][-1]
    print(f"counted tokens: perplexity {perplexity(loss):.1f}; the run: {last}")


def _judged(episode: Episode) -> np.ndarray:
    labels = episode.query["labels"].numpy()
    return labels[labels >= 0]


if __name__ == "__main__":
    main()
