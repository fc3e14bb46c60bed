"""Which words stand in which sentences of a tokenised corpus, and where: an inverted index, memory-mapped.

A word is a run of letters, marks upon letters included, between other characters; digits and letters next to each
other make no word.  Where a tokenizer folds case or accents, so are the words; otherwise `The` and `the` are two.

A sentence is listed for a word only if every place where the word stands in it is a span of whole tokens: the word
can then be masked everywhere.  Left out are sentences that hold the word within a token of more (`▁word,`), and those
cut where it stands, since more of it may have followed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from metaglot.data.arrays import Put, cached_arrays
from metaglot.data.encode import Encoder
from metaglot.data.fingerprint import fingerprint
from metaglot.data.lexicon import lexicon_of
from metaglot.data.pieces import pieces_of
from metaglot.data.places import keys_of, layout_of, places_of
from metaglot.data.sentences import Sentences
from metaglot.data.units import Units, kinds_among, kinds_of, longest_row, units_of
from metaglot.errors import MetaglotError

FORMAT = 1  # of the files; a change of what counts as a word counts it up
ARRAYS = ("counts", "first", "sentence", "begin", "start", "size")

Progress = Callable[[int, int], None] | None


@dataclass(frozen=True)
class WordIndex:
    """The words of a set of sentences, the commoner first by and large."""

    words: tuple[str, ...]
    counts: np.ndarray  # [W] sentences that hold the word
    length: np.ndarray  # [W] tokens of the word where it stands most often, at most 4
    first: np.ndarray  # [W + 1] where the sentences of a word begin in `sentence`
    sentence: np.ndarray  # [P] ascending within a word
    begin: np.ndarray  # [P + 1] where the places of a word in a sentence begin in `start`
    start: np.ndarray  # [O] token positions
    size: np.ndarray  # [O] tokens

    def __len__(self) -> int:
        return len(self.words)

    def sentences(self, word: int) -> np.ndarray:
        """Return the numbers of the sentences that hold a word, distinct and ascending: a view of the file."""
        return self.sentence[self.first[word] : self.first[word + 1]]

    def spans(self, word: int, sentence: int) -> list[tuple[int, int]]:
        """Return (start, stop) in tokens for every place of a word in a sentence, in order; none where it is not."""
        rows = self.sentences(word)
        at = int(np.searchsorted(rows, rows.dtype.type(sentence)))
        if at == len(rows) or rows[at] != sentence:
            return []
        place = int(self.first[word]) + at
        here = slice(int(self.begin[place]), int(self.begin[place + 1]))
        return [(a, a + n) for a, n in zip(self.start[here].tolist(), self.size[here].tolist(), strict=True)]


def index_words(
    sentences: Sentences,
    tokenizer: Any,
    *,
    min_count: int = 20,
    max_words: int = 50_000,
    progress: Progress = None,
) -> WordIndex:
    """Return the index of the words that stand in at least `min_count` sentences, at most the `max_words` commonest.

    It comes from the cache where it was made before; a damaged file is made anew.  `progress(done, total)` counts
    sentences, which are read twice.  Raises MetaglotError where no word is common enough, for a tokenizer that is not
    that of the sentences, and for one whose tokens do not tell where words begin.
    """
    if min_count < 1 or max_words < 1:
        raise MetaglotError(f"min_count is {min_count} and max_words is {max_words}; each is at least 1.")
    examples = sentences.examples
    coded = Encoder(tokenizer, max_length=4, max_chars=4).fingerprint()
    choices = ("words", examples.fingerprint, coded, str(min_count), str(max_words), str(FORMAT))

    def make(put: Put) -> None:
        _make(put, sentences, tokenizer, min_count=min_count, max_words=max_words, progress=progress)

    arrays = cached_arrays("words", fingerprint(pa.table({}), *choices), make)
    words = tuple(arrays["words"].tobytes().decode().split("\n"))
    return WordIndex(words=words, length=arrays["length"], **{name: arrays[name] for name in ARRAYS})


def continuations(tokenizer: Any) -> np.ndarray:  # [V] bool
    """Return which tokens go on the word that the token before them belongs to.

    Those are tokens that begin with a letter, a mark upon one or a digit, and with no sign of a new word: with ## in
    WordPiece, without Ġ in byte-level BPE, without ▁ in sentencepiece.  Raises MetaglotError as `pieces_of` does.
    """
    return pieces_of(tokenizer).goes_on


def _make(
    put: Put, sentences: Sentences, tokenizer: Any, *, min_count: int, max_words: int, progress: Progress
) -> None:
    examples, pieces = sentences.examples, pieces_of(tokenizer)
    cut_left = getattr(tokenizer, "truncation_side", "right") == "left"
    longest = longest_row(examples)
    full = sentences.max_length or longest

    def read(done: int) -> Iterator[Units]:
        for some in units_of(examples, pieces, full=full, cut_left=cut_left):
            yield some
            done += some.rows
            if progress is not None:
                progress(done, 2 * len(examples))

    lexicon = lexicon_of(kinds_of([kinds_among(some) for some in read(0)]), pieces, min_count)
    layout = layout_of(len(lexicon.words), len(examples), longest)
    keys = keys_of(read(len(examples)), lexicon, layout)
    places = places_of(keys, layout, min_count=min_count, max_words=max_words)
    if not len(places.chosen):
        raise MetaglotError(
            f"{examples.name}: no word stands in {min_count} of its {len(examples):,} sentences. Lower min_count, or "
            "give more text."
        )
    words = "\n".join(lexicon.words[w] for w in places.chosen.tolist())
    put("words", np.frombuffer(words.encode(), np.uint8))
    put("length", lexicon.length[places.chosen])
    for name in ARRAYS:
        put(name, getattr(places, name))
