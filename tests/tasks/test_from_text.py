"""Tasks from raw text, by way of the real corpus, tokenizer, index and blocks."""

import re
from collections import Counter

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.tasks.synthetic import same, texts_of

from metaglot.data.blocks import pack
from metaglot.data.corpus import read_corpus
from metaglot.data.occurrences import continuations, index_words
from metaglot.data.sentences import tokenise_sentences
from metaglot.data.vocabulary import train_tokenizer
from metaglot.families.classification import Classification
from metaglot.families.language import MaskedLm
from metaglot.seeds import generator
from metaglot.tasks import (
    DomainText,
    LogFrequency,
    MaskedWords,
    Passages,
    PlainText,
    SentencePairs,
    Shape,
    SupervisedTasks,
    document_sources,
    domain_source,
    joining_of,
)

PARTS = ["ka", "ri", "to", "mun", "sel", "dor", "vi", "pesh", "lan", "u"]
VOCABULARY = [a + b + c for a in PARTS for b in PARTS for c in ("", "n")][:120]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A corpus of two domains whose words are strung together from syllables, so that many have several tokens."""
    rng = generator(0, "text")
    texts, domains = [], []
    for number in range(240):
        words = VOCABULARY[:90] if number < 120 else VOCABULARY[30:]
        sentences = [" ".join(rng.choice(words, int(rng.integers(6, 11)))).capitalize() + "." for _ in range(4)]
        texts.append(" ".join(sentences))
        domains.append("north" if number < 120 else "south")
    folder = tmp_path_factory.mktemp("text")
    patch = pytest.MonkeyPatch()
    patch.setenv("METAGLOT_CACHE", str(folder / "cache"))
    pq.write_table(pa.table({"text": texts, "domain": domains}), folder / "made.parquet")
    corpus = read_corpus(folder / "made.parquet")
    tokenizer = train_tokenizer(texts, kind="wordpiece", size=110)
    sentences = tokenise_sentences(corpus, tokenizer, max_length=48)
    yield corpus, tokenizer, sentences, index_words(sentences, tokenizer, min_count=20)
    patch.undo()


def test_the_missing_word_is_missing(made):
    _, tokenizer, sentences, index = made
    assert Counter((index.length > 1).tolist())[True] > 20, "words of several tokens"
    objective = Classification(tokenizer.pad_token_id)
    tasks = MaskedWords(sentences, index, objective, Shape((3, 5), (2, 4), 3), LogFrequency(), tokenizer.mask_token_id)
    asked = set()
    for n in range(60):
        episode = tasks(0, n, {})
        assert same(episode, tasks(0, n, {}))
        asked.update(episode.task.labels)
        for batch in (episode.support, episode.query):
            for label, ids in zip(batch["labels"].tolist(), texts_of(batch), strict=True):
                words = re.findall(r"[a-z]+|\[mask\]", tokenizer.decode(ids[1:-1]).lower())
                assert "[mask]" in words
                assert not set(words) & set(episode.task.labels)
                # One mask for a place of the word: the sentence has as many words as before.
                assert tokenizer.mask_token_id in ids
                assert episode.task.labels[label] in index.words
    assert len(asked) > 60


def test_pairs_documents_domains(made):
    _, tokenizer, sentences, _ = made
    objective = Classification(tokenizer.pad_token_id)
    tasks = SentencePairs(sentences, objective, Shape(shots=(2, 3), queries=3), joining_of(tokenizer, max_length=96))
    for n in range(20):
        episode = tasks(0, n, {})
        rows = episode.rows["query"]
        texts = [tokenizer.decode(row["input_ids"], skip_special_tokens=True) for row in sentences.examples.rows(rows)]
        joined = tokenizer(texts[::2], texts[1::2], return_token_type_ids=True)
        assert [list(ids) for ids in texts_of(episode.query)] == joined["input_ids"]
    sources = (*document_sources(sentences, per_domain=True), domain_source(sentences))
    assert [s.info.name for s in sources] == ["made/documents/north", "made/documents/south", "made/domains"]
    drawn = Counter(
        SupervisedTasks(sources, objective, Shape((2, 2), (1, 2), 2))(0, n, {}).task.dataset for n in range(60)
    )
    assert set(drawn) == {"made/documents", "made/domains"}


def test_language_modelling(made):
    corpus, tokenizer, _, _ = made
    blocks = pack(corpus, tokenizer, length=32)
    special = frozenset(tokenizer.all_special_ids)
    objective = MaskedLm(
        tokenizer.pad_token_id, tokenizer.mask_token_id, len(tokenizer), special, 0.15, continuations(tokenizer)
    )
    tasks = DomainText(blocks, objective, Passages(3, 2))
    assert {t.name for t in tasks.tasks} == {"domain-lm/north", "domain-lm/south"}
    episode = tasks(0, 0, {})
    assert episode.support["input_ids"].shape == (3, 32)
    assert (episode.query["labels"] >= 0).any(dim=1).all()
    plain = PlainText(blocks, objective, 8)
    steps = -(-len(blocks) // 8)
    assert {r for n in range(steps) for r in plain(0, n, {}).rows["query"]} == set(range(len(blocks)))
