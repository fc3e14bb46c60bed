"""A small tokenizer and small tables for the tests of data/, and tokenizers of every kind that marks words."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from metaglot.data.vocabulary import train_tokenizer

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "green", "blue", "sky", "grass", "sea", "is", "the", "a"]


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    backend = Tokenizer(WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    backend.pre_tokenizer = Whitespace()  # pyright: ignore
    backend.post_processor = TemplateProcessing(  # pyright: ignore
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


@pytest.fixture(scope="session")
def make_table() -> Callable[..., pa.Table]:
    """A canonical table from lists by column."""

    def make(**columns: list[Any]) -> pa.Table:
        whole = {name: pa.array(values) for name, values in columns.items()}
        return pa.table({**whole, "row": pa.array(range(len(columns["text"])), pa.int64())})

    return make


ODD = "the The a cat cats concatenate dog sun sunflower flower constitution naïve zażółć gęślą кошка कुत्ता हिन्दी 他来了 "
ODD += "Straße antidisestablishment x don t cat, (dog) sun. don't cat3 3cat 42 it's \"The sun-flower — żx ǰq a_b"


@pytest.fixture(scope="session")
def odd_words() -> list[str]:
    """Words of several scripts, and what may be taken for one."""
    return ODD.split()


@pytest.fixture(scope="session")
def odd_texts(odd_words: list[str]) -> list[str]:
    return [" ".join(words) for words in np.random.default_rng(0).choice(odd_words, (200, 12))]


@pytest.fixture(scope="session")
def tokenizers(odd_texts: list[str]) -> dict[str, Any]:
    """Tokenizers whose vocabularies are so small that words take several tokens."""
    few = [*["sun flower cat the con st it"] * 3, " ".join(sorted(set("".join(odd_texts))))]
    made = {
        "wordpiece": train_tokenizer(few, kind="wordpiece", size=300),
        "cased": train_tokenizer(few, kind="wordpiece", size=300, lowercase=False),
        "bytes": train_tokenizer(odd_texts, kind="bpe", size=275, lowercase=False),
        "left": train_tokenizer(odd_texts, kind="bpe", size=275),
        "space": spaced(odd_texts, punctuation=True, fallback=False),
        "space-bytes": spaced(odd_texts, punctuation=True, fallback=True),
        "mixed": spaced(odd_texts, punctuation=False, fallback=False),
    }
    made["left"].truncation_side = "left"
    return made


def spaced(texts: list[str], *, punctuation: bool, fallback: bool) -> Any:
    """A sentencepiece-like tokenizer; without `punctuation` its tokens may mix letters and other characters."""
    made = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=fallback, fuse_unk=not fallback))
    metaspace = pre_tokenizers.Metaspace(prepend_scheme="always", split=True)
    split = [pre_tokenizers.Punctuation("isolated")] if punctuation else []
    made.pre_tokenizer = pre_tokenizers.Sequence([metaspace, *split])  # pyright: ignore
    made.decoder = decoders.Sequence(  # pyright: ignore
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    single = [f"<0x{b:02X}>" for b in range(256)] if fallback else []
    trainer = trainers.BpeTrainer(
        vocab_size=(320 if fallback else 70) if punctuation else 180,
        special_tokens=["<unk>", "</s>", *single],
        show_progress=False,
    )
    made.train_from_iterator([t for t in texts if "他" not in t and "\u01f0" not in t], trainer)
    spec = json.loads(made.to_str())
    spec["added_tokens"] = [one for one in spec["added_tokens"] if "0x" not in one["content"]]
    made = Tokenizer.from_str(json.dumps(spec))
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", eos_token="</s>", pad_token="</s>")
