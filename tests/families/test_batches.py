"""Batches: padding on the right, joining without loss, taking; and the classification objective."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from metaglot.families.batches import concatenate, pad_rows, size, take
from metaglot.families.classification import Classification
from metaglot.types import HeadSpec, Outputs, TaskInfo

TEXTS = st.lists(st.lists(st.integers(1, 99), min_size=1, max_size=7), min_size=1, max_size=5)


def real(batch) -> list[list[int]]:
    return [ids[mask.bool()].tolist() for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True)]


@given(texts=TEXTS, pad=st.integers(0, 5))
def test_rows_are_padded_on_the_right(texts, pad):
    batch = pad_rows([{"input_ids": t} for t in texts], pad_token_id=pad)
    longest = max(len(t) for t in texts)
    assert set(batch) == {"input_ids", "attention_mask"}
    assert batch["input_ids"].tolist() == [t + [pad] * (longest - len(t)) for t in texts]
    assert batch["attention_mask"].tolist() == [[1] * len(t) + [0] * (longest - len(t)) for t in texts]
    assert all(value.dtype == torch.int64 for value in batch.values())


def test_token_types_where_some_rows_have_them():
    batch = pad_rows([{"input_ids": [1, 2, 3], "token_type_ids": [0, 1, 1]}, {"input_ids": [4]}], pad_token_id=0)
    assert batch["token_type_ids"].tolist() == [[0, 1, 1], [0, 0, 0]]


@given(first=TEXTS, second=TEXTS)
def test_joining_keeps_every_text(first, second):
    objective = Classification(pad_token_id=3)
    a, b = (objective.collate([{"input_ids": t, "label": len(t)} for t in texts]) for texts in (first, second))
    both = concatenate(a, b)
    assert real(both) == first + second
    assert both["labels"].tolist() == [len(t) for t in first + second]
    assert size(both) == size(a) + size(b)
    mask = both["attention_mask"]
    assert bool((mask.diff(dim=1) <= 0).all()), "padding is on the right"
    index = torch.tensor([size(both) - 1, 0])
    assert real(take(both, index)) == [second[-1], first[0]]


@pytest.mark.parametrize("paired_first", [True, False])
def test_joining_keeps_token_types_of_either_part(paired_first):
    pair = pad_rows([{"input_ids": [1, 2, 3], "token_type_ids": [0, 1, 1]}], pad_token_id=0)
    plain = pad_rows([{"input_ids": [4, 5]}], pad_token_id=0)
    both = concatenate(pair, plain) if paired_first else concatenate(plain, pair)
    expected = [[0, 1, 1], [0, 0, 0]]
    assert both["token_type_ids"].tolist() == (expected if paired_first else expected[::-1])


def test_joining_pads_the_second_axis_and_masks_token_labels():
    def batch(length: int):
        one = torch.ones(1, length, dtype=torch.int64)
        return {"input_ids": one, "attention_mask": one, "labels": one * 5, "soft": torch.ones(1, length, 2)}

    both = concatenate(batch(2), batch(3))
    assert both["labels"].tolist() == [[5, 5, -100], [5, 5, 5]]
    assert both["soft"].shape == (2, 3, 2)
    assert both["soft"][0].tolist() == [[1, 1], [1, 1], [0, 0]]


def test_classification():
    objective = Classification()
    task = TaskInfo("t", "t", ("a", "b", "c"), (4, 5, 6))
    assert objective.head_spec(task, 7) == HeadSpec(7, 3, "pooled")
    params = {"head.weight": torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]]), "head.bias": torch.tensor([0.0, 0, 1])}
    pooled = torch.tensor([[2.0, 0.0], [0.0, 0.5]])
    logits = objective.logits(params, Outputs(pooled[:, None], pooled, torch.ones(2, 1)), {})
    assert logits.tolist() == [[2.0, 0.0, 1.0], [0.0, 0.5, 1.0]]
    assert objective.predict(logits).tolist() == [0, 2]
    batch = {"labels": torch.tensor([0, 1])}
    expected = [math.log(sum(map(math.exp, row))) - row[y] for row, y in zip(logits.tolist(), (0, 1), strict=True)]
    assert float(objective.loss(logits, batch)) == pytest.approx(sum(expected) / 2, rel=1e-6)
    assert objective.metrics(logits, batch) == {
        "loss": pytest.approx(sum(expected) / 2, rel=1e-6),
        "accuracy": pytest.approx(0.5),
    }
