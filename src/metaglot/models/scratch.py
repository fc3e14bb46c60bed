"""A backbone of random weights: a Hugging Face folder from a kind, a few settings and a tokenizer."""

import dataclasses
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from metaglot.data.cache import atomic_folder
from metaglot.errors import MetaglotError
from metaglot.models.checkpointing import layers_of
from metaglot.models.quiet import quiet
from metaglot.seeds import seeded

USUAL = ("bert", "roberta", "electra", "modernbert", "gpt2", "llama", "qwen2", "t5", "bart")
CAUSAL = ("ForCausalLM", "LMHeadModel")  # how the classes of decoders end
START = "decoder_start_token_id"
TOKENS: Mapping[str, tuple[str, ...]] = {
    "pad_token_id": ("pad_token_id",),
    "bos_token_id": ("bos_token_id", "cls_token_id"),
    "eos_token_id": ("eos_token_id", "sep_token_id"),
    "cls_token_id": ("cls_token_id",),
    "sep_token_id": ("sep_token_id",),
    "mask_token_id": ("mask_token_id",),
    START: ("bos_token_id", "cls_token_id", "eos_token_id", "pad_token_id"),
}
"""Of a config: which of the tokenizer's special tokens it is, the first that there is."""
FIXED = {
    *("architectures", "dtype", "transformers_version", "return_dict", "output_hidden_states", "id2label", "label2id"),
    *("is_decoder", "is_encoder_decoder", "add_cross_attention", "problem_type", *TOKENS),
}
"""Settings that follow from the kind and the tokenizer."""


def make_backbone(kind: str, values: Mapping[str, Any], tokenizer: Any, folder: Path, *, seed: int) -> Path:
    """Write config.json, model.safetensors with random weights and the tokenizer into a new folder, and return it.

    `kind` is a model type of transformers; `values` are settings of its config, such as hidden_size.  The vocabulary
    and the special tokens are those of the tokenizer.  An encoder has a masked-LM head, a decoder a causal one; an
    encoder with a decoder has both halves.  The same arguments give the same bytes.  Raises MetaglotError for an
    unknown kind, an unknown or impossible setting, and a folder that exists.
    """
    if folder.exists():
        raise MetaglotError(f"{folder} exists; choose another folder for the model")
    module = _random(kind, _config(kind, values, tokenizer), seed)
    with atomic_folder(folder) as part:
        with quiet():
            cast("Any", module).save_pretrained(part)
        tokenizer.save_pretrained(part)
    return folder


def is_decoder(kind: str) -> bool:
    """Return whether models of a kind predict the next token; raise MetaglotError for a kind that cannot be made."""
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as CAUSALS,
    )
    from transformers.models.auto.modeling_auto import (
        MODEL_FOR_MASKED_LM_MAPPING_NAMES as MASKED,
    )

    if is_seq2seq(kind):
        return False
    encoders = {name for name, module_name in MASKED.items() if not module_name.endswith(CAUSAL)}
    decoders = {name for name, module_name in CAUSALS.items() if module_name.endswith(CAUSAL) and name not in MASKED}
    if kind not in encoders | decoders:
        near = get_close_matches(kind, sorted(encoders | decoders), n=1, cutoff=0.5)
        asked = f" (did you mean {near[0]!r}?)" if near else ""
        raise MetaglotError(
            f"no model of random weights of the kind {kind!r}{asked}: it must be an encoder, a decoder, or both that "
            f"transformers knows, such as {', '.join(USUAL)}"
        )
    return kind in decoders


def is_seq2seq(kind: str) -> bool:
    """Return whether models of a kind are an encoder with a decoder over one vocabulary of text."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING
    from transformers.models.auto.modeling_auto import MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES as BOTH

    if kind not in BOTH:
        return False
    fields = {field.name: field.default for field in dataclasses.fields(cast("Any", CONFIG_MAPPING[kind]))}
    return bool(fields.get("is_encoder_decoder")) and "vocab_size" in fields


def _config(kind: str, values: Mapping[str, Any], tokenizer: Any) -> Any:
    from transformers import AutoConfig
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    writes, config = is_decoder(kind) or is_seq2seq(kind), CONFIG_MAPPING[kind]
    fields = {field.name for field in dataclasses.fields(cast("Any", config))}
    _check_names(kind, values, sorted((fields | set(config.attribute_map)) - FIXED))
    size = max(tokenizer.get_vocab().values(), default=-1) + 1
    given = values.get("vocab_size", size)
    if isinstance(given, int) and given < size:
        raise MetaglotError(f"{kind}: vocab_size is below the {size} tokens of the tokenizer; leave it out")
    named = fields | ({START} if is_seq2seq(kind) else set())  # T5's config takes it and does not list it
    special = {name: _token(tokenizer, sources) for name, sources in TOKENS.items() if name in named}
    # Decoders would keep the embedding of what they pad with at zero, be it a token that stands in texts.
    if writes and special.get("pad_token_id") in (
        special.get("bos_token_id"),
        special.get("eos_token_id"),
    ):
        special["pad_token_id"] = None
    try:
        return AutoConfig.for_model(kind, **{"vocab_size": size, **special, **values})
    except Exception as error:  # every config has its own checks
        raise _impossible(kind, values, error) from error


def _token(tokenizer: Any, sources: tuple[str, ...]) -> int | None:
    return next((token for source in sources if (token := getattr(tokenizer, source, None)) is not None), None)


def _check_names(kind: str, values: Mapping[str, Any], names: list[str]) -> None:
    for name in values:
        if name in FIXED:
            raise MetaglotError(f"{kind}: {name} is not yours to set: it follows from the kind and the tokenizer")
        if name not in names:
            near = get_close_matches(name, names, n=3, cutoff=0.4)
            asked = f"did you mean {', '.join(near)}?" if near else f"it has {', '.join(names)}"
            raise MetaglotError(f"{kind}: unknown setting {name!r}; {asked}")


def _random(kind: str, config: Any, seed: int) -> nn.Module:
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM

    alone = AutoModelForCausalLM if is_decoder(kind) else AutoModelForMaskedLM
    auto = cast("Any", AutoModelForSeq2SeqLM if is_seq2seq(kind) else alone)
    try:
        with seeded(seed, torch.device("cpu")):
            module = cast("nn.Module", auto.from_config(config, dtype=torch.float32))
    except Exception as error:  # a size that does not divide, an activation that there is not, …
        raise _impossible(kind, {}, error) from error
    if not layers_of(module):
        raise MetaglotError(f"{kind}: a model without layers; give it one or more (num_hidden_layers)")
    return module


def _impossible(kind: str, values: Mapping[str, Any], error: Exception) -> MetaglotError:
    why = " ".join(f"{type(error).__name__}: {error}".split())
    given = f" (given: {', '.join(values)})" if values else ""
    return MetaglotError(f"{kind}: no model can be made with these settings{given}: {why:.200}")
