"""Transfer: train on one source task with a head of its own, drop the head, fine-tune on the new task.

Phang et al. 2018, https://arxiv.org/abs/1811.01088.  The plain alternative to meta-learning.
"""

from metaglot.algorithms.joint import Joint, fine_tuning
from metaglot.models import Head, Prototypes


def transfer(
    *,
    lr: float = 5e-5,
    head_lr: float = 1e-2,
    steps: int = 20,
    head: Head = Prototypes(),
    scale: float = 10.0,
    dropout: bool = True,
) -> Joint:
    """Return plain supervised training on a single source; `lr` and `steps` are those of the later fine-tuning."""
    fine_tune = fine_tuning(lr=lr, head_lr=head_lr, steps=steps, head=head, dropout=dropout)
    return Joint(scale=scale, single_source=True, dropout=dropout, fine_tune=fine_tune)


def joint(
    *,
    lr: float = 5e-5,
    head_lr: float = 1e-2,
    steps: int = 20,
    head: Head = Prototypes(),
    scale: float = 10.0,
    dropout: bool = True,
) -> Joint:
    """Return multi-task training over all sources; `lr` and `steps` are those of the later fine-tuning."""
    fine_tune = fine_tuning(lr=lr, head_lr=head_lr, steps=steps, head=head, dropout=dropout)
    return Joint(scale=scale, dropout=dropout, fine_tune=fine_tune)
