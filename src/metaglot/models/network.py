"""The network of a model's folder, as transformers reads it: encoder, decoder, both, or the encoder of both."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, cast

import torch
from torch import nn

from metaglot.errors import MetaglotError
from metaglot.models.language import check_decoder, take_head
from metaglot.models.quiet import quiet, short
from metaglot.models.seq2seq import check_whole
from metaglot.seeds import seeded

OPTIONS: Mapping[str, Any] = {"trust_remote_code": False, "local_files_only": True}
ENCODER = "EncoderModel"  # how the encoders of T5 and its kin are called
WHOLE = ("ForConditionalGeneration", "MTModel", "EncoderDecoderModel")  # how classes with both halves end
ALONE = ("marian", "encoder-decoder")  # types whose network takes no text without a target
NEW_HEAD = "the language-model head is new"
HALF = "an encoder with a decoder"
"""How the note on a decoder that stays away begins."""
NOWHERE = {"subfolder": "no-adapter"}  # adapters are read here: peft, where it is installed, is not to read them too


class Network(NamedTuple):
    """A network as it was read."""

    module: nn.Module
    decoder: bool
    notes: tuple[str, ...]  # about its weights
    seq2seq: bool = False  # an encoder with its decoder


def load_network(folder: Path, name: str, attention: str | None, *, language: bool, writes: bool = False) -> Network:
    """Return the network in a folder, in fp32 on the CPU.

    With `language`, an encoder has its language-model head, and an encoder with a decoder has its decoder, as with
    `writes`.

    Only safetensors are read; no code is run, fetched or compiled for it, whatever its config asks.  Raises
    MetaglotError where the folder is damaged, or where config and weights are of different models.
    """
    from transformers import AutoConfig

    try:
        with quiet():
            config = cast("Any", AutoConfig.from_pretrained(str(folder), **OPTIONS))
            decoder = any(a.endswith(("ForCausalLM", "LMHeadModel")) for a in config.architectures or [])
            seq2seq = _is_loaded_whole(config, asked=language or writes)
            kind = _kind(config, decoder=decoder, language=language, whole=seq2seq)
            # A config may name attention code on the hub: what is used is chosen here, fused where the model has it.
            config._attn_implementation = attention
            # Weights that the file lacks are drawn at random: the same each time.
            with seeded(0, torch.device("cpu")):
                module, info = kind.from_pretrained(
                    str(folder),
                    config=config,
                    use_safetensors=True,
                    dtype=torch.float32,
                    output_loading_info=True,
                    adapter_kwargs=NOWHERE,
                    **OPTIONS,
                )
    except Exception as error:  # safetensors and config checks raise classes without a common base
        raise MetaglotError(f"{name}: {_why(error)}: {short(error)}") from error
    missing = sorted(n for n in info["missing_keys"] if "pooler." not in n)  # pooling here is our own
    lacking = [n for n in missing if not (language and not seq2seq and _of_head(n, module))]
    if lacking:
        raise MetaglotError(
            f"{name}: the file lacks {len(lacking)} weights of the model, such as {lacking[0]}; its config.json "
            "belongs to another model"
        )
    half = type(module).__name__.endswith(ENCODER)
    left = "the encoder alone is used" if half else "the head that writes stays away"
    notes = (f"{HALF}: {left}",) if _is_whole(config) and not seq2seq else ()
    if notes and not half and config.pad_token_id is None:
        module.config.pad_token_id = 0  # its decoder asks for one to fill gaps with, and texts have none
    if seq2seq:
        check_whole(module, name)
    return Network(module, decoder, (*notes, *_new_head_notes(module, set(missing), name)), seq2seq)


def parts_of(network: Network, name: str) -> tuple[nn.Module, nn.Module | None]:
    """Return the model that makes hidden states, and the language-model head of an encoder."""
    try:
        if network.seq2seq:
            return network.module, None
        if network.decoder:
            check_decoder(network.module)
            return network.module, None
        return take_head(network.module)
    except MetaglotError as error:
        raise MetaglotError(f"{name}: {error}") from error


def _kind(config: Any, *, decoder: bool, language: bool, whole: bool) -> Any:
    """Return the class that reads a model: of T5 and its kin the encoder alone, unless it is to be whole."""
    from transformers import AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM
    from transformers.models.auto.modeling_auto import MODEL_FOR_TEXT_ENCODING_MAPPING

    if whole:
        return AutoModelForSeq2SeqLM
    if decoder:
        return AutoModelForCausalLM
    if language:
        return AutoModelForMaskedLM
    encoders = cast("Any", MODEL_FOR_TEXT_ENCODING_MAPPING)
    half = encoders.get(type(config), None)
    return half if half is not None and half.__name__.endswith(ENCODER) else AutoModel


def _is_whole(config: Any) -> bool:
    """Return whether a folder holds an encoder and a decoder that writes."""
    return bool(config.is_encoder_decoder) and any(a.endswith(WHOLE) for a in config.architectures or [])


def _is_loaded_whole(config: Any, *, asked: bool) -> bool:
    """Return whether both halves are loaded: where they are asked for, and where there is no other way."""
    return _is_whole(config) and (asked or config.model_type in ALONE)


def _new_head_notes(module: nn.Module, missing: set[str], name: str) -> tuple[str, ...]:
    """Return a note about a language-model head that the file lacks, wholly or in part."""
    head = [n for n, _ in module.named_parameters() if _of_head(n, module)]  # a weight with two names comes once
    new = [n for n in head if n in missing]
    if not new:
        return ()
    whole = len(new) == len(head)
    return (f"{NEW_HEAD}: {name} has {'none' if whole else f'no {new[0]}'}",)


def _of_head(weight: str, module: Any) -> bool:
    """Whether a weight stands outside the base model."""
    return not weight.startswith(f"{module.base_model_prefix}.")


def _why(error: Exception) -> str:
    return "the weights are damaged" if "safetensor" in type(error).__name__.lower() else "cannot be loaded"
