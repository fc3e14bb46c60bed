"""A recipe makes questions of raw text: from its corpora to episodes of question-answering."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from metaglot.assembly import assemble
from metaglot.config import parse_recipe
from metaglot.data.answer_columns import ANSWERING
from metaglot.errors import MetaglotError

NAMES = ["Ann Lee", "Bo Day", "Ed Fox", "Kim Ray", "Max Orr", "Ida Poe"]
TASK = {"kind": "recurring-spans", "length": 60, "common": 0.5, "rare": 0.0, "unanswerable": 0.3}


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Any]:
    """Return a function (task, domains) -> what a recipe over 120 texts makes."""

    def make(domains: int = 2, texts: int = 120, **task: Any) -> Any:
        draw = random.Random(0)
        rows = [
            f"{name} came at {i}. It was late. Then {name} left the town by {i + 7}. All was well.,d{i % domains},{i}"
            for i in range(texts)
            for name in [draw.choice(NAMES)]
        ]
        (tmp_path / "notes.csv").write_text("\n".join(["text,domain,document", *rows]) + "\n", "utf-8")
        recipe = {
            "model": {"name": "builtin:tiny", "max_length": 48},
            "text": {"root": str(tmp_path), "corpora": ["notes.csv"], "min_chars": 10},
            "tasks": [{**TASK, **task}],
            "episodes": {"ways": [2, 2], "shots": [2, 4], "queries": 4},
            "algorithm": {"name": "joint"},
            "training": {"steps": 2, "meta_batch": 1, "warmup": 0},
        }
        return assemble(parse_recipe(recipe), lambda _: None)

    return make


def test_each_domain_is_a_task_of_questions(made: Callable[..., Any]):
    plan = made().plan
    assert {task.name for task in plan.train.tasks} == {"recurring-spans/d0", "recurring-spans/d1"}
    assert {task.family for task in plan.train.tasks} == {ANSWERING}
    answered = 0
    for n in range(6):
        episode = plan.train(0, n, {})
        assert episode.objective.name == ANSWERING
        for batch in (episode.support, episode.query):
            for ids, places, (first, last) in zip(batch["input_ids"], batch["places"], batch["answer"], strict=True):
                assert places[first] == 1 == places[last]
                if int(first):
                    answered += 1
                    inside = ids[first : last + 1].tolist()
                    passage = ids[places > 0].tolist()[1:]
                    starts = [at for at in range(len(passage)) if passage[at : at + len(inside)] == inside]
                    assert len(starts) == 1  # the hidden words stand in the passage once
        again = plan.train(0, n, {})
        assert all(np.array_equal(episode.query[name], again.query[name]) for name in episode.query)
    assert answered > 20


def test_few_domains_are_one_task_and_too_little_text_is_refused(made: Callable[..., Any]):
    (task,) = made(domains=120).plan.train.tasks
    assert task.name == "recurring-spans"
    with pytest.raises(MetaglotError, match=r"tasks\.0 \(recurring-spans\): the text has \d spans of words that recur"):
        made(texts=4)
    with pytest.raises(MetaglotError, match=r"recurring-spans.*longest"):
        made(longest=0)
