"""A name becomes a backbone: builtin, local folder or hub id → learner and tokenizer, on the fastest safe path."""

import json
import os
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from metaglot.data.folders import folder_of, is_run, locate, read_run, root_of
from metaglot.errors import MetaglotError
from metaglot.models.averaging import UNREAD, averaged
from metaglot.models.checkpointing import layers_of
from metaglot.models.delta import restored
from metaglot.models.language import check_decoder, take_head
from metaglot.models.learner import HfLearner, Pooling
from metaglot.seeds import seeded

Precision = Literal["auto", "bf16", "fp32"]
Attention = Literal["auto", "eager", "sdpa"]
ROBERTAS = {"roberta", "xlm-roberta", "camembert", "xlm-roberta-xl", "longformer", "mpnet"}
VOCABULARIES = ("tokenizer.json", "vocab.*", "*.model", "*.tiktoken", "tekken.json")


class Backbone(NamedTuple):
    """A learner with the tokenizer that feeds it."""

    learner: HfLearner
    tokenizer: Any
    name: str  # as the user wrote it
    notes: tuple[str, ...]  # what the loader chose, and why


class Runtime(NamedTuple):
    """How a backbone runs."""

    precision: Precision = "auto"
    attention: Attention = "auto"
    device: str = "auto"
    second_order: bool = False  # whether an algorithm differentiates its inner gradients
    checkpointing: bool = False  # whether layers are recomputed on the way back
    language: bool = False  # whether the language-model head is loaded too


def load_backbone(name: str, runtime: Runtime = Runtime()) -> Backbone:
    """Return the backbone called `name`: `builtin:minilm`, `builtin:tiny`, a folder, a hub id, or a run directory.

    Of a run it is the base model with what was meta-learnt of body and language-model head in its place.  Only
    safetensors are read and no code of the checkpoint is run.  Raises MetaglotError where the model is absent, damaged
    or unreadable, or has no language-model head of the kind that is asked for.
    """
    if is_run(folder_of(name)):
        return _of_run(name, runtime)
    source = locate(name)
    device = pick_device(runtime.device)
    bf16 = _pick_bf16(runtime.precision, device)
    attention = _pick_attention(runtime, device, bf16=bf16)
    module, decoder, made = _module(source, name, attention, language=runtime.language)
    module = module.to(device).requires_grad_(requires_grad=False).eval()
    module, language = _parts(module, name, decoder=decoder) if runtime.language else (module, None)
    pooling, normalise = _pooling(source, name)
    recomputing = _checkpointing(module, name, runtime)
    learner = HfLearner(module, pooling, normalise, bf16, decoder, recomputing, language)
    attention = cast("Any", module).config._attn_implementation
    recomputed = ", layers recomputed" if runtime.checkpointing else ""
    notes = (f"{'bf16 autocast' if bf16 else 'fp32'}, {attention} attention, {device.type}{recomputed}", *made)
    tokenizer = load_tokenizer(source, name, decoder=decoder)
    _check_vocabulary(tokenizer, module, name)
    return Backbone(learner, tokenizer, name, notes)


def check_length(backbone: Backbone, max_length: int, where: str) -> None:
    """Raise MetaglotError if a text of `max_length` tokens has more of them than the backbone has positions."""
    positions = positions_of(backbone)
    if max_length > positions:
        raise MetaglotError(
            f"{where}: max_length is {max_length} tokens, but {backbone.name} takes at most {positions}; lower it"
        )


def positions_of(backbone: Backbone) -> int:
    """Return the tokens that a backbone can read at once; very many where its config does not bound them."""
    config = cast("Any", backbone.learner.module).config
    stated = getattr(config, "max_position_embeddings", None)
    if not isinstance(stated, int) or stated < 1:
        return 1 << 30
    # RoBERTa and its kin number positions from after the token for padding.
    learnt = [v for n, v in backbone.learner.module.named_parameters() if n.endswith("position_embeddings.weight")]
    offset = int(config.pad_token_id or 0) + 1 if learnt and config.model_type in ROBERTAS else 0
    return stated - offset


def load_tokenizer(source: str, name: str, *, decoder: bool = False) -> Any:
    """Return the fast tokenizer in `source`, able to pad (a decoder pads on the left, for generation)."""
    from transformers import AutoTokenizer

    folder = Path(source)
    # Of a folder without any vocabulary, transformers would make a tokenizer that knows no word.
    if folder.is_dir() and not any(next(folder.glob(pattern), None) for pattern in VOCABULARIES):
        raise MetaglotError(f"{name}: no usable tokenizer: none of {', '.join(VOCABULARIES)} there; save it beside")
    try:
        tokenizer = cast("Any", AutoTokenizer.from_pretrained(source, use_fast=True, trust_remote_code=False))
    except Exception as error:  # a damaged file makes the tokenizers library raise bare Exceptions
        raise MetaglotError(f"{name}: no usable tokenizer: {_short(error)}") from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token_id is None:
        raise MetaglotError(f"{name}: the tokenizer has no token to pad with; set pad_token in tokenizer_config.json")
    if decoder:
        tokenizer.padding_side = "left"
    return tokenizer


def pick_device(name: str) -> torch.device:
    """Return the device called `name`; `auto` is cuda, then mps, then cpu."""
    here = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available()), "cpu": 1}
    if name == "auto":
        return torch.device(next(kind for kind, count in here.items() if count))
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise MetaglotError(f"unknown device {name!r}; use auto, cpu, cuda, cuda:N or mps") from error
    if (device.index or 0) >= here.get(device.type, 0):
        raise MetaglotError(f"the device {name!r} is not on this machine; use auto, cpu, cuda, cuda:N or mps")
    return device


def has_fast_bf16(device: torch.device) -> bool:
    """Return whether the processor multiplies bfloat16 in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        cpu = cast("Any", torch.cpu)
        probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(bool(getattr(cpu, probe, bool)()) for probe in probes)
    return False


def _pick_bf16(precision: Precision, device: torch.device) -> bool:
    return has_fast_bf16(device) if precision == "auto" else precision == "bf16"


def _pick_attention(runtime: Runtime, device: torch.device, *, bf16: bool) -> str | None:
    """Return the implementation to ask for; None leaves it to transformers: fused where the model has it."""
    if runtime.attention != "auto":
        if runtime.second_order and runtime.attention != "eager":
            raise MetaglotError(
                "an exact second-order algorithm needs attention=eager: the fused one has no double backward"
            )
        return runtime.attention
    # Fused attention has no double backward anywhere, and a slow bf16 backward on CPUs.
    return "eager" if runtime.second_order or (device.type == "cpu" and bf16) else None


def _of_run(name: str, runtime: Runtime) -> Backbone:
    """Return the base model of a run with the parameters of its newest checkpoint put in."""
    root_of(name)  # told here, a run that is its own base is an error and no endless descent
    run = read_run(folder_of(name))
    backbone = load_backbone(run.base, runtime)
    try:
        learnt = load_file(run.checkpoint / "params.safetensors")
    except (OSError, SafetensorError) as error:
        raise MetaglotError(f"{run.checkpoint}: the checkpoint is damaged ({error})") from error
    own = {**backbone.learner.body(), **backbone.learner.language_head()}
    learnt = restored(own, learnt)
    fitting = {}
    for key, value in learnt.items():
        if not key.startswith(("body.", "lm.") if runtime.language else "body."):
            continue
        if UNREAD in key and key not in own:  # a masked-LM model has none, and nothing reads it
            continue
        if key not in own or own[key].shape != value.shape:
            raise MetaglotError(f"{run.checkpoint}: its {key} does not fit the base model {run.base}")
        fitting[key] = value.to(own[key].device)
    for key, value in averaged(own, fitting, run.average_with_base).items():
        own[key].copy_(value)
    found = all(key in learnt for key in own if key.startswith("lm."))
    return backbone._replace(name=name, notes=backbone.notes[: 1 if found else None])


def _parts(module: nn.Module, name: str, *, decoder: bool) -> tuple[nn.Module, nn.Module | None]:
    """Return the model that makes hidden states, and the head of an encoder."""
    try:
        if decoder:
            check_decoder(module)
            return module, None
        return take_head(module)
    except MetaglotError as error:
        raise MetaglotError(f"{name}: {error}") from error


def _module(
    source: str, name: str, attention: str | None, *, language: bool
) -> tuple[nn.Module, bool, tuple[str, ...]]:
    """Return the model, whether it is a decoder, and what is to be said of weights that were made anew."""
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM

    options: dict[str, Any] = {"trust_remote_code": False, "local_files_only": _offline()}
    asked = {} if attention is None else {"attn_implementation": attention}
    try:
        config = cast("Any", AutoConfig.from_pretrained(source, **options))
        decoder = any(a.endswith(("ForCausalLM", "LMHeadModel")) for a in config.architectures or [])
        auto = AutoModelForCausalLM if decoder else AutoModelForMaskedLM if language else AutoModel
        # Weights that the file lacks are drawn at random: the same each time.
        with seeded(0, torch.device("cpu")):
            module, info = cast("Any", auto).from_pretrained(
                source, use_safetensors=True, dtype=torch.float32, output_loading_info=True, **asked, **options
            )
    except Exception as error:  # safetensors, the hub and config checks raise classes without a common base
        raise MetaglotError(f"{name}: {_why(error, source)}: {_short(error)}") from error
    missing = sorted(n for n in info["missing_keys"] if "pooler." not in n)  # pooling here is our own
    lacking = [n for n in missing if not (language and _of_head(n, module))]
    if lacking:
        raise MetaglotError(
            f"{name}: the file lacks {len(lacking)} weights of the model, such as {lacking[0]}; its config.json "
            "belongs to another model"
        )
    return cast("nn.Module", module), decoder, _made_anew(module, set(missing), name)


def _made_anew(module: nn.Module, missing: set[str], name: str) -> tuple[str, ...]:
    """Return what is to be said of a language-model head that the file lacks, wholly or in part."""
    head = [n for n, _ in module.named_parameters() if _of_head(n, module)]  # a weight with two names comes once
    new = [n for n in head if n in missing]
    if not new:
        return ()
    whole = len(new) == len(head)
    return (f"the language-model head is new: {name} has {'none' if whole else f'no {new[0]}'}",)


def _of_head(weight: str, module: Any) -> bool:
    """Whether a weight stands outside the base model."""
    return not weight.startswith(f"{module.base_model_prefix}.")


def _checkpointing(module: nn.Module, name: str, runtime: Runtime) -> bool:
    if runtime.checkpointing and not layers_of(module):
        raise MetaglotError(f"{name}: no list of layers in it to recompute; leave model.checkpointing out")
    return runtime.checkpointing


def _why(error: Exception, source: str) -> str:
    if not Path(source).is_dir():
        return "neither a model folder here nor a model that the hub, or its cache, gives"
    return "the weights are damaged" if "safetensor" in type(error).__name__.lower() else "cannot be loaded"


def _offline() -> bool:
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}


def _check_vocabulary(tokenizer: Any, module: nn.Module, name: str) -> None:
    """Refuse a tokenizer with numbers beyond the embedding, which would read past its end."""
    rows = int(cast("Any", module).get_input_embeddings().weight.shape[0])
    highest = max(tokenizer.get_vocab().values(), default=-1)
    if highest >= rows:
        raise MetaglotError(
            f"{name}: the tokenizer does not match the model: its vocabulary goes to number {highest}, the embedding "
            f"has {rows} rows; put the tokenizer that was saved with these weights into the folder"
        )


def _pooling(source: str, name: str) -> tuple[Pooling, bool]:
    """Return pooling and normalisation as a sentence-transformers folder states them; else mean and unit length."""
    file = Path(source) / "1_Pooling" / "config.json"
    if not file.is_file():
        return "mean", True
    try:
        stated = dict(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise MetaglotError(f"{name}: 1_Pooling/config.json is damaged ({error!r:.100}); copy it again") from error
    if stated.get("pooling_mode_cls_token"):
        return "cls", True
    return ("last", True) if stated.get("pooling_mode_lasttoken") else ("mean", True)


def _short(error: BaseException) -> str:
    """Return the error's message on one line of at most 300 characters."""
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) <= 300 else words[:299] + "…"
