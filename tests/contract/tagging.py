"""A small task of tagging, made of tokens: a word a token, whose tag is the third of the vocabulary that it is from."""

import torch

from metaglot.families.tag_words import LOOKS, UNJUDGED
from metaglot.families.tagging import Tagging
from metaglot.seeds import torch_generator
from metaglot.types import Batch, Episode, TaskInfo

TAGS = TaskInfo("tags", "tags", ("middle", "high"), (0, 2), family="tagging")
OF_THIRD = torch.tensor([0, 1, 3])  # O, and the first word of a span of either label


def tagging_episode(seed: int = 0, *, vocab: int, texts: int = 8) -> Episode:
    """Return an episode of texts of 4 to 8 words; a fifth of the words is not judged."""
    rng = torch_generator(seed, "tagging")
    objective = Tagging()

    def batch() -> Batch:
        rows = []
        for _ in range(texts):
            count = int(torch.randint(4, 9, (), generator=rng))
            ids = torch.randint(1, vocab, (count,), generator=rng)
            tags = OF_THIRD[(3 * (ids - 1)) // (vocab - 1)]
            tags[torch.rand(count, generator=rng) < 0.2] = UNJUDGED
            words = torch.stack([torch.arange(count), torch.arange(count) + 1], 1)
            looks = torch.zeros(count, LOOKS)
            rows.append(
                {"input_ids": ids.tolist(), "words": words, "looks": looks, "tags": tags, "others": tags < -100}
            )
        return objective.collate(rows)

    return Episode(TAGS, objective, batch(), batch())
