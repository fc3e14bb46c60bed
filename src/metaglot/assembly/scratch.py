"""A model of random weights for a recipe, with a tokenizer trained on its text or taken from a checkpoint."""

import hashlib
import json
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from metaglot.assembly.progress import Progress
from metaglot.config import ScratchSettings
from metaglot.data.cache import cache_dir
from metaglot.data.encode import Encoder
from metaglot.data.fingerprint import fingerprint
from metaglot.data.folders import root_of
from metaglot.data.place import tokenizer_folder
from metaglot.data.vocabulary import train_tokenizer
from metaglot.errors import MetaglotError
from metaglot.models.scratch import is_decoder, make_backbone
from metaglot.models.tokenizer import load_tokenizer

FORMAT = 2  # a change of what is made counts it up


def made_from_scratch(settings: ScratchSettings, text: pa.Table | None, *, seed: int, progress: Progress) -> Path:
    """Return the folder of the model in the cache; the same settings, text and seed give the same model.

    Raises MetaglotError for an unknown type or config, and where there is neither text nor a tokenizer.
    """
    if text is None and not settings.tokenizer:
        raise MetaglotError(
            "model.scratch: there is no text to train a tokenizer on; name a checkpoint under model.scratch.tokenizer, "
            "or give `text`"
        )
    given = _given(settings)
    source = fingerprint(cast("pa.Table", text).select(["text"])) if given is None else _identity(given)
    made = json.dumps([settings.model_dump(mode="json"), source, seed, FORMAT])
    folder = cache_dir() / "models" / hashlib.blake2b(made.encode(), digest_size=16).hexdigest()
    if not (folder / "config.json").is_file():
        tokenizer = _trained(settings, cast("pa.Table", text), progress) if given is None else given
        make_backbone(settings.type, settings.config, tokenizer, folder, seed=seed)
    return folder


def _given(settings: ScratchSettings) -> Any:
    """Return the tokenizer of the checkpoint that is named, or of what the run began from; None if none is named."""
    if not settings.tokenizer:
        return None
    folder = tokenizer_folder(root_of(settings.tokenizer))
    return load_tokenizer(folder, settings.tokenizer, decoder=is_decoder(settings.type))


def _identity(tokenizer: Any) -> str:
    """Return a hash of a tokenizer, whatever its folder is called."""
    return f"{Encoder(tokenizer, 2, 2).fingerprint()} {json.dumps(tokenizer.special_tokens_map, sort_keys=True)}"


def _trained(settings: ScratchSettings, text: pa.Table, progress: Progress) -> Any:
    decoder = is_decoder(settings.type)
    progress.say(f"training a tokenizer of {settings.vocabulary:,} tokens")
    texts = cast("list[str]", text["text"].to_pylist())
    kind = "bpe" if decoder else "wordpiece"
    return train_tokenizer(texts, kind=kind, size=settings.vocabulary, lowercase=settings.lowercase and not decoder)
