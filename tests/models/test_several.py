"""Rows of several texts have the features that their texts have in rows of their own, and the same gradients."""

import pytest
import torch

from metaglot.families.batches import concatenate
from metaglot.training.need import grown


@pytest.fixture
def rows():
    """Two rows of up to three texts, of which one stands twice; and all texts one below the other."""
    texts = [[[3, 4, 5], [6, 7], [6, 7]], [[8, 9], [3, 4, 5, 10]]]
    ids, mask = torch.zeros(2, 3, 6, dtype=torch.int64), torch.zeros(2, 3, 6, dtype=torch.int64)
    for i, row in enumerate(texts):
        for j, text in enumerate(row):
            ids[i, j, : len(text)], mask[i, j, : len(text)] = torch.tensor(text), 1
    there = mask.any(-1)
    return {"input_ids": ids, "attention_mask": mask}, {"input_ids": ids[there], "attention_mask": mask[there]}, there


def test_features_and_gradients_are_those_of_the_texts(bert, rows):
    several, alone, there = rows
    body = {name: value.requires_grad_() for name, value in bert.body().items() if "layer.0" in name}
    found, each = bert.forward(body, several), bert.forward(body, alone).pooled
    assert torch.allclose(found.hidden[there], each, atol=1e-12)
    assert not found.hidden[~there].any()
    assert torch.equal(found.pooled, found.hidden[:, 0])
    weight = torch.randn(each.shape, generator=torch.Generator().manual_seed(1), dtype=each.dtype)
    grads = torch.autograd.grad((found.hidden[there] * weight).sum(), list(body.values()), allow_unused=True)
    own = torch.autograd.grad((each * weight).sum(), list(body.values()), allow_unused=True)
    assert all(a is b is None or torch.allclose(a, b, atol=1e-10) for a, b in zip(grads, own, strict=True))


def test_batches_are_joined_and_grown_in_all_their_dimensions(rows):
    several, _, _ = rows
    small = {name: value[:1, :2, :4] for name, value in several.items()}
    both = concatenate(small, several)
    assert both["input_ids"].shape == (3, 3, 6)
    assert torch.equal(both["input_ids"][0, :2, :4], small["input_ids"][0])
    assert int(both["attention_mask"][0].sum()) == int(small["attention_mask"].sum())
    large = grown(several, 5, 9, rows=20)
    assert large["input_ids"].shape == large["attention_mask"].shape == (5, 3, 9)
    assert bool(large["attention_mask"].all())
