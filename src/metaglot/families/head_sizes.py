"""How large the heads of tasks are, before there is a batch of them: what an algorithm learns may be of that size."""

from collections.abc import Mapping, Sequence

from metaglot.choices import FAMILIES
from metaglot.families.choose import family_called
from metaglot.families.records import Schema
from metaglot.types import HeadSpec, TaskInfo


def specs_of_sets(task_infos: Sequence[TaskInfo], hidden_size: int) -> Mapping[str, HeadSpec]:
    """Return the shape of a head over all outputs of each data set whose tasks share none and have one of their own."""
    return {name: spec for name, spec in _every(task_infos, hidden_size).items() if not spec.shared}


def shared_specs(task_infos: Sequence[TaskInfo], hidden_size: int) -> Mapping[str, HeadSpec]:
    """Return the shape of each head that tasks share, by its name."""
    return {spec.shared: spec for spec in _every(task_infos, hidden_size).values() if spec.shared}


def _every(task_infos: Sequence[TaskInfo], hidden_size: int) -> dict[str, HeadSpec]:
    """Return the shape of a head of each data set that the learner's own head does not score."""
    sizes: dict[str, int] = {}
    kinds: dict[str, str] = {}
    for info in task_infos:
        if not FAMILIES.headless(info.family):
            sizes[info.dataset] = max(sizes.get(info.dataset, 0), max(info.classes) + 1)
            kinds[info.dataset] = info.family
    return {name: _spec(name, kinds[name], size, hidden_size) for name, size in sizes.items()}


def widths_of(task_infos: Sequence[TaskInfo], hidden_size: int) -> tuple[int, ...]:
    """Return the different widths of features that heads of the tasks read, ascending; one at least."""
    specs = _every(task_infos, hidden_size).values()
    return tuple(sorted({spec.inputs for spec in specs})) or (hidden_size,)


def _spec(dataset: str, kind: str, size: int, hidden_size: int) -> HeadSpec:
    if kind not in FAMILIES:  # a kind that only a test knows
        return HeadSpec(hidden_size, size)
    outputs = tuple(map(str, range(size)))
    task = TaskInfo(dataset, dataset, outputs, tuple(range(size)), kind)
    return family_called(kind).objective(Schema(outputs, (0,) * size), 0).head_spec(task, hidden_size)
