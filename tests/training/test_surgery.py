"""Gradient surgery by hand on two and three vectors, by property on many, and resumed to the bit."""

import math
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

from metaglot.assembly import assemble
from metaglot.config import TrainingSettings, load_recipe
from metaglot.errors import MetaglotError
from metaglot.training import COMBINES, run
from metaglot.training.among import Among
from metaglot.training.ranks import ALONE
from metaglot.training.surgery import layer_of
from metaglot.types import MetaGrad

SURGERY = ["pcgrad", "gradvac"]


def grad(*parts, task="t"):
    names = ["body.layer.0.weight", "body.layer.1.weight"]
    made = {n: torch.tensor(part, dtype=torch.float64) for n, part in zip(names, parts, strict=False)}
    return MetaGrad(made, ({"task": task, "loss": 1.0},))


def merged(name, grads, state=None):
    found, after = COMBINES[name](iter(grads), state or {}, Among(ALONE, len(grads), grads[0].grads))
    return torch.cat([v.flatten() for v in found.grads.values()]), found.records, after


@pytest.mark.parametrize("name", SURGERY)
def test_two_conflicting_vectors(name):
    """a = (1, 0), b = (−1, 1): a′ = a − (a·b/‖b‖²)b = (½, ½), b′ = b − (a·b/‖a‖²)a = (0, 1); the mean is (¼, ¾)."""
    total, records, _ = merged(name, [grad([1.0, 0.0], task="a"), grad([-1.0, 1.0], task="b")])
    assert total.tolist() == pytest.approx([0.25, 0.75], rel=1e-12)
    for record in records:
        assert record["cosine"] == pytest.approx(-1 / math.sqrt(2))
        assert record["conflicts"] == 1.0
        assert record["loss"] == 1.0


@pytest.mark.parametrize("name", SURGERY)
def test_opposite_vectors_cancel_and_zeros_do_nothing(name):
    total, _, _ = merged(name, [grad([2.0, 0.0]), grad([-1.0, 0.0])])
    assert total.tolist() == [0.0, 0.0]
    total, records, _ = merged(name, [grad([2.0, 0.0]), grad([0.0, 0.0])])
    assert total.tolist() == [1.0, 0.0]
    assert records[0]["conflicts"] == 0.0
    alone, records, _ = merged(name, [grad([2.0, 3.0])])
    assert alone.tolist() == [2.0, 3.0]
    assert "cosine" not in records[0]


VECTORS = st.lists(st.lists(st.floats(0.01, 10), min_size=4, max_size=4), min_size=1, max_size=4)


@given(vectors=VECTORS)
@pytest.mark.parametrize("name", SURGERY)
def test_without_conflict_it_is_the_mean(name, vectors):
    """Vectors of positive entries never conflict, and fresh targets are 0."""
    grads = [grad(v[:2], v[2:]) for v in vectors]
    found, records, _ = merged(name, grads)
    plain, _, _ = merged("mean", grads)
    assert torch.allclose(found, plain, rtol=1e-10)
    assert all(r.get("conflicts", 0.0) == 0.0 for r in records)


@given(seed=st.integers(0, 10**6), count=st.integers(2, 5))
def test_pcgrad_is_the_papers_loop(seed, count):
    """The paper's algorithm 1 on the vectors themselves, in the same order."""
    from metaglot.training.surgery import _orders

    rng = torch.Generator().manual_seed(seed)
    vectors = torch.randn(count, 6, generator=rng, dtype=torch.float64)
    turned = []
    for i, order in enumerate(_orders(count, {})):
        own = vectors[i].clone()
        for j in order:
            dot = own @ vectors[j]
            if dot < 0:
                own -= dot / vectors[j].square().sum() * vectors[j]
        turned.append(own)
    total, records, _ = merged("pcgrad", [grad(v[:3].tolist(), v[3:].tolist()) for v in vectors])
    assert torch.allclose(total, torch.stack(turned).mean(0), rtol=1e-9, atol=1e-12)
    cosines = torch.nn.functional.cosine_similarity(vectors[:, None], vectors[None], dim=-1)
    away = ~torch.eye(count, dtype=torch.bool)
    assert sum(r["cosine"] for r in records) / count == pytest.approx(float(cosines[away].mean()), abs=1e-12)
    share = float((cosines[away] < 0).double().mean())
    assert sum(r["conflicts"] for r in records) / count == pytest.approx(share)


@given(seed=st.integers(0, 10**6), aim=st.floats(0.2, 0.9))
def test_gradvac_reaches_the_cosine_aimed_at(seed, aim):
    """After the turn cos(g′_i, g_j) = φ̂, layer by layer, by only adding some of g_j."""
    from metaglot.training.surgery import turn

    rng = torch.Generator().manual_seed(seed)
    vectors = torch.randn(2, 3, 5, generator=rng, dtype=torch.float64)  # [n, K, P]
    products = torch.einsum("akp,bkp->kab", vectors, vectors)
    weights, targets = turn(products, [[1], [0]], lambda i, j: torch.full((3,), aim, dtype=torch.float64), decay=0.1)
    own = torch.einsum("ka,akp->kp", weights[0], vectors)
    after = torch.nn.functional.cosine_similarity(own, vectors[1], dim=-1)
    before = torch.nn.functional.cosine_similarity(vectors[0], vectors[1], dim=-1)
    assert torch.allclose(after, before.clamp(min=aim), atol=1e-9)
    assert bool((weights[0, :, 0] == 1).all())
    assert torch.allclose(targets[0, 1], 0.9 * aim + 0.1 * before)


def test_gradvac_remembers_the_cosine_of_each_pair_and_layer():
    """Targets: φ̂ ← 0.99 φ̂ + 0.01 φ; the first layers agree (φ = 1), the second are at right angles."""
    first, second = grad([1.0, 0.0], [1.0, 0.0], task="a"), grad([2.0, 0.0], [0.0, 1.0], task="b")
    state, target = {}, 0.0
    for step in range(3):
        total, _, state = merged("gradvac", [first, second], state)
        assert total.tolist()[:2] == [1.5, 0.0]
        target += 0.01 * (1 - target)
        assert state["cosine.a | b"].tolist() == pytest.approx([target, 0.0], rel=1e-6)
        assert int(state["draws"]) == step + 1
    assert set(state) == {"draws", "cosine.a | b", "cosine.b | a"}
    other = grad([0.0, 1.0], [1.0, 0.0], task="b")  # now at right angles, where the first layers used to agree
    total, _, _ = merged("gradvac", [first, other], state)
    # Each is lengthened along the other by φ̂/√(1−φ̂²), from the symmetric (½, ½).
    assert total.tolist()[:2] == pytest.approx([0.5 * (1 + target / math.sqrt(1 - target**2))] * 2, rel=1e-5)


def test_the_order_is_another_at_each_step_and_the_given_gradients_stay():
    grads = [grad([1.0, 0.2]), grad([-1.0, 1.0]), grad([-0.3, -1.0])]
    copies = [{n: v.clone() for n, v in one.grads.items()} for one in grads]
    totals, state = [], {}
    for _ in range(8):
        total, _, state = merged("pcgrad", grads, state)
        totals.append(tuple(total.tolist()))
    assert len(set(totals)) > 1
    again, _, _ = merged("pcgrad", grads, {"draws": torch.tensor(5)})
    assert tuple(again.tolist()) == totals[5]
    assert all(torch.equal(one.grads[n], copy[n]) for one, copy in zip(grads, copies, strict=True) for n in copy)


def test_a_recipe_names_every_way():
    assert get_args(TrainingSettings.model_fields["combine"].annotation) == tuple(COMBINES)
    assert TrainingSettings().combine == "mean"


def test_layers():
    assert layer_of("body.encoder.layer.1.attention.self.query.weight") == "body.encoder.layer.1"
    assert layer_of("body.embeddings.LayerNorm.weight") == "body.embeddings"
    assert layer_of("algorithm.head.log_scale") == "algorithm.head"


@pytest.mark.parametrize("name", ["pcgrad", pytest.param("gradvac", marks=pytest.mark.slow)])
def test_a_run_is_resumed_to_the_bit(make_plan, tmp_path, name):
    """Killed after step 4 and resumed from step 3: the same bytes, of parameters and of what surgery remembers."""
    plan = make_plan("fomaml", steps=6, combine=COMBINES[name], save_every=3, validation=None, keep=9)
    records = [event.record for event in run(plan, tmp_path / "whole") if event.kind == "step"]
    assert all(-1 <= record["cosine"] <= 1 and 0 <= record["conflicts"] <= 1 for record in records)
    killed = run(plan, tmp_path / "parts")
    for event in killed:
        if event.kind == "step" and event.state.step == 4:
            break
    killed.close()
    assert [event.kind for event in run(plan, tmp_path / "parts")].count("step") == 3
    for file in ("params", "moments", "combine"):
        whole, parts = (
            (tmp_path / k / f"checkpoints/step-6/{file}.safetensors").read_bytes() for k in ("whole", "parts")
        )
        assert whole == parts, file
    state = load_file(tmp_path / "whole/checkpoints/step-6/combine.safetensors")
    assert int(state["draws"]) == 6
    assert len(state) > 1 or name == "pcgrad"


@pytest.mark.parametrize("changes", [["training.meta_batch=1"], ["algorithm.name=sequential-reptile"]])
def test_one_gradient_cannot_be_combined(small_recipe, changes):
    recipe = load_recipe(small_recipe, ["training.combine=pcgrad", "training.meta_batch=2", *changes])
    with pytest.raises(MetaglotError, match="pcgrad needs several gradients a step"):
        assemble(recipe)
