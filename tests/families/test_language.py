"""Masked and causal language modelling: what is hidden, what is judged, and what it costs."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from metaglot.choices import COMPARING, OBJECTIVES
from metaglot.errors import MetaglotError
from metaglot.families.batches import concatenate
from metaglot.families.language import (
    CausalLm,
    MaskedLm,
    PermutationLm,
    ReplacedTokens,
    SimCse,
    SpanDenoising,
    of_language,
    perplexity,
)
from metaglot.seeds import generator
from metaglot.types import FEATURES, VOCABULARY, Outputs, TaskInfo

SIZE, MASK, SPECIAL = 60, 3, frozenset({0, 1, 2, 3, 17})
GOES_ON = np.arange(SIZE) >= 40  # these tokens go on a word
TASK = TaskInfo("text", "text", (), ())
TOKENS = st.lists(st.integers(0, SIZE - 1), min_size=1, max_size=60)
SEEDS = st.integers(0, 1000)


def masked(*, whole: bool = False, share: float = 0.15) -> MaskedLm:
    return MaskedLm(0, MASK, SIZE, SPECIAL, share, GOES_ON if whole else None)


def words_of(ids: list[int]) -> list[list[int]]:
    """The positions of each word, by the plain definition."""
    words: list[list[int]] = []
    for at, token in enumerate(ids):
        if token in SPECIAL:
            continue
        if token >= 40 and at and ids[at - 1] not in SPECIAL:
            words[-1].append(at)
        else:
            words.append([at])
    return words


@given(TOKENS, SEEDS, st.booleans(), st.floats(0.05, 0.9))
def test_what_is_hidden(ids, seed, whole, share):
    objective = masked(whole=whole, share=share)
    (row,) = objective.prepare([{"input_ids": ids, "row": 5}], generator(seed))
    labels, shown = row["labels"], row["input_ids"]
    assert row["row"] == 5
    hidden = {int(at) for at in np.flatnonzero(labels != -100)}
    ordinary = [at for at, token in enumerate(ids) if token not in SPECIAL]
    wanted = max(1, round(share * len(ordinary))) if ordinary else 0
    assert hidden <= set(ordinary)
    assert all(labels[at] == ids[at] for at in hidden)
    assert all(shown[at] == ids[at] for at in range(len(ids)) if at not in hidden)
    assert all(shown[at] == MASK or shown[at] not in SPECIAL for at in hidden)
    if not whole:
        assert len(hidden) == wanted
        return
    words = words_of(ids)
    assert all(set(word) <= hidden or not set(word) & hidden for word in words), "whole words alone"
    taken = [word for word in words if set(word) & hidden]
    assert len(hidden) <= wanted or len(taken) == 1
    left = wanted - len(hidden)
    assert left <= 0 or all(len(word) > left for word in words if word not in taken), "no word more would have fitted"


@given(TOKENS, SEEDS, st.booleans())
def test_hiding_is_pure(ids, seed, whole):
    given_row = {"input_ids": np.array(ids)}
    first, second = (masked(whole=whole).prepare([given_row], generator(seed))[0] for _ in range(2))
    assert np.array_equal(first["input_ids"], second["input_ids"])
    assert np.array_equal(first["labels"], second["labels"])
    assert given_row["input_ids"].tolist() == ids


@pytest.mark.parametrize("whole", [False, True], ids=["tokens", "words"])
def test_shares_of_masked_random_and_left(whole):
    rng = generator(0, "shares")
    ids = rng.choice([t for t in range(SIZE) if t not in SPECIAL], (400, 100))
    rows = masked(whole=whole).prepare([{"input_ids": row} for row in ids], rng)
    shown = np.stack([row["input_ids"] for row in rows])
    chosen = np.stack([row["labels"] for row in rows]) != -100
    assert chosen.mean() == pytest.approx(0.15, abs=0.0 if not whole else 0.002)
    count = int(chosen.sum())
    assert count > 5_900
    # A random token is that which was there once in 55 times.
    expected = {"mask": 0.8, "left": 0.1 + 0.1 / 55, "random": 0.1 - 0.1 / 55}
    kinds = {"mask": shown == MASK, "left": shown == ids, "random": (shown != MASK) & (shown != ids)}
    for kind, share in expected.items():
        found = (kinds[kind] & chosen).sum() / count
        assert abs(found - share) < 4 * math.sqrt(share * (1 - share) / count), kind
    drawn = shown[kinds["random"] & chosen]
    counts = np.bincount(drawn, minlength=SIZE)
    assert counts[sorted(SPECIAL)].sum() == 0
    ordinary = np.delete(counts, sorted(SPECIAL))
    square = ((ordinary - ordinary.mean()) ** 2 / ordinary.mean()).sum()
    assert square < 54 + 4 * math.sqrt(2 * 54), "every ordinary token as likely"
    # Every place is as likely to be hidden.
    places = chosen.mean(0)
    assert abs(places - 0.15).max() < 5 * math.sqrt(0.15 * 0.85 / 400)


def test_other_seeds_hide_other_tokens():
    ids = np.arange(4, 16).repeat(5)
    places = [tuple(masked().prepare([{"input_ids": ids}], generator(seed))[0]["labels"]) for seed in range(20)]
    assert len(set(places)) == 20


@given(st.lists(TOKENS, min_size=1, max_size=4), SEEDS)
def test_a_causal_label_is_the_next_token(texts, seed):
    objective = CausalLm(0)
    rows = objective.prepare([{"input_ids": ids} for ids in texts], generator(seed))
    batch = objective.collate(rows)
    length = max(map(len, texts))
    assert batch["labels"].shape == batch["input_ids"].shape == (len(texts), length)
    for i, ids in enumerate(texts):
        assert batch["labels"][i].tolist() == [*ids[1:], -100, *[-100] * (length - len(ids))]
        assert batch["input_ids"][i].tolist() == [*ids, *[0] * (length - len(ids))]
        assert batch["attention_mask"][i].tolist() == [1] * len(ids) + [0] * (length - len(ids))


@pytest.mark.parametrize("objective", [masked(), CausalLm(0)], ids=lambda f: f.name)
def test_the_loss_is_the_mean_over_judged_tokens_of_all_rows(objective):
    rng = generator(0, "rows")
    rows = objective.prepare([{"input_ids": rng.integers(4, SIZE, n)} for n in (3, 9, 40)], rng)
    batch = objective.collate(rows)
    judged = batch["labels"] != -100
    logits = torch.randn(int(judged.sum()), SIZE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    log_p = logits.log_softmax(-1)
    labels = [int(t) for row in rows for t in row["labels"] if t != -100]
    expected = -sum(float(log_p[i, label]) for i, label in enumerate(labels)) / len(labels)
    assert float(objective.loss(logits, batch)) == pytest.approx(expected, rel=1e-12)
    metrics = objective.metrics(logits, batch)
    assert metrics["loss"] == pytest.approx(expected)
    assert metrics["perplexity"] == pytest.approx(math.exp(expected))
    assert metrics["accuracy"] == pytest.approx((objective.predict(logits) == torch.tensor(labels)).double().mean())
    even = torch.zeros(len(labels), SIZE)
    assert objective.metrics(even, batch)["perplexity"] == pytest.approx(SIZE, rel=1e-5)
    assert objective.logits({}, Outputs(even, even, even, logits), {}) is logits
    with pytest.raises(MetaglotError, match="language-model head"):
        objective.logits({}, Outputs(even, even, even), {})


@pytest.mark.parametrize("objective", [masked(), CausalLm(0)], ids=lambda f: f.name)
def test_nothing_to_judge_costs_nothing(objective):
    ids = [1] if objective.name == "causal-lm" else [1, 2]
    batch = objective.collate(objective.prepare([{"input_ids": ids}], generator(0)))
    assert batch["labels"].unique().tolist() == [-100]
    logits = torch.zeros(0, SIZE, requires_grad=True)
    loss = objective.loss(logits, batch)
    assert loss.item() == 0
    assert loss.requires_grad
    assert objective.metrics(logits.detach(), batch) == {"loss": 0.0, "perplexity": 1.0, "accuracy": 0.0}


def test_joined_batches_are_judged_where_their_parts_are():
    objective, rng = masked(), generator(1)
    parts = [objective.collate(objective.prepare([{"input_ids": rng.integers(4, SIZE, n)}], rng)) for n in (5, 20)]
    both = concatenate(*parts)
    labels = [part["labels"][part["labels"] != -100] for part in parts]
    assert torch.equal(both["labels"][both["labels"] != -100], torch.cat(labels))


def test_a_perplexity_is_a_finite_number():
    assert perplexity(0.0) == 1.0
    assert perplexity(2.5) == math.exp(2.5)
    assert math.isfinite(perplexity(1e6))


def test_the_dict_and_the_level():
    made = {"masked-lm": masked(), "causal-lm": CausalLm(0), "permutation-lm": PermutationLm(0, frozenset())}
    made |= {"span-denoising": SpanDenoising(0, 1, (2,)), "simcse": SimCse(0)}
    made["replaced-tokens"] = ReplacedTokens(0, MASK, SPECIAL)
    assert set(OBJECTIVES) == set(made)
    for name, objective in made.items():
        assert isinstance(objective, OBJECTIVES[name])
        assert objective.name == name
        assert objective.head_spec(TASK, 16).level == (FEATURES if name in COMPARING else VOCABULARY)
    assert of_language([TASK, TaskInfo("text", "text", (), (), family="causal-lm")])
    assert not of_language([TASK, TaskInfo("text", "text", (), (), family="simcse")])
