"""CPU seconds of a gradient step on texts of unlike length, padded and packed (metaglot/models/packing.py).

    METAGLOT_DATA=… python -m benchmarks.packing builtin:mini
    … --groups dev,leopard --rows 32 --repeats 9

For each task: some texts at random, the share of the padded batch that is text, the median CPU seconds of the gradient
of all parameters but the embeddings in both ways, which take turns, and the largest difference of a pooled feature (of
length one).  One thread; seconds depend on the machine, the ratio is what is asked for.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from statistics import fmean, median

import torch

from benchmarks.judging import task_sets
from benchmarks.text.train import words
from metaglot.adaptation.load import load_encoder
from metaglot.errors import MetaglotError
from metaglot.models import HfLearner
from metaglot.seeds import generator
from metaglot.types import Batch, Params


def gradient(learner: HfLearner, body: Params, batch: Batch) -> tuple[torch.Tensor, float]:
    """Return the pooled features and the CPU seconds of the gradient of a function of them."""
    began = time.process_time()
    pooled = learner.forward(body, batch).pooled
    moving = [value for value in body.values() if value.requires_grad]
    torch.autograd.grad(pooled.cumsum(0).square().sum(), moving, allow_unused=True)
    return pooled.detach(), time.process_time() - began


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--groups", type=words, default=["dev"], help="folders of $METAGLOT_DATA, or NAME=FOLDER")
    parser.add_argument("--rows", type=int, default=16, help="texts in a batch")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--length", type=int, default=96, help="tokens a text")
    args = parser.parse_args(given)
    torch.set_num_threads(1)
    encoder = replace(load_encoder(args.model), max_length=args.length)
    body = {name: value.detach().requires_grad_("embeddings" not in name) for name, value in encoder.params.items()}
    ways = {packs: replace(encoder.backbone.learner, packs=packs) for packs in (False, True)}
    names = ["task", "tokens", "of them text", "padded, s", "packed, s", "ratio", "difference"]
    print(f"| {' | '.join(names)} |\n|---|{'---:|' * (len(names) - 1)}")
    ratios = []
    for task in (task for tasks in task_sets(args.groups).values() for task in tasks):
        some = generator(0, "packing", task.name).permutation(task.table.num_rows)[: args.rows]
        asked = task.examples(some)
        batch = encoder.collate(asked.inputs)
        spent: dict[bool, list[float]] = {False: [], True: []}
        found = {}
        for _, (packs, learner) in product(range(args.repeats), ways.items()):
            found[packs], seconds = gradient(learner, body, batch)
            spent[packs].append(seconds)
        padded, packed = (median(spent[packs]) for packs in (False, True))
        ratios.append(packed / padded)
        share, off = batch["attention_mask"].float().mean(), (found[True] - found[False]).abs().max()
        cells = [batch["attention_mask"].numel(), f"{share:.2f}", f"{padded:.3f}", f"{packed:.3f}"]
        print(f"| {task.name} | {' | '.join(map(str, cells))} | {ratios[-1]:.2f} | {off:.0e} |", flush=True)
    print(f"| mean | | | | | {fmean(ratios):.2f} | |")


if __name__ == "__main__":
    try:
        main()
    except MetaglotError as error:
        sys.exit(f"packing: {error}")
