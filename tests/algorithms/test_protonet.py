"""ProtoNet on linear features, by hand."""

from dataclasses import dataclass

import pytest
import torch
from tests.algorithms.quadratic import CPU, D, close, draw
from torch import Tensor

from metaglot.algorithms.protonet import protonet
from metaglot.decoding import Continuations, Decoding
from metaglot.families.classification import Classification
from metaglot.models.heads import LOG_SCALE
from metaglot.types import Batch, Episode, Outputs, Params, Problem, TaskInfo


@dataclass(frozen=True)
class Linear:
    """A learner whose features are Wᵀ x for the batch's own numbers x."""

    W: Tensor  # [inputs, D]
    device: torch.device = CPU
    embedding: None = None

    @property
    def hidden_size(self) -> int:
        return self.W.shape[1]

    def precise(self) -> "Linear":
        return self

    def body(self) -> Params:
        return {"body.W": self.W}

    def forward(self, params: Params, batch: Batch, *, seed: int | None = None, logits: bool = False) -> Outputs:
        pooled = batch["x"] @ params.get("body.W", self.W)
        return Outputs(hidden=pooled[:, None], pooled=pooled, mask=batch["attention_mask"])

    def generate(self, params: Params, batch: Batch, decoding: Decoding, *, tokenizer: object = None) -> Continuations:
        raise NotImplementedError


def test_protonet_on_linear_features():
    """With r = (p − y)/B: dL/df = Σ_c r_c 2sμ_c, dL/dμ_c = Σ_i r_ic 2s(f_i − μ_c), dL/d log s = Σ r_ic z_ic."""
    ways, shots, queries, inputs, s = 3, 2, 4, 6, 0.7
    W, xs, xq = draw(1, inputs, D), draw(2, ways * shots, inputs), draw(3, ways * queries, inputs)
    ys, yq = torch.arange(ways).repeat(shots), torch.arange(ways).repeat(queries)
    info = TaskInfo("t", "t", ("a", "b", "c"), (0, 1, 2))

    def batch(x: Tensor, y: Tensor) -> Batch:
        return {"x": x, "attention_mask": torch.ones(len(x), 1), "labels": y}

    family, learner = Classification(), Linear(W)
    episode = Episode(info, family, batch(xs, ys), batch(xq, yq))
    meta = {"body.W": W, LOG_SCALE: torch.tensor(s, dtype=torch.float64).log()}
    found = protonet(metric="euclidean").meta_grad([Problem(learner, family, info)], meta, [episode], step=0, seed=0)

    average = torch.stack([xs[ys == c].mean(0) for c in range(ways)])  # [C, inputs]
    f, mu = xq @ W, average @ W
    z = s * (2 * f @ mu.T - mu.pow(2).sum(1))
    r = (z.softmax(1) - torch.nn.functional.one_hot(yq, ways)) / len(yq)
    df = r @ (2 * s * mu)
    dmu = 2 * s * (r.T @ f - r.sum(0)[:, None] * mu)
    assert close(found.grads["body.W"], xq.T @ df + average.T @ dmu)
    assert close(found.grads[LOG_SCALE], (r * z).sum())
    loss = -z.log_softmax(1)[torch.arange(len(yq)), yq].mean()
    assert found.records[0]["loss"] == pytest.approx(float(loss), rel=1e-12)
    assert found.records[0]["accuracy"] == pytest.approx(float((z.argmax(1) == yq).double().mean()))
