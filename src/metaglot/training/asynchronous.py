"""Asynchronous meta-training: workers find meta-gradients with slightly old parameters; few steps wait for a slow one.

    θ_{s+1} = θ_s − AdamW(1/B Σ_n g_n(θ_{s − τ_n})),    0 ≤ τ_n ≤ S

A step takes the B gradients that are there first, as long as none becomes more than S steps old (`ledger.py`).  Episode
n, its seed and its weight are those of the synchronous loop, and each is used once; with S = 0 the parameters are the
same too.  Whatever the order in which gradients come, they are added up in the order of their numbers.

Zhang et al. 2015, https://arxiv.org/abs/1511.05950; Ho et al. 2013, https://papers.nips.cc/paper/4894
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from statistics import fmean
from typing import NamedTuple, Protocol

from metaglot.seeds import fold
from metaglot.tasks.weights import weights_of
from metaglot.training.among import Among
from metaglot.training.combine import Combine, mean
from metaglot.training.ledger import Ledger
from metaglot.training.loop import Optimisation, gradient, make_optimiser, refreshed, take_step, weighted
from metaglot.training.ranks import ALONE
from metaglot.training.shares import Facts, facts_of
from metaglot.training.state import State
from metaglot.types import Algorithm, Learner, MetaGrad, Params, Record, Snapshot, TaskDistribution

Parts = tuple[TaskDistribution, Algorithm, Learner]
"""What a worker makes for itself."""

Make = Callable[[], Parts]


class Work(NamedTuple):
    """A gradient to find."""

    number: int
    episodes: tuple[int, ...]  # their numbers
    seed: int  # of the run
    step: int  # that the parameters are of
    params: Params
    snapshot: Snapshot


class Found(NamedTuple):
    """A gradient, and what a step must know of its episodes."""

    number: int
    meta_grad: MetaGrad
    facts: tuple[Facts, ...]
    cpu_seconds: float


class Crew(Protocol):
    """Workers, each of which finds one gradient at a time."""

    def free(self) -> bool:
        """Return whether one of them has nothing to do."""
        ...

    def give(self, work: Work) -> None:
        """Give work to one that has none; the parameters may change as soon as this returns."""
        ...

    def wait(self) -> tuple[list[Found], list[int]]:
        """Wait for news; return the gradients that came, and the numbers of those that were lost with a worker."""
        ...


def find(parts: Parts, work: Work) -> tuple[MetaGrad, tuple[Facts, ...]]:
    """Return a gradient and what a step must know of its episodes: a function of the work."""
    distribution, algorithm, learner = parts
    episodes = [distribution(fold(work.seed, "train"), n, work.snapshot) for n in work.episodes]
    meta_grad = gradient(algorithm, learner, work.params, episodes, n=work.episodes[0], seed=work.seed)
    return meta_grad, tuple(facts_of(episode) for episode in episodes)


def train_asynchronously(
    state: State,
    distribution: TaskDistribution,
    algorithm: Algorithm,
    learner: Learner,
    optimisation: Optimisation,
    *,
    combine: Combine = mean,
    crew: Crew,
    staleness: int,
) -> Iterator[tuple[State, Record]]:
    """Yield the state and a record after each step, as `train` does; gradients are at most `staleness` steps old.

    A run that goes on from a state finds the gradients again that were asked for and not used, so that each episode
    counts once.  The record has the mean age of the gradients as `staleness`.
    """
    size = optimisation.meta_batch if algorithm.together else 1
    a_step = optimisation.meta_batch // size
    optimiser = make_optimiser(state, optimisation)
    ledger = Ledger.at(state.step, state.pending, a_step=a_step, staleness=staleness, steps=optimisation.steps)
    found: dict[int, Found] = {}
    while state.step < optimisation.steps:
        began, wall = time.process_time(), time.perf_counter()
        state = refreshed(state, distribution, learner)
        ages = _collect(ledger, crew, found, state, size)
        used = [found.pop(number) for number in ages]
        facts = [fact for one in used for fact in one.facts]
        grads = _weighted(used, facts, state, algorithm, learner, balance=optimisation.balance)
        among = Among(ALONE, a_step, state.params)
        state, numbers = take_step(state, grads, facts, distribution, optimiser, optimisation, combine, among)
        elsewhere = sum(one.cpu_seconds for one in used)
        spent = time.process_time() - began + elsewhere
        state = replace(state, cpu_seconds=state.cpu_seconds + spent, pending=ledger.pending())
        timing = _timing(spent, elsewhere, time.perf_counter() - wall)
        yield state, {**numbers, "staleness": fmean(ages.values()), **timing}


def _collect(ledger: Ledger, crew: Crew, found: dict[int, Found], state: State, size: int) -> Mapping[int, int]:
    """Keep all workers busy until this step has its gradients; return their numbers and ages."""
    while True:
        while crew.free() and (number := ledger.ask(state.step)) is not None:
            episodes = tuple(range(number * size, (number + 1) * size))
            crew.give(Work(number, episodes, state.seed, state.step, state.params, state.snapshot))
        if (ages := ledger.use(state.step)) is not None:
            return ages
        came, lost = crew.wait()
        for one in came:
            found[one.number] = one
            ledger.came(one.number)
        for number in lost:
            ledger.lost(number)


def _weighted(
    used: list[Found], facts: list[Facts], state: State, algorithm: Algorithm, learner: Learner, *, balance: bool
) -> Iterator[MetaGrad]:
    weights = weights_of([fact.plain for fact in facts])
    for number, one in enumerate(used):
        grads = {name: grad.to(learner.device) for name, grad in one.meta_grad.grads.items()}
        meta_grad = one.meta_grad._replace(grads=grads)
        if algorithm.together:
            yield meta_grad
        else:
            yield weighted(meta_grad, state, facts[number].kind, weights[number], balance=balance)


def _timing(spent: float, elsewhere: float, wall: float) -> dict[str, float]:
    """Return the times of a step; episodes are drawn by the workers, so that nobody waits for one."""
    times = {"cpu_seconds": spent, "seconds": wall, "waited_seconds": 0.0, "workers_cpu_seconds": elsewhere}
    return {name: round(value, 4) for name, value in times.items()}
