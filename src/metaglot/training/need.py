"""What exact estimators need of memory, from a measurement of a small part of the largest episode.

A graph holds the tensors that autograd saves for the way back.  Torch hands each of them to a hook, so the storages are
counted exactly, once each and without those of the meta-parameters.  They are linear in the number of texts of one
length: two and four texts of the largest episode give the line, and the parameters are those of the whole episode.

    unrolled          start + first + (T − 1)·step + m·query
    k graphs kept     start + max(k·step + m_k·query, step, query) + (T − k)·state
    adjoint           k = 0

with m query losses (one, or one a step), and m_k of them within the last k steps.  Besides, training holds
parameters, their moments and gradients, and something is in passing: `HELD` times the meta-parameters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.inner.estimators.parts import Inner, judge, leaves_of
from metaglot.models.rows import touched
from metaglot.seeds import torch_generator
from metaglot.training.state import initial_state
from metaglot.types import Batch, Episode, Learner, Params, Problem

HELD = 6  # parameters, two moments, the gradient of a step and of an episode, and one in passing
FEW = (2, 4)  # texts that are measured


class EpisodeSize(NamedTuple):
    """How large the episodes of a run become."""

    support: int  # texts
    query: int
    tokens: int  # a text


class Need(NamedTuple):
    """Bytes of the parts of an outer gradient."""

    steps: int
    losses: int  # query losses
    start: int  # the graph of the start point: of the support features, where the head comes from them
    first: int  # the graph of the first step, which may leave the body alone
    step: int  # the graph of any other step
    query: int  # the graph of a query loss
    state: int  # parameters that move and the rule's state, without a graph
    back: float = 1.0  # share of a step's graph that stands at a time on the way back of the adjoint
    held: int = 0  # by training, whatever the estimator

    def kept(self, graphs: int) -> int:
        """Return the bytes with so many last graphs kept: none for the adjoint, all for unrolled."""
        if graphs >= self.steps:
            return self.start + self.first + (self.steps - 1) * self.step + self.losses * self.query
        judged = min(self.losses, max(1, graphs)) * self.query
        most = max(graphs * self.step + judged, int(self.back * self.step))
        return self.start + most + (self.steps - graphs) * self.state


class Graph:
    """The storages that graphs hold, counted once each; those known beforehand are not."""

    def __init__(self, *known: Mapping[str, Tensor]) -> None:
        self.bytes = 0
        self._held: dict[int, torch.UntypedStorage] = {}  # alive, so that no address comes twice
        for values in known:
            self.hold(values)
        self.bytes = 0

    def hold(self, values: Mapping[str, Tensor]) -> None:
        """Count tensors by name."""
        for value in values.values():
            self.pack(value)

    def pack(self, value: Tensor) -> Tensor:
        """Count a tensor."""
        storage = value.untyped_storage()
        if storage.data_ptr() not in self._held:
            self._held[storage.data_ptr()] = storage
            self.bytes += storage.nbytes()
        return value


def measured(
    algorithm: GradientBased, learner: Learner, drawn: Episode, episode_size: EpisodeSize, *, freeze: Sequence[str] = ()
) -> Need:
    """Return what the algorithm needs on an episode as large as `episode_size`, of the kind of `drawn`.

    `freeze` are the patterns of the body that are not meta-learnt.
    """
    rows = _rows(learner)
    sizes = (drawn.support, episode_size.support), (drawn.query, episode_size.query)
    support, query = (grown(part, max(n, FEW[1]), episode_size.tokens, rows) for part, n in sizes)
    problem, whole = Problem(learner, drawn.objective, drawn.task), replace(drawn, support=support, query=query)
    meta = initial_state(algorithm, learner, [drawn.task], seed=0, freeze=freeze).params
    small = touched(problem, meta, whole)
    seed = 0 if algorithm.dropout else None
    a, b = (parts_of(algorithm.inner_of(problem), problem, small.meta, _first(small.episode, few), seed) for few in FEW)
    texts, weights = episode_size.support, algorithm.weights or (1.0,)
    chunk = texts if algorithm.chunk is None else min(texts, algorithm.chunk)
    return Need(
        steps=algorithm.steps,
        losses=sum(weight != 0 for weight in weights),
        start=_along(a.start, b.start, texts),
        first=_along(a.first, b.first, texts),
        step=_along(a.step, b.step, texts),
        query=_along(a.query, b.query, episode_size.query),
        state=b.state,
        back=chunk / texts,
        held=HELD * sum(value.nbytes for value in meta.values()),
    )


class Parts(NamedTuple):
    """Bytes of the graphs of one episode."""

    start: int
    first: int
    step: int
    query: int
    state: int


def parts_of(inner: Inner, problem: Problem, meta: Params, episode: Episode, seed: int | None) -> Parts:
    """Return the bytes of each graph of an episode: start, first step, second step, query loss."""
    leaves = leaves_of(meta)
    graph = Graph(leaves, episode.support, episode.query)
    marks: list[int] = []
    with saved_tensors_hooks(graph.pack, lambda value: value):
        start = inner.start(problem, leaves, episode.support, seed=seed)
        loop = replace(inner.loop, steps=2)
        fast = None
        for fast in loop.walk(problem, leaves, start, episode.support, seed=seed, create_graph=True):
            graph.hold(fast.params)
            graph.hold(fast.rule_state)
            marks.append(graph.bytes)
        assert fast is not None
        judge(inner.judging(problem), leaves, [(1.0, fast.params)], episode, seed)
        marks.append(graph.bytes)
    state = sum(value.nbytes for value in (*fast.params.values(), *fast.rule_state.values()))
    return Parts(marks[0], marks[1] - marks[0], marks[2] - marks[1], marks[3] - marks[2], state)


def grown(batch: Batch, count: int, tokens: int, rows: int) -> dict[str, Tensor]:
    """Return a batch of `count` texts of `tokens` tokens like those of `batch`, its tokens drawn from `rows`."""
    axis = batch["input_ids"].ndim - 1  # of tokens; a row of several texts [B, P, T] has as many texts as it had
    length = batch["input_ids"].shape[axis]
    params: dict[str, Tensor] = {}
    for name, value in batch.items():
        times = [-(-count // value.shape[0]), *(1 for _ in value.shape[1:])]
        of_tokens = value.ndim > axis and value.shape[axis] == length
        if of_tokens:
            times[axis] = -(-tokens // length)
        tiled = value.repeat(times)[:count]
        params[name] = tiled.narrow(axis, 0, tokens) if of_tokens else tiled
    params["attention_mask"] = torch.ones_like(params["attention_mask"])
    drawn = torch.randint(0, rows, params["input_ids"].shape, generator=torch_generator(0, "largest"))
    params["input_ids"] = drawn.to(batch["input_ids"].device)
    return params


def _first(episode: Episode, count: int) -> Episode:
    """Return the episode with its first texts alone."""
    support, query = ({n: v[:count] for n, v in part.items()} for part in (episode.support, episode.query))
    return replace(episode, support=support, query=query)


def _rows(learner: Learner) -> int:
    embedding = learner.embedding
    return 1 if embedding is None else len(learner.body()[f"body.{embedding.name}"])


def _along(few: int, more: int, count: int) -> int:
    """Return the line through the two numbers of texts that were measured, at `count`."""
    return round(few + (more - few) * (count - FEW[0]) / (FEW[1] - FEW[0]))
