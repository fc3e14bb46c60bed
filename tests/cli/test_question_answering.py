"""Questions with passages and answers through the commands and from Python: trained, adapted, asked, edited, judged."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

import metaglot as mg
from metaglot.adaptation.effort import EFFORTS
from metaglot.errors import MetaglotError
from metaglot.families.question_answering import SHARP

NAMES = ["Ann", "Bob", "Ida", "Eva", "Max", "Kim", "Leo", "Zoe"]
TOWNS = ["Oslo", "Rome", "Bern", "Kyiv", "Lima", "Cairo", "Paris", "Delhi"]
PASSAGES = [f"{name} lives in {town} now" for name in NAMES for town in TOWNS]
QUESTIONS = [f"Where does {name} live?" if i % 4 else f"What is {name} eating?" for name in NAMES for i in range(8)]
ANSWERS = [
    mg.Answer(town, passage.index(town), passage.index(town) + len(town)) if i % 8 % 4 else mg.Answer()
    for i, (passage, town) in enumerate(zip(PASSAGES, TOWNS * 8, strict=True))
]
RECIPE = """
name: toy
threads: 1
model: {{name: "builtin:tiny", max_length: 48}}
data: {{train: [{{path: "{file}", task: question-answering, min_per_class: 2}}]}}
episodes: {{shots: [8, 8], queries: 8}}
algorithm: {{name: {algorithm}, options: {{steps: 2, dropout: false}}}}
training: {{steps: {steps}, meta_batch: 1, lr: 2e-3, head_lr: 1e-2, warmup: 2, save_every: 40}}
"""


def write(path: Path, count: int = 64) -> Path:
    rows = [
        {"question": question, "context": passage, "answer": answer.text, "answer_start": answer.start}
        for question, passage, answer in zip(QUESTIONS[:count], PASSAGES, ANSWERS, strict=False)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def run(metaglot: Any, tiny: Any, tmp_path_factory: Any) -> Path:
    """A run that has learnt a head of answers."""
    folder = tmp_path_factory.mktemp("answers")
    write(folder / "train.jsonl")
    (folder / "toy.yaml").write_text(RECIPE.format(file=folder / "train.jsonl", algorithm="joint", steps=40))
    said = metaglot("pretrain", folder / "toy.yaml", "--out", folder / "run")
    assert said.code == 0, said.err
    return folder / "run"


def test_a_run_that_begins_from_another_goes_on_from_its_head_and_adapts_as_trained(
    metaglot: Any, run: Path, tmp_path: Path
):
    write(tmp_path / "train.jsonl")
    recipe = RECIPE.format(file=tmp_path / "train.jsonl", algorithm="fomaml", steps=1).replace("builtin:tiny", str(run))
    (tmp_path / "toy.yaml").write_text(recipe)
    said = metaglot("pretrain", tmp_path / "toy.yaml", "training.head_lr=1e-9", "--out", tmp_path / "next")
    assert said.code == 0, said.err
    before, after = (mg.load(str(one)).encoder.meta for one in (run, tmp_path / "next"))
    for part in ("weight", "bias"):
        learnt = before[f"shared.question-answering.{part}"]
        assert learnt.any()
        torch.testing.assert_close(after[f"shared.question-answering.{part}"], learnt, rtol=0, atol=1e-6)
    pairs = mg.Pairs(QUESTIONS[:16], PASSAGES[:16])
    reader = mg.load(str(tmp_path / "next")).adapt(pairs, ANSWERS[:16], effort="as-trained")
    reader.save(tmp_path / "reader")
    assert {name.split(".")[0] for name in reader.fit.params} == {"body", "head"}  # it took the algorithm's steps
    assert mg.load(str(tmp_path / "reader")).predict(pairs) == reader.predict(pairs)


def test_what_was_learnt_answers_without_examples_and_examples_never_start_from_nothing(
    metaglot: Any, run: Path, tmp_path: Path
):
    model = mg.load(str(run))
    assert model.encoder.meta["shared.question-answering.weight"].any()
    reader = model.zero_shot(task="question-answering")
    pairs = mg.Pairs(QUESTIONS, PASSAGES)
    before = reader.score(pairs, ANSWERS)
    assert before["answer_f1"] > 0.6  # what it was trained on: all of it is wired up
    found = reader.predict(pairs)
    assert all(
        answer.text == passage[answer.start : answer.end]
        for answer, passage in zip(found, PASSAGES, strict=True)
        if answer
    )
    assert all(0 < answer.probability <= 1 for answer in found)
    assert reader.predict((QUESTIONS[1], PASSAGES[1])) == reader.predict(QUESTIONS[1], PASSAGES[1]) == found[1]
    for effort in ("instant", "fast"):
        adapted = model.adapt(mg.Pairs(QUESTIONS[:16], PASSAGES[:16]), ANSWERS[:16], effort=effort)
        assert adapted.score(pairs, ANSWERS)["answer_f1"] > before["answer_f1"] - 0.05
        assert adapted.effort.lr == EFFORTS[effort].lr / 10
        adapted.save(tmp_path / effort)
        back, sharp = mg.load(str(tmp_path / effort)), float(adapted.fit.params[SHARP])
        assert (float(back.fit.params[SHARP]), back.predict(pairs)) == (sharp, adapted.predict(pairs))
    grown = reader.add_examples(mg.Pairs(QUESTIONS[:16], PASSAGES[:16]), ANSWERS[:16])
    assert grown.fit.count == 16
    said = metaglot("adapt", run, "--task", "question-answering", "--out", tmp_path / "m")
    assert (said.code, "no examples" in said.out) == (0, True), said.err
    back = mg.load(str(tmp_path / "m"))
    assert back.predict(pairs) == found
    assert back.add_examples(mg.Pairs(QUESTIONS[:16], PASSAGES[:16]), ANSWERS[:16]).predict(pairs) == grown.predict(
        pairs
    )


def test_a_file_is_learnt_asked_and_edited(metaglot: Any, run: Path, tmp_path: Path):
    file = write(tmp_path / "a.jsonl", 16)
    asked = ("--effort", "instant", "--keep-examples", "--out", tmp_path / "m")
    said = metaglot("adapt", run, file, "--task", "question-answering", *asked)
    assert said.code == 0, said.err
    assert "(with the columns question and context)" in said.out
    adapted = mg.load(str(tmp_path / "m"))
    same = mg.load(str(run)).adapt(mg.Pairs(QUESTIONS[:16], PASSAGES[:16]), ANSWERS[:16], effort="instant")
    assert adapted.examples.targets == tuple(ANSWERS[:16])
    told = metaglot("predict", tmp_path / "m", file, "--json")
    assert told.code == 0, told.err
    rows = [json.loads(line)["label"] for line in told.out.splitlines()]
    expected = same.predict(mg.Pairs(QUESTIONS[:16], PASSAGES[:16]))
    assert [(row["text"], row["start"]) for row in rows] == [(one.text, one.start) for one in expected]
    edited = metaglot("edit", tmp_path / "m", "--add", file, "--remove", "1", "--out", tmp_path / "n")
    assert edited.code == 0, edited.err
    assert mg.load(str(tmp_path / "n")).fit.count == 31


def test_it_is_judged_beside_a_constant_and_fine_tuning(metaglot: Any, run: Path, tmp_path: Path):
    file = write(tmp_path / "a.jsonl", 40)
    asked = ("--task", "question-answering", "--shots", "8", "--draws", "1", "--against", "prior,finetune")
    said = metaglot("evaluate", run, file, *asked, "--efforts", "instant", "--out", tmp_path / "r")
    assert said.code == 0, said.err
    rows = [json.loads(line) for line in (tmp_path / "r" / "results.jsonl").read_text().splitlines()]
    score = {row["method"]: row["metrics"]["answer_f1"] for row in rows}
    assert score["ours-instant"] > score["prior"]
    assert len(score) == 3


def test_questions_alone_and_models_without_a_head_are_told(tiny: Any, run: Path):
    with pytest.raises(MetaglotError, match=r"cannot begin without examples: .*recipes/answers.yaml"):
        mg.load(tiny).zero_shot(task="question-answering")
    with pytest.raises(MetaglotError, match="not known before there are examples"):
        mg.load(tiny).zero_shot(task="tagging")
    with pytest.warns(UserWarning, match="has learnt no head of answers"):
        mg.load(tiny).adapt(mg.Pairs(QUESTIONS[:4], PASSAGES[:4]), ANSWERS[:4], effort="instant")
    reader = mg.load(str(run)).zero_shot(task="question-answering")
    with pytest.raises(MetaglotError, match="no passages were given"):
        reader.predict(["Where is Ann?"])
