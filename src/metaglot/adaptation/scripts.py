"""Whether a model was made for texts like these, as its tokenizer tells.

    unread = pieces that are unknown or one letter alone / all pieces with letters
             (a Chinese character alone is a word, to a vocabulary that has most of them)
    split  = pieces that go on within a word / all pieces with letters

Of English by an English vocabulary a tenth is unread and a tenth split; of a script that the vocabulary lacks nearly
all is unread, and of another language in Latin letters a third and more is split (docs/howto/languages.md has what was
measured).  A vocabulary of many languages splits words of each of them, so that `split` says something of a vocabulary
in plain Latin letters only.
"""

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from metaglot.adaptation.encoder import Encoder
from metaglot.data.inspect import script

UNREAD, SPLIT = 0.40, 0.30  # shares, less a standard error, from which on it is noted
PLAIN = 0.80  # share of the pieces of a vocabulary that are in plain Latin letters, from which on `split` counts
CHARACTERS = 3000  # Chinese ones of a vocabulary, from which on it was made for them: 3500 are common
PIECES = 60  # with letters; fewer give no note
MANY, ITS_BASE = "builtin:multilingual", "builtin:e5"  # the built-in model of many languages
TEXTS, LETTERS = 300, 400  # that are looked at: texts, and characters of each


class Fit(NamedTuple):
    """How a tokenizer meets some texts."""

    unread: float  # share, 0 … 1
    split: float  # share, 0 … 1
    pieces: int  # with letters


def fit_of(tokenizer: Any, texts: Sequence[str]) -> Fit:
    """Return the shares for the first letters of texts spread evenly over all."""
    chosen = [text[:LETTERS] for text in texts[:: max(1, -(-len(texts) // TEXTS))] if text.strip()]
    if not chosen:
        return Fit(0.0, 0.0, 0)
    words = _chinese(tokenizer)
    unread = split = pieces = 0
    for one in tokenizer(chosen, add_special_tokens=False, truncation=False).encodings or ():
        before = None
        for piece, number, word, (begin, end) in zip(one.tokens, one.ids, one.word_ids, one.offsets, strict=True):
            # SentencePiece (Unigram) gives an unknown piece as it is written: its number alone tells.
            unknown = number == tokenizer.unk_token_id or piece == tokenizer.unk_token
            letters = piece.removeprefix("##").strip("Ġ▁")
            if unknown or any(map(str.isalpha, letters)):
                pieces += 1
                alone = len(letters) == 1 or end - begin == 1  # a byte has the place of its letter
                unread += unknown or (alone and letters not in words)
                split += word is not None and word == before
            before = word
    return Fit(unread / max(1, pieces), split / max(1, pieces), pieces)


def language_note(encoder: Encoder, texts: Sequence[str]) -> str | None:
    """Return a note where the model was not made for these texts; None where it was."""
    tokenizer = encoder.backbone.tokenizer
    fit = fit_of(tokenizer, texts)
    if fit.pieces < PIECES:
        return None
    unread, split = (share - (share * (1 - share) / fit.pieces) ** 0.5 for share in (fit.unread, fit.split))
    if unread >= UNREAD:
        what = f"{100 * fit.unread:.0f} % of their pieces are unknown to its tokenizer or single letters"
    elif split >= SPLIT and _is_plain(tokenizer):
        what = f"its tokenizer splits their words: {100 * fit.split:.0f} % of the pieces go on within a word"
    else:
        return None
    usual = Counter(map(script, texts[:TEXTS])).most_common(1)[0][0]
    own = "an encoder of this language, as a folder or hub id"
    better = own if encoder.backbone.name == ITS_BASE else f"{MANY}, an encoder of about 100 languages, or {own}"
    return (
        f"{encoder.name} was not made for texts like these (script: {usual}; {what}). Take {better}; metaglot "
        "evaluate MODEL FILE --against tfidf measures whether it is better than counting words"
    )


@lru_cache(maxsize=8)
def _is_plain(tokenizer: Any) -> bool:
    """Whether the pieces of a vocabulary are in plain Latin letters, but for single characters."""
    pieces = [piece.removeprefix("##").strip("Ġ▁") for piece in tokenizer.get_vocab()]
    words = [piece for piece in pieces if len(piece) > 2 and piece.isalpha()]
    return sum(map(str.isascii, words)) >= PLAIN * max(1, len(words))


@lru_cache(maxsize=8)
def _chinese(tokenizer: Any) -> frozenset[str]:
    """Return the Chinese characters of a vocabulary; none where it has few, which came in with other languages."""
    pieces = {piece.removeprefix("##").strip("Ġ▁") for piece in tokenizer.get_vocab()}
    found = frozenset(piece for piece in pieces if len(piece) == 1 and script(piece) == "Chinese")
    return found if len(found) >= CHARACTERS else frozenset()
