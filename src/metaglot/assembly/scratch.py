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
from metaglot.data.spool import Strings
from metaglot.data.vocabulary import train_tokenizer, with_sentinels
from metaglot.errors import MetaglotError
from metaglot.models.scratch import is_decoder, is_seq2seq, make_backbone
from metaglot.models.tokenizer import load_tokenizer

FORMAT = 3  # one more whenever the same settings give another model


def scratch_model(settings: ScratchSettings, text: pa.Table | None, *, seed: int, progress: Progress) -> Path:
    """Return the folder of the model in the cache; the same settings, text and seed give the same model.

    Raises MetaglotError for an unknown type or config, and where there is neither text nor a tokenizer.
    """
    if text is None and not settings.tokenizer:
        raise MetaglotError(
            "model.scratch: there is no text to train a tokenizer on; name a checkpoint under model.scratch.tokenizer, "
            "or give `text`"
        )
    tokenizer = _named_tokenizer(settings)
    source = fingerprint(cast("pa.Table", text).select(["text"])) if tokenizer is None else _identity(tokenizer)
    identity = json.dumps([settings.model_dump(mode="json"), source, seed, FORMAT])
    folder = cache_dir() / "models" / hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()
    if not (folder / "config.json").is_file():
        if tokenizer is None:
            tokenizer = _trained_tokenizer(settings, cast("pa.Table", text), progress)
        if is_seq2seq(settings.type):
            tokenizer = with_sentinels(tokenizer)
        make_backbone(settings.type, settings.config, tokenizer, folder, seed=seed)
    return folder


def _named_tokenizer(settings: ScratchSettings) -> Any:
    """Return the tokenizer of the checkpoint or run that the settings name; None if they name none."""
    if not settings.tokenizer:
        return None
    folder = tokenizer_folder(root_of(settings.tokenizer))
    return load_tokenizer(folder, settings.tokenizer, decoder=is_decoder(settings.type))


def _identity(tokenizer: Any) -> str:
    """Return a hash of a tokenizer, whatever its folder is called."""
    return f"{Encoder(tokenizer, 2, 2).fingerprint()} {json.dumps(tokenizer.special_tokens_map, sort_keys=True)}"


def _trained_tokenizer(settings: ScratchSettings, text: pa.Table, progress: Progress) -> Any:
    writes = is_decoder(settings.type) or is_seq2seq(settings.type)
    progress.say(f"training a tokenizer of {settings.vocabulary:,} tokens")
    texts = Strings(text["text"])
    kind = "bpe" if writes else "wordpiece"
    return train_tokenizer(texts, kind=kind, size=settings.vocabulary, lowercase=settings.lowercase and not writes)
