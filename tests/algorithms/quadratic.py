"""Quadratics with known Hessians as episodes, and a learner that is a point: what closed forms are computed on.

Support loss ½(x − c)ᵀA(x − c), query loss ½(x − c′)ᵀA′(x − c′).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from metaglot.decoding import Continuations, Decoding
from metaglot.families.classification import Classification
from metaglot.types import Algorithm, Batch, Episode, HeadSpec, Outputs, Params, Problem, TaskInfo, Units

D = 5
CPU = torch.device("cpu")
EYE = torch.eye(D, dtype=torch.float64)
INFO = TaskInfo("point", "points", ("only",), (0,), family="quadratic")


@dataclass(frozen=True)
class Point:
    """A learner whose features are its parameters, whatever the batch: a (2 numbers) and b (3)."""

    hidden_size: int = D
    device: torch.device = CPU
    embedding: None = None

    def precise(self) -> "Point":
        return self

    def body(self) -> Params:
        return {"body.a": torch.zeros(2).double(), "body.b": torch.zeros(3).double(), "body.idle": torch.ones(2)}

    def forward(self, params: Params, batch: Batch, *, seed: int | None = None, logits: bool = False) -> Outputs:
        given = {**self.body(), **params}
        theta = torch.cat([given["body.a"], given["body.b"]])
        mask = batch["attention_mask"]
        return Outputs(hidden=theta[None, None], pooled=theta.expand(len(mask), D), mask=mask)

    def generate(self, params: Params, batch: Batch, decoding: Decoding, *, tokenizer: object = None) -> Continuations:
        raise NotImplementedError


@dataclass(frozen=True)
class Quadratic:
    """½(x − c)ᵀA(x − c), where x is the learner's point θ, or w − Mθ if there is a head w."""

    mix: Tensor | None = None  # M [D, D]
    name: str = "quadratic"

    def collate(self, rows: Sequence[Mapping[str, Tensor]]) -> Batch:
        one = torch.ones(len(rows), 1, dtype=torch.int64)
        made = {name: torch.stack([row[name] for row in rows]) for name in ("center", "matrix")}
        return {"input_ids": one, "attention_mask": one, "labels": torch.zeros(len(rows), dtype=torch.int64), **made}

    def head_spec(self, task: TaskInfo, hidden_size: int) -> HeadSpec:
        return HeadSpec(hidden_size, 1, "point")

    def units(self, outputs: Outputs, batch: Batch, spec: HeadSpec) -> Units:
        return Classification().units(outputs, batch, spec)

    def of_data_set(self, batch: Batch, task: TaskInfo) -> Batch:
        return batch

    def logits(self, params: Params, outputs: Outputs, batch: Batch) -> Tensor:
        return outputs.pooled if self.mix is None else params["head.weight"][0] - outputs.pooled @ self.mix.T

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        away = logits - batch["center"]
        return 0.5 * torch.einsum("bi,bij,bj->b", away, batch["matrix"], away).mean()

    def judged(self, batch: Batch) -> int:
        return len(batch["labels"])

    def predict(self, logits: Tensor) -> Tensor:
        return logits

    def metrics(self, logits: Tensor, batch: Batch) -> Mapping[str, float]:
        return {"loss": float(self.loss(logits, batch))}


def draw(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def hessian(seed: int) -> Tensor:
    root = draw(seed, D, D)
    return root @ root.T / D + 0.5 * EYE


class Case:
    """One episode (2 support rows, 3 query rows) with its Hessians and minima."""

    def __init__(self, seed: int, mix: Tensor | None = None) -> None:
        self.A, self.A2 = hessian(10 * seed + 1), hessian(10 * seed + 2)
        self.c, self.c2 = draw(10 * seed + 3, D), draw(10 * seed + 4, D)
        self.objective = Quadratic(mix)
        support = self.objective.collate([{"center": self.c, "matrix": self.A}] * 2)
        query = self.objective.collate([{"center": self.c2, "matrix": self.A2}] * 3)
        self.episode = Episode(INFO, self.objective, support, query)
        self.problem = Problem(Point(), self.objective, INFO)
        # The mean over support and query together is again a quadratic.
        self.A3 = (2 * self.A + 3 * self.A2) / 5
        self.c3 = torch.linalg.solve(self.A3, (2 * self.A @ self.c + 3 * self.A2 @ self.c2) / 5)


THETA = draw(0, D)
META = {"body.a": THETA[:2], "body.b": THETA[2:], "body.idle": torch.ones(2)}
ONLY_A = torch.diag(torch.tensor([1.0, 1.0, 0, 0, 0], dtype=torch.float64))
LR = 0.2


def power(P: Tensor, A: Tensor, lr: float, steps: int) -> Tensor:
    return torch.linalg.matrix_power(EYE - lr * P @ A, steps)


def meta_grad(algorithm: Algorithm, *cases: Case, meta: Params = META) -> Params:
    found = algorithm.meta_grad(
        [case.problem for case in cases], meta, [case.episode for case in cases], step=0, seed=0
    )
    assert set(found.grads) == set(meta)
    assert len(found.records) == len(cases)
    assert not found.grads["body.idle"].any(), "an unused parameter gets zeros"
    return found.grads


def theta_grad(algorithm: Algorithm, *cases: Case, meta: Params = META) -> Tensor:
    grads = meta_grad(algorithm, *cases, meta=meta)
    return torch.cat([grads["body.a"], grads["body.b"]])


def close(a: Tensor, b: Tensor) -> bool:
    return torch.allclose(a, b, rtol=1e-11, atol=1e-12)
