"""A tokenizer learnt from text, the same each time: WordPiece as BERT has it, or byte-level BPE as GPT-2 has it.

The trainer of WordPiece numbers the characters within words (##x) in the order of a hash table, which differs from run
to run, and equal counts are then decided by these numbers.  So all characters are counted here and given their numbers
beforehand.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

Kind = Literal["wordpiece", "bpe"]
BERT_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
END = "<|endoftext|>"
PREFIX = "##"
SMALLEST = {"wordpiece": 64, "bpe": 257}  # bpe: all bytes and END
CHARACTERS = 0.4  # of a WordPiece vocabulary, the share that characters may take, those within words included
SENTINEL = "<extra_id_{}>"  # stands for a part of a text that is to be written, as T5 calls it
SENTINELS = 100
LEAST = 2  # times that a pair is met before it becomes a token


def train_tokenizer(
    texts: Iterable[str], *, kind: Kind, size: int, lowercase: bool = True
) -> "PreTrainedTokenizerFast":
    """Return a tokenizer of at most `size` tokens (fewer where the texts have no more pairs), a function of its input.

    wordpiece: splits at white space and punctuation, has BERT_TOKENS, and frames a text as [CLS] … [SEP];
    `lowercase` folds case and takes accents away.  The rarest characters beyond the share CHARACTERS become [UNK].
    bpe: loses nothing (but case, if `lowercase`); END is its only special token, and the one it pads with.
    Raises MetaglotError for an unknown kind, a size below SMALLEST, and texts without a character.
    """
    if kind not in get_args(Kind):
        raise MetaglotError(f"kind is {kind!r}; choose from {', '.join(get_args(Kind))}.")
    if size < SMALLEST[kind]:
        raise MetaglotError(f"size is {size}; a {kind} vocabulary needs at least {SMALLEST[kind]} tokens.")
    texts = texts if isinstance(texts, Sequence) else list(texts)
    if not any(text.strip() for text in texts):
        raise MetaglotError("no text to learn a vocabulary from. Give a corpus with some.")
    return (
        _wordpiece(texts, size, lowercase=lowercase) if kind == "wordpiece" else _bpe(texts, size, lowercase=lowercase)
    )


def sentinels_of(tokenizer: Any) -> tuple[int, ...]:
    """Return the tokens that stand for the first part to be written, the second one, … as far as there are any."""
    vocabulary = cast("dict[str, int]", tokenizer.get_vocab())
    found: list[int] = []
    while (token := vocabulary.get(SENTINEL.format(len(found)))) is not None:
        found.append(token)
    return tuple(found)


def with_sentinels(tokenizer: Any) -> Any:
    """Return the tokenizer, which has SENTINELS sentinels from now on unless it had some."""
    from tokenizers import AddedToken

    if not sentinels_of(tokenizer):
        names = (SENTINEL.format(n) for n in range(SENTINELS))
        tokenizer.add_tokens([AddedToken(name, special=True, normalized=False) for name in names], special_tokens=True)
    return tokenizer


def _wordpiece(texts: Sequence[str], size: int, *, lowercase: bool) -> "PreTrainedTokenizerFast":
    from tokenizers import models, processors, trainers
    from transformers import PreTrainedTokenizerFast

    draft = _bert(models.WordPiece(unk_token="[UNK]"), lowercase=lowercase)
    characters = _characters(texts, draft, int(size * CHARACTERS / 2))
    tokens = [*BERT_TOKENS, *characters, *(PREFIX + c for c in characters if len(_pieces("a" + c, draft)) == 1)]
    trainer = trainers.WordPieceTrainer(
        vocab_size=size,
        min_frequency=LEAST,
        special_tokens=tokens,
        initial_alphabet=characters,
        limit_alphabet=len(characters),
        show_progress=False,
    )
    draft.train_from_iterator(texts, trainer, len(texts))
    whole = _bert(models.WordPiece(draft.get_vocab(), unk_token="[UNK]"), lowercase=lowercase)
    ends = [("[CLS]", BERT_TOKENS.index("[CLS]")), ("[SEP]", BERT_TOKENS.index("[SEP]"))]
    cast("Any", whole).post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=whole,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def _bert(model: Any, *, lowercase: bool) -> "Tokenizer":
    from tokenizers import Tokenizer, decoders, normalizers, pre_tokenizers

    tokenizer = Tokenizer(model)
    parts = cast("Any", tokenizer)
    parts.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    parts.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    parts.decoder = decoders.WordPiece(prefix=PREFIX)
    return tokenizer


def _characters(texts: Iterable[str], draft: "Tokenizer", most: int) -> list[str]:
    """Return the commonest characters of the texts as the tokenizer sees them, by number; no white space."""
    raw: Counter[str] = Counter()
    for text in texts:
        raw.update(text)
    counter: Counter[str] = Counter()
    for character, count in raw.items():
        for piece in _pieces(character, draft):
            counter.update(dict.fromkeys(piece, count))
    return sorted(sorted(counter, key=lambda c: (-counter[c], c))[:most])


def _pieces(text: str, draft: "Tokenizer") -> list[str]:
    """Return the normalised pieces that a text is split into before words are cut."""
    parts = cast("Any", draft)
    return [piece for piece, _ in parts.pre_tokenizer.pre_tokenize_str(parts.normalizer.normalize_str(text))]


def _bpe(texts: Sequence[str], size: int, *, lowercase: bool) -> "PreTrainedTokenizerFast":
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    parts = cast("Any", tokenizer)
    if lowercase:
        parts.normalizer = normalizers.Lowercase()
    parts.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    parts.decoder = decoders.ByteLevel()
    parts.post_processor = processors.ByteLevel(trim_offsets=False)
    trainer = trainers.BpeTrainer(
        vocab_size=size,
        min_frequency=LEAST,
        special_tokens=[END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer, len(texts))
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=END, eos_token=END, unk_token=END, pad_token=END
    )
