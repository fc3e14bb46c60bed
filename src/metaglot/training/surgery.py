"""Gradient surgery: where the gradients of two tasks conflict, one is turned before they are averaged.

For each task i, and the others j in random order, with φ the cosine of g′_i (at first g_i) and g_j:

    PCGrad    φ < 0:    g′_i ← g′_i − (g′_i·g_j / ‖g_j‖²) g_j
    GradVac   φ < φ̂_ij: g′_i ← g′_i + ‖g′_i‖ (φ̂√(1−φ²) − φ√(1−φ̂²)) / (‖g_j‖√(1−φ̂²)) · g_j,   layer by layer,
              φ̂_ij ← (1−β) φ̂_ij + β φ, from 0, for each ordered pair of tasks and each layer

and the mean of all g′_i is the step's gradient: PCGrad is GradVac whose targets stay at 0, over the whole model.
Every g′_i is a weighted sum of the g_j, so that only their inner products are needed.  Ranks meet each gradient once
for these, and then add up what they weighed of their own.

Yu et al. 2020, https://arxiv.org/abs/2001.06782; Wang et al. 2021, https://arxiv.org/abs/2010.05874
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from metaglot.seeds import generator
from metaglot.training.among import Among
from metaglot.types import MetaGrad, Params, Record

DRAWS = "draws"  # how often gradients were combined: what the random order is a function of
DECAY = 0.01  # β, as in the paper
HIGHEST = 1 - 1e-6  # of a target: the factor is infinite at 1
LAYER = re.compile(r"^(.*?\.\d+)\.")


class Turned(NamedTuple):
    """What surgery decided."""

    weights: Tensor  # [n, K, n]: of gradient j in g′_i, within part k
    targets: dict[tuple[int, int], Tensor]  # (i, j) -> [K], after this step


def pcgrad(meta_grads: Iterable[MetaGrad], state: Params, among: Among) -> tuple[MetaGrad, Params]:
    """Return the mean after each gradient lost what points against another; the records tell of conflicts."""
    own = list(meta_grads)
    records = among.gathered([one.records for one in own])
    parts = dict.fromkeys(among.like, "model")
    products = _products(own, parts, among)
    turned = turn(products, _orders(among.gradients, state), _right_angle, decay=0.0)
    grads = _merged(own, parts, turned.weights, among)
    return MetaGrad(grads, _with_cosines(records, products.sum(0))), _counted(state)


def gradvac(meta_grads: Iterable[MetaGrad], state: Params, among: Among) -> tuple[MetaGrad, Params]:
    """Return the mean after each gradient was turned towards the others, to the cosine usual for the pair."""
    own = list(meta_grads)
    records = among.gathered([one.records for one in own])
    parts = {name: layer_of(name) for name in among.like}
    products = _products(own, parts, among)
    tasks = ["+".join(str(record.get("task")) for record in of_one) for of_one in records]
    targets = {key: value.cpu().double() for key, value in state.items() if key != DRAWS}
    none = torch.zeros(products.shape[0], dtype=torch.float64)

    def target(i: int, j: int) -> Tensor:
        return targets.get(_pair(tasks[i], tasks[j]), none)

    turned = turn(products, _orders(among.gradients, state), target, decay=DECAY)
    # In float32, which every device and file can hold.
    after = {_pair(tasks[i], tasks[j]): value.float() for (i, j), value in turned.targets.items()}
    grads = _merged(own, parts, turned.weights, among)
    return MetaGrad(grads, _with_cosines(records, products.sum(0))), {**_counted(state), **after}


def turn(
    products: Tensor, orders: Sequence[Sequence[int]], target: Callable[[int, int], Tensor], *, decay: float
) -> Turned:
    """Return the weights of the gradients in each g′_i, and the moved targets.

    `products` [K, n, n] holds ⟨g_i, g_j⟩ in each part of the model, `orders[i]` the others of i, `target(i, j)` the
    cosines [K] aimed at.
    """
    count = products.shape[1]
    weights = torch.eye(count, dtype=products.dtype)[:, None].repeat(1, products.shape[0], 1)  # [n, K, n]
    targets: dict[tuple[int, int], Tensor] = {}
    lengths = products.diagonal(dim1=1, dim2=2).clamp(min=0).sqrt()  # [K, n]
    for i, others in enumerate(orders):
        for j in others:
            own = weights[i]  # [K, n]
            length = torch.einsum("ka,kab,kb->k", own, products, own).clamp(min=0).sqrt()
            dot = (own * products[:, :, j]).sum(1)
            usable = (length > 0) & (lengths[:, j] > 0)
            cosine = torch.where(usable, dot / (length * lengths[:, j]).where(usable, dot.new_ones(())), 0.0)
            cosine, aim = cosine.clamp(-1, 1), target(i, j).clamp(-HIGHEST, HIGHEST)
            sine, other = (1 - cosine**2).sqrt(), (1 - aim**2).sqrt()
            factor = length * (aim * sine - cosine * other) / (lengths[:, j].where(usable, dot.new_ones(())) * other)
            weights[i, :, j] += torch.where(usable & (cosine < aim), factor, 0.0)
            targets[i, j] = torch.where(usable, (1 - decay) * target(i, j) + decay * cosine, target(i, j))
    return Turned(weights, targets)


def inner_products(grads: Sequence[MetaGrad], parts: Params | dict[str, str]) -> Tensor:  # [K, n, n]
    """Return ⟨g_i, g_j⟩ within each part of the model, in float64; the parts in the order they come up in."""
    names = list(dict.fromkeys(parts.values()))
    products = torch.zeros(len(names), len(grads), len(grads), dtype=torch.float64)
    for name, part in parts.items():
        rows = torch.stack([one.grads[name].flatten() for one in grads])  # [n, P]
        products[names.index(part)] += (rows @ rows.T).cpu().double()
    return products


def layer_of(name: str) -> str:
    """Return the layer that a parameter stands in: up to the first number, or its first two names."""
    numbered = LAYER.match(name)
    return numbered[1] if numbered else ".".join(name.split(".")[:2])


def _products(own: Sequence[MetaGrad], parts: dict[str, str], among: Among) -> Tensor:  # [K, n, n]
    """Return `inner_products` of the gradients of all ranks: each rank finds the rows of its own gradients."""
    if among.ranks.alone:
        return inner_products(own, parts)
    names = list(dict.fromkeys(parts.values()))
    products = torch.zeros(len(names), among.gradients, among.gradients, dtype=torch.float64)

    def meet(number: int, grads: Params) -> None:
        for row, one in zip(among.ranks.share(among.gradients), own, strict=True):
            for name, part in parts.items():
                dot = one.grads[name].flatten() @ grads[name].flatten()
                products[names.index(part), row, number] += dot.cpu().double()

    among.each(own, meet)
    among.ranks.sum_(products)
    return products


def _merged(own: Sequence[MetaGrad], parts: dict[str, str], weights: Tensor, among: Among) -> dict[str, Tensor]:
    """Return the weighted sum of the gradients of all ranks."""
    shares = dict(zip(dict.fromkeys(parts.values()), weights.mean(0), strict=True))  # part -> [n]
    numbers = among.ranks.share(among.gradients)
    total, add_up = among.total()
    for name, part in parts.items():
        weighted = (float(shares[part][n]) * one.grads[name] for n, one in zip(numbers, own, strict=True))
        total[name] = sum(weighted, start=ZERO) if among.ranks.alone else total[name].add_(sum(weighted, start=ZERO))
    add_up()
    return total


def _with_cosines(every: Sequence[Sequence[Record]], products: Tensor) -> tuple[Record, ...]:
    """Return the records, each with its gradient's mean cosine with the others and the share that it conflicts with."""
    lengths = products.diagonal().clamp(min=0).sqrt()
    cosines = products / (lengths[:, None] * lengths[None]).clamp(min=1e-300)
    records: list[Record] = []
    for i, of_one in enumerate(every):
        others = torch.cat([cosines[i, :i], cosines[i, i + 1 :]])
        facts = (
            {"cosine": float(others.mean()), "conflicts": float((others < 0).double().mean())} if len(others) else {}
        )
        records += [{**record, **facts} for record in of_one]
    return tuple(records)


def _orders(count: int, state: Params) -> list[list[int]]:
    draw = int(state[DRAWS]) if DRAWS in state else 0
    permuted = [generator(draw, "surgery", i).permutation(count) for i in range(count)]
    return [[int(j) for j in order if j != i] for i, order in enumerate(permuted)]


def _counted(state: Params) -> dict[str, Tensor]:
    draw = int(state[DRAWS]) if DRAWS in state else 0
    return {**state, DRAWS: torch.tensor(draw + 1)}


def _right_angle(_i: int, _j: int) -> Tensor:
    return torch.zeros(1, dtype=torch.float64)


def _pair(task: str, other: str) -> str:
    return f"cosine.{task} | {other}"


ZERO = torch.zeros(())
