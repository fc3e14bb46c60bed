"""No text's features depend on its neighbours, and no gradient on which rows of the embedding are left out."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from tests.models.architectures import ARCHITECTURES, FIRST, LAST, PAD, VOCAB, network_learner

from metaglot.errors import MetaglotError
from metaglot.families.classification import Classification
from metaglot.models import HfLearner
from metaglot.models.packing import packed
from metaglot.models.probe import SAFE, probed
from metaglot.models.rows import touched
from metaglot.types import Batch, Episode, Problem, TaskInfo

UNPADDED = {"convbert", "fnet", "funnel", "nystromformer", "yoso"}
"""Networks that padding changes."""
NUMBERED = {"bart", "esm", "led"}
"""Networks that read the numbers of tokens."""
INFO = TaskInfo("probe", "probe", ("a", "b"), (0, 1))
CLOSE = 2e-4  # of the largest value, in single precision


def texts_of(lengths: Sequence[int], *, seed: int) -> list[list[int]]:
    """Return texts of random tokens; in some a special token is written, the one for padding too."""
    rng = torch.Generator().manual_seed(seed)
    texts = [torch.randint(0, VOCAB, (n,), generator=rng).tolist() for n in lengths]
    texts[0][1:4] = [PAD, 32, LAST]
    texts[1][2:5] = [FIRST, PAD, PAD]
    return texts


def batch_of(texts: Sequence[Sequence[int]]) -> Batch:
    rows = [{"input_ids": list(text), "label": i % 2} for i, text in enumerate(texts)]
    return Classification(PAD).collate(rows)


def learner_of(kind: str, **settings: object) -> HfLearner:
    learner, _ = probed(network_learner(kind, **settings), PAD, kind)
    return replace(learner, normalise=False)


def apart(found: torch.Tensor, expected: torch.Tensor) -> float:
    found, expected = found.detach(), expected.detach()
    return float((found - expected).abs().max() / expected.abs().max())


@pytest.fixture(scope="module", params=sorted(ARCHITECTURES))
def learner(request: pytest.FixtureRequest) -> HfLearner:
    return learner_of(request.param)


def test_a_text_has_the_same_features_alone_and_beside_others(learner):
    texts = texts_of([7, 23, 9, 1, 7, 2, 12], seed=1)
    alone = torch.cat([learner.forward({}, batch_of([text])).pooled for text in texts])
    assert apart(learner.forward({}, batch_of(texts)).pooled, alone) < CLOSE
    assert apart(learner.forward({}, batch_of(texts[::-1])).pooled.flip(0), alone) < CLOSE
    assert torch.pdist(alone).min() > 10 * CLOSE, "the texts are told apart"


def test_features_and_gradient_of_the_rows_touched_are_those_of_all(learner):
    texts = texts_of([7, 13, 9, 5], seed=2)
    episode = Episode(INFO, Classification(PAD), batch_of(texts[:2]), batch_of(texts[2:]))
    meta = {name: value.requires_grad_() for name, value in learner.body().items()}
    problem = Problem(learner, episode.objective, INFO)
    kept = touched(problem, meta, episode)
    small = {name: value.detach().requires_grad_() for name, value in kept.meta.items()}

    def summed(params, part) -> torch.Tensor:
        pooled = learner.forward(params, part).pooled
        return (pooled * torch.linspace(-1, 1, pooled.shape[1])).sum()

    for part in ("support", "query"):
        name = f"body.{learner.embedding.name}"
        whole = summed(meta, getattr(episode, part))
        some = summed(small, getattr(kept.episode, part))
        assert apart(some, whole) < 10 * CLOSE
        (expected,), (grad,) = torch.autograd.grad(whole, [meta[name]]), torch.autograd.grad(some, [small[name]])
        total = {name: torch.zeros_like(meta[name])}
        kept.add(total, {name: grad}, share=1.0)
        assert float(expected.abs().max()) > 1e-4
        assert apart(total[name], expected) < 10 * CLOSE


def test_what_each_network_allows():
    """The table above is what the probe finds; networks that are not tried are among the tested."""
    assert set(ARCHITECTURES) >= SAFE
    assert not SAFE & (UNPADDED | NUMBERED)
    found = {kind: learner_of(kind) for kind in sorted(UNPADDED | NUMBERED | {"ernie", "gpt_neo", "phi", "gemma"})}
    assert {kind for kind, one in found.items() if not one.pads} == UNPADDED
    assert {kind for kind, one in found.items() if not one.renumbers} == NUMBERED


def test_without_the_probe_neighbours_would_decide():
    """What the probe is there for is seen in the networks of this table."""
    for kind in UNPADDED:
        bare = replace(network_learner(kind), normalise=False)
        texts = texts_of([7, 23], seed=1)
        assert apart(bare.forward({}, batch_of(texts)).pooled[:1], bare.forward({}, batch_of(texts[:1])).pooled) > 0.01


def test_a_network_that_mixes_texts_is_refused():
    learner = network_learner("bert-generation")

    class Mixing(torch.nn.Module):
        def forward(self, found: torch.Tensor) -> torch.Tensor:
            return found + found.mean(0, keepdim=True)

    embeddings = learner.module.embeddings
    embeddings.LayerNorm = torch.nn.Sequential(embeddings.LayerNorm, Mixing())
    with pytest.raises(MetaglotError, match="mine: a bert-generation gives a text other features beside other texts"):
        probed(learner, PAD, "mine")


@pytest.mark.parametrize("window", [4, 12, 30])
def test_a_sliding_window_is_kept_where_texts_share_a_row(window):
    learner = learner_of("qwen2", sliding_window=window, max_window_layers=0)
    batch = batch_of(texts_of([12, 5, 8, 5, 12, 6, 7], seed=3))
    assert (packed(learner.module, batch) is not None) == (window >= 12)
    assert apart(learner.forward({}, batch).pooled, replace(learner, packs=False).forward({}, batch).pooled) < CLOSE


@pytest.mark.parametrize("kind", ["roberta", "xlm-roberta", "bert", "gpt2"])
def test_a_padding_token_in_a_text_is_a_token_where_texts_share_a_row(kind):
    learner = learner_of(kind)
    batch = batch_of(texts_of([12, 5, 8, 5, 12, 6, 7], seed=4))
    assert packed(learner.module, batch) is not None
    assert apart(learner.forward({}, batch).pooled, replace(learner, packs=False).forward({}, batch).pooled) < CLOSE


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_a_padding_token_at_the_end_is_pooled_as_any_other(pooling):
    learner = replace(learner_of("gpt2"), pooling=pooling)
    texts = [[5, 6, PAD], [5, 6, 7, 8, 9, 10]]
    hidden = learner.forward({}, batch_of(texts[:1])).hidden[0]
    expected = {"mean": hidden.mean(0), "cls": hidden[0], "last": hidden[2]}[pooling]
    assert apart(learner.forward({}, batch_of(texts)).pooled[0], expected) < CLOSE


def test_positions_that_depend_on_the_longest_text_keep_lengths_apart():
    rope = {"rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 4, "long_factor": [4.0] * 4}
    rope["original_max_position_embeddings"] = 8
    learner = learner_of("phi3", rope_parameters=rope, original_max_position_embeddings=8)
    texts = texts_of([6, 12], seed=5)
    short = learner.forward({}, batch_of(texts[:1])).pooled
    assert apart(learner.forward({}, batch_of(texts)).pooled[:1], short) < CLOSE
    together = replace(learner, pads=True).forward({}, batch_of(texts)).pooled[:1]
    assert apart(together, short) > 0.01, "the long text changes the short one"
