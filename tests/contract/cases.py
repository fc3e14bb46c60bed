"""What the contract suites share: the cases, the world that an algorithm is given, and what watches it."""

import inspect
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from metaglot.algorithms import GradientBased, Joint
from metaglot.choices import ALGORITHMS
from metaglot.models import All, HeadOnly, HfLearner, Lora, Named, Prototypes, Zeros
from metaglot.tasks import sources_of
from metaglot.types import Episode, Fast, MetaGrad, Params, Problem

HEADS = {"zeros": Zeros(), "prototypes": Prototypes()}
SCOPES = {"all": All(), "head": HeadOnly(), "named": Named(("encoder.layer.1.*",)), "lora": Lora(rank=2)}
WRITERS = ("metanet-1", "metanet-n")  # they write LoRA weights from gradients, which a head of zeros holds back
REFUSED = {("reptile", "head"), ("sequential-reptile", "head")}
REFUSED |= {("boil", "head")}
REFUSED |= {(name, choice) for name in WRITERS for choice in ("all", "head", "named", "zeros")}
UNMOVED = {"matchingnet"}  # its head is the support set
FEW = {"imaml": {"steps": 3, "iterations": 2}, "reml": {"steps": 2}}  # where any number of steps shows the same
UNTOUCHED = ("pooler.", "token_type_embeddings")  # BERT's pooler is never used


class Case(NamedTuple):
    name: str
    head: str | None
    scope: str | None

    def make(self, **options: Any) -> GradientBased | Joint:
        chosen = {"head": HEADS.get(self.head or ""), "scope": SCOPES.get(self.scope or "")}
        return ALGORITHMS[self.name](**{k: v for k, v in chosen.items() if v is not None}, **options)

    def __str__(self) -> str:
        return "-".join(part for part in self if part)


def cases() -> list[Case]:
    found = []
    for name, make in ALGORITHMS.items():
        options = inspect.signature(make).parameters
        for head in HEADS if "head" in options else [None]:
            found += [Case(name, head, scope) for scope in (SCOPES if "scope" in options else [None])]
    return found


EVERY = cases()
CASES = [case for case in EVERY if not {(case.name, case.scope), (case.name, case.head)} & REFUSED]


def quick(case: Case) -> bool:
    """Whether it runs in `make test`: prototypes with LoRA where there is a choice, and for two zeros with the body."""
    chosen = (case.head or "prototypes", case.scope or "lora")
    return chosen == ("prototypes", "lora") or (case.name in ("maml", "reptile") and chosen == ("zeros", "all"))


MARKED = [pytest.param(case, marks=[] if quick(case) else pytest.mark.slow, id=str(case)) for case in CASES]


class World(NamedTuple):
    """What an algorithm is given."""

    problems: list[Problem]
    episodes: list[Episode]
    infos: list


def world(learner: HfLearner, toy, episodes: list[Episode]) -> World:
    return World([Problem(learner, e.objective, e.task) for e in episodes], episodes, [s.info for s in sources_of(toy)])


def start(
    case: Case, here: World, *, few: bool = True, **options: Any
) -> tuple[GradientBased | Joint, dict[str, Tensor]]:
    algorithm = case.make(**{**(FEW.get(case.name, {}) if few else {}), **options})
    return algorithm, noisy(algorithm.init(here.problems[0].learner, here.infos, seed=0))


def noisy(meta: Params) -> dict[str, Tensor]:
    """Persistent heads start from zeros, which hold the body's gradient back: here they have learnt something."""
    rng = torch.Generator().manual_seed(0)
    return {
        n: v + 0.1 * torch.randn(v.shape, generator=rng, dtype=v.dtype) if n.startswith("heads.") else v
        for n, v in meta.items()
    }


def judge(algorithm, meta: Params, here: World, *, step: int = 5, seed: int = 1) -> MetaGrad:
    return algorithm.meta_grad(here.problems, meta, here.episodes, step=step, seed=seed)


def adapt(algorithm, meta: Params, here: World, **options: Any) -> Fast:
    return algorithm.adapt(here.problems[0], meta, here.episodes[0].support, **{"seed": 1, **options})


def same(a: Params, b: Params) -> bool:
    return list(a) == list(b) and all(torch.equal(a[n], b[n]) for n in a)


class Untouched:
    """Remembers inputs, module and generators; `check` says whether all are bitwise as they were."""

    def __init__(self, meta: Params, here: World, *, seed: int = 11) -> None:
        self.given: list[Params] = [meta]
        for episode in here.episodes:
            self.given += [episode.support, episode.query]
        self.module = here.problems[0].learner.module
        self.given.append(dict(self.module.state_dict()))
        self.copies = [{n: v.clone() for n, v in part.items()} for part in self.given]
        self.needs = [{n: v.requires_grad for n, v in part.items()} for part in self.given]
        torch.manual_seed(seed)
        self.rng = torch.get_rng_state()

    def check(self) -> None:
        for given, copy, needs in zip(self.given, self.copies, self.needs, strict=True):
            assert same(given, copy)
            assert {n: v.requires_grad for n, v in given.items()} == needs
            assert all(v.grad is None for v in given.values())
        assert torch.equal(torch.get_rng_state(), self.rng)
        assert not any(part.training for part in self.module.modules())
        assert not any(value.requires_grad or value.grad is not None for value in self.module.parameters())
