"""Raw text of a recipe: corpora read and cleaned; what tasks are made from, each made when it is first asked for."""

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
from metaglot.data.corpus import Cleaning, Corpus, read_corpus, split_corpus
from metaglot.data.encodings import encoding_in
from metaglot.data.fingerprint import fingerprint
from metaglot.data.occurrences import WordIndex, continuations, index_words
from metaglot.data.seen import Part
from metaglot.data.sentences import Sentences, tokenise_sentences
from metaglot.errors import MetaglotError
from metaglot.families.language import CausalLm, MaskedLm, objective_of
from metaglot.models import Backbone
from metaglot.tasks.masked import MaskedText

HELD_OUT = 0  # seed of the documents kept aside: the same in every run, whatever its seed


class RawText(NamedTuple):
    """The corpora of a recipe as one."""

    train: Corpus
    held_out: Corpus | None
    fingerprints: Mapping[str, str]  # of each corpus
    parts: tuple[Part, ...]  # what is trained on


def read_text(settings: TextSettings, progress: Progress = Progress(), *, measured: bool = True) -> RawText:
    """Return the cleaned corpora as one, and apart from it documents to measure perplexity on, where that is asked.

    Raises MetaglotError for a corpus that is absent, empty after cleaning, or called as another.
    """
    corpora = [_read(settings, corpus, progress) for corpus in settings.corpora]
    names = [corpus.name for corpus in corpora]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise MetaglotError(f"text: two corpora are called {twice[0]}; give one a name: {{path: …, name: …}}")
    share = settings.held_out if measured else 0.0
    halves = [split_corpus(c, share, seed=HELD_OUT) if share else (c, None) for c in corpora]
    taught, kept = [half for half, _ in halves], [half for _, half in halves if half is not None]
    if kept:
        aside, of = (sum(len(one.table) for one in half) for half in (kept, corpora))
        progress.say(f"kept aside to measure perplexity: {aside:,} of {of:,} texts (text.held_out)")
    parts = tuple(Part(c.name, c.table.select(["text", "row"]), np.arange(len(c.table)), ()) for c in taught)
    hashes = {corpus.name: fingerprint(corpus.table) for corpus in corpora}
    return RawText(_joined(taught), _joined(kept) if kept else None, hashes, parts)


def _read(settings: TextSettings, one: CorpusSettings, progress: Progress) -> Corpus:
    cleaning = Cleaning(
        one.languages, one.domains, one.without_domains, settings.min_chars, settings.max_chars, settings.duplicates
    )
    path = text_path(settings, one)
    name = one.name or Path(path).stem
    compared = progress.counting(f"comparing the texts of {name}")
    columns = one.columns or None
    with encoding_in(path):
        corpus = read_corpus(path, cleaning, name=name, columns=columns, progress=compared, encoding=one.encoding)
    removed = ", ".join(f"{count:,} {kind}" for kind, count in corpus.removed.items() if count)
    progress.say(f"reading {name}: {len(corpus.table):,} texts" + (f" (left out: {removed})" if removed else ""))
    return corpus


def _joined(corpora: list[Corpus]) -> Corpus:
    """Return corpora as one, documents numbered on."""
    if len(corpora) == 1:
        return corpora[0]
    tables: list[pa.Table] = []
    first = 0
    for corpus in corpora:
        documents = corpus.table["document"].to_numpy() + first
        first = int(documents.max(initial=first - 1)) + 1
        place = corpus.table.schema.get_field_index("document")
        tables.append(corpus.table.set_column(place, "document", pa.array(documents.astype(np.int32))))
    return Corpus("+".join(c.name for c in corpora), pa.concat_tables(tables), {})


@dataclass(frozen=True)
class TextSource:
    """What tasks are made from."""

    recipe: Recipe
    settings: TextSettings
    text: RawText
    backbone: Backbone
    progress: Progress

    @cached_property
    def sentences(self) -> Sentences:
        """The tokenised sentences."""
        return tokenise_sentences(
            self.text.train,
            self.backbone.tokenizer,
            max_length=self.recipe.model.max_length,
            min_words=self.settings.min_words,
            progress=self.progress.counting("tokenising sentences"),
        )

    def index(self, *, min_count: int, max_words: int) -> WordIndex:
        """Return where each word stands."""
        return index_words(
            self.sentences,
            self.backbone.tokenizer,
            min_count=min_count,
            max_words=max_words,
            progress=self.progress.counting("indexing words"),
        )

    def masked(self, index: WordIndex) -> MaskedText:
        """Return the sentences with words that can be masked."""
        return MaskedText(self.sentences, index, self.mask)

    @cached_property
    def blocks(self) -> Blocks:
        """Packed text to train on."""
        return self._packed(self.text.train)

    @cached_property
    def held_out(self) -> Blocks | None:
        """Packed text kept aside."""
        return None if self.text.held_out is None else self._packed(self.text.held_out)

    @property
    def mask(self) -> int:
        """The token in the place of a word: the mask; for a tokenizer without one, its unknown or end-of-text token."""
        t = self.backbone.tokenizer
        return int(next(i for i in (t.mask_token_id, t.unk_token_id, t.eos_token_id, 0) if i is not None))

    def objective(self, *, masked: float = 0.15, whole_words: bool = True) -> MaskedLm | CausalLm:
        """Return language modelling as the backbone does it."""
        words = continuations(self.backbone.tokenizer) if whole_words and not self.backbone.learner.decoder else None
        return objective_of(self.backbone, share=masked, continuation=words)

    def _packed(self, corpus: Corpus) -> Blocks:
        progress = self.progress.counting("packing text")
        return pack(corpus, self.backbone.tokenizer, length=self.settings.length, progress=progress)
