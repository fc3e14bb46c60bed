"""Files of texts with candidates through the commands, from a look at them to a recipe that trains on replies."""

import json
from pathlib import Path
from typing import Any

import pytest

from metaglot import Adapted, Candidates, Choice, load

THINGS = ["table", "taxi", "room", "film", "song", "bus", "boat", "lamp"]
TEXTS = [f"I want a {thing}" for thing in THINGS]
LISTS = [[f"Which {thing}?", "No."][:: 1 if i % 2 else -1] for i, thing in enumerate(THINGS)]
RIGHT = [(i + 1) % 2 for i in range(8)]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = [
        {"question": text, "choices": {"text": own, "label": ["A", "B"]}, "answerKey": "AB"[right]}
        for text, own, right in zip(TEXTS, LISTS, RIGHT, strict=True)
    ]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    return path


def test_what_a_file_teaches_is_what_python_teaches(metaglot: Any, tiny: Any, file: Path, tmp_path: Path):
    out = ("--effort", "instant", "--keep-examples", "--out", tmp_path / "m")
    said = metaglot("adapt", tiny, file, "--task", "choice", *out)
    assert said.code == 0, said.err
    assert "(with the columns text and candidates)" in said.out
    adapted, asked = Adapted.load(tmp_path / "m"), Candidates(TEXTS, LISTS)
    same = load(tiny).adapt(asked, RIGHT, effort="instant")
    assert adapted.examples.targets == tuple(map(Choice, RIGHT))
    assert adapted.predict(asked) == same.predict(asked)
    assert adapted.predict(Candidates([], [])) == []
    found = [json.loads(line) for line in metaglot("predict", tmp_path / "m", file, "--json").out.splitlines()]
    assert [one["text"] for one in found] == TEXTS
    assert [one["label"]["number"] for one in found] == [choice.number for choice in adapted.predict(asked)]
    assert all(sum(one["label"]["probabilities"]) == pytest.approx(1, abs=1e-5) for one in found)
    lines = metaglot("predict", tmp_path / "m", file).out.splitlines()
    assert [line.partition("\t")[2] for line in lines] == TEXTS
    assert lines[0].startswith(found[0]["label"]["text"])
    said = metaglot("predict", tmp_path / "m", file, "--out", tmp_path / "p.jsonl")
    assert said.code == 0, said.err
    first = json.loads((tmp_path / "p.jsonl").read_text().splitlines()[0])
    assert (first["question"], first["label"]) == (TEXTS[0], found[0]["label"])
    edited = metaglot("edit", tmp_path / "m", "--add", file, "--out", tmp_path / "n")
    assert (edited.code, Adapted.load(tmp_path / "n").fit.count) == (0, 16), edited.err


def test_texts_and_candidates_that_are_not_read_to_their_end_are_told(metaglot: Any, tiny: Any, tmp_path: Path):
    long = "word " * 300
    rows = [{"question": "q", "options": ["a", "b"]}, {"question": long, "options": ["a", "b"]}]
    rows += [{"question": "r", "options": ["a", long]}, {"question": "s", "options": ["c", "b"]}]
    path = tmp_path / "long.jsonl"
    path.write_text("".join(json.dumps({**row, "answer": i % 2}) + "\n" for i, row in enumerate(rows)))
    options = ("--task", "choice", "--effort", "instant", "--out", tmp_path / "m")
    assert "2 of 4 texts are longer than" in metaglot("adapt", tiny, path, *options).err
    assert "2 of 4 texts are longer than" in metaglot("predict", tmp_path / "m", path).err


def test_a_file_is_looked_at_and_judged(metaglot: Any, tiny: Any, file: Path, tmp_path: Path):
    said = metaglot("data", "inspect", file, "--task", "choice", "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["targets"] == {"n": 8, "different": 2, "missing": 0}
    said = metaglot("data", "inspect", file, "--task", "choice", "--against", file, "--json")
    assert json.loads(said.out)["overlaps"][0]["rows"] == 8, said.err
    options = ("--shots", "3", "--draws", "1", "--queries", "4")
    against = ("--against", "prior,tfidf,frozen-proto,frozen-instant,finetune")
    said = metaglot("evaluate", tiny, file, "--task", "choice", *options, *against, "--out", tmp_path / "r")
    assert said.code == 0, said.err
    results = [json.loads(line) for line in (tmp_path / "r/results.jsonl").read_text().splitlines()]
    floors = {"prior", "tfidf", "frozen-proto", "frozen-instant", "finetune"}
    assert {one["method"] for one in results} == {"ours-instant", *floors}
    (chance,) = [one["metrics"] for one in results if one["method"] == "prior"]
    assert (chance["accuracy"], chance["mrr"]) == (0.5, 0.75)
    assert all(set(one["metrics"]) == {"accuracy", "mrr", "recall5", "ndcg", "ece"} for one in results)
    assert "MRR" in (tmp_path / "r/report.html").read_text()


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"question": "q", "choices": ["a", "b"], "answerKey": "C"}, "a.jsonl, line 9: label is 'C', which is no"),
        ({"question": "q", "choices": [], "answerKey": "A"}, "a.jsonl, line 9: the candidates are an empty list"),
        ({"question": "q", "choices": ["a", "b"], "answerKey": None}, "example number 9 has no label"),
    ],
)
def test_what_is_wrong_is_named(metaglot: Any, tiny: Any, file: Path, tmp_path: Path, row: Any, words: str):
    file.write_text(file.read_text() + "\n" + json.dumps(row))
    said = metaglot("adapt", tiny, file, "--task", "choice", "--out", tmp_path / "m")
    assert (said.code, words in said.err) == (2, True), said.err
    assert not (tmp_path / "m").exists()


def test_texts_without_candidates_are_refused(metaglot: Any, tiny: Any, file: Path, tmp_path: Path):
    assert metaglot("adapt", tiny, file, "--task", "choice", "--effort", "instant", "--out", tmp_path / "m").code == 0
    said = metaglot("predict", tmp_path / "m", "--text", "hello")
    assert (said.code, "texts came without candidates to choose from" in said.err) == (2, True), said.err


def test_a_newcomer_is_told_the_kind_and_what_has_no_use(metaglot: Any, tiny: Any, file: Path, tmp_path: Path):
    said = metaglot("data", "inspect", file)
    assert (said.code, "Texts with candidates are read with --task choice." in said.err) == (2, True), said.err
    for part in ("first", "second", "apart"):
        said = metaglot("adapt", tiny, file, "--task", "choice", "--reads", part, "--out", tmp_path / "m")
        assert said.code == 2, said.out
        assert f"reads='{part}' is not for a task of choice" in said.err
        assert "leave reads out" in said.err


def test_predictions_are_examples_again(metaglot: Any, tiny: Any, file: Path, tmp_path: Path):
    assert metaglot("adapt", tiny, file, "--task", "choice", "--effort", "instant", "--out", tmp_path / "m").code == 0
    for name in ("p.csv", "p.jsonl"):
        assert metaglot("predict", tmp_path / "m", file, "--out", tmp_path / name).code == 0
        again = ("--task", "choice", "--columns", "label=label", "--effort", "instant", "--keep-examples")
        said = metaglot("adapt", tiny, tmp_path / name, *again, "--out", tmp_path / f"{name}.m")
        assert said.code == 0, said.err
        asked = Candidates(TEXTS, LISTS)
        found = Adapted.load(tmp_path / "m").predict(asked)
        assert Adapted.load(tmp_path / f"{name}.m").examples.targets == tuple(found)


def test_a_recipe_draws_candidates_for_right_replies(metaglot: Any, tiny: Any, tmp_path: Path):
    replies = tmp_path / "replies.csv"
    both = enumerate(zip(TEXTS, THINGS, strict=True))
    rows = [f"{text},Which {thing}?,{'left' if i % 2 else 'right'}" for i, (text, thing) in both]
    replies.write_text("\n".join(["text,label,domain", *rows]))
    recipe = tmp_path / "choice.yaml"
    recipe.write_text(
        f"""
model: {{name: "{tiny}", max_length: 16, precision: fp32}}
data: {{train: [{{path: "{replies}", task: choice, candidates: 3, group_by: [domain], min_per_class: 2}}]}}
episodes: {{ways: [2, 2], shots: [2, 2], queries: 2}}
algorithm: {{name: fomaml, options: {{steps: 1}}}}
training: {{steps: 2, meta_batch: 1, warmup: 0}}
"""
    )
    outcome = metaglot("pretrain", recipe, "--out", tmp_path / "run", "--quiet")
    assert outcome.code == 0, outcome.err
    adapted = load(tmp_path / "run").adapt(Candidates(TEXTS, LISTS), RIGHT, effort="as-trained")
    assert sum(adapted.predict(Candidates(TEXTS[:1], LISTS[:1]))[0].probabilities) == pytest.approx(1)
    recipe.write_text(recipe.read_text().replace("task: choice", "task: multilabel"))
    wrong = metaglot("pretrain", recipe, "--out", tmp_path / "other", "--quiet")
    assert (wrong.code, "candidates: expected two or more, and task: choice" in wrong.err) == (2, True), wrong.err
