"""A body divided among ranks: the numbers of a whole one, with half of the memory; and what is refused."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.training.ranked import Found, in_ranks
from tests.training.test_ranks import apart, looped
from torch import Tensor, nn

from metaglot.algorithms import build_algorithm
from metaglot.assembly.sharding import check_moves, check_sharding
from metaglot.config.loading import parse_recipe
from metaglot.errors import MetaglotError
from metaglot.families.classification import Classification
from metaglot.inner import gradients, leaves_of
from metaglot.models import HfLearner
from metaglot.models.packing import packed
from metaglot.models.parts import own_of
from metaglot.models.scopes import match_names
from metaglot.models.sharded import Sharded, sharded
from metaglot.training import Optimisation, Plan, Validation, initial_state, run
from metaglot.training.checkpoint import list_steps
from metaglot.training.ranks import LostRankError, Ranks, UntoldError
from metaglot.types import Params

CPU = torch.device("cpu")
LORA = {"scope": "lora", "steps": 2, "lr": 0.05, "head": "prototypes"}


def own_size(value: Tensor) -> int:
    return own_of(value).numel()


def of_whole(learner: HfLearner) -> int:
    return sum(value.numel() * value.element_size() for value in learner.body().values())


def divided(plan: Plan, ranks: Ranks) -> Plan:
    """Return the plan with its body divided; the module of its learner is changed."""
    assert isinstance(plan.learner, HfLearner)
    body = plan.learner.body()
    learnt = body.keys() - set(match_names(body, plan.freeze))
    return replace(plan, learner=sharded(plan.learner, ranks=ranks.count, device=CPU, learnt=learnt), ranks=ranks)


@pytest.fixture(scope="module")
def plan_of(make_plan, make_bert):
    """A function (algorithm, options, learner) -> a plan of three steps over a body that stays as it is, or freezes."""

    def make(
        name: str,
        options: dict[str, Any],
        learner: Callable[[], HfLearner] = make_bert,
        freeze: tuple[str, ...] = ("*",),
        meta_batch: int = 2,
        **changes: Any,
    ) -> Plan:
        plan = replace(make_plan(), learner=learner(), algorithm=build_algorithm(name, options), freeze=freeze)
        optimisation = Optimisation(steps=3, meta_batch=meta_batch, lr=1e-3, warmup=0, schedule="constant")
        return replace(plan, optimisation=optimisation, save_every=2, keep=9, **changes)

    return make


def compare(makes: dict[str, Callable[[], Plan]], folder, *, count: int = 2) -> dict[str, float]:
    """Train each plan in ranks, with the body whole and divided; return how far the parameters are apart."""

    def work(ranks: Ranks) -> Found:
        far: dict[str, float] = {}
        for name, make in makes.items():
            whole, part = make(), divided(make(), ranks)
            assert isinstance(part.learner, Sharded)
            assert isinstance(whole.learner, HfLearner)
            assert part.learner.held_bytes() <= (1 / count + 0.1) * of_whole(whole.learner), name
            (params, records), (others, same) = looped(whole, ranks), looped(part, ranks)
            assert params
            assert [sorted(one) for one in same["records"]] == [sorted(one) for one in records["records"]]
            for mine, theirs in zip(same["records"], records["records"], strict=True):
                assert mine == pytest.approx(theirs, rel=1e-9), name
            far[name] = apart(params, others)
        return {}, {"far": far}

    found = [facts["far"] for _, facts in in_ranks(count, work, folder)]
    assert found == [found[0]] * count
    assert len(found[0]) == len(makes)
    return found[0]


@pytest.fixture(scope="module")
def decoder(gpt2) -> Callable[[], HfLearner]:
    return lambda: replace(gpt2, module=copy.deepcopy(gpt2.module))


@pytest.fixture(scope="module")
def recomputing(make_bert) -> Callable[[], HfLearner]:
    return lambda: replace(make_bert(), checkpointing=True)


@pytest.mark.slow
def test_a_divided_body_that_stays_gives_the_numbers_of_a_whole_one(plan_of, decoder, recomputing, tmp_path):
    """Inner loops over LoRA, prefixes, contexts and heads, and heads in closed form; an encoder and a decoder."""
    makes = {
        "fomaml": lambda: plan_of("fomaml", LORA),
        "recomputed": lambda: plan_of("fomaml", LORA, recomputing),
        "decoder": lambda: plan_of("fomaml", LORA, decoder),
        "reptile": lambda: plan_of("reptile", {"scope": "lora", "lr": 0.1}),
        "cavia": lambda: plan_of("cavia", {"estimator": "first-order"}),
        "protonet": lambda: plan_of("protonet", {}),
        "joint": lambda: plan_of("joint", {"steps": 1}),
    }
    far = compare(makes, tmp_path)
    assert max(far.values()) < 1e-9, far


@pytest.mark.slow
def test_a_divided_body_that_is_learnt_gives_the_numbers_of_a_whole_one(plan_of, decoder, recomputing, tmp_path):
    """Its gradients, their norm and both moments; two episodes a rank, and parts of three ranks that are unlike."""
    learnt: dict[str, Any] = {"freeze": (), "meta_batch": 4}
    makes = {
        "fomaml": lambda: plan_of("fomaml", LORA, **learnt),
        "decoder": lambda: plan_of("fomaml", LORA, decoder, **learnt),
        "half": lambda: plan_of("fomaml", LORA, recomputing, freeze=("*embeddings*",)),
        "protonet": lambda: plan_of("protonet", {}, **learnt),
        "anil": lambda: plan_of("anil", {"steps": 2}, **learnt),
        "joint": lambda: plan_of("joint", {"steps": 1}, **learnt),
    }
    far = compare(makes, tmp_path / "two")
    assert max(far.values()) < 1e-9, far
    three = compare({"fomaml": lambda: plan_of("fomaml", LORA, freeze=(), meta_batch=3)}, tmp_path / "three", count=3)
    assert max(three.values()) < 1e-9, three


@pytest.mark.slow
@pytest.mark.parametrize("freeze", [("*",), ()], ids=["stays", "learnt"])
def test_a_divided_run_goes_on_bit_for_bit_and_its_checkpoints_are_those_of_a_whole_one(plan_of, tmp_path, freeze):
    """Three episodes of validation on two ranks: the second rank runs one that does not count."""
    judged = Validation(every=2, episodes=3)
    divided_run, parts, whole_run, mixed = (tmp_path / name for name in ("divided", "parts", "whole", "mixed"))

    def work(ranks: Ranks) -> Found:
        def plan() -> Plan:
            return plan_of("fomaml", LORA, freeze=freeze, validate=judged)

        last = list(run(divided(plan(), ranks), divided_run))[-1]
        kept, moments = (sum(map(size, last.state.moments.values())) for size in (own_size, Tensor.numel))
        assert freeze or kept <= 0.6 * moments
        for out, second in ((parts, divided(plan(), ranks)), (mixed, replace(plan(), ranks=ranks))):
            stopping = iter([False, False, ranks.rank == 1])  # before the first step, and after each
            first = list(run(divided(plan(), ranks), out, stop=lambda left=stopping: next(left)))[-1]
            assert (first.reason, first.state.step) == ("interrupted", 2)
            again = list(run(second, out))[-1]
            assert again.state.goal == pytest.approx(last.state.goal, rel=1e-9)
        list(run(replace(plan(), ranks=ranks), whole_run))
        return {}, {"goal": dict(last.state.goal)}

    found = in_ranks(2, work, tmp_path / "ranks")
    assert found[0][1] == found[1][1]
    folders = (divided_run, parts, whole_run, mixed)
    assert all(list_steps(folder) == [2, 3] for folder in folders)
    for name in ("params", "moments"):
        once, again, *whole = (load_file(folder / f"checkpoints/step-3/{name}.safetensors") for folder in folders)
        assert apart(once, again) == 0
        assert max(apart(once, one) for one in whole) < 1e-9


def test_an_error_of_a_rank_whose_layers_the_others_wait_for_ends_all(plan_of, tmp_path):
    def failing(ranks: Ranks) -> Found:
        plan = divided(plan_of("protonet", {}), ranks)

        def broken(*_: object) -> None:
            raise MetaglotError("no loss here")

        if ranks.rank == 1:
            Classification.loss = broken  # of this process alone
        with pytest.raises(UntoldError if ranks.rank == 1 else LostRankError):
            list(run(plan, tmp_path / "run"))
        return {}, {}

    assert len(in_ranks(2, failing, tmp_path / "ranks")) == 2


def test_ranks_gather_in_one_order_whether_a_batch_is_packed_or_not(plan_of, tmp_path):
    """The states of tokens, of rows that one rank packs: each gets the gradient of its own batch from a whole body."""

    def work(ranks: Ranks) -> Found:
        whole, lengths = plan_of("fomaml", LORA), ([3, 9, 4, 4], [9, 9, 9, 9])[ranks.rank]
        mask = (torch.arange(9) < torch.tensor(lengths)[:, None]).long()
        batch = {"input_ids": mask * torch.arange(5, 14), "attention_mask": mask}
        assert (packed(whole.learner.module, batch) is None) == (ranks.rank == 1)
        start = {name: value + 0.01 for name, value in looped_start(whole).items()}
        found: list[Params] = []
        for learner in (whole.learner, divided(plan_of("fomaml", LORA), ranks).learner):
            leaves = leaves_of(start)
            for _ in range(2):
                states = learner.forward(leaves, batch).hidden
                found.append(gradients((states.square() * mask[..., None]).sum(), leaves))
        assert any(bool(value.any()) for value in found[0].values())
        return {}, {"far": max(apart(found[0], one) for one in found[1:])}

    far = [facts["far"] for _, facts in in_ranks(2, work, tmp_path)]
    assert max(far) < 1e-4, far


def test_shapes_without_values(plan_of, tmp_path):
    """What an algorithm begins from knows the body's shapes; a value of it would be no number."""

    def work(ranks: Ranks) -> Found:
        whole = plan_of("fomaml", LORA)
        body, before = whole.learner.body(), looped_start(whole)
        plan = divided(whole, ranks)
        forms = plan.learner.body()
        assert {n: (v.shape, v.dtype) for n, v in forms.items()} == {n: (v.shape, v.dtype) for n, v in body.items()}
        assert all(bool(value.isnan().all()) for value in forms.values())
        assert apart(before, looped_start(plan)) == 0
        with pytest.raises(MetaglotError, match="would move body"):
            plan.learner.forward({next(iter(body)): torch.zeros(1)}, {})
        with pytest.raises(MetaglotError, match="scores no vocabulary"):
            plan.learner.scoring({})
        return {}, {}

    assert len(in_ranks(1, work, tmp_path)) == 1


def looped_start(plan: Plan) -> Params:
    return initial_state(plan.algorithm, plan.learner, plan.train.tasks, seed=plan.seed, freeze=plan.freeze).params


REFUSED = {
    "one process": ({}, "fomaml", LORA, 1, "there is one process"),
    "episodes": ({"meta_batch": 3}, "fomaml", LORA, 2, "multiple of 2, such as 4"),
    "second order": ({}, "maml", {"scope": "lora"}, 2, "differentiates gradients"),
    "together": ({}, "sequential-reptile", {}, 2, "in one loop"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_gathered_together_is_refused(case):
    training, name, options, count, why = REFUSED[case]
    recipe = parse_recipe({"data": {"train": ["x.csv"]}, "training": {"shard": True, **training}})
    recipe = recipe.model_copy(update={"algorithm": recipe.algorithm.model_copy(update={"name": name})})
    with pytest.raises(MetaglotError, match=f"training.shard: .*{why}"):
        check_sharding(recipe, build_algorithm(name, options), Ranks(0, count, count))
    whole = recipe.model_copy(update={"training": recipe.training.model_copy(update={"shard": False})})
    check_sharding(whole, build_algorithm(name, options), Ranks(0, count, count))


OF_LEARNT = {
    "scope": ({}, "fomaml", {}, "moves body.* set algorithm.options.scope"),
    "validation": ({}, "joint", {}, "adapts the whole body to the tasks of validation"),
    "estimator": ({}, "imaml", {"scope": "head"}, "estimator implicit does not reach"),
    "combine": ({"combine": "pcgrad"}, "protonet", {}, "leave training.combine out"),
    "balance": ({"balance": "kinds"}, "protonet", {}, "leave training.balance out"),
    "average": ({"average_with_base": 0.5}, "protonet", {}, "leave training.average_with_base out"),
    "warp": ({"freeze": ["*"]}, "warpgrad", {"estimator": "first-order"}, "multiplies weights of the body"),
}


def test_what_a_divided_body_cannot_learn_is_refused(plan_of, tmp_path):
    """A classifier of a data set, or a scale of prototypes, is learnt over a body that stays."""

    def work(ranks: Ranks) -> Found:
        for training, name, options, why in OF_LEARNT.values():
            data = {"train": ["x.csv"], "validation": ["y.csv"]}
            recipe = parse_recipe({"data": data, "training": training, "algorithm": {"name": name}})
            algorithm = build_algorithm(name, options)
            with pytest.raises(MetaglotError, match=f"training.shard: .*{why.replace('* ', '.* ')}"):
                check_moves(recipe, divided(plan_of(name, options, freeze=recipe.training.freeze), ranks), algorithm)
            if name in ("joint", "protonet"):
                check_moves(recipe, divided(plan_of(name, options), ranks), algorithm)
        return {}, {}

    assert len(in_ranks(1, work, tmp_path)) == 1


def test_tasks_of_text_and_of_the_vocabulary_are_refused():
    shard = {"shard": True}
    with pytest.raises(MetaglotError, match="ranks run a divided body equally often"):
        parse_recipe({"text": {"corpora": ["x.txt"]}, "tasks": ["smlmt"], "training": shard})
    written = parse_recipe({"data": {"train": [{"path": "x.csv", "task": "generation"}]}, "training": shard})
    with pytest.raises(MetaglotError, match="head that scores the vocabulary"):
        check_sharding(written, build_algorithm("protonet"), Ranks(0, 2, 2))


def test_a_network_that_cannot_be_divided_is_refused(bert):
    with pytest.raises(MetaglotError, match="no list of layers in a BertEmbeddings"):
        sharded(replace(bert, module=bert.module.embeddings), ranks=2, device=CPU)
    with pytest.raises(MetaglotError, match="reads texts of each length apart"):
        sharded(replace(bert, pads=False), ranks=2, device=CPU)
    with pytest.raises(MetaglotError, match="scores the vocabulary"):
        sharded(replace(bert, language=nn.Linear(2, 2)), ranks=2, device=CPU)
