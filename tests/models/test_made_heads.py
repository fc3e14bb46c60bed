"""Matching, generated and latent heads: their limits and definitions."""

from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from metaglot.errors import MetaglotError
from metaglot.models import Generated, Latent, Matching, Prototypes
from metaglot.models.heads import class_means, head_size, linear_layer, resolved, scores
from metaglot.models.heads.latent import DECODER, ENCODER
from metaglot.types import Batch, Params


@pytest.fixture
def made(problem, bert):
    """Return a head's meta-parameters, in float64 and with noise where asked, and what it starts as."""

    def of(head, support: Batch, *, noise: float = 0.0) -> tuple[Params, Params]:
        rng = torch.Generator().manual_seed(3)
        own = {n: v.double() for n, v in head.init(16, seed=0).items()}
        own = {n: v + noise * torch.randn(v.shape, generator=rng, dtype=v.dtype) for n, v in own.items()}
        meta = {**bert.body(), **own}
        return meta, head.start(problem, meta, support)

    return of


def reordered(support: Batch, order: Tensor) -> Batch:
    return {name: value[order] for name, value in support.items()}


def test_matching_is_the_vote_of_attention(problem, episode, made):
    meta, start = made(Matching(scale=4.0), episode.support)
    k, x = (normalize(problem.units(meta, part).features, dim=1) for part in (episode.support, episode.query))
    attention = torch.softmax(4.0 * x @ k.T, dim=1)
    votes = torch.stack([attention[:, episode.support["labels"] == c].sum(1) for c in range(3)], dim=1)
    found = problem.logits({**meta, **start}, episode.query).softmax(1)
    assert torch.allclose(found, votes, atol=1e-6)  # log 4 is kept in float32
    assert head_size(start) == (3, 16)
    plain = resolved(start, meta)
    assert plain.keys() == start.keys(), "a support set has no layer"
    assert all(torch.equal(plain[n], start[n]) for n in start)


def test_matching_with_one_shot_is_prototypes(problem, make_episode, made):
    episode = make_episode(5, shots=1)
    (meta, ours), (_, theirs) = (made(head, episode.support) for head in (Matching(scale=6.0), Prototypes(scale=6.0)))
    both = [problem.logits({**meta, **start}, episode.query).softmax(1) for start in (ours, theirs)]
    assert torch.allclose(*both, atol=1e-9)


def test_matching_is_finite_for_a_class_without_an_example_and_where_it_is_sure():
    keys = torch.eye(2, dtype=torch.float64).requires_grad_()
    start = {
        "head.keys": keys,
        "head.values": torch.tensor([[1.0, 0, 0], [0, 1, 0]]).double(),
        "head.scale": torch.tensor(1e4).double(),
    }
    found = scores(start, torch.eye(2, dtype=torch.float64))
    (grad,) = torch.autograd.grad(found[:, 2].sum(), [keys])
    assert found.argmax(1).tolist() == [0, 1]
    assert bool(found.isfinite().all())
    assert bool(grad.isfinite().all())
    assert float(found[:, 2].detach().max()) == pytest.approx(float(torch.tensor(1e-12).log()), rel=1e-6)


KINDS = [
    Generated(),
    Generated(moment=True),
    Generated(layers=3, hidden=8),
    Generated(layers=2, hidden=8, transform=True, moment=True),
]


@pytest.mark.parametrize("head", KINDS, ids=str)
def test_an_untrained_generator_is_prototypes(support, made, head):
    _, start = made(head, support)
    _, expected = made(Prototypes(), support)
    assert torch.equal(start["head.weight"], expected["head.weight"])
    assert not start["head.bias"].any()


@pytest.mark.parametrize("head", [*KINDS, Latent(size=4)], ids=str)
def test_what_is_made_depends_on_the_set_alone(support, made, head):
    meta, start = made(head, support, noise=0.3)
    weight, bias = linear_layer({**meta, **start})
    order = torch.tensor([3, 1, 5, 0, 4, 2])
    meta, start = made(head, reordered(support, order), noise=0.3)
    again = linear_layer({**meta, **start})
    assert torch.allclose(again[0], weight, atol=1e-12)
    assert torch.allclose(again[1], bias, atol=1e-12)
    names = torch.tensor([2, 0, 1])
    meta, start = made(head, {**support, "labels": names[support["labels"]]}, noise=0.3)
    renamed = linear_layer({**meta, **start})
    assert torch.allclose(renamed[0][names], weight, atol=1e-12)
    assert torch.allclose(renamed[1][names], bias, atol=1e-12)


@pytest.mark.parametrize("layers", [1, 3])
def test_what_is_generated_is_the_class_mean_of_the_network(problem, support, made, layers):
    meta, start = made(Generated(layers=layers, hidden=8, scale=1.0), support, noise=0.5)
    scale = meta["algorithm.head.log_scale"].exp()
    features, labels = problem.units(meta, support).features, support["labels"]
    means = class_means(features, one_hot(labels, 3).double())
    given = {n.removeprefix("algorithm.head.generator."): v for n, v in meta.items() if ".generator." in n}
    assert len(given) == 2 * layers - 1
    parts: list[torch.nn.Module] = []
    for i, (inputs, outputs) in enumerate(pairwise([16, *[8] * (layers - 1), 17])):
        parts += [torch.nn.Linear(inputs, outputs, bias=i < layers - 1), torch.nn.GELU()]
    network = torch.nn.Sequential(*parts[:-1]).double()
    network.load_state_dict({f"{2 * int(n.split('.')[0])}.{n.split('.')[1]}": v for n, v in given.items()})
    each = network(features)
    written = torch.stack([each[labels == c].mean(0) for c in range(3)])
    assert torch.allclose(written, network(means), atol=1e-12) == (layers == 1), "only a line has g(mean) = mean of g"
    expected = scale * (torch.cat([normalize(means, dim=1), torch.zeros(3, 1).double()], 1) + written)
    assert torch.allclose(torch.cat([start["head.weight"], start["head.bias"][:, None]], 1), expected, atol=1e-12)


def test_moment_and_transformation_are_what_they_say(problem, support, made):
    head = Generated(layers=1, moment=True, transform=True, hidden=8)
    meta, start = made(head, support, noise=0.5)
    x, labels = problem.units(meta, support).features, support["labels"]
    x = x + torch.tanh(x @ meta["algorithm.head.transform.in"].T) @ meta["algorithm.head.transform.out"].T
    means = torch.stack([x[labels == c].mean(0) for c in range(3)])
    spread = torch.stack([x[labels == c].var(0, correction=0) for c in range(3)])
    written = torch.cat([means, spread], 1) @ meta["algorithm.head.generator.0.weight"].T
    assert torch.allclose(start["head.bias"], meta["algorithm.head.log_scale"].exp() * written[:, -1], atol=1e-12)


@pytest.mark.parametrize("size", [16, 40])
def test_a_code_as_wide_as_the_features_is_prototypes(support, made, size):
    meta, start = made(Latent(size=size), support)
    assert start["head.code"].shape == (3, size)
    weight, bias = linear_layer({**meta, **start})
    _, expected = made(Prototypes(), support)
    assert torch.allclose(weight, expected["head.weight"], atol=1e-5)  # E is orthonormal in float32
    assert not bias.any()


def test_a_narrow_code_is_projected_prototypes_and_becomes_a_layer(problem, episode, made):
    meta, start = made(Latent(size=5, scale=3.0), episode.support)
    e = meta[ENCODER]
    assert torch.allclose(e @ e.T, torch.eye(5).double(), atol=1e-6)
    assert torch.equal(meta[DECODER][:-1], e.T)
    _, prototypes = made(Prototypes(scale=3.0), episode.support)
    plain = resolved(start, meta)
    assert set(plain) == {"head.weight", "head.bias"}
    assert torch.allclose(plain["head.weight"], prototypes["head.weight"] @ e.T @ e, atol=1e-6)
    both = [problem.logits({**meta, **params}, episode.query) for params in (start, plain)]
    assert torch.equal(*both)
    assert head_size(plain) == (3, 16)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (Matching(scale=0.0), "the scale of matching must be above 0"),
        (Generated(layers=0), "layers ≥ 1 and hidden ≥ 1, got 0 and 64"),
        (Generated(hidden=0, layers=2), "got 2 and 0"),
        (Generated(scale=-2.0), "the scale of a generated head"),
        (Latent(size=0), "size ≥ 1, got 0"),
        (Latent(scale=0.0), "the scale of a latent head"),
    ],
)
def test_wrong_options_name_the_way_out(head, message):
    with pytest.raises(MetaglotError, match=message):
        head.init(16, seed=0)


@pytest.mark.parametrize(
    "damaged",
    [
        {"head.weight": torch.zeros(3, 4), "head.bias": torch.zeros(2)},
        {"head.weight": torch.zeros(3), "head.bias": torch.zeros(3)},
        {"head.keys": torch.zeros(5, 4), "head.values": torch.zeros(4, 3), "head.scale": torch.zeros(())},
        {"head.keys": torch.zeros(5, 4), "head.values": torch.zeros(5, 3), "head.scale": torch.zeros(1)},
    ],
    ids=["bias", "flat", "values", "scale"],
)
def test_a_head_of_tensors_that_do_not_fit_has_no_size(damaged):
    with pytest.raises(ValueError, match=r"fit|unpack"):
        head_size(damaged)
