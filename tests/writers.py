"""A tiny decoder of random weights that reads bytes, saved in a folder, and a task that it learns in a second."""

from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from metaglot.models.scratch import make_backbone

SPECIAL = ["[PAD]", "[END]"]
SOURCES = [f"{color} {thing}" for color in ("red", "blue", "old") for thing in ("saw", "cap", "box", "pen")]
TARGETS = [source.split()[1].upper() for source in SOURCES]
CHAT = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}[END]{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def byte_tokenizer(*, chat: bool = False) -> Any:
    """A tokenizer whose tokens are bytes."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate([*SPECIAL, *alphabet])}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=inner, pad_token="[PAD]", eos_token="[END]")
    if chat:
        tokenizer.chat_template = CHAT
    return tokenizer


def decoder_folder(folder: Path, *, positions: int = 64, width: int = 32) -> Path:
    """Write the decoder into a new folder, and return it."""
    shape = {"n_embd": width, "n_layer": 2, "n_head": 2, "n_positions": positions}
    return make_backbone("gpt2", shape, byte_tokenizer(), folder, seed=0)
