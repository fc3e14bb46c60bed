"""Losses of unlike kinds on one scale: by hand, in a step, and resumed to the bit."""

import pytest
import torch
from safetensors.torch import load_file

from metaglot.assembly import assemble
from metaglot.config import load_recipe
from metaglot.errors import MetaglotError
from metaglot.families.choose import family_called
from metaglot.families.classification import Classification
from metaglot.families.records import Schema
from metaglot.training import run
from metaglot.training.balance import FIRST, LEAST, after_step, weight_of
from metaglot.training.combine import mean
from metaglot.training.loop import train
from metaglot.training.state import initial_state

CLASSES = Classification().name
LABELS = family_called("multilabel").objective(Schema(("a", "b"), (1, 1)), 0).name


def test_a_kind_counts_in_units_of_its_first_losses():
    assert weight_of({}, CLASSES, {"loss": 4.0}) == 0.25  # never met: the loss of the episode itself
    state = after_step({}, [CLASSES, LABELS, CLASSES], [{"loss": 4.0}, {"loss": 0.1}, {"loss": 2.0}])
    for loss in (9.0, 0.3):
        assert weight_of(state, CLASSES, {"loss": loss}) == pytest.approx(1 / 3)
        assert weight_of(state, LABELS, {"loss": loss}) == pytest.approx(10)
    state = after_step(state, [CLASSES] * (FIRST - 2), [{"loss": 3.0}] * (FIRST - 2))
    later = after_step(state, [CLASSES, LABELS], [{"loss": 100.0}, {"loss": 0.3}])
    assert weight_of(later, CLASSES, {}) == pytest.approx(1 / 3)  # FIRST episodes were met: it stays
    assert weight_of(later, LABELS, {}) == pytest.approx(5)
    assert after_step(later, [CLASSES], [{"loss": 7.0}]) == later
    assert weight_of({}, CLASSES, {"loss": 0.0}) == pytest.approx(1 / LEAST)
    assert after_step({"draws": torch.tensor(3)}, [LABELS], [{"loss": 1.0}])["draws"] == 3


def test_the_gradient_of_an_episode_is_divided_and_no_other_number_changes(make_plan):
    parts: dict[bool, list] = {False: [], True: []}
    for balance, kept in parts.items():
        plan = make_plan("fomaml", optimisation={"balance": balance})

        def combine(grads, state, among, kept=kept):
            kept += list(grads)
            return mean(iter(kept), state, among)

        state = initial_state(plan.algorithm, plan.learner, plan.train.tasks, seed=plan.seed)
        next(train(state, plan.train, plan.algorithm, plan.learner, plan.optimisation, combine=combine))
    assert len(parts[True]) == len(parts[False]) == 2
    for plain, scaled in zip(parts[False], parts[True], strict=True):
        assert plain.records == scaled.records
        loss = plain.records[0]["loss"]
        for name, value in plain.grads.items():
            torch.testing.assert_close(scaled.grads[name] * loss, value, rtol=1e-5, atol=1e-9)


def test_a_run_is_resumed_to_the_bit(make_plan, tmp_path):
    plan = make_plan("fomaml", steps=6, optimisation={"balance": True}, save_every=3, validation=None, keep=9)
    assert [event.kind for event in run(plan, tmp_path / "whole")].count("step") == 6
    killed = run(plan, tmp_path / "parts")
    for event in killed:
        if event.kind == "step" and event.state.step == 4:
            break
    killed.close()
    assert [event.kind for event in run(plan, tmp_path / "parts")].count("step") == 3
    for file in ("params", "moments", "combine"):
        whole, parts = ((tmp_path / k / f"checkpoints/step-6/{file}.safetensors") for k in ("whole", "parts"))
        assert whole.read_bytes() == parts.read_bytes(), file
    total, count = load_file(tmp_path / "whole/checkpoints/step-6/combine.safetensors")["scale.classification"].tolist()
    assert count == FIRST
    assert 0 < total / count < 3


def test_one_gradient_cannot_be_balanced(small_recipe):
    changes = ["training.balance=kinds", "training.meta_batch=2", "algorithm.name=sequential-reptile"]
    with pytest.raises(MetaglotError, match="gives one gradient for all episodes, whose kinds cannot be weighed"):
        assemble(load_recipe(small_recipe, changes))
