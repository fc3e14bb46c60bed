"""The benchmark of answers: its sets, its floors, and forced answers beside those that are given."""

import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from benchmarks import answers
from benchmarks.answer_tasks import FORCED, TRAINED, Answers, is_aside, task_sets
from benchmarks.answers import NoAnswer, Sentence
from benchmarks.models import load

from metaglot.adaptation import Model
from metaglot.adaptation.shared_head import begun_from
from metaglot.config import load_recipe, packaged_recipes
from metaglot.data.answers import Answer
from metaglot.data.examples import Examples, Inputs
from metaglot.evaluation import read_results

PASSAGE = "Ann lives in Oslo. Bob has a red car! It rains."


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder of data with reviews, half of which have no answer, and articles of 40 titles."""
    given = [("Oslo", 13), ("", -1)]
    rows = [
        {"question": f"Where is {i}?", "context": PASSAGE, "answer": given[i % 2][0], "answer_start": given[i % 2][1]}
        for i in range(80)
    ]
    (tmp_path / "qa").mkdir()
    of_reviews = [{**row, "domain": "books", "split": "test" if i > 50 else "train"} for i, row in enumerate(rows)]
    of_articles = [{**row, "title": f"title {i // 2}", "lang": "en" if i % 4 else "de"} for i, row in enumerate(rows)]
    pq.write_table(pa.Table.from_pylist(of_reviews), tmp_path / "qa/subjqa.parquet")
    pq.write_table(pa.Table.from_pylist(of_articles), tmp_path / "qa/xquad.parquet")
    return tmp_path


def test_articles_to_learn_from_and_to_judge_by_are_neither_of_the_training(root: Path):
    (recipe,) = (one for one in load_recipe(packaged_recipes()["answers"]).data.train if one.path == "xquad.parquet")
    assert recipe.hashed == (0.0, TRAINED)
    (task,) = task_sets(root, ["xquad-en"])
    titles = task.table["domain"].to_pylist()
    assert all(map(is_aside, titles))
    assert set(task.table["lang"].to_pylist()) == {"en"}
    parts = dict(zip(titles, task.table["split"].to_pylist(), strict=True))
    assert set(parts.values()) == {"train", "test"}
    assert all(parts[title] == part for title, part in zip(titles, task.table["split"].to_pylist(), strict=True))


def test_settings_are_chosen_on_what_gives_examples_alone(root: Path):
    for name in ("xquad-en", "books"):
        (judged,), (choosing,) = task_sets(root, [name]), task_sets(root, [name], choosing=True)
        rows = [
            tuple(row) for row in zip(judged.table["text"].to_pylist(), judged.table["split"].to_pylist(), strict=True)
        ]
        assert choosing.table["text"].to_pylist() == [text for text, part in rows if part == "train"]
    (articles,) = task_sets(root, ["xquad-en"], choosing=True)
    titles: dict[str, set[str]] = {"train": set(), "test": set()}
    for title, part in zip(articles.table["domain"].to_pylist(), articles.table["split"].to_pylist(), strict=True):
        titles[part].add(title)
    assert all(titles.values())
    assert not titles["train"] & titles["test"]


def test_chinese_passages_give_examples_or_questions(root: Path):
    rows = [
        {
            "question": f"誰{i}？",
            "context": f"王明在台北{i // 2}號。",
            "answer": "王明",
            "answer_start": 0,
            "split": "dev",
        }
        for i in range(40)
    ]
    pq.write_table(pa.Table.from_pylist(rows), root / "qa/drcd.parquet")
    (task,) = task_sets(root, ["drcd"])
    parts: dict[str, set[str]] = {"train": set(), "test": set()}
    for part, passage in zip(task.table["split"].to_pylist(), task.table["text_pair"].to_pylist(), strict=True):
        parts[part].add(passage)
    assert (len(parts["train"] | parts["test"]), parts["train"] & parts["test"]) == (20, set())
    assert all(parts.values())


def test_the_floors_and_forced_answers_are_told(root: Path, tiny: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("METAGLOT_DATA", str(root))
    encoder, family = load(tiny).encoder, Answers()
    schema = family.schema([Answer()])
    size = encoder.problem(family, schema).head_spec.inputs
    rng = torch.Generator().manual_seed(0)
    head = {"head.weight": torch.randn(2, size, generator=rng), "head.bias": torch.zeros(2)}
    monkeypatch.setattr(answers, "load", lambda name: Model(begun_from(encoder, family, schema, head)))
    options = {"model": "run", "tasks": "books", "shots": 8, "draws": 1, "queries": 12, "efforts": "instant"}
    options |= {"best": "ours-instant", "out": root / "out", "multitask": "run", "finetune": "1e-5:1"}
    options |= {"multitask-efforts": "instant"}
    monkeypatch.setattr(sys, "argv", ["answers", *(part for k, v in options.items() for part in (f"--{k}", str(v)))])
    answers.main()
    results = {one.method: one for one in read_results(root / "out")}
    of_multitask = ["multitask, zero-shot", "multitask, 1 steps at 1e-05", "multitask, instant"]
    assert list(results) == ["no answer", "sentence", *of_multitask, "zero-shot", "ours-instant"]
    assert results["multitask, instant"].metrics == results["ours-instant"].metrics
    share = results["no answer"].score
    assert 0 < share < 1
    assert results["no answer"].metrics["answerable_f1"] == 0
    assert results["ours-instant"].metrics[FORCED.name] >= 0
    assert "`ours-instant` gains" in (root / "out/table.md").read_text()


def test_the_sentence_that_shares_most_words_is_a_floor():
    inputs, family = Inputs(("What has Bob?",), (PASSAGE,)), Answers()
    support = Examples(inputs, (Answer(),))
    (found,) = Sentence().fit(support, family, shot=1, seed=0).predict(inputs).targets
    assert (found.text, found.also) == ("Bob has a red car!", (found.text,))
    (none,) = NoAnswer().fit(support, family, shot=1, seed=0).predict(inputs).targets
    assert not none
    scored = family.score(Sentence().predict(inputs), [Answer("red car", 29, 36)])
    assert scored.metrics[FORCED.name] == scored.metrics["answerable_f1"] > 0
