"""Co-training is prototypes and a classifier of the set, each with its share of the gradient."""

import pytest
import torch
from torch.nn.functional import cross_entropy

from metaglot.algorithms import build_algorithm
from metaglot.errors import MetaglotError
from metaglot.families.classification import Classification
from metaglot.tasks import Shape, SupervisedTasks, sources_of
from metaglot.types import Problem


@pytest.fixture
def here(make_toy, make_bert):
    tasks = SupervisedTasks(sources_of(make_toy()), Classification(), Shape((2, 3), (1, 2), 2))
    learner = make_bert(dtype=torch.float64)
    episode = tasks(0, 0, {})
    return learner, tasks.tasks, Problem(learner, episode.objective, episode.task), episode


def gradient(name, here, **options):
    learner, infos, problem, episode = here
    algorithm = build_algorithm(name, {"dropout": False, **options})
    meta = dict(algorithm.init(learner, infos, seed=0))
    drawn = torch.Generator().manual_seed(0)
    for key in meta:
        if key.startswith("heads."):
            meta[key] = torch.randn(meta[key].shape, generator=drawn, dtype=torch.float64)
    return meta, algorithm.meta_grad([problem], meta, [episode], step=0, seed=0)


def test_without_a_share_of_the_classifiers_it_is_protonet(here):
    _, plain = gradient("protonet", here)
    _, both = gradient("cotrained", here, share=0.0)
    for name, value in plain.grads.items():
        torch.testing.assert_close(both.grads[name], value, rtol=1e-9, atol=1e-12)
    assert not any(both.grads[n].any() for n in both.grads if n.startswith("heads."))
    assert both.records[0]["loss"] == pytest.approx(plain.records[0]["loss"])


def test_the_other_share_is_the_cross_entropy_over_all_classes_of_the_set(here):
    _, _, problem, episode = here
    _, plain = gradient("protonet", here)
    meta, both = gradient("cotrained", here, share=0.3, set_scale=4.0)
    leaves = {name: value.detach().requires_grad_() for name, value in meta.items()}
    features = torch.cat([problem.units(leaves, part).features for part in (episode.support, episode.query)])
    numbers = torch.tensor(episode.task.classes)
    labels = torch.cat([numbers[part["labels"]] for part in (episode.support, episode.query)])
    dataset = episode.task.dataset
    scores = 4.0 * (features @ leaves[f"heads.{dataset}.weight"].T + leaves[f"heads.{dataset}.bias"])
    assert scores.shape[1] > len(episode.task.labels), "more classes than the episode's own"
    loss = cross_entropy(scores, labels)
    found = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    for (name, value), own in zip(leaves.items(), found, strict=True):
        expected = 0.7 * plain.grads.get(name, torch.zeros_like(value))
        expected = expected if own is None else expected + 0.3 * own
        torch.testing.assert_close(both.grads[name], expected, rtol=1e-6, atol=1e-7)  # the scale is float32
    assert both.records[0]["set_loss"] == pytest.approx(loss.item())


def test_joint_is_the_cross_entropy_over_all_classes_of_the_set(here):
    _, _, problem, episode = here
    meta, found = gradient("joint", here, scale=4.0)
    leaves = {name: value.detach().requires_grad_() for name, value in meta.items()}
    features = torch.cat([problem.units(leaves, part).features for part in (episode.support, episode.query)])
    numbers = torch.tensor(episode.task.classes)
    labels = torch.cat([numbers[part["labels"]] for part in (episode.support, episode.query)])
    weight, bias = (leaves[f"heads.{episode.task.dataset}.{name}"] for name in ("weight", "bias"))
    assert len(weight) > len(episode.task.labels), "more classes than the episode's own"
    loss = cross_entropy(4.0 * (features @ weight.T + bias), labels)
    own = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True)
    for (name, value), grad in zip(leaves.items(), own, strict=True):
        torch.testing.assert_close(found.grads[name], torch.zeros_like(value) if grad is None else grad)
    assert found.records[0]["loss"] == pytest.approx(loss.item())


def test_its_classifiers_are_gone_when_it_adapts(here):
    learner, infos, problem, episode = here
    for name in ("protonet", "cotrained"):
        algorithm = build_algorithm(name)
        fast = algorithm.adapt(problem, algorithm.init(learner, infos, seed=0), episode.support, seed=0)
        assert set(fast.params) == {"head.weight", "head.bias"}


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan")])
def test_a_share_that_makes_no_sense_is_refused(here, share):
    learner, infos, *_ = here
    with pytest.raises(MetaglotError, match="share"):
        build_algorithm("cotrained", {"share": share}).init(learner, infos, seed=0)
