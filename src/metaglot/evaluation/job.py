"""What is judged on what, in words, so that any process can make it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from metaglot.adaptation import Model, load_model
from metaglot.data.columns import parse_columns
from metaglot.evaluation.baselines import Method, baselines, ours
from metaglot.evaluation.protocol import TaskSet
from metaglot.models.load import check_length


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

    def load(self) -> Model:
        """Return the model; raise MetaglotError where it cannot read texts of that length."""
        return self._cut(load_model(self.model))

    def methods(self, model: Model) -> tuple[Method, ...]:
        """Return ours at each effort, then the baselines on the untouched backbone."""
        joint = self._cut(load_model(self.multitask)) if self.multitask else None
        return (*ours(model, self.efforts), *baselines(self.against, model.base(), multitask=joint))

    def task_sets(self) -> list[TaskSet]:
        """Return the tasks, read anew."""
        mapping = None if self.columns is None else parse_columns([self.columns])
        return [TaskSet.load(path, mapping=mapping, seed=self.seed, encoding=self.encoding) for path in self.tasks]

    def _cut(self, model: Model) -> Model:
        if self.max_length is None:
            return model
        check_length(model.backbone, self.max_length, "--max-length")
        return replace(model, max_length=self.max_length)


def make(job: Job, left_out: Sequence[tuple[int, ...] | None]) -> tuple[list[TaskSet], tuple[Method, ...]]:
    """Return tasks, without what is left out of each, and methods: what a process of an evaluation begins with."""
    tasks = [replace(task, left_out=rows) for task, rows in zip(job.task_sets(), left_out, strict=True)]
    return tasks, job.methods(job.load())
