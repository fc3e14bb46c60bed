"""The tokenizer of a model: fast, able to pad, and the one that was made for the weights."""

from pathlib import Path
from typing import Any, cast

from tokenizers import normalizers
from torch import nn

from metaglot.errors import MetaglotError
from metaglot.models.quiet import quiet, short

VOCABULARIES = ("tokenizer.json", "vocab.*", "*.model", "*.tiktoken", "tekken.json")


def load_tokenizer(folder: Path, name: str, *, decoder: bool = False, lowercase: bool = False) -> Any:
    """Return the fast tokenizer in `folder`, able to pad (a decoder pads on the left, for generation).

    With `lowercase` it reads every text in small letters.  Raises MetaglotError where there is none or it is damaged.
    """
    from transformers import AutoTokenizer

    # Of a folder without any vocabulary, transformers would make a tokenizer that knows no word.
    if not any(next(folder.glob(pattern), None) for pattern in VOCABULARIES):
        raise MetaglotError(f"{name}: no usable tokenizer: none of {', '.join(VOCABULARIES)} there; save it beside")
    options: dict[str, Any] = {"use_fast": True, "trust_remote_code": False, "local_files_only": True}
    try:
        with quiet():
            tokenizer = cast("Any", AutoTokenizer.from_pretrained(str(folder), **options))
    except Exception as error:  # a damaged file makes the tokenizers library raise bare Exceptions
        raise MetaglotError(f"{name}: no usable tokenizer: {short(error)}") from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token_id is None:
        raise MetaglotError(f"{name}: the tokenizer has no token to pad with; set pad_token in tokenizer_config.json")
    if decoder:
        tokenizer.padding_side = "left"
    return _lowercased(tokenizer) if lowercase else tokenizer


def check_vocabulary(tokenizer: Any, module: nn.Module, name: str) -> None:
    """Refuse a tokenizer with numbers beyond the embedding, which would read past its end."""
    try:
        rows = int(cast("Any", module).get_input_embeddings().weight.shape[0])
    except (NotImplementedError, AttributeError) as error:
        raise MetaglotError(
            f"{name}: a {type(module).__name__} looks tokens up in no table of its own, which is not supported; take "
            "an encoder or a decoder of text"
        ) from error
    highest = max(tokenizer.get_vocab().values(), default=-1)
    if highest >= rows:
        raise MetaglotError(
            f"{name}: the tokenizer does not match the model: its vocabulary goes to number {highest}, the embedding "
            f"has {rows} rows; put the tokenizer that was saved with these weights into the folder"
        )


def without_types(tokenizer: Any, module: nn.Module) -> tuple[str, ...]:
    """Leave out the types of tokens where the network has fewer than the tokenizer gives; return notes.

    Without types every token has the first one, as where a RoBERTa is trained.
    """
    tables = [one for name, one in module.named_modules() if name.endswith("token_type_embeddings")]
    rows = [one.num_embeddings for one in tables if isinstance(one, nn.Embedding)]
    given = max(tokenizer("a", "b").get("token_type_ids") or [0])
    if not rows or given < min(rows):
        return ()
    tokenizer.model_input_names = [name for name in tokenizer.model_input_names if name != "token_type_ids"]
    return (f"types of tokens are left out: the tokenizer gives {given + 1}, the network has {min(rows)}",)


def _lowercased(tokenizer: Any) -> Any:
    """Return the tokenizer with small letters made first; a tokenizer that makes them already is not changed by it."""
    backend = tokenizer.backend_tokenizer
    before = [] if backend.normalizer is None else [backend.normalizer]
    backend.normalizer = normalizers.Sequence([normalizers.Lowercase(), *before])
    return tokenizer
