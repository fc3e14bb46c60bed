"""The outer loop is a function of (state, seed, step), and one step of it is torch's AdamW on the mean gradient."""

from dataclasses import replace

import pytest
import torch

from metaglot.errors import MetaglotError
from metaglot.seeds import fold
from metaglot.training import Optimisation, initial_state, train
from metaglot.training.loop import make_optimiser
from metaglot.types import MetaGrad, Problem


def start(plan):
    return initial_state(plan.algorithm, plan.learner, plan.train.tasks, seed=plan.seed, freeze=plan.freeze)


def looped(plan, **changes):
    return train(start(plan), plan.train, plan.algorithm, plan.learner, plan.optimisation, **changes)


def copied(params):
    return {name: value.clone() for name, value in params.items()}


def mean_gradient(plan, state):
    """Return the mean of the meta-gradients of the step's episodes, without the loop."""
    count = plan.optimisation.meta_batch
    found = []
    for n in range(state.step * count, (state.step + 1) * count):
        episode = plan.train(fold(state.seed, "train"), n, {})
        problem = Problem(plan.learner, episode.objective, episode.task)
        seed = fold(state.seed, "dropout")
        found.append(plan.algorithm.meta_grad([problem], state.params, [episode], step=n, seed=seed).grads)
    return {name: sum(grads[name] for grads in found) / count for name in state.params}


@pytest.mark.parametrize("name", ["protonet", *(pytest.param(n, marks=pytest.mark.slow) for n in ("fomaml", "joint"))])
def test_two_loops_are_the_same_to_the_bit(make_plan, name):
    plan = make_plan(name, steps=4)
    first, second = (
        [(state.step, {k: v for k, v in record.items() if "seconds" not in k}) for state, record in looped(plan)]
        for _ in range(2)
    )
    assert [step for step, _ in first] == [1, 2, 3, 4]
    assert first == second


def test_another_seed_is_another_run(make_plan):
    losses = [[record["loss"] for _, record in looped(make_plan(seed=seed, steps=2))] for seed in (1, 2)]
    assert losses[0] != losses[1]


def test_the_loop_leaves_the_learner_alone(make_plan):
    plan = make_plan(steps=2)
    before = copied(plan.learner.body())
    for _ in looped(plan):
        pass
    assert all(torch.equal(before[name], value) for name, value in plan.learner.body().items())


@pytest.mark.parametrize("name", ["protonet", "fomaml", "joint"])
def test_steps_equal_torch_adamw_on_the_mean_gradient(make_plan, name):
    plan = make_plan(name, steps=5, optimisation={"clip": 0.1, "head_lr": 0.02, "algorithm_lr": 0.03})
    state = start(plan)
    mine = copied(state.params)
    decay = [n for n, v in mine.items() if v.ndim > 1 and not n.startswith("algorithm.")]

    def rate(param):
        return {"b": 1e-3, "h": 0.02, "a": 0.03}[param[0]]

    reference = torch.optim.AdamW(
        [{"params": [mine[n]], "lr": rate(n), "weight_decay": 0.01 if n in decay else 0.0} for n in mine]
    )
    rates = {id(group["params"][0]): group["lr"] for group in reference.param_groups}
    running = train(state, plan.train, plan.algorithm, plan.learner, plan.optimisation)
    for step, factor in enumerate([1 / 3, 2 / 3, 1.0]):
        grads = mean_gradient(plan, state)
        norm = torch.cat([g.flatten() for g in grads.values()]).norm()
        for param, value in mine.items():
            value.grad = grads[param] * min(1.0, 0.1 / float(norm))
        for group in reference.param_groups:
            group["lr"] = rates[id(group["params"][0])] * factor
        reference.step()
        state, record = next(running)
        assert state.step == step + 1
        assert record["grad_norm"] == pytest.approx(float(norm), rel=1e-5)
        assert record["lr"] == pytest.approx(1e-3 * factor)
        for param, value in mine.items():
            # Where a gradient is nearly zero Adam's step is its sign: rounding shows there, to a thousandth of a rate.
            assert torch.allclose(state.params[param], value, atol=2e-5 if param[0] == "b" else 1e-3, rtol=1e-5), param


def test_clipping_is_of_the_joint_norm(make_plan):
    given = {"body.a": torch.tensor([3.0, 0.0]), "body.b": torch.tensor([[4.0]])}
    clipped = []

    def combine(grads, state, among):
        return MetaGrad({**zeros, **{n: g.clone() for n, g in given.items()}}, ()), state

    for clip in (None, 1.0, 100.0):
        plan = make_plan(optimisation={"clip": clip})
        params = {"body.a": torch.zeros(2), "body.b": torch.zeros(1, 1)}
        base = start(plan)
        zeros = {n: torch.zeros_like(v) for n, v in base.params.items()}
        state = replace(base, params={**base.params, **params})
        running = train(state, plan.train, plan.algorithm, plan.learner, plan.optimisation, combine=combine)
        after, record = next(running)
        assert record["grad_norm"] == pytest.approx(5.0)
        clipped.append(torch.cat([after.moments[f"exp_avg.{n}"].flatten() for n in given]) / 0.1)  # 1 − β₁
    assert [c.norm().item() for c in clipped] == pytest.approx([5.0, 1.0, 5.0], rel=1e-4)
    assert clipped[1].tolist() == pytest.approx([0.6, 0.0, 0.8], rel=1e-4)


def test_matrices_decay_and_nothing_else(make_plan):
    plan = make_plan("joint")
    state = start(plan)
    optimiser = make_optimiser(state, Optimisation(weight_decay=0.5, lr=1.0, head_lr=2.0, algorithm_lr=3.0))
    settings = {id(p): (g["lr"], g["weight_decay"]) for g in optimiser.param_groups for p in g["params"]}
    assert len(settings) == len(state.params)
    for name, value in state.params.items():
        rate = {"body": 1.0, "heads": 2.0, "algorithm": 3.0}[name.split(".")[0]]
        decays = value.ndim == 2 and not name.startswith("algorithm.")
        assert settings[id(value)] == (rate, 0.5 if decays else 0.0), name
    kinds = {name.split(".")[0] for name in state.params}
    assert kinds == {"body", "heads", "algorithm"}


@pytest.mark.parametrize(("name", "part"), [("warpgrad", "warp"), ("metanet-n", "lora"), ("reml", "lora")])
def test_matrices_that_act_in_the_body_learn_at_its_rate(make_plan, name, part):
    state = start(make_plan(name))
    optimiser = make_optimiser(state, Optimisation(lr=1.0, algorithm_lr=3.0))
    rates = {id(p): group["lr"] for group in optimiser.param_groups for p in group["params"]}
    inside = {n for n in state.params if n.startswith(f"algorithm.{part}.")}
    others = {n for n in state.params if n.startswith("algorithm.")} - inside
    assert inside
    assert others
    assert {rates[id(state.params[n])] for n in inside} == {1.0}
    assert {rates[id(state.params[n])] for n in others} == {3.0}


@pytest.mark.parametrize("prefix", ["", "body."])  # names of the body may be written as files of weights have them
def test_frozen_parameters_stay_to_the_bit(make_plan, prefix):
    plan = make_plan(steps=3, freeze=(f"{prefix}embeddings.*", f"{prefix}encoder.layer.0.*"))
    state = start(plan)
    frozen = [n for n in plan.learner.body() if n.startswith(("body.embeddings.", "body.encoder.layer.0."))]
    assert len(frozen) > 10
    assert not set(frozen) & set(state.params)
    start_values = copied(state.params)
    for state, _ in looped(plan):
        assert not set(frozen) & set(state.params)
    moved = [n for n, v in state.params.items() if not torch.equal(v, start_values[n])]
    assert len(moved) > 10
    assert all(n.startswith(("body.encoder.layer.1.", "body.pooler.", "algorithm.")) for n in moved)


def test_a_frozen_pattern_that_matches_nothing(make_plan):
    with pytest.raises(MetaglotError, match=r"freeze.*'embedings\.\*'.*names look like: body\.embeddings"):
        start(make_plan(freeze=("embedings.*",)))


def test_a_gradient_that_is_not_finite_stops_the_run(make_plan):
    plan = make_plan()

    def broken(grads, state, among):
        merged = next(iter(grads))
        return MetaGrad({n: g * float("nan") for n, g in merged.grads.items()}, merged.records), state

    with pytest.raises(MetaglotError, match=r"step 1: .*not finite.*training\.lr"):
        next(looped(plan, combine=broken))


def test_an_algorithm_may_want_the_whole_meta_batch(make_plan):
    """Sequential Reptile gets the episodes that the others get one at a time, all in one call a step."""
    plan = make_plan("sequential-reptile", steps=2)
    state, calls = start(plan), []

    class Watched:
        together = plan.algorithm.together

        def meta_grad(self, problems, meta, episodes, *, step, seed):
            calls.append((step, [dict(episode.rows) for episode in episodes]))
            return plan.algorithm.meta_grad(problems, meta, episodes, step=step, seed=seed)

    for _ in train(state, plan.train, Watched(), plan.learner, plan.optimisation):
        pass
    rows = [dict(plan.train(fold(plan.seed, "train"), n, {}).rows) for n in range(4)]
    assert calls == [(0, rows[:2]), (2, rows[2:])]
