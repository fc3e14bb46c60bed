"""A small task of choice, made of tokens: the right candidate is of the third of the vocabulary that the text is of."""

import numpy as np
import torch

from metaglot.families.candidate_tools import AGREEMENTS
from metaglot.families.choice import Choosing
from metaglot.seeds import torch_generator
from metaglot.types import Batch, Episode, TaskInfo

CHOOSE = TaskInfo("choose", "choose", ("right",), (0,), family="choice")
THIRDS = 3


def choosing_episode(seed: int = 0, *, vocab: int, texts: int = 12) -> Episode:
    """Return an episode of texts with two or three candidates; of every fifth no right one is known."""
    rng = torch_generator(seed, "choosing")
    objective, third = Choosing(), (vocab - 1) // THIRDS

    def text(part: int) -> list[int]:
        count = int(torch.randint(3, 7, (), generator=rng))
        return (1 + third * part + torch.randint(0, third, (count,), generator=rng)).tolist()

    def batch() -> Batch:
        rows = []
        for i in range(texts):
            parts = torch.randperm(THIRDS, generator=rng)[: 2 + i % 2].tolist()
            right = np.zeros(len(parts), np.int64)
            right[0 if i % 5 < 4 else []] = 1
            own = text(parts[0])
            order = torch.randperm(len(parts), generator=rng).tolist()
            rows.append(
                {
                    "input_ids": [own, own[-2:], *(text(parts[at]) for at in order)],
                    "right": right[order],
                    "agreements": np.zeros((len(parts), AGREEMENTS), np.float32),
                }
            )
        return objective.collate(rows)

    return Episode(CHOOSE, objective, batch(), batch())
