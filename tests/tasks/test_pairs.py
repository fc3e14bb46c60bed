"""Pairs of sentences: joined as the tokenizer joins them; near ones and others, balanced, nothing used twice."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from tests.tasks.synthetic import CLS, SEP, made_up_text, same
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import WhitespaceSplit
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from metaglot.errors import MetaglotError
from metaglot.families.classification import Classification
from metaglot.tasks import Shape
from metaglot.tasks.joining import Joining, Special, joining_of
from metaglot.tasks.pairs import LABELS, Closeness, SentencePairs

SEEDS = st.integers(0, 2**63 - 1)
WORDS = "abcdefghijklmnop"
TEMPLATES = {
    "bert": ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1"),
    "roberta": ("[CLS] $A [SEP]", "[CLS] $A [SEP] [SEP] $B [SEP]"),
    "t5": ("$A [SEP]", "$A [SEP] $B [SEP]"),
    "xlnet": ("$A [SEP] [CLS]:2", "$A [SEP] $B:1 [SEP]:1 [CLS]:2"),
    "gpt": None,
}


def tokenizer_of(kind: str) -> PreTrainedTokenizerFast:
    vocabulary = {t: i for i, t in enumerate(["[PAD]", "[CLS]", "[SEP]", "[END]", *WORDS])}
    tokenizer = Tokenizer(WordLevel(vocabulary, unk_token="[END]"))
    tokenizer.pre_tokenizer = WhitespaceSplit()
    if TEMPLATES[kind] is not None:
        single, pair = TEMPLATES[kind]
        tokenizer.post_processor = TemplateProcessing(
            single=single, pair=pair, special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])]
        )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", eos_token="[END]")


TOKENIZERS = {kind: tokenizer_of(kind) for kind in TEMPLATES}
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=14).map(" ".join)


@pytest.mark.parametrize("kind", [k for k in TEMPLATES if k != "gpt"])
@given(first=TEXTS, second=TEXTS, max_length=st.integers(8, 30))
def test_pairs_are_joined_as_the_tokenizer_joins_them(kind, first, second, max_length):
    tokenizer = TOKENIZERS[kind]
    a, b = ({"input_ids": tokenizer(text)["input_ids"]} for text in (first, second))
    row = joining_of(tokenizer, max_length=max_length).join(a, b)
    whole = tokenizer(first, second, truncation=True, max_length=max_length, return_token_type_ids=True)
    assert row["input_ids"].tolist() == whole["input_ids"]
    if any(whole["token_type_ids"]):
        assert row["token_type_ids"].tolist() == whole["token_type_ids"]
    assert ("token_type_ids" in row) == (kind in ("bert", "xlnet"))


@given(first=TEXTS, second=TEXTS)
def test_a_decoder_gets_its_end_of_text_between(first, second):
    tokenizer = TOKENIZERS["gpt"]
    joining = joining_of(tokenizer, max_length=40)
    a, b = (tokenizer(text)["input_ids"] for text in (first, second))
    assert joining.join({"input_ids": a}, {"input_ids": b})["input_ids"].tolist() == [*a, tokenizer.eos_token_id, *b]


def test_special_tokens_given_by_hand():
    special, sep = Special(CLS), Special(SEP)
    by_hand = Joining(30, (special,), (sep,), (Special(SEP, 1),), kinds=(0, 1), strip=(1, 1), has_types=True)
    assert joining_of(TOKENIZERS["bert"], max_length=30) == by_hand


TEXT, _ = made_up_text(sentences=400, domains=4, per_document=8)
JOINING = Joining(64, (Special(CLS),), (Special(SEP),), (Special(SEP, 1),), (0, 1), (1, 1), has_types=True)


def pairs(shape=Shape(shots=(2, 2), queries=3), close=Closeness(), text=TEXT) -> SentencePairs:
    return SentencePairs(text, Classification(), shape, JOINING, close)


def taken(episode, part: str) -> list[tuple[int, int]]:
    rows = episode.rows[part]
    return list(zip(rows[::2], rows[1::2], strict=True))


@settings(max_examples=60)
@given(
    seed=SEEDS,
    n=st.integers(0, 2**40),
    shots=st.tuples(st.integers(1, 4), st.integers(0, 4)),
    queries=st.integers(1, 6),
    room=st.integers(4, 12),
    window=st.integers(1, 9),
    hard=st.floats(0, 1),
)
def test_any_episode_keeps_its_promises(seed, n, shots, queries, room, window, hard):
    shape = Shape((5, 9), (shots[0], sum(shots)), queries, max_support=room, max_query=room)
    tasks = pairs(shape, Closeness(window, hard))
    episode = tasks(seed, n, {})
    np.random.seed(0)
    assert same(episode, tasks(seed, n, {"x": torch.ones(1)}))
    support, query = episode.support["labels"].tolist(), episode.query["labels"].tolist()
    for labels, most in ((support, sum(shots)), (query, queries)):
        count = Counter(labels)
        assert count[0] == count[1] == len(labels) / 2
        assert 1 <= count[0] <= min(most, room // 2)
    rows = episode.rows["support"] + episode.rows["query"]
    assert len(set(rows)) == len(rows) == 2 * (len(support) + len(query))
    assert episode.task.labels == tuple(LABELS[c] for c in episode.task.classes)
    found = zip(taken(episode, "support") + taken(episode, "query"), support + query, strict=True)
    for (a, b), label in found:
        one = TEXT.document[a] == TEXT.document[b]
        assert one == (episode.task.classes[label] == 1)
        assert not one or abs(a - b) <= window
    both = [*episode.support["input_ids"], *episode.query["input_ids"]]
    masks = [*episode.support["attention_mask"], *episode.query["attention_mask"]]
    kinds = [*episode.support["token_type_ids"], *episode.query["token_type_ids"]]
    every = taken(episode, "support") + taken(episode, "query")
    for (a, b), ids, mask, kind in zip(every, both, masks, kinds, strict=True):
        first, second = TEXT.examples.inputs[a], TEXT.examples.inputs[b]
        assert tuple(ids[mask.bool()].tolist()) == (*first, *second[1:])
        assert kind[mask.bool()].tolist() == [0] * len(first) + [1] * (len(second) - 1)


def others(close, draws=300, text=TEXT) -> list[tuple[int, int]]:
    """Pairs of two documents."""
    found = []
    for n in range(draws):
        episode = pairs(close=close, text=text)(0, n, {})
        labels = episode.query["labels"].tolist()
        found += [p for p, y in zip(taken(episode, "query"), labels, strict=True) if episode.task.classes[y] == 0]
    return found


@pytest.mark.parametrize("hard", [0.0, 0.5, 1.0])
def test_a_share_of_the_others_is_of_one_domain(hard):
    """Four domains of about 100 sentences: without hard pairs (100 − 8)/(400 − 8) are of one domain by chance."""
    found = others(Closeness(4, hard))
    alike = sum(TEXT.domain[a] == TEXT.domain[b] for a, b in found)
    sizes = np.bincount(TEXT.domain)
    chance = float((sizes * (sizes - 8) / (400 * 392)).sum())
    expected = hard + (1 - hard) * chance
    assert alike == pytest.approx(len(found) * expected, abs=4 * np.sqrt(len(found) / 4) * (hard < 1)), hard


def test_a_domain_of_one_document_has_no_hard_pairs():
    text = replace(TEXT, domain=np.where(TEXT.document == 0, 3, 0).astype(np.int32))
    found = others(Closeness(4, 1.0), 200, text)
    mixed = [p for p in found if 0 in TEXT.document[list(p)]]
    assert mixed
    assert all(text.domain[a] != text.domain[b] for a, b in mixed)


def test_labels_are_shuffled_and_sentences_evenly_used():
    episodes = [pairs()(1, n, {}) for n in range(400)]
    assert chisquare(list(Counter(e.task.classes for e in episodes).values())).pvalue > 0.01
    used = Counter(row for e in episodes for row in e.rows["support"] + e.rows["query"])
    counts = np.array([used[i] for i in range(400)])
    assert counts.min() > 0
    assert counts.max() < 3 * counts.mean()
    assert len({e.rows["support"] for e in episodes}) == 400


def test_documents_of_one_sentence_are_left_out():
    document = TEXT.document.copy()
    document[8:16] = np.arange(1000, 1008)
    rows = [r for n in range(60) for r in pairs(text=replace(TEXT, document=document))(0, n, {}).rows["query"]]
    assert not set(rows) & set(range(8, 16))


def test_too_little_text():
    one = replace(TEXT, document=np.zeros(400, np.int32), domain=np.zeros(400, np.int32))
    each = replace(TEXT, document=np.arange(400))
    for text in (one, each):
        with pytest.raises(MetaglotError, match="pairs need two documents"):
            pairs(text=text)(0, 0, {})
    small, _ = made_up_text(sentences=16, per_document=8, domains=1)
    with pytest.raises(MetaglotError, match=r"too few sentences \(16\)"):
        pairs(Shape(shots=(4, 4), queries=4), text=small)(0, 0, {})
    with pytest.raises(MetaglotError, match="episodes need"):
        pairs(Shape(shots=(0, 4)))(0, 0, {})
