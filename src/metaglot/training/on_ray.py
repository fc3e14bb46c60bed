"""Workers of asynchronous meta-training as actors of Ray; one that dies is replaced, and its gradient found anew.

Moritz et al. 2018, https://arxiv.org/abs/1712.05889; https://docs.ray.io/en/latest/ray-core/actors.html.
Parameters and gradients travel as safetensors, once for each step that they are asked for.
"""

import os
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from safetensors.torch import load, save

from metaglot.cluster import connected, enter
from metaglot.errors import MetaglotError
from metaglot.training.asynchronous import Found, Make, Work, find
from metaglot.training.memory import keep_few_kernels
from metaglot.training.shares import Facts
from metaglot.types import MetaGrad, Params, Record

DEATHS = 8  # of workers, one after another without a gradient between them, that end the run
PATIENCE = 600.0  # seconds until which one worker at least must have begun
Reply = tuple[bytes, tuple[Record, ...], tuple[Facts, ...], float]


@contextmanager
def ray_crew(makes: Sequence[Make], *, on: str = "ray", threads: int = 1, gpus: int = 0) -> "Generator[RayCrew]":
    """Hold one worker for each function that makes its parts, on a Ray cluster; they end with the block."""
    with connected(on):
        crew = RayCrew(makes, threads, gpus)
        try:
            yield crew
        finally:
            crew.end()


class RayCrew:
    """The actors; see `Crew` for what they are asked."""

    def __init__(self, makes: Sequence[Make], threads: int, gpus: int) -> None:
        import ray

        self._makes, self._threads, self._folder = makes, threads, os.getcwd()
        self._actor: Any = ray.remote(num_cpus=threads, num_gpus=gpus, scheduling_strategy="SPREAD")(_Worker)
        self._actors: dict[int, Any] = {}
        self._idle: list[int] = []
        self._waiting: dict[Any, tuple[int, int | None]] = {}  # answer -> worker, number of the gradient if it has one
        self._sent: tuple[int, Any] = (-1, None)  # the last step whose parameters were sent
        self._deaths = 0
        for worker in range(len(makes)):
            self._begin(worker)

    def free(self) -> bool:
        """Return whether a worker has nothing to do."""
        return bool(self._idle)

    def give(self, work: Work) -> None:
        """Give work to a worker that has none."""
        import ray

        if self._sent[0] != work.step:
            self._sent = work.step, ray.put((_packed(work.params), _packed(work.snapshot)))
        worker = self._idle.pop(0)
        answer = self._actors[worker].find.remote(self._sent[1], work.number, work.episodes, work.seed, work.step)
        self._waiting[answer] = worker, work.number

    def wait(self) -> tuple[list[Found], list[int]]:
        """Wait for one answer or more; return the gradients that came, and the numbers of those that were lost."""
        import ray

        came: list[Found] = []
        lost: list[int] = []
        answers, _ = ray.wait(list(self._waiting), timeout=PATIENCE)
        if not answers and all(number is None for _, number in self._waiting.values()):
            raise MetaglotError(
                f"none of {len(self._makes)} workers could begin within {PATIENCE:.0f} seconds: the cluster needs "
                f"{self._threads} free CPUs for each. What was saved is whole; go on with --resume"
            )
        for answer in answers:
            worker, number = self._waiting.pop(answer)
            reply = self._answer(answer, worker)
            if number is not None and reply is not None:
                came.append(_found(number, reply))
            elif number is not None:
                lost.append(number)
        return came, lost

    def end(self) -> None:
        """End all workers."""
        import ray

        for actor in self._actors.values():
            ray.kill(actor)

    def _begin(self, worker: int) -> None:
        self._actors[worker] = self._actor.remote(self._folder, self._makes[worker], self._threads)
        self._waiting[self._actors[worker].load.remote()] = worker, None

    def _answer(self, answer: Any, worker: int) -> Reply | None:
        """Return an answer; None where the worker is lost, and then another one begins."""
        import ray
        from ray.exceptions import RayError, RayTaskError

        try:
            reply: Any = ray.get(answer)
        except RayTaskError as error:
            raise error.cause if isinstance(error.cause, MetaglotError) else error from None
        except RayError as error:
            self._deaths += 1
            if self._deaths > DEATHS:
                raise MetaglotError(
                    f"workers ended {self._deaths} times, one after another ({' '.join(str(error).split())[:200]}). "
                    "What was saved is whole; go on with --resume and fewer --workers if memory ran out"
                ) from error
            ray.kill(self._actors[worker])
            self._begin(worker)
            return None
        self._idle.append(worker)
        if reply is not None:
            self._deaths = 0
        return reply


class _Worker:
    """An actor: it loads its parts once, and finds one gradient after another."""

    def __init__(self, folder: str, make: Make, threads: int) -> None:
        self._folder, self._make, self._threads = folder, make, threads
        self._counted = 0.0  # CPU seconds of this process that were told

    def load(self) -> None:
        """Make the parts."""
        enter(self._folder)
        torch.set_num_threads(self._threads)
        keep_few_kernels()
        self._parts = self._make()

    def find(self, sent: tuple[bytes, bytes], number: int, episodes: tuple[int, ...], seed: int, step: int) -> Reply:
        """Return a gradient, its records, what a step must know of its episodes, and the CPU seconds since the last."""
        device = self._parts[2].device
        params, snapshot = ({name: value.to(device) for name, value in load(one).items()} for one in sent)
        meta_grad, facts = find(self._parts, Work(number, episodes, seed, step, params, snapshot))
        spent, self._counted = time.process_time() - self._counted, time.process_time()
        return _packed(meta_grad.grads), meta_grad.records, facts, spent


def _packed(tensors: Params) -> bytes:
    return save({name: value.detach().contiguous().cpu() for name, value in tensors.items()})


def _found(number: int, reply: Reply) -> Found:
    grads, records, facts, spent = reply
    return Found(number, MetaGrad(load(grads), records), facts, spent)
