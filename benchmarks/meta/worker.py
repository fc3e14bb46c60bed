"""What a process of the benchmark does: one measured step of a contender."""

import gc
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmarks.meta.peers import PEERS, Classifier
from benchmarks.meta.workload import RATE, STEPS, WAYS, WORKLOADS, make_module, make_tasks
from metaglot.algorithms import GradientBased
from metaglot.choices import ESTIMATORS
from metaglot.families.classification import Classification
from metaglot.inner import Adjoint, Estimator, FiniteProduct, Sgd
from metaglot.models import All, HfLearner, Zeros
from metaglot.types import Episode, Problem, TaskInfo

VARIANTS: dict[str, Callable[[], Estimator]] = {
    "adjoint-1": lambda: Adjoint(stored=1),
    # Unchecked: on random weights the check refuses some numbers of steps, and only the memory is asked for here.
    "finite-differences": lambda: Adjoint(product=FiniteProduct(tolerance=None)),
}


def measure(contender: Any, workload: str, folder: str) -> dict[str, float]:
    """Return CPU seconds and peak memory of one step (gradient and Adam), and the error of the gradient."""
    torch.set_num_threads(1)
    size = WORKLOADS[workload]
    dtype = torch.float64 if contender.precision == "fp64" else torch.float32
    # Fused attention has no double backward, and its bf16 backward is slow on a CPU.
    attention = "sdpa" if contender.order == 1 and contender.precision == "fp32" else "eager"
    module = make_module(size, attention).to(dtype)
    tasks = make_tasks(size)
    ours = contender.peer == "metaglot"
    step = ours_step(module, tasks, contender) if ours else _peer(module, tasks, contender, size)
    if contender.precision == "fp64":
        save_file({n: v.float() for n, v in step().items()}, _file(folder, contender.order))
        return {}
    seconds, megabytes, grads = measured(step)
    return {
        "cpu_s": seconds,
        "peak_mb": megabytes,
        "grad_error": _error(grads, load_file(_file(folder, contender.order))),
    }


def measured(step: Callable[[], dict[str, Tensor]]) -> tuple[float, float, dict[str, Tensor]]:
    """Return the CPU seconds of a call, its peak of memory beyond what is held before (MB), and its result."""
    gc.collect()
    before = _reset_peak()
    began = time.process_time()
    grads = step()
    return time.process_time() - began, _peak() - before, grads


def _peer(module: Any, tasks: Any, contender: Any, size: Any) -> Any:
    model = Classifier(module, size.hidden).to(next(module.parameters()).dtype)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.0, fused=True)
    bf16 = contender.precision == "bf16"

    def autocast() -> Any:
        return torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext()

    def step() -> dict[str, Tensor]:
        grads = PEERS[contender.peer](model, tasks, contender.order == 2, autocast)
        for name, value in model.named_parameters():
            value.grad = grads[name]
        optimiser.step()
        return {name: grad for name, grad in grads.items() if name.startswith("body.")}

    return step


def ours_step(module: Any, tasks: Any, contender: Any, *, steps: int = STEPS) -> Any:
    """Return our step: the meta-gradient over the tasks and Adam."""
    learner = HfLearner(module.requires_grad_(requires_grad=False), bf16=contender.precision == "bf16")
    name = contender.estimator.removesuffix("-precise")
    precise = True if name != contender.estimator else None  # None: where gradients are second order
    estimator = {**ESTIMATORS, **VARIANTS}[name]()
    pull = 1.0 if contender.estimator == "implicit" else 0.0
    algorithm = GradientBased(
        All(), Zeros(), Sgd(lr=RATE), steps, estimator, dropout=False, proximal=pull, precise=precise
    )
    info = TaskInfo("t", "t", tuple(map(str, range(WAYS))), tuple(range(WAYS)))
    family = Classification()
    episodes = [Episode(info, family, support, query) for support, query in tasks]
    problems = [Problem(learner, family, info)] * len(tasks)
    params = {name: value.detach().clone() for name, value in algorithm.init(learner, [info], seed=0).items()}
    optimiser = torch.optim.Adam(list(params.values()), lr=0.0, fused=True)

    def step() -> dict[str, Tensor]:
        found = algorithm.meta_grad(problems, params, episodes, step=0, seed=0).grads
        for name, value in params.items():
            value.grad = found[name]
        optimiser.step()
        return dict(found)

    return step


def _error(grads: dict[str, Tensor], reference: dict[str, Tensor]) -> float:
    shared = [name for name in reference if name in grads]
    assert len(shared) > 10
    away = sum(float((grads[n].double() - reference[n].double()).square().sum()) for n in shared)
    return (away / sum(float(reference[n].double().square().sum()) for n in shared)) ** 0.5


def _file(folder: str, order: int) -> str:
    return str(Path(folder) / f"reference-{order}.safetensors")


def _reset_peak() -> float:
    Path("/proc/self/clear_refs").write_text("5")
    return _peak()


def _peak() -> float:  # MB
    status = Path("/proc/self/status").read_text()
    return float(status.split("VmHWM:")[1].split()[0]) / 1024
