"""How the meta-gradients of the tasks of one step become one.

`combine(meta_grads, state, among) -> (MetaGrad, state)`; the state is saved with the run.  A rank gives the gradients
that are its own, and gets what became of those of all ranks.
"""

from collections.abc import Callable, Iterable

from torch import Tensor

from metaglot.training.among import Among
from metaglot.training.surgery import gradvac, pcgrad
from metaglot.types import MetaGrad, Params, Record

Combine = Callable[[Iterable[MetaGrad], Params, Among], tuple[MetaGrad, Params]]


def mean(meta_grads: Iterable[MetaGrad], state: Params, among: Among) -> tuple[MetaGrad, Params]:
    """Return the mean; each gradient is dropped as soon as it is added, so that one is held at a time."""
    total, add_up = among.total()
    records: list[tuple[Record, ...]] = []
    for meta_grad in meta_grads:
        records.append(meta_grad.records)
        for name, grad in meta_grad.grads.items():
            if name in total:
                total[name].add_(grad)
            else:
                total[name] = grad.clone()
        del meta_grad  # else it stands while the next one is found
    every = among.gathered(records)
    add_up()
    grads: dict[str, Tensor] = {name: value.div_(among.gradients) for name, value in total.items()}
    return MetaGrad(grads, tuple(record for of_one in every for record in of_one)), state


COMBINES: dict[str, Combine] = {"mean": mean, "pcgrad": pcgrad, "gradvac": gradvac}
