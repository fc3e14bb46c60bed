"""Tagging: words as units, their features and tags, and spans with scores as those of seqeval."""

import random

import numpy as np
import pytest
import torch

from metaglot.data.examples import Inputs
from metaglot.data.spans import Span, Spans
from metaglot.data.tags import chunks_of
from metaglot.data.tokens import joined, spans_at
from metaglot.data.windows import Window, windows
from metaglot.errors import MetaglotError
from metaglot.families.batches import concatenate
from metaglot.families.records import Places, Predictions
from metaglot.families.span_scores import scored_spans
from metaglot.families.tag_words import LOOKS, UNJUDGED, WordTools, looks
from metaglot.families.tagging import Tagging, spans_in, word_features
from metaglot.families.tagging_family import TaggingFamily
from metaglot.models import load_backbone
from metaglot.seeds import torch_generator
from metaglot.types import Outputs, TaskInfo

FAMILY = TaggingFamily()
TEXT = "Ann Lee, of Oslo-Nord, met NASA's 2 unhappinesses; 東京 too."
SPANS = (Span(0, 7, "PER"), Span(12, 21, "LOC"), Span(27, 31, "ORG"))
SCHEMA = FAMILY.schema([SPANS])


@pytest.fixture(scope="module")
def tokenizer():
    return load_backbone("builtin:tiny").tokenizer


def cut(tokenizer, text: str, length: int = 128) -> list[Window]:
    return windows(tokenizer, Inputs((text,)), max_length=length)


def test_words_have_their_tags_and_tokens(tokenizer):
    (window,) = cut(tokenizer, TEXT)
    row, tools = FAMILY.tokens.row(SPANS, SCHEMA, window), FAMILY.tokens
    names = FAMILY.columns(SCHEMA)
    tagged = {TEXT[a:b]: names[tag] for (a, b), tag in zip(tools.places(window), row["tags"], strict=True)}
    assert (tagged["Ann"], tagged["Lee"]) == ("B-PER", "I-PER")
    assert [tagged[word] for word in ("Oslo", "Nord", "NASA", "met", "東")] == ["B-LOC", "I-LOC", "B-ORG", "O", "O"]
    assert names == ("O", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-PER", "I-PER")
    for (start, end), (first, last) in zip(tools.places(window), row["words"], strict=True):
        assert last > first
        assert (window.start[first], window.end[last - 1]) == (start, end)


@pytest.mark.parametrize("length", [12, 20, 128])
def test_every_word_is_judged_once_however_long_the_text(tokenizer, length):
    text = " ".join([TEXT, TEXT.lower(), TEXT])
    parts = cut(tokenizer, text, length)
    assert len(parts) > 1 or length == 128
    places = np.concatenate([FAMILY.tokens.places(part) for part in parts])
    assert len(np.unique(places, axis=0)) == len(places)
    assert places.tolist() == sorted(places.tolist())
    assert "".join(text[a:b] for a, b in places) == text.replace(" ", "")
    rows = [FAMILY.tokens.row(SPANS, SCHEMA, part) for part in parts]
    judged = np.concatenate([row["tags"][row["tags"] != UNJUDGED] for row in rows])
    assert len(judged) == len(places)
    assert (judged[: len(SPANS)] > 0).any()
    if length == 12:  # a window sees words that another one answers for
        assert any((row["tags"] == UNJUDGED).any() for row in rows)


def test_a_span_within_a_word_is_of_the_word_and_labels_that_are_not_asked_for_are_outside(tokenizer):
    (window,) = cut(tokenizer, "unhappiness grows")
    assert WordTools().row((Span(2, 5, "LOC"),), SCHEMA, window)["tags"].tolist() == [1, 0]
    assert WordTools().row((Span(2, 5, "XYZ"),), SCHEMA, window)["tags"].tolist() == [0, 0]
    assert WordTools().row(None, SCHEMA, window)["tags"].tolist() == [0, 0]
    both = (Span(0, 2, "LOC"), Span(2, 5, "PER"))
    assert WordTools().row(both, SCHEMA, window)["tags"].tolist() == [1, 0]


def test_the_look_of_words():
    rows = looks("Ann saw NASA , 42 iPhones", np.array([[0, 3], [4, 7], [8, 12], [13, 14], [15, 17], [18, 25]]))
    assert rows.shape == (6, LOOKS)
    capital, capitals, small, digit, number, sign, first, last, short, long, inner, mixed = rows.T.astype(bool).tolist()
    assert capital == [True, False, False, False, False, False]
    assert capitals == [False, False, True, False, False, False]
    assert small == [False, True, False, False, False, False]
    assert digit == number == [False] * 4 + [True, False]
    assert sign == [False] * 3 + [True, False, False]
    assert (first[0], last[5], sum(first), sum(last)) == (True, True, 1, 1)
    assert short == [True, True, False, True, True, False]
    assert long == [False] * 6
    assert inner == [False, False, True, False, False, False]
    assert mixed == [False] * 5 + [True]


def test_features_are_words_with_their_neighbours():
    rng = torch_generator(0, "hidden")
    hidden = torch.randn(1, 4, 3, generator=rng, dtype=torch.float64)
    hidden[0, 3] = float("nan")  # padding
    mask = torch.tensor([[1, 1, 1, 0]])
    words, every = torch.tensor([[[0, 2], [2, 3], [0, 0]]]), torch.zeros(1, 3, LOOKS)
    every[0, 1, 4] = 1
    batch = {"words": words, "looks": every, "tags": torch.tensor([[1, 0, UNJUDGED]])}
    found = word_features(Outputs(hidden, hidden[:, 0], mask), batch)[0]
    one, two = (hidden[0, :2].mean(0), hidden[0, 2])
    one, two, none = one / one.norm(), two / two.norm(), torch.zeros(3).double()
    look = torch.zeros(LOOKS).double()
    assert torch.allclose(found[0], torch.cat([one, none, two / 2, look]))
    look[4] = 3**-0.5
    assert torch.allclose(found[1], torch.cat([two, one / 2, none, look]))
    assert torch.isfinite(found).all()


def test_a_batch_is_scored_by_what_is_judged():
    objective = Tagging()
    rows = [
        {
            "input_ids": [5] * n,
            "words": np.zeros((n, 2)),
            "looks": np.zeros((n, LOOKS)),
            "tags": tags,
            "others": [0] * n,
        }
        for n, tags in ((3, [1, 2, 0]), (4, [UNJUDGED, 0, 3, 1]), (0, []))
    ]
    rows[2]["input_ids"] = [5]
    batch = objective.collate(rows)
    assert batch["tags"].tolist() == [[1, 2, 0, -100], [-100, 0, 3, 1], [-100] * 4]
    assert objective.judged(batch) == 6
    perfect = torch.nn.functional.one_hot(batch["tags"].clamp(min=0), 5).double() * 9
    assert objective.metrics(perfect, batch)["span_f1"] == 1.0
    wrong = perfect.clone()
    wrong[1, 3] = perfect[0, 2]  # one of three spans is missed
    assert objective.metrics(wrong, batch)["span_f1"] == pytest.approx(2 * 2 / 5)
    assert objective.metrics(perfect.zero_(), batch)["loss"] == pytest.approx(np.log(5))
    of_set = objective.of_data_set(batch, TaskInfo("t", "t", ("x", "y"), (2, 0)))
    assert of_set["tags"].tolist() == [[5, 6, 0, -100], [-100, 0, 1, 5], [-100] * 4]
    wide = concatenate(batch, objective.collate(rows[:1]))
    assert objective.judged(wide) == 9
    assert float(objective.loss(torch.zeros(1, 1, 5), objective.collate(rows[2:]))) == 0.0


def test_words_of_a_label_that_a_task_leaves_out_are_not_judged_in_the_whole_set(tokenizer):
    (window,) = cut(tokenizer, "Ann is in Oslo")
    spans = (Span(0, 3, "PER"), Span(10, 14, "LOC"))
    row = WordTools().row(spans, FAMILY.schema([spans[1:]]), window)
    assert (row["tags"].tolist(), row["others"].tolist()) == ([0, 0, 0, 1], [True, False, False, False])
    batch = Tagging().collate([{**window.tokens, **row}])
    assert Tagging().judged(batch) == 4
    of_set = Tagging().of_data_set(batch, TaskInfo("t", "t", ("LOC",), (2,)))
    assert of_set["tags"].tolist() == [[UNJUDGED, 0, 0, 5]]


def test_tags_that_cannot_be_are_spans_all_the_same():
    assert spans_in(torch.tensor([[2, 2, 4, 0, 1, 2, 1, 3]])) == {
        *((0, 0, 2, 0), (0, 2, 3, 1), (0, 4, 6, 0), (0, 6, 7, 0), (0, 7, 8, 1))
    }


def test_certain_values_become_the_spans_they_are_of(tokenizer):
    (window,) = cut(tokenizer, TEXT)
    places, tags = FAMILY.tokens.places(window), FAMILY.tokens.row(SPANS, SCHEMA, window)["tags"]
    none = cut(tokenizer, "")[0]
    assert FAMILY.tokens.places(none).shape == (0, 2)
    owner = np.ones(len(tags), np.int64)
    values = np.eye(len(FAMILY.columns(SCHEMA)))[tags]
    at = Places(Inputs(("", TEXT)), owner, owner, *places.T)
    empty, found = FAMILY.decode(values, SCHEMA, FAMILY.floor([SPANS], SCHEMA), at)
    assert empty == ()
    assert found == SPANS
    assert [span.probability for span in found] == pytest.approx([1, 1, 1])


def tagged(rng: random.Random, n: int) -> list[str]:
    """Return tags of n words, all of which can be."""
    tags = list[str]()
    for _ in range(n):
        choices = ["O", "B-A", "B-B", "B-C"] + ([f"I-{tags[-1][2:]}"] * 2 if tags and tags[-1] != "O" else [])
        tags.append(rng.choice(choices))
    return tags


def test_scores_are_those_of_seqeval():
    f1_score = pytest.importorskip("seqeval.metrics").f1_score  # of the extra dev
    scheme = pytest.importorskip("seqeval.scheme").IOB2
    rng, cases = random.Random(0), 0
    for _ in range(200):
        lengths = [rng.randint(1, 9) for _ in range(rng.randint(1, 6))]
        true = [tagged(rng, n) for n in lengths]
        predicted = [
            [a if rng.random() < 0.8 else b for a, b in zip(one, tagged(rng, len(one)), strict=True)] for one in true
        ]
        both: list[list[Spans]] = []
        for side in (true, predicted):
            at = [joined(["w"] * n).places for n in lengths]
            # seqeval's strict mode leaves out what begins with I.
            kept = [strict_chunks(tags) for tags in side]
            both.append([spans_at(chunks, place) for chunks, place in zip(kept, at, strict=True)])
        if not any(map(len, both[0])) and not any(map(len, both[1])):
            continue
        ours = scored_spans(both[1], both[0]).metrics
        given = {"mode": "strict", "scheme": scheme, "zero_division": 0}
        assert ours["span_f1"] == pytest.approx(f1_score(true, predicted, average="micro", **given))
        assert ours["type_f1"] == pytest.approx(f1_score(true, predicted, average="macro", **given))
        cases += 1
    assert cases > 150


def strict_chunks(tags: list[str]):
    """Return the chunks that begin with B."""
    return [chunk for chunk in chunks_of(tags, "IOB2").chunks if tags[chunk.first].startswith("B")]


def test_calibration_is_of_predicted_spans():
    sure = [(Span(0, 1, "A", 0.9), Span(2, 3, "A", 0.9)), ()]
    found = scored_spans(sure, [(Span(0, 1, "A"),), (Span(0, 1, "B"),)])
    assert found.metrics["span_ece"] == pytest.approx(0.4)
    assert found.metrics["span_f1"] == 0.5
    assert found.metrics["type_f1"] == pytest.approx((2 / 3 + 0) / 2)
    assert scored_spans([()], [()]).metrics == {"span_f1": 1.0, "type_f1": 1.0, "span_ece": 0.0}


def test_what_is_no_span_is_refused():
    with pytest.raises(MetaglotError, match="overlap"):
        FAMILY.read([[(0, 3, "A"), (2, 4, "B")]], lambda row: f"label number {row + 1}")
    with pytest.raises(MetaglotError, match="no example has a span"):
        FAMILY.check([(), ()])
    with pytest.raises(MetaglotError, match="row 2"):
        FAMILY.parse(["[]", "Oslo"], lambda row: f"row {row + 1}")
    with pytest.raises(MetaglotError, match="1 texts came for 2"):
        FAMILY.score(Predictions(("O",), np.ones((1, 1)), [()]), [(), ()])
    assert FAMILY.parse([FAMILY.shown(SPANS), None], str).targets == [SPANS, None]
    assert FAMILY.read([FAMILY.plain(SPANS)], str).targets == [SPANS]


def test_one_label_is_one_label():
    assert FAMILY.described(FAMILY.schema([(Span(0, 3, "PER"),)])).title == "A tagger of spans with 1 label"
