"""What the pages for users show beside `metaglot.load` refuses arguments of a wrong type, whatever they are.

Pieces that the pages for writers of algorithms show (learners, tasks, the training loop) are typed and check nothing.
"""

import csv
from pathlib import Path
from typing import Any

import pytest
from tests.adaptation.test_wrong_types import LABELS, TEXTS, WRONG, Call

from metaglot import MetaglotError
from metaglot.adaptation import Effort, Model, adapt_until, load_model
from metaglot.data.readers import read_table
from metaglot.evaluation import Plan, TaskSet, baselines, evaluate, evaluate_into, ours, read_results
from metaglot.report import markdown
from metaglot.sklearn import FewShotClassifier


def calls(model: Model, folder: Path) -> dict[str, Call]:
    """Functions beside `metaglot.load` and what it returns that the pages for users show."""
    examples = {"model": model, "texts": TEXTS * 2, "labels": LABELS * 2, "pairs": None}
    plan, tasks, methods = Plan([1], 1, 2, 0), [TaskSet.load(folder / "tasks.csv")], ours(model, ["instant"])
    table = folder / "tasks.csv"
    read = {"source": "", "mapping": "none", "encoding": "none"}
    judged = {"task_sets": tasks, "methods": methods, "plan": plan}
    return {
        "adapt_until": Call(
            adapt_until,
            {**examples, "goal": 0.1},
            {"model": "", "texts": "", "labels": "", "pairs": "none", "goal": "truth"}
            | {"cpu_seconds": "number, fraction", "seed": "number, truth", "names": "truth"},
        ),
        "Effort": Call(
            lambda **values: model.adapt(TEXTS, LABELS, effort=Effort(**values)),
            {"steps": 0},
            {"steps": "number", "lr": "number, fraction", "head_lr": "number, fraction", "batch_size": "number"}
            | {"freeze": "", "head": "", "names": "truth", "kept": "", "contrast": "number, fraction"},
        ),
        "FewShotClassifier": Call(
            lambda **values: FewShotClassifier(**values).fit(TEXTS, LABELS),
            {"model": "builtin:tiny", "effort": "instant"},
            {"model": "", "effort": "none", "names": "truth", "reads": "none", "random_state": "none, number, truth"},
        ),
        "load_model": Call(load_model, {"name": "builtin:tiny"}, {"name": ""}),
        "read_table": Call(read_table, {"source": table}, {**read, "more": ""}),
        "TaskSet.load": Call(TaskSet.load, {"source": table}, {**read, "name": "none, text", "seed": "number"}),
        "Plan": Call(
            lambda **values: list(evaluate(tasks, methods, Plan(**values))),
            plan._asdict(),
            {"shots": "", "draws": "number", "queries": "number", "seed": "number", "limits": ""},
        ),
        "ours": Call(ours, {"model": model, "efforts": ["instant"]}, {"model": "", "efforts": ""}),
        "baselines": Call(
            baselines, {"names": ["tfidf"], "backbone": model}, {"names": "", "backbone": "", "multitask": "none"}
        ),
        "evaluate": Call(
            lambda **given: list(evaluate(**given)), judged, {"task_sets": "", "methods": "", "plan": "", "done": "set"}
        ),
        "evaluate_into": Call(
            lambda **given: list(evaluate_into(**given)),
            {"out": folder / "results", **judged},
            {
                "out": "",
                "task_sets": "",
                "methods": "",
                "plan": "",
                "force": "truth",
                "workers": "none",
                "extra": "mapping",
            },
        ),
        "read_results": Call(read_results, {"path": folder / "results"}, {"path": ""}),
        "markdown": Call(
            markdown,
            {"results": list(evaluate(tasks, methods, plan))},
            {"results": "", "leave_out": "", "reference": "none, text"},
        ),
    }


@pytest.fixture(scope="module")
def every(tiny: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Call]:
    folder = tmp_path_factory.mktemp("documented")
    with (folder / "tasks.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["text", "label"], *zip(TEXTS * 3, LABELS * 3, strict=True)])
    found = calls(load_model(tiny), folder)
    found["evaluate_into"].of(**found["evaluate_into"].given)
    return found


def test_what_is_rightly_given_is_taken(every: dict[str, Call]):
    for call in every.values():
        call.of(**call.given)


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_type_is_refused_with_the_argument_and_what_came(every: dict[str, Call], wrong: str):
    tried, taken = 0, []
    for name, call in every.items():
        for argument, takes in call.takes.items():
            if wrong in takes.split(", "):
                continue
            tried += 1
            try:
                call.of(**{**call.given, argument: WRONG[wrong]()})
                taken.append(f"{name}({argument}={wrong})")
            except MetaglotError as error:
                taken += [f"{name}({argument}={wrong}) says too much"] if len(str(error)) > 600 else []
            except Exception as error:
                taken.append(f"{name}({argument}={wrong}): {type(error).__name__}")
    assert not taken
    assert tried > 30


@pytest.mark.parametrize(
    ("name", "wrong", "message"),
    [
        ("adapt_until", {"goal": "90 %"}, r"goal: expected a number from 0 to 1, got '90 %' \(str\)"),
        ("adapt_until", {"goal": 90}, "goal: expected a number from 0 to 1, got 90"),
        ("Effort", {"steps": -1}, "effort.steps: expected a whole number of at least 0, got -1"),
        ("Effort", {"steps": 1, "freeze": "embeddings"}, "effort.freeze: expected a list of names, or parts of names"),
        ("Effort", {"head": "mine"}, "effort.head: expected one of prototypes, blend, own, words, got 'mine'"),
        ("Plan", {"shots": 3}, r"plan.shots: expected a list of numbers, got 3 \(int\)"),
        ("Plan", {"draws": 0}, "must each be 1 or more; got draws 0"),
        ("baselines", {"names": "tfidf"}, "names: expected a list of names among prior, tfidf, .*, got 'tfidf'"),
        ("evaluate", {"methods": ["tfidf"]}, r"methods\[0\]: expected methods, as ours.* return them, got 'tfidf'"),
        ("read_table", {"mapping": {"text": 1}}, "mapping, the column for 'text': expected one string, got 1"),
    ],
)
def test_the_message(every: dict[str, Call], name: str, wrong: dict[str, Any], message: str):
    call = every[name]
    with pytest.raises(MetaglotError, match=message):
        call.of(**{**call.given, **wrong})
