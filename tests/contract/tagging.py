"""A kind of task in which every token is a unit, as little of it as algorithms need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize, one_hot

from metaglot.families.batches import pad_rows
from metaglot.metric import LABELLED, Measures
from metaglot.models.heads import scores
from metaglot.seeds import torch_generator
from metaglot.types import Batch, Episode, HeadSpec, Outputs, Params, Row, TaskInfo, Units

UNJUDGED = -100
TAGS = TaskInfo("tags", "tags", ("low", "middle", "high"), (0, 2, 3), family="tagging")


@dataclass(frozen=True)
class Tagging:
    """One tag a token; tokens with the tag −100 are not judged."""

    name: str = "tagging"

    def collate(self, rows: Sequence[Row]) -> Batch:
        batch = pad_rows(rows, pad_token_id=0)
        labels = torch.full(batch["input_ids"].shape, UNJUDGED)
        for i, row in enumerate(rows):
            labels[i, : len(row["labels"])] = torch.tensor(row["labels"])
        return {**batch, "labels": labels}

    def head_spec(self, task: TaskInfo, hidden_size: int) -> HeadSpec:
        return HeadSpec(hidden_size, len(task.labels), "token")

    def units(self, outputs: Outputs, batch: Batch, spec: HeadSpec) -> Units:
        judged = batch["labels"] != UNJUDGED
        targets = one_hot(batch["labels"][judged], spec.outputs).to(outputs.hidden.dtype)
        return Units(normalize(outputs.hidden[judged], dim=-1), targets, judged.nonzero()[:, 0])

    def logits(self, params: Params, outputs: Outputs, batch: Batch) -> Tensor:  # [B, T, C]
        return scores(params, normalize(outputs.hidden, dim=-1))

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        return cross_entropy(logits.flatten(0, 1), batch["labels"].flatten(), ignore_index=UNJUDGED)

    def judged(self, batch: Batch) -> int:
        return int((batch["labels"] != UNJUDGED).sum())

    def of_data_set(self, batch: Batch, task: TaskInfo) -> Batch:
        labels = torch.tensor(task.classes)[batch["labels"].clamp(min=0)]
        return {**batch, "labels": labels.where(batch["labels"] != UNJUDGED, UNJUDGED)}

    def predict(self, logits: Tensor) -> Tensor:  # [B, T]
        return logits.argmax(-1)

    def metrics(self, logits: Tensor, batch: Batch) -> Mapping[str, float]:
        judged = batch["labels"] != UNJUDGED
        right = (self.predict(logits) == batch["labels"])[judged].float().mean()
        return {"loss": float(self.loss(logits, batch)), "accuracy": float(right)}

    @property
    def measures(self) -> Measures:
        return LABELLED


def tagging_episode(seed: int = 0, *, vocab: int, texts: int = 8) -> Episode:
    """Return an episode whose tag of a token is the third of the vocabulary it is from; some tokens are not judged."""
    rng = torch_generator(seed, "tagging")
    family = Tagging()

    def batch() -> Batch:
        rows = []
        for _ in range(texts):
            ids = torch.randint(1, vocab, (int(torch.randint(4, 9, (), generator=rng)),), generator=rng)
            tags = (3 * (ids - 1)) // (vocab - 1)
            tags[torch.rand(len(ids), generator=rng) < 0.2] = UNJUDGED
            rows.append({"input_ids": ids.tolist(), "labels": tags.tolist()})
        return family.collate(rows)

    return Episode(TAGS, family, batch(), batch())
