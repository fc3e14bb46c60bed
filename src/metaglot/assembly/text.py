"""Raw text of a recipe: cleaned corpora, and the forms of text that tasks are made of, each made at its first use."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from metaglot.assembly.progress import Progress
from metaglot.config import CorpusSettings, Recipe, TextSettings, text_path
from metaglot.data.blocks import Blocks, pack
from metaglot.data.corpus import PAIR, Cleaning, Corpus, read_corpus, split_corpus
from metaglot.data.encodings import encoding_in
from metaglot.data.fingerprint import fingerprint
from metaglot.data.occurrences import WordIndex, continuations, index_words
from metaglot.data.seen import Part
from metaglot.data.sentences import Sentences, tokenise_sentences
from metaglot.errors import MetaglotError
from metaglot.families.language import CausalLm, MaskedLm, PermutationLm, SpanDenoising, objective_of
from metaglot.models import Backbone
from metaglot.tasks.masked import MaskedText

HELD_OUT = 0  # seed that draws the held-out documents: the same in every run, whatever the seed of the run


class RawText(NamedTuple):
    """All corpora of a recipe as one corpus."""

    train: Corpus
    held_out: Corpus | None
    fingerprints: Mapping[str, str]  # of each corpus
    parts: tuple[Part, ...]  # the texts of training


def read_text(settings: TextSettings, progress: Progress = Progress(), *, hold_out: bool = True) -> RawText:
    """Return the cleaned corpora as one; with `hold_out`, some documents are kept apart to be judged on.

    Raises MetaglotError for a corpus that is absent or empty after cleaning, and for two corpora of one name.
    """
    corpora = [_read(settings, corpus, progress) for corpus in settings.corpora]
    names = [corpus.name for corpus in corpora]
    doubles = sorted({name for name in names if names.count(name) > 1})
    if doubles:
        raise MetaglotError(f"text: two corpora are called {doubles[0]}; give one a name: {{path: …, name: …}}")
    share = settings.held_out if hold_out else 0.0
    halves = [split_corpus(c, share, seed=HELD_OUT) if share else (c, None) for c in corpora]
    train, held_out = [half for half, _ in halves], [half for _, half in halves if half is not None]
    if held_out:
        held_out_count, count = (sum(len(corpus.table) for corpus in half) for half in (held_out, corpora))
        progress.say(f"kept aside to be judged on: {held_out_count:,} of {count:,} texts (text.held_out)")
    parts = tuple(part for corpus in train for part in _parts(corpus))
    hashes = {corpus.name: fingerprint(corpus.table) for corpus in corpora}
    return RawText(_join(train), _join(held_out) if held_out else None, hashes, parts)


def _read(settings: TextSettings, source: CorpusSettings, progress: Progress) -> Corpus:
    cleaning = Cleaning(
        source.languages,
        source.domains,
        source.without_domains,
        settings.min_chars,
        settings.max_chars,
        settings.duplicates,
    )
    path = text_path(settings, source)
    name = source.name or Path(path).stem
    bar = progress.bar_of(f"comparing the texts of {name}")
    columns = source.columns or None
    with encoding_in(path):
        corpus = read_corpus(path, cleaning, name=name, columns=columns, progress=bar, encoding=source.encoding)
    removed = ", ".join(f"{count:,} {kind}" for kind, count in corpus.removed.items() if count)
    progress.say(f"reading {name}: {len(corpus.table):,} texts" + (f" (left out: {removed})" if removed else ""))
    return corpus


def _parts(corpus: Corpus) -> list[Part]:
    """Return the texts of training; where texts have partners, these and the pairs too."""
    tables, table = [corpus.table.select(["text", "row"])], corpus.table
    if PAIR in table.column_names:
        paired = table.filter(table[PAIR].is_valid())
        tables += [pa.table({"text": paired[PAIR], "row": paired["row"]}), paired.select(["text", PAIR, "row"])]
    names = (corpus.name, f"{corpus.name}/partners", f"{corpus.name}/pairs")
    return [Part(name, one, np.arange(len(one)), ()) for name, one in zip(names, tables, strict=False)]


def _join(corpora: list[Corpus]) -> Corpus:
    """Return the corpora as one; the numbers of documents go on from corpus to corpus."""
    if len(corpora) == 1:
        return corpora[0]
    tables: list[pa.Table] = []
    first = 0
    for corpus in corpora:
        documents = corpus.table["document"].to_numpy() + first
        first = int(documents.max(initial=first - 1)) + 1
        place = corpus.table.schema.get_field_index("document")
        tables.append(corpus.table.set_column(place, "document", pa.array(documents.astype(np.int32))))
    whole = pa.concat_tables(tables, promote_options="default")  # some may have partners, and others none
    return Corpus("+".join(c.name for c in corpora), whole, {})


@dataclass(frozen=True)
class TextSource:
    """The text of a recipe in the forms that tasks are made of."""

    recipe: Recipe
    settings: TextSettings
    text: RawText
    backbone: Backbone
    progress: Progress

    @cached_property
    def sentences(self) -> Sentences:
        """The tokenised sentences."""
        return self.sentences_of(self.text.train)

    def sentences_of(self, corpus: Corpus) -> Sentences:
        """Return the sentences of a corpus, tokenised."""
        return tokenise_sentences(
            corpus,
            self.backbone.tokenizer,
            max_length=self.recipe.model.max_length,
            min_words=self.settings.min_words,
            progress=self.progress.bar_of("tokenising sentences"),
        )

    def index(self, *, min_count: int, max_words: int) -> WordIndex:
        """Return the index of words: which sentences hold each word, and where."""
        return index_words(
            self.sentences,
            self.backbone.tokenizer,
            min_count=min_count,
            max_words=max_words,
            progress=self.progress.bar_of("indexing words"),
        )

    def masked_text(self, index: WordIndex) -> MaskedText:
        """Return the sentences, with the places of words that can be masked."""
        return MaskedText(self.sentences, index, self.mask)

    @cached_property
    def blocks(self) -> Blocks:
        """Packed text for training."""
        return self._pack(self.text.train)

    @cached_property
    def held_out(self) -> Blocks | None:
        """Packed text of the held-out documents; None where no document is held out."""
        return None if self.text.held_out is None else self._pack(self.text.held_out)

    @property
    def mask(self) -> int:
        """The token that replaces a word: the mask; without a mask, the unknown token or the end of text."""
        t = self.backbone.tokenizer
        return int(next(i for i in (t.mask_token_id, t.unk_token_id, t.eos_token_id, 0) if i is not None))

    def objective(
        self, *, masked: float = 0.15, whole_words: bool = True, span: float | None = None
    ) -> MaskedLm | CausalLm | PermutationLm | SpanDenoising:
        """Return the language-model objective of the backbone: masked for an encoder, causal for a decoder.

        An encoder with a decoder has span denoising, and an XLNet permutation language modelling.
        """
        learner = self.backbone.learner
        encodes = whole_words and not (learner.decoder or learner.seq2seq)
        words = continuations(self.backbone.tokenizer) if encodes else None
        length = self.settings.length
        return objective_of(self.backbone, share=masked, continuation=words, span=span, length=length)

    def _pack(self, corpus: Corpus) -> Blocks:
        bar = self.progress.bar_of("packing text")
        return pack(corpus, self.backbone.tokenizer, length=self.settings.length, progress=bar)
