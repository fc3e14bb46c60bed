"""A small task of answers, made of tokens: an answer goes from the token FIRST to the token LAST."""

import torch

from metaglot.families.answering import NAME, Answering
from metaglot.seeds import torch_generator
from metaglot.types import Batch, Episode, TaskInfo

ANSWERS = TaskInfo("answers", "answers", ("answer",), (0,), family=NAME)
FIRST, LAST = 1, 2


def answers_episode(seed: int = 0, *, vocab: int, texts: int = 12) -> Episode:
    """Return an episode of passages of 6 to 9 tokens behind a question of two; a fourth has no answer."""
    rng = torch_generator(seed, "answers")
    objective = Answering()

    def batch() -> Batch:
        rows = []
        for number in range(texts):
            count = int(torch.randint(8, 12, (), generator=rng))
            ids = torch.randint(3, vocab, (count,), generator=rng)
            places = torch.ones(count, dtype=torch.int64)
            places[1:2] = 0
            answer = (0, 0)
            if number % 4:
                first = int(torch.randint(2, count - 2, (), generator=rng))
                answer = (first, first + 1 + number % 2)
                ids[answer[0]], ids[answer[1]] = FIRST, LAST
            rows.append({"input_ids": ids.tolist(), "places": places, "answer": answer})
        return objective.collate(rows)

    return Episode(ANSWERS, objective, batch(), batch())
