"""Files of sentences with spans through the commands: looked at, learnt from, predicted, edited and judged."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.data.test_span_files import FORMS, TEXTS, rows, write

from metaglot import Adapted, load
from metaglot.data.spans import Span
from metaglot.data.tokens import joined, tags_at
from metaglot.errors import MetaglotError
from metaglot.families.choose import family_of

NAMES = ["Ann", "Bo Lee", "Ida", "Eva", "Max", "Kim"]
TOWNS = ["Oslo", "Rome", "New York", "Bern", "Kyiv", "Lima"]
SENTENCES = [f"{name} is in {town} now" for name, town in zip(NAMES, TOWNS, strict=True)] + ["It rains", "We left"]
SPANS = [
    (Span(0, len(name), "PER"), Span(len(name) + 7, len(name) + 7 + len(town), "LOC"))
    for name, town in zip(NAMES, TOWNS, strict=True)
] + [(), ()]


def conll() -> str:
    sentences: list[str] = []
    for text, spans in zip(SENTENCES, SPANS, strict=True):
        tags = tags_at(spans, joined(text.split()).places)
        sentences.append("\n".join(map(" ".join, zip(text.split(), tags, strict=True))))
    return "\n\n".join(sentences)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write(tmp_path / "a.conll", conll())


def test_what_a_file_teaches_is_what_python_teaches(metaglot: Any, tiny: Any, file: Path, tmp_path: Path):
    said = metaglot("adapt", tiny, file, "--effort", "instant", "--keep-examples", "--out", tmp_path / "m")
    assert said.code == 0, said.err
    adapted = Adapted.load(tmp_path / "m")
    same = load(tiny).adapt(SENTENCES, SPANS, effort="instant")
    assert adapted.examples.targets == tuple(SPANS)
    assert adapted.predict(SENTENCES) == same.predict(SENTENCES)
    found = [json.loads(line) for line in metaglot("predict", tmp_path / "m", file, "--json").out.splitlines()]
    assert [one["text"] for one in found] == SENTENCES
    spans = [tuple(Span(s["start"], s["end"], s["label"]) for s in one["label"]) for one in found]
    assert spans == adapted.predict(SENTENCES)
    assert any(spans)
    edited = metaglot("edit", tmp_path / "m", "--add", file, "--out", tmp_path / "n")
    assert (edited.code, Adapted.load(tmp_path / "n").fit.count) == (0, 16), edited.err


def test_spans_of_python_are_told_from_several_labels():
    for spans in ((Span(0, 3, "PER"),), [(0, 3, "PER")], [{"start": 0, "end": 3, "label": "PER"}]):
        assert family_of([[], spans]).name == "tagging"
    for labels in (["a", "b", "c"], [0, 3, "PER"], {"PER"}, []):
        assert family_of([labels]).name == "multilabel"


def test_spans_of_python_lie_in_their_texts(tiny: Any):
    model = load(tiny)
    with pytest.raises(MetaglotError, match=r"label number 2, span number 1 goes from 0 to 30, and the text has 7"):
        model.adapt(["Ann left", "Bo left"], [[(0, 3, "PER")], [(0, 30, "PER")]])
    adapted = model.adapt(["Ann left", "Bo left"], [[(0, 3, "PER")], [(0, 2, "PER")]], effort="instant")
    with pytest.raises(MetaglotError, match=r"label number 1, span number 1 goes from 9 to 12"):
        adapted.score(["Ann left"], [[(9, 12, "PER")]])
    with pytest.raises(MetaglotError, match=r"label number 2, span number 1 goes from 0 to 30, and the text has 7"):
        adapted.relabelled({1: [(0, 30, "PER")]})


def test_whole_numbers_may_be_written_as_floats(metaglot: Any, tiny: Any, tmp_path: Path):
    spans = [[[0.0, 3.0, "PER"]], [{"start": 0, "end": 2.0, "label": "PER"}]]
    path = write(tmp_path / "a.jsonl", rows(text=["Ann left", "Bo left"], spans=spans))
    said = metaglot("adapt", tiny, path, "--effort", "instant", "--keep-examples", "--out", tmp_path / "m")
    assert said.code == 0, said.err
    adapted = Adapted.load(tmp_path / "m")
    assert adapted.examples.targets == ((Span(0, 3, "PER"),), (Span(0, 2, "PER"),))
    assert type(adapted.examples.targets[0][0].end) is int
    assert (
        load(tiny).adapt(["Ann left", "Bo left"], spans, effort="instant").examples.targets == adapted.examples.targets
    )


def test_spans_of_a_pair_lie_in_its_second_text(tiny: Any):
    texts, seconds = ["who", "who left"], ["Ann has left", "Bo left"]
    adapted = load(tiny).adapt(texts, [[(8, 12, "X")], [(0, 2, "PER")]], pairs=seconds, effort="instant")
    assert adapted.examples.targets[0] == (Span(8, 12, "X"),)
    with pytest.raises(MetaglotError, match=r"label number 2, span number 1 goes from 0 to 8, and the text has 7"):
        adapted.relabelled({1: [(0, 8, "PER")]})


@pytest.mark.parametrize("name", ["prodigy.jsonl", "studio.json", "spacy.jsonl", "lists.jsonl", "marks.txt"])
def test_forms_are_learnt_from(metaglot: Any, tiny: Any, tmp_path: Path, name: str):
    path = write(tmp_path / name, next(content for one, content, _ in FORMS if one == name))
    said = metaglot("adapt", tiny, path, "--task", "tagging", "--effort", "instant", "--out", tmp_path / "m")
    assert said.code == 0, said.err
    assert Adapted.load(tmp_path / "m").fit.count == len(TEXTS)


def test_predictions_of_tokens_stand_beside_their_text(metaglot: Any, tiny: Any, file: Path, tmp_path: Path):
    metaglot("adapt", tiny, file, "--effort", "instant", "--out", tmp_path / "m")
    tokens = write(tmp_path / "b.jsonl", rows(tokens=[text.split() for text in SENTENCES]))
    said = metaglot("predict", tmp_path / "m", tokens, "--out", tmp_path / "c.jsonl")
    assert said.code == 0, said.err
    found = [json.loads(line) for line in (tmp_path / "c.jsonl").read_text().splitlines()]
    assert [one["text"] for one in found] == SENTENCES
    assert found[0]["tokens"] == SENTENCES[0].split()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (rows(text=["Ann left"], spans=[[[0, 30, "PER"]]]), "a.jsonl, line 1: label, span number 1 goes from 0 to 30"),
        (rows(text=["Ann Lee"], spans=[[[0, 7, "P"], [4, 7, "L"]]]), "a.jsonl, line 1: label: the spans P 'Ann Lee'"),
        (rows(tokens=[["a", "b"]], tags=[["O"]]), "a.jsonl, line 1: 2 tokens and 1 tags"),
        (rows(text=TEXTS, spans=[[], [], []]), "no example has a span"),
        (
            rows(text=["Ann left"], spans=[[[0, 2.5, "P"]]]),
            "a.jsonl, line 1: label, span number 1: end is 2.5, not a place",
        ),
        (rows(text=TEXTS, spans=[[[0, 2, "P"]], None, []]), "a.jsonl: example number 2 has no label"),
    ],
)
def test_what_is_wrong_is_named(metaglot: Any, tiny: Any, tmp_path: Path, content: Any, words: str):
    path = write(tmp_path / "a.jsonl", content)
    said = metaglot("adapt", tiny, path, "--task", "tagging", "--effort", "instant", "--out", tmp_path / "m")
    assert (said.code, words in said.err) == (2, True), said.err
    assert not (tmp_path / "m").exists()


def test_empty_lists_of_spans_are_called_so_without_a_task(metaglot: Any, tiny: Any, tmp_path: Path):
    path = write(tmp_path / "a.jsonl", rows(text=TEXTS, spans=[[], [], []]))
    words = "no span was read from the column 'spans', which the task tagging learns; give examples with spans, such as"
    for command in (["adapt", "--out", tmp_path / "m"], ["evaluate", "--out", tmp_path / "r", "--efforts", "instant"]):
        said = metaglot(command[0], tiny, path, *command[1:])
        assert (said.code, words in said.err) == (2, True), said.err


def test_predictions_for_pairs_stand_beside_the_text_that_has_them(metaglot: Any, tiny: Any, tmp_path: Path):
    texts, seconds = ["who", "who left"], ["Ann has left", "Bo left"]
    content = rows(text=texts, text_pair=seconds, spans=[[[0, 3, "PER"]], [[0, 2, "PER"]]])
    path = write(tmp_path / "a.jsonl", content)
    assert metaglot("adapt", tiny, path, "--effort", "instant", "--out", tmp_path / "m").code == 0
    said = metaglot("predict", tmp_path / "m", path)
    assert [line.partition("\t")[2] for line in said.out.splitlines()] == seconds
    found = [json.loads(line) for line in metaglot("predict", tmp_path / "m", path, "--json").out.splitlines()]
    assert [(one["text"], one["text_pair"]) for one in found] == list(zip(texts, seconds, strict=True))


def test_a_recipe_trains_on_a_small_file_of_tokens(metaglot: Any, tiny: Any, file: Path, tmp_path: Path):
    recipe = write(
        tmp_path / "tags.yaml",
        f"""
model: {{name: "{tiny}", max_length: 32, precision: fp32}}
data: {{train: [{{path: "{file}", task: tagging, min_per_class: 2}}]}}
episodes: {{ways: [2, 2], shots: [1, 2], queries: 2}}
algorithm: {{name: protonet}}
training: {{steps: 1, meta_batch: 1, warmup: 0}}
""",
    )
    outcome = metaglot("pretrain", recipe, "--out", tmp_path / "run", "--quiet")
    assert outcome.code == 0, outcome.err
