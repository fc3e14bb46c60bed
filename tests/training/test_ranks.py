"""Ranks train as one process does: every algorithm, uneven shares, kinds on one scale, surgery, samplers that learn."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.contract.cases import FEW
from tests.language import encoder, passages
from tests.training.ranked import Found, in_ranks

from metaglot.algorithms import build_algorithm
from metaglot.algorithms.hybrid import Hybrid
from metaglot.choices import ALGORITHMS
from metaglot.errors import MetaglotError
from metaglot.models.parts import is_part, whole
from metaglot.training import COMBINES, Optimisation, Plan, Validation, initial_state, run, train
from metaglot.training.checkpoint import list_steps
from metaglot.training.combine import Combine, mean
from metaglot.training.ranks import ALONE, OtherRankError, Ranks
from metaglot.training.run import read_metrics
from metaglot.types import MetaGrad, Params

QUICK = ("protonet", "fomaml", "sequential-reptile", "joint")
TIMES = ("seconds", "cpu_seconds", "run_cpu_seconds", "waited_seconds")


@pytest.fixture(scope="module")
def plan_of(make_bert, make_plan):
    """A function (algorithm, meta_batch, dtype) -> a plan of two steps."""

    def make(name: str, meta_batch: int, dtype: torch.dtype = torch.float64, steps: int = 2, **changes: Any) -> Plan:
        few = {**FEW.get(name, {}), **({"warm_up": 0} if name == "maml++" else {})}
        plan = make_plan("protonet", steps=steps)
        tasks = plan.train
        return replace(
            plan,
            train=replace(tasks, sources=tasks.sources[:1]) if name == "transfer" else tasks,  # it has one source
            learner=make_bert(dtype=dtype),
            algorithm=build_algorithm(name, few),
            optimisation=Optimisation(steps=steps, meta_batch=meta_batch, lr=1e-4, warmup=0, schedule="constant"),
            **changes,
        )

    return make


def looped(plan: Plan, ranks: Ranks = ALONE) -> Found:
    """Return the parameters after the steps, and the records without their times."""
    state = initial_state(plan.algorithm, plan.learner, plan.train.tasks, seed=plan.seed, freeze=plan.freeze)
    dtype = next(iter(plan.learner.body().values())).dtype
    state = replace(state, params={n: v if is_part(v) else v.to(dtype) for n, v in state.params.items()})
    options: dict[str, Any] = {"combine": plan.combine, "ranks": ranks}
    found = list(train(state, plan.train, plan.algorithm, plan.learner, plan.optimisation, **options))
    records = [{name: value for name, value in record.items() if name not in TIMES} for _, record in found]
    state = found[-1][0]
    # Not the cosines of GradVac: that of a scalar whose gradient was turned to nothing is one of rounding.
    combined = {f"combine.{n}": v for n, v in state.combine.items() if not n.startswith("cosine.")}
    return {**{n: whole(v) for n, v in state.params.items()}, **combined}, {"records": records}


def apart(one: Params, other: Params) -> float:
    """Return the largest difference of any number."""
    assert one.keys() == other.keys()
    return max(float((value.double() - other[name].double()).abs().max()) for name, value in one.items())


def same_records(key: str, found: Found, alone: Found, tolerance: float) -> None:
    for mine, theirs in zip(found[1]["records"], alone[1]["records"], strict=True):
        assert mine.keys() == theirs.keys()
        for name, value in theirs.items():
            assert mine[name] == (pytest.approx(value, rel=tolerance, abs=tolerance)), (key, mine["step"], name)


def by_ranks(count: int) -> Combine:
    """Return a combiner of one process that adds the gradients in the order in which `count` ranks add them."""

    def combine(grads, state, among):
        grads = list(grads)
        whole = {}
        for name, like in among.like.items():
            sums = [sum((one.grads[name] for one in grads[r::count]), torch.zeros_like(like)) for r in range(count)]
            whole[name] = sum(sums, torch.zeros_like(like)) / among.gradients
        return MetaGrad(whole, tuple(record for one in grads for record in one.records)), state

    return combine


def compare(plans: dict[str, Plan], count: int, folder, tolerance: float, **of_ranks: Any) -> dict[str, float]:
    """Train each plan in `count` ranks and in one process; return how far the parameters are apart."""

    def work(ranks: Ranks) -> Found:
        found = {key: looped(replace(plan, **of_ranks), ranks) for key, plan in plans.items()}
        tensors = {f"{key}|{name}": v for key, (params, _) in found.items() for name, v in params.items()}
        return tensors, {key: facts for key, (_, facts) in found.items()}

    everywhere = in_ranks(count, work, folder)
    far: dict[str, float] = {}
    for key, plan in plans.items():
        alone = looped(plan)
        found = [
            ({n.partition("|")[2]: v for n, v in tensors.items() if n.split("|")[0] == key}, facts[key])
            for tensors, facts in everywhere
        ]
        assert apart(found[0][0], found[-1][0]) == 0, f"{key}: ranks differ"
        far[key] = apart(found[0][0], alone[0])
        for one in found:
            same_records(key, one, alone, tolerance)
    return far


def test_a_few_algorithms_in_two_ranks(plan_of, tmp_path):
    """Three episodes on two ranks; sequential-reptile wants all episodes in one loop."""
    far = compare({name: plan_of(name, 3) for name in QUICK}, 2, tmp_path, 1e-9)
    assert len(far) == len(QUICK)
    assert max(far.values()) < 1e-9, far


@pytest.mark.slow
def test_shares_that_are_uneven_or_empty_losses_on_one_scale_surgery_and_recomputed_layers(plan_of, tmp_path):
    scaled = Optimisation(steps=3, meta_batch=3, lr=1e-4, warmup=0, schedule="constant", balance=True)
    lean = plan_of("fomaml", 2)
    plans = {
        "one episode": plan_of("fomaml", 1),
        "balance": replace(plan_of("fomaml", 3), optimisation=scaled),
        "pcgrad": plan_of("fomaml", 5, combine=COMBINES["pcgrad"]),
        "gradvac": plan_of("fomaml", 3, combine=COMBINES["gradvac"]),
        "gradvac of one": plan_of("fomaml", 1, combine=COMBINES["gradvac"]),
        "recomputed layers": replace(lean, learner=replace(lean.learner, checkpointing=True)),
    }
    far = compare(plans, 2, tmp_path, 1e-9)
    assert max(far.values()) < 1e-9, far


@pytest.mark.slow
def test_bf16_in_two_ranks(plan_of, tmp_path):
    """The order of sums is that of one process where each rank has one episode: so are the bits."""
    plan = plan_of("fomaml", 2, torch.float32)
    plan = replace(plan, learner=replace(plan.learner, bf16=True, checkpointing=True))
    assert compare({"bf16": plan}, 2, tmp_path, 0.0) == {"bf16": 0.0}


class Learns:
    """A distribution whose snapshot is the mean loss of all episodes so far, and shifts what is drawn."""

    def __init__(self, inner):
        self.inner, self.tasks = inner, inner.tasks

    def __call__(self, seed, n, snapshot):
        return self.inner(seed, n + int(1000 * float(snapshot.get("sum", torch.tensor(0.0)))), {})

    def update(self, snapshot, records):
        losses = torch.tensor([record["loss"] for record in records], dtype=torch.float64)
        return {"sum": snapshot.get("sum", torch.tensor(0.0)) + losses.sum().round(decimals=3)}


class Reads(Learns):
    """One that reads the model, at every second step."""

    every = 2

    def update(self, snapshot, records):
        return snapshot

    def refresh(self, snapshot, learner, params, *, step):
        total = sum(float(value.double().abs().sum()) for value in params.values())
        return {"sum": torch.tensor(round(total, 4) % 1 + step)}


@pytest.mark.slow
def test_samplers_that_learn_and_read_the_model(plan_of, tmp_path):
    plan = plan_of("protonet", 3, steps=3)
    plans = {"learns": replace(plan, train=Learns(plan.train)), "reads": replace(plan, train=Reads(plan.train))}
    far = compare(plans, 2, tmp_path, 1e-9)
    assert max(far.values()) < 1e-9, far


class Text:
    """Tasks over text, and every second episode a part of plain text, of unlike size."""

    def __init__(self, learner):
        self.learner = learner
        self.tasks = [passages(learner).task]

    def __call__(self, seed, n, snapshot):
        return passages(self.learner, support=3 * (n % 2), query=1 + n % 4, seed=n)

    def update(self, snapshot, records):
        return snapshot


@pytest.mark.slow
def test_plain_text_weighs_by_what_is_judged(plan_of, tmp_path):
    learner = encoder()
    plan = replace(plan_of("fomaml", 3), learner=learner, train=Text(learner))
    plan = replace(plan, algorithm=Hybrid(plan.algorithm))
    far = compare({"hybrid": plan}, 2, tmp_path, 1e-9)
    assert far["hybrid"] < 1e-9


@pytest.mark.slow
def test_a_run_of_ranks_goes_on_in_one_process_and_the_other_way_round(plan_of, tmp_path):
    """Also: validation in parts gives the numbers of one process, and rank 0 alone writes."""
    plan = plan_of("fomaml", 3, steps=6, save_every=2, validate=Validation(every=3, episodes=3), keep=9)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    list(run(plan, whole))

    def in_two(ranks: Ranks) -> Found:
        here = replace(plan, ranks=ranks)
        stopping = iter([False, False, ranks.rank == 1, True])  # asked before the first step, and after each
        first = list(run(here, parts, stop=lambda: next(stopping)))
        assert (first[-1].reason, first[-1].state.step) == ("interrupted", 2)
        if ranks.first:
            list(run(plan, parts, stop=lambda: len(list_steps(parts)) > 1))  # one process takes three steps
        ranks.exchange(None)
        last = list(run(here, parts))[-1]
        return last.state.params, {"reason": last.reason, "step": last.state.step}

    found = in_ranks(2, in_two, tmp_path / "ranks")
    assert [facts for _, facts in found] == [{"reason": "done", "step": 6}] * 2
    assert apart(found[0][0], found[1][0]) == 0
    assert list_steps(parts) == [2, 4, 5, 6]
    one, two = (load_file(folder / "checkpoints/step-6/params.safetensors") for folder in (whole, parts))
    assert apart(one, two) < 1e-9
    records = [read_metrics(folder / "metrics.jsonl") for folder in (whole, parts)]
    assert [r["step"] for r in records[0]] == [r["step"] for r in records[1]]
    for mine, theirs in zip(*([r for r in every if r["kind"] == "validation"] for every in records), strict=True):
        scores = [{name: r[name] for name in ("loss", "accuracy", "ci95")} for r in (mine, theirs)]
        assert scores[0] == pytest.approx(scores[1], rel=1e-6)


def test_an_error_of_one_rank_ends_all(plan_of, tmp_path):
    plan = plan_of("protonet", 2)

    class Broken(Learns):
        def __call__(self, seed, n, snapshot):
            if n == 3:
                raise MetaglotError("no more")
            return self.inner(seed, n, {})

    def failing(ranks: Ranks) -> Found:
        with pytest.raises(MetaglotError, match="no more") as raised:
            list(run(replace(plan, train=Broken(plan.train), ranks=ranks), tmp_path / "run"))
        return {}, {"other": isinstance(raised.value, OtherRankError)}

    assert [facts["other"] for _, facts in in_ranks(2, failing, tmp_path / "ranks")] == [True, False]


def test_an_error_of_the_last_save_reaches_all_once_through_a_guard_within_another(plan_of, tmp_path):
    """Nothing is exchanged after it by those who save nothing; the command has a guard around that of the run."""
    plan, out = plan_of("protonet", 2), tmp_path / "run"
    out.mkdir()
    (out / "checkpoints").write_text("a file where the folder should be")

    def failing(ranks: Ranks) -> Found:
        with pytest.raises(MetaglotError, match="cannot be written") as raised, ranks.guard():
            list(run(replace(plan, ranks=ranks), out))
        return {}, {"other": isinstance(raised.value, OtherRankError)}

    assert [facts["other"] for _, facts in in_ranks(2, failing, tmp_path / "ranks")] == [False, True]


@pytest.mark.slow
def test_every_algorithm_in_two_ranks(plan_of, tmp_path):
    far = compare({name: plan_of(name, 3) for name in ALGORITHMS}, 2, tmp_path, 1e-8)
    print({name: f"{value:.1e}" for name, value in far.items()})
    assert len(far) == len(ALGORITHMS) >= 25
    assert max(far.values()) < 1e-9, far


@pytest.mark.slow
def test_every_algorithm_in_two_ranks_in_float32(plan_of, tmp_path):
    """The bits of one process that adds the gradients in the same order: nothing else differs.

    In another order a sum in float32 differs by rounding, and where a gradient is next to nothing Adam takes a whole
    step of that.
    """
    plans = {name: plan_of(name, 3, torch.float32, combine=by_ranks(2)) for name in ALGORITHMS}
    far = compare(plans, 2, tmp_path, 1e-5, combine=mean)
    assert len(far) == len(ALGORITHMS) >= 25
    assert max(far.values()) == 0, far
