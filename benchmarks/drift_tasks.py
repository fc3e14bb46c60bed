"""The kinds of tasks of `drift.py`, on features in place of texts, so that all methods can be trained on them.

Features of builtin:minilm (or synthetic ones), 64 principal components of the set to train on; then a learnt linear map
W and a learnt start V of the head.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import pyarrow.parquet as pq
import torch
from torch import Tensor

from metaglot.families.classification import Classification
from metaglot.models import Runtime, load_backbone
from metaglot.models.heads import scores
from metaglot.seeds import generator
from metaglot.tasks import Source
from metaglot.tasks.drift import Histories, SlidingLabels, episode_of
from metaglot.tasks.sources import TokenisedSet
from metaglot.types import Batch, Episode, Outputs, Params, Record, Row, Snapshot, TaskDistribution, TaskInfo

WIDTH, PARTS, WAYS = 64, 8, 3
CPU = torch.device("cpu")
MOVING = TaskInfo("moving", "moving", ("a", "b", "c"), (0, 1, 2))
NAMES = ("taste", "sliding", "moving", "still")


class Rows(NamedTuple):
    """Features in place of texts."""

    name: str
    labels: tuple[str, ...]
    features: np.ndarray  # [n, WIDTH]

    @property
    def table(self) -> None:  # no text
        return None

    def rows(self, indices: Sequence[int] | np.ndarray) -> Sequence[Row]:
        """Return the features of rows."""
        return [{"features": self.features[i]} for i in indices]


@dataclass(frozen=True)
class OnFeatures(Classification):
    """Classification of feature vectors, whose head starts at the learnt V of the body."""

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return input_ids (of no use), attention_mask, features [B, WIDTH] and labels."""
        ones = torch.ones(len(rows), 1, dtype=torch.int64)
        features = torch.from_numpy(np.stack([row["features"] for row in rows])).float()
        labels = torch.tensor([int(row["label"]) for row in rows])
        return {"input_ids": ones, "attention_mask": ones, "features": features, "labels": labels}

    def logits(self, params: Params, outputs: Outputs, batch: Batch) -> Tensor:  # [B, C]
        """Return x Wᵀ (head + V)ᵀ + b."""
        del batch
        return scores(params, outputs.pooled) + outputs.pooled @ params["body.start"].T


@dataclass(frozen=True)
class Mapped:
    """A learner whose features are a linear map of those given."""

    ways: int
    hidden_size: int = WIDTH
    device: torch.device = CPU
    embedding: None = None

    def precise(self) -> "Mapped":
        """Return itself."""
        return self

    def body(self) -> Params:
        """Return the identity, and a start of zeros."""
        return {"body.map": torch.eye(WIDTH), "body.start": torch.zeros(self.ways, WIDTH)}

    def language_head(self) -> Params:
        """Return nothing."""
        return {}

    def scoring(self, params: Params) -> Params:
        """Return nothing."""
        del params
        return {}

    def forward(self, params: Params, batch: Batch, *, seed: int | None = None, logits: bool = False) -> Outputs:
        """Return the features."""
        del seed, logits
        pooled = batch["features"] @ params["body.map"].T
        return Outputs(pooled[:, None], pooled, batch["attention_mask"])


@dataclass(frozen=True)
class Moving:
    """Synthetic classes whose means walk at random from part to part of the stream."""

    objective: OnFeatures
    shots: int = 2
    queries: int = 5
    keeps: float = 0.85  # of a mean from part to part, whose length stays one
    noise: float = 4.0  # length of the noise of an example, in all dimensions together

    @property
    def tasks(self) -> Sequence[TaskInfo]:
        """One task."""
        return [MOVING]

    def __call__(self, seed: int, n: int, snapshot: Snapshot) -> Episode:
        """Return episode n."""
        del snapshot
        rng = generator(seed, "moving", n)
        means = rng.standard_normal((WAYS, WIDTH)) / np.sqrt(WIDTH)
        drawn: list[np.ndarray] = []
        support, query = list[tuple[int, int]](), list[tuple[int, int]]()
        for part in range(PARTS + 1):
            last = part == PARTS
            for k in rng.permutation(np.repeat(np.arange(WAYS), self.queries if last else self.shots)).tolist():
                (query if last else support).append((len(drawn), k))
                drawn.append(means[k] + self.noise * rng.standard_normal(WIDTH) / np.sqrt(WIDTH))
            fresh = rng.standard_normal((WAYS, WIDTH)) / np.sqrt(WIDTH)
            means = self.keeps * means + np.sqrt(1 - self.keeps**2) * fresh
        return episode_of(Rows("moving", (), np.stack(drawn)), self.objective, MOVING, support, query)

    def update(self, snapshot: Snapshot, records: Sequence[Record]) -> Snapshot:
        """Return the snapshot."""
        del records
        return snapshot


class World(NamedTuple):
    """A kind of task: what is trained on, tuned on and tested on."""

    learner: Mapped
    train: TaskDistribution
    validation: TaskDistribution
    test: TaskDistribution


def embedded(texts: Sequence[str]) -> np.ndarray:  # [n, 384]
    """Return features of builtin:minilm."""
    backbone = load_backbone("builtin:minilm", Runtime("fp32", "sdpa", "cpu"))
    order, found = np.argsort([len(text) for text in texts], kind="stable"), np.zeros((len(texts), 384), np.float32)
    for at in range(0, len(texts), 64):
        rows = order[at : at + 64]
        ids = backbone.tokenizer([texts[i] for i in rows], truncation=True, max_length=48, padding=True)
        batch = {name: torch.tensor(ids[name]) for name in ("input_ids", "attention_mask")}
        with torch.no_grad():
            found[rows] = backbone.learner.forward({}, batch).pooled.numpy()
    return found


def components(fitted: np.ndarray, *others: np.ndarray) -> list[np.ndarray]:
    """Return all in the principal components of the first, with the first's mean at zero and its mean length one."""
    mean = fitted.mean(0)
    _, _, axes = np.linalg.svd(fitted - mean, full_matrices=False)
    found = [(values - mean) @ axes[:WIDTH].T for values in (fitted, *others)]
    size = np.linalg.norm(found[0], axis=1).mean()
    return [values / size for values in found]


def source_of(name: str, features: np.ndarray, labels: Sequence[str], classes: Sequence[str]) -> Source:
    """Return the task of some classes."""
    members = tuple(np.flatnonzero(np.array(labels) == c) for c in classes)
    info = TaskInfo(name, name, tuple(classes), tuple(range(len(classes))))
    return Source(info, cast("TokenisedSet", Rows(name, tuple(classes), features)), members)


def sliding(data: Path, *, slides: bool) -> World:
    """Return labels that slide: 100 intents of clinc150 to train, 50 to tune, banking77 to test."""
    sets = [pq.read_table(data / file).to_pandas() for file in ("train/clinc150.parquet", "dev/banking77.parquet")]
    known, other = components(*(embedded(table["text"].tolist()) for table in sets))
    shots, queries = 2, 5
    parts = []
    classes = sorted(sets[0]["label"].astype(str).unique())
    order = generator(0, "classes").permutation(len(classes))
    two_thirds = 2 * len(classes) // 3
    for name, table, features, chosen in (
        ("clinc150", sets[0], known, [classes[i] for i in order[:two_thirds]]),
        ("clinc150", sets[0], known, [classes[i] for i in order[two_thirds:]]),
        ("banking77", sets[1], other, sorted(sets[1]["label"].astype(str).unique())),
    ):
        labels = table["label"].astype(str).tolist()
        counts = table["label"].astype(str).value_counts()
        chosen = [c for c in chosen if counts[c] >= PARTS * shots + queries]
        source = source_of(name, features, labels, chosen)
        parts.append(SlidingLabels(source, OnFeatures(), WAYS, PARTS, shots, queries, slides))
    return World(Mapped(WAYS), parts[0], parts[1], parts[2])


def taste(data: Path) -> World:
    """Return users: 60 % to train, 15 % to tune, 25 % to test.  A film is liked if above the median of those before."""
    table = pq.read_table(data / "recommendation/movielens.parquet").to_pandas()
    titles = sorted(table["text"].unique())
    place = {title: i for i, title in enumerate(titles)}
    (features,) = components(embedded(titles))
    users, codes, films = list[np.ndarray](), np.zeros(len(table), np.int64), np.zeros(len(table), np.int64)
    table = table.sort_values(["user", "time"], kind="stable").reset_index(drop=True)
    films[:] = [place[title] for title in table["text"]]
    for _, rows in table.groupby("user"):
        ratings, at = rows["rating"].to_numpy(), rows.index.to_numpy()
        codes[at] = [int(r > np.median(ratings[: max(1, i)])) for i, r in enumerate(ratings)]
        users.append(at)
    info = TaskInfo("movielens", "movielens", ("no", "yes"), (0, 1))
    order = generator(0, "users").permutation(len(users))
    cuts = np.split(order, [int(0.6 * len(users)), int(0.75 * len(users))])
    rated = Rows("movielens", info.labels, features[films])
    made = [
        Histories(cast("TokenisedSet", rated), OnFeatures(), info, tuple(users[i] for i in cut), codes, 48, 16)
        for cut in cuts
    ]
    return World(Mapped(2), *made)


def world_of(name: str, data: Path) -> World:
    """Return a kind of task."""
    if name == "moving":
        return World(Mapped(WAYS), *[Moving(OnFeatures())] * 3)
    return taste(data) if name == "taste" else sliding(data, slides=name == "sliding")
