"""An evaluation by names: a model, methods and files, so that any process can load them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from metaglot.adaptation import Model
from metaglot.adaptation.encoder import PairChoice
from metaglot.adaptation.load import load_encoder
from metaglot.choices import FAMILIES
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
    reads: PairChoice | None = None  # which part of pairs a language model reads; None: a trial on the examples decides
    task: str | None = None  # the kind of the tasks; None: their labels decide
    by_domain: bool = False  # whether each domain of a file is a task
    label: str = ""  # of the model, where several are compared

    @property
    def labels(self) -> dict[str, str]:
        """The name of our method at each effort, in tables and results."""
        return {effort: f"{self.label or 'ours'}{' ' if self.label else '-'}{effort}" for effort in self.efforts}

    def load(self) -> Model:
        """Return the model; raise MetaglotError where it cannot read texts of that length."""
        model = self._load(self.model)
        return Model(replace(model.encoder, name=self.label)) if self.label else model

    def methods(self, model: Model) -> tuple[Method, ...]:
        """Return our method at each effort, then the baselines on the untouched backbone."""
        joint = self._load(self.multitask) if self.multitask else None
        our_methods = (replace(method, label=self.labels[str(method.effort)]) for method in ours(model, self.efforts))
        return (*our_methods, *baselines(self.against, model.base(), multitask=joint))

    def task_sets(self) -> list[TaskSet]:
        """Return the tasks, read from their files."""
        mapping = None if self.columns is None else parse_columns([self.columns])
        options: dict[str, Any] = {"mapping": mapping, "seed": self.seed, "encoding": self.encoding}
        by_path = [TaskSet.load_all(path, **options, task=self.task, by_domain=self.by_domain) for path in self.tasks]
        return [task for tasks in by_path for task in tasks]

    def _load(self, name: str) -> Model:
        writes = self.task is not None and FAMILIES.kinds[self.task].writes
        encoder = load_encoder(name, Runtime(self.precision, device=self.device, writes=writes))
        length = encoder.max_length if self.max_length is None else self.max_length
        if self.max_length is not None:
            check_length(encoder.backbone, length, "--max-length")
        return Model(replace(encoder, reads=self.reads, max_length=length))


def tasks_and_methods(job: Job, left_out: Sequence[tuple[int, ...] | None]) -> tuple[list[TaskSet], tuple[Method, ...]]:
    """Return the tasks, with the given rows left out of each, and the methods, for a process of an evaluation."""
    tasks = [replace(task, left_out=rows) for task, rows in zip(job.task_sets(), left_out, strict=True)]
    return tasks, job.methods(job.load())
