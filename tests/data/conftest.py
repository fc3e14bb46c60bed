"""A small tokenizer and small tables for the tests of data/."""

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

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
