"""Tasks of answers: articles of a language, reviews of a domain, and Chinese passages, none of which a run has seen."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from metaglot.data.answers import Answer
from metaglot.data.readers import read_table
from metaglot.evaluation import TaskSet
from metaglot.evaluation.kinds import draws_by
from metaglot.families.answer_scores import ANSWERABLE_F1, scored_answers
from metaglot.families.question_answering import AnswerFamily
from metaglot.families.records import Predictions
from metaglot.families.scoring import Scored
from metaglot.metric import share
from metaglot.seeds import fold

FORCED = share(
    "forced_f1", "forced F1", meaning="answer F1 of questions that have an answer, where one is always given"
)
TRAINED = 0.6  # share of the articles that recipes/answers.yaml trains on, in `hashed`


@dataclass(frozen=True)
class Answers(AnswerFamily):
    """The kind of task, whose scores also tell of forced answers: a prediction has its forced answer in `also`."""

    def score(self, predicted: Predictions, truth: Sequence[Answer]) -> Scored:
        """Return the scores."""
        found = super().score(predicted, truth)
        rows = [(Answer(one.also[0]), real) for one, real in zip(predicted.targets, truth, strict=True) if real]
        if not rows:
            return found
        forced = scored_answers(*zip(*rows, strict=True)).metrics[ANSWERABLE_F1.name]
        return found._replace(metrics={**found.metrics, FORCED.name: forced}, measures=(*found.measures, FORCED))


def task_sets(root: Path, names: Sequence[str], *, choosing: bool = False) -> list[TaskSet]:
    """Return the tasks of these names: xquad-LANGUAGE, drcd, or a domain of subjqa.

    To choose settings on, they have the part alone that gives examples: some of its articles, or some of its passages
    where it has no articles, are for the questions.
    """
    tasks = [_task_set(root, name) for name in names]
    return [to_choose_on(task) for task in tasks] if choosing else tasks


def to_choose_on(task: TaskSet) -> TaskSet:
    """Return the part of a task that gives examples, in halves; no question that is judged is in it."""
    table = task.table.filter(pa.array([split == "train" for split in task.table["split"].to_pylist()]))
    column = "domain" if len(set(table["domain"].to_pylist())) > 1 else "text_pair"
    halves = _halved(table.drop_columns(["split"]), column, lambda value: fold(0, "choose", value) % 2 == 0)
    return _task(f"{task.name} (choosing)", halves)


def _task_set(root: Path, name: str) -> TaskSet:
    if name.startswith("xquad-"):
        return _articles(root, name.removeprefix("xquad-"))
    return _chinese(root) if name == "drcd" else _reviews(root, name)


def _articles(root: Path, language: str) -> TaskSet:
    """Return the articles of a language, half of whose titles are for examples and half for questions to judge."""
    table = read_table(root / "qa" / "xquad.parquet", cells="answers")
    titles = sorted(filter(is_aside, set(table["domain"].to_pylist())), key=lambda title: fold(0, "title", title))
    rows = zip(table["lang"].to_pylist(), table["domain"].to_pylist(), strict=True)
    table = table.filter(pa.array([lang == language and title in titles for lang, title in rows]))
    test = set(titles[::2])
    return _task(f"xquad-{language}", _halved(table, "domain", test.__contains__))


def _chinese(root: Path) -> TaskSet:
    """Return drcd, half of whose passages are for examples and half for questions to judge."""
    table = read_table(root / "qa" / "drcd.parquet", cells="answers").drop_columns(["split"])
    return _task("drcd", _halved(table, "text_pair", lambda passage: fold(0, "passage", passage) % 2 == 0))


def _halved(table: pa.Table, column: str, judged: Callable[[str], bool]) -> pa.Table:
    split = ["test" if judged(value) else "train" for value in table[column].to_pylist()]
    return table.append_column("split", pa.array(split))


def is_aside(title: str) -> bool:
    """Whether an article is kept aside by `hashed` of the recipe."""
    return fold(0, "group", title) / 2**63 >= TRAINED


def _reviews(root: Path, domain: str) -> TaskSet:
    table = read_table(root / "qa" / "subjqa.parquet", cells="answers")
    return _task(domain, table.filter(pa.array([one == domain for one in table["domain"].to_pylist()])))


def _task(name: str, table: pa.Table) -> TaskSet:
    return TaskSet(name, table, draws_by(table, Answers()), family=Answers())
