"""A model of random weights for a recipe, with a tokenizer trained on its text or taken from a checkpoint."""

import hashlib
import json
from pathlib import Path
from typing import Any, cast

import pyarrow as pa

from metaglot.assembly.voice import Voice
from metaglot.config import ScratchSettings
from metaglot.data.cache import cache_dir
from metaglot.data.encode import Encoder
from metaglot.data.fingerprint import fingerprint
from metaglot.data.folders import locate
from metaglot.data.vocabulary import train_tokenizer
from metaglot.errors import MetaglotError
from metaglot.models.load import load_tokenizer
from metaglot.models.scratch import is_decoder, make_backbone

FORMAT = 2  # a change of what is made counts it up


def made_from_scratch(settings: ScratchSettings, text: pa.Table | None, *, seed: int, voice: Voice) -> Path:
    """Return the folder of the model in the cache; the same settings, text and seed give the same model.

    Raises MetaglotError for an unknown type or config, and where there is neither text nor a tokenizer.
    """
    if text is None and not settings.tokenizer:
        raise MetaglotError(
            "model.scratch: there is no text to train a tokenizer on; name a checkpoint under model.scratch.tokenizer, "
            "or give `text`"
        )
    source = _given(settings) if settings.tokenizer else fingerprint(cast("pa.Table", text).select(["text"]))
    made = json.dumps([settings.model_dump(mode="json"), source, seed, FORMAT])
    folder = cache_dir() / "models" / hashlib.blake2b(made.encode(), digest_size=16).hexdigest()
    if not (folder / "config.json").is_file():
        make_backbone(settings.type, settings.config, _tokenizer(settings, text, voice), folder, seed=seed)
    return folder


def _given(settings: ScratchSettings) -> str:
    """Return a hash of the tokenizer that is taken from a checkpoint, whatever its folder is called."""
    tokenizer = load_tokenizer(locate(settings.tokenizer), settings.tokenizer, decoder=is_decoder(settings.type))
    return f"{Encoder(tokenizer, 2, 2).fingerprint()} {json.dumps(tokenizer.special_tokens_map, sort_keys=True)}"


def _tokenizer(settings: ScratchSettings, text: pa.Table | None, voice: Voice) -> Any:
    decoder = is_decoder(settings.type)
    if settings.tokenizer or text is None:
        return load_tokenizer(locate(settings.tokenizer), settings.tokenizer, decoder=decoder)
    voice.say(f"training a tokenizer of {settings.vocabulary:,} tokens")
    texts = cast("list[str]", text["text"].to_pylist())
    kind = "bpe" if decoder else "wordpiece"
    return train_tokenizer(texts, kind=kind, size=settings.vocabulary, lowercase=settings.lowercase and not decoder)
