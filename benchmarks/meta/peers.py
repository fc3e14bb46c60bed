"""The libraries that we are compared with, each used as its documentation shows; they give the gradient of the body.

Every peer starts a linear head at zero for each task and takes plain gradient steps over body and head.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from benchmarks.meta.workload import RATE, STEPS, WAYS, Batch

Autocast = Callable[[], AbstractContextManager[Any]]
Gradient = Callable[[nn.Module, Sequence[tuple[Batch, Batch]], bool, Autocast], dict[str, Tensor]]


class Classifier(nn.Module):
    """A body with a linear head on the mean of its last states, scaled to length one."""

    def __init__(self, body: nn.Module, hidden: int) -> None:
        super().__init__()
        self.body = body
        self.head = nn.Linear(hidden, WAYS)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        hidden = self.body(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state.to(self._dtype())
        mask = attention_mask[..., None].to(hidden.dtype)
        pooled = nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=-1)
        with torch.autocast("cpu", enabled=False):
            return self.head(pooled)

    def _dtype(self) -> torch.dtype:
        return self.head.weight.dtype


def loss_of(model: Callable[..., Tensor], batch: Batch, autocast: Autocast) -> Tensor:
    with autocast():
        scores = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    return cross_entropy(scores, batch["labels"])


def plain(
    model: nn.Module, tasks: Sequence[tuple[Batch, Batch]], second: bool, autocast: Autocast
) -> dict[str, Tensor]:
    """torch.func.functional_call and autograd."""
    theta = dict(model.named_parameters())
    total = {name: torch.zeros_like(value) for name, value in theta.items()}
    for support, query in tasks:
        fast = dict(theta)
        for _ in range(STEPS):
            if not second:
                fast = {name: value.detach().requires_grad_() for name, value in fast.items()}
            here = fast
            loss = loss_of(lambda f=here, **k: functional_call(model, f, (), k), support, autocast)
            grads = torch.autograd.grad(loss, list(fast.values()), create_graph=second)
            fast = {name: value - RATE * grad for (name, value), grad in zip(fast.items(), grads, strict=True)}
        if not second:
            fast = {name: value.detach().requires_grad_() for name, value in fast.items()}
        here = fast
        loss = loss_of(lambda f=here, **k: functional_call(model, f, (), k), query, autocast)
        found = torch.autograd.grad(loss, list(theta.values() if second else fast.values()))
        for name, grad in zip(theta, found, strict=True):
            total[name] += grad / len(tasks)
    return total


def by_higher(
    model: nn.Module, tasks: Sequence[tuple[Batch, Batch]], second: bool, autocast: Autocast
) -> dict[str, Tensor]:
    """higher.innerloop_ctx."""
    import higher

    names = [name for name, _ in model.named_parameters()]
    total = {name: torch.zeros_like(value) for name, value in model.named_parameters()}
    optimiser = torch.optim.SGD(model.parameters(), lr=RATE)
    for support, query in tasks:
        with higher.innerloop_ctx(model, optimiser, copy_initial_weights=False, track_higher_grads=second) as (
            fast,
            inner,
        ):
            for _ in range(STEPS):
                inner.step(loss_of(fast, support, autocast))
            loss = loss_of(fast, query, autocast)
            at = list(model.parameters()) if second else list(fast.parameters())
            for name, grad in zip(names, torch.autograd.grad(loss, at), strict=True):
                total[name] += grad / len(tasks)
    return total


def by_torchopt(
    model: nn.Module, tasks: Sequence[tuple[Batch, Batch]], second: bool, autocast: Autocast
) -> dict[str, Tensor]:
    """torchopt.MetaSGD for second order; its functional sgd on detached parameters for first order."""
    import torchopt

    names = [name for name, _ in model.named_parameters()]
    total = {name: torch.zeros_like(value) for name, value in model.named_parameters()}
    if not second:
        return _torchopt_first_order(model, tasks, autocast, total)
    start = torchopt.extract_state_dict(model, by="reference")
    theta = list(model.parameters())
    for support, query in tasks:
        inner = torchopt.MetaSGD(model, lr=RATE)
        for _ in range(STEPS):
            inner.step(loss_of(model, support, autocast))
        loss = loss_of(model, query, autocast)
        for name, grad in zip(names, torch.autograd.grad(loss, theta), strict=True):
            total[name] += grad / len(tasks)
        torchopt.recover_state_dict(model, start)
    return total


def _torchopt_first_order(
    model: nn.Module, tasks: Sequence[tuple[Batch, Batch]], autocast: Autocast, total: dict[str, Tensor]
) -> dict[str, Tensor]:
    import torchopt

    optimiser = torchopt.sgd(lr=RATE)
    for support, query in tasks:
        fast = {name: value.detach().clone().requires_grad_() for name, value in model.named_parameters()}
        state = optimiser.init(fast)
        for step in range(STEPS + 1):
            here = fast
            batch = query if step == STEPS else support
            loss = loss_of(lambda f=here, **k: functional_call(model, f, (), k), batch, autocast)
            grads = dict(zip(fast, torch.autograd.grad(loss, list(fast.values())), strict=True))
            if step < STEPS:
                updates, state = optimiser.update(grads, state, inplace=False)
                moved = torchopt.apply_updates(fast, updates, inplace=False)
                fast = {name: value.detach().requires_grad_() for name, value in moved.items()}
        for name, grad in grads.items():
            total[name] += grad / len(tasks)
    return total


PEERS: dict[str, Gradient] = {"torch.func": plain, "higher": by_higher, "torchopt": by_torchopt}
