"""How the meta-gradients of the tasks of one step become one.

`combine(meta_grads, state) -> (MetaGrad, state)`; the state is saved with the run.
"""

from collections.abc import Callable, Iterable

from torch import Tensor

from metaglot.training.surgery import gradvac, pcgrad
from metaglot.types import MetaGrad, Params, Record

Combine = Callable[[Iterable[MetaGrad], Params], tuple[MetaGrad, Params]]


def mean(meta_grads: Iterable[MetaGrad], state: Params) -> tuple[MetaGrad, Params]:
    """Return the mean; each gradient is dropped as soon as it is added, so that one is held at a time."""
    total: dict[str, Tensor] = {}
    records: list[Record] = []
    count = 0
    for meta_grad in meta_grads:
        count += 1
        records += meta_grad.records
        for name, grad in meta_grad.grads.items():
            if name in total:
                total[name].add_(grad)
            else:
                total[name] = grad.clone()
        del meta_grad  # else it stands while the next one is found
    return MetaGrad({name: value.div_(count) for name, value in total.items()}, tuple(records)), state


COMBINES: dict[str, Combine] = {"mean": mean, "pcgrad": pcgrad, "gradvac": gradvac}
