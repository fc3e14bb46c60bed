"""What is judged on what, in words, so that any process can make it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from metaglot.adaptation import Model
from metaglot.adaptation.encoder import PairChoice
from metaglot.adaptation.load import load_encoder
from metaglot.data.columns import parse_columns
from metaglot.evaluation.baselines import Method, baselines, ours
from metaglot.evaluation.protocol import TaskSet
from metaglot.models import Runtime
from metaglot.models.devices import Precision
from metaglot.models.limits import check_length


@dataclass(frozen=True)
class Job:
    """Names of a model, of methods and of files."""

    model: str
    tasks: tuple[Path, ...]
    efforts: tuple[str, ...]
    against: tuple[str, ...]
    multitask: str | None = None  # a run of the algorithm joint
    columns: str | None = None  # as `text=body,label=topic`
    max_length: int | None = None  # tokens, where it is not the model's own
    seed: int = 0  # of random draws
    encoding: str | None = None  # of text files, where it is not UTF-8
    precision: Precision = "auto"
    device: str = "auto"
    reads: PairChoice | None = None  # which part of pairs a language model reads, where its examples do not choose it
    task: str | None = None  # the kind of the tasks; what their labels look like if None
    by_domain: bool = False  # whether each domain of a file is a task
    label: str = ""  # of the model, where several are compared

    @property
    def labels(self) -> dict[str, str]:
        """The names of ours by effort, in tables and results."""
        return {effort: f"{self.label or 'ours'}{' ' if self.label else '-'}{effort}" for effort in self.efforts}

    def load(self) -> Model:
        """Return the model; raise MetaglotError where it cannot read texts of that length."""
        model = self._load(self.model)
        return Model(replace(model.encoder, name=self.label)) if self.label else model

    def methods(self, model: Model) -> tuple[Method, ...]:
        """Return ours at each effort, then the baselines on the untouched backbone."""
        joint = self._load(self.multitask) if self.multitask else None
        own = (replace(one, label=self.labels[str(one.effort)]) for one in ours(model, self.efforts))
        return (*own, *baselines(self.against, model.base(), multitask=joint))

    def task_sets(self) -> list[TaskSet]:
        """Return the tasks, read anew."""
        mapping = None if self.columns is None else parse_columns([self.columns])
        how: dict[str, Any] = {"mapping": mapping, "seed": self.seed, "encoding": self.encoding}
        each = [TaskSet.load_all(path, **how, task=self.task, by_domain=self.by_domain) for path in self.tasks]
        return [task for found in each for task in found]

    def _load(self, name: str) -> Model:
        encoder = load_encoder(name, Runtime(self.precision, device=self.device))
        length = encoder.max_length if self.max_length is None else self.max_length
        if self.max_length is not None:
            check_length(encoder.backbone, length, "--max-length")
        return Model(replace(encoder, reads=self.reads, max_length=length))


def make(job: Job, left_out: Sequence[tuple[int, ...] | None]) -> tuple[list[TaskSet], tuple[Method, ...]]:
    """Return tasks, without what is left out of each, and methods: what a process of an evaluation begins with."""
    tasks = [replace(task, left_out=rows) for task, rows in zip(job.task_sets(), left_out, strict=True)]
    return tasks, job.methods(job.load())
