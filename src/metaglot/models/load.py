"""A name becomes a backbone: builtin, local folder or hub id → learner and tokenizer, on the fastest safe path."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from metaglot.data.checkpoints import PARAMS, TO_USE, check_params
from metaglot.data.folders import Run, folder_of, is_run, read_run, root_of
from metaglot.data.place import Place, place_of
from metaglot.errors import MetaglotError
from metaglot.models.adapter import add_adapter
from metaglot.models.averaging import UNREAD, averaged
from metaglot.models.checkpointing import layers_of
from metaglot.models.delta import restored
from metaglot.models.devices import Runtime, pick_attention, pick_bf16, pick_device
from metaglot.models.finite import check_finite
from metaglot.models.heads.shared import SHARED
from metaglot.models.learner import HfLearner
from metaglot.models.learnt import BESIDE, in_weights
from metaglot.models.lora import LEARNT
from metaglot.models.network import HALF, NEW_HEAD, Network, load_network, parts_of
from metaglot.models.probe import probed
from metaglot.models.tail import TAIL, read_tail
from metaglot.models.tokenizer import check_vocabulary, load_tokenizer, without_types
from metaglot.models.trial import runnable_learner


class Backbone(NamedTuple):
    """A learner with the tokenizer that feeds it."""

    learner: HfLearner
    tokenizer: Any
    name: str  # as the user wrote it
    notes: tuple[str, ...]  # what the loader chose, and why
    prompt: str = ""  # what the model wants before every text
    length: int | None = None  # tokens of a text that the model was made for, where its folder says so
    unit: bool = True  # whether its own embeddings have length one; features always have
    heads: Mapping[str, Tensor] = MappingProxyType({})  # `shared.*` of a run, which another run from here begins with


def load_backbone(name: str, runtime: Runtime = Runtime()) -> Backbone:
    """Return the backbone called `name`: `builtin:minilm`, `builtin:tiny`, a folder, a hub id, or a run directory.

    Of a run it is the base model with what was meta-learnt of body and language-model head in its place, LoRA and warps
    in the weights that they act on.  Of a
    sentence-transformers folder all modules are followed, and a PEFT LoRA adapter is added to its base.  Only
    safetensors are read and no code of the checkpoint is run.  Raises MetaglotError where the model is absent, damaged
    or unreadable, has a part that is not supported, cannot be run, or has no language-model head of the kind that is
    asked for.
    """
    if is_run(folder_of(name)):
        return _of_run(name, runtime)
    device = pick_device(runtime.device)
    bf16 = pick_bf16(runtime.precision, device)
    place = place_of(name)
    attention = pick_attention(runtime, device, bf16=bf16)
    network = load_network(place.network, name, attention, language=runtime.language, writes=runtime.writes)
    added = _with_adapters(network.module, place)
    module, language = _parts(network, place, runtime)
    check_finite(dict(module.named_parameters()), name)
    tokenizer = load_tokenizer(place.tokenizer, name, decoder=network.decoder, lowercase=place.stated.lowercase)
    check_vocabulary(tokenizer, module, name)
    untyped = without_types(tokenizer, module)
    recomputing = _checkpointing(module, name, runtime)
    new_learner = HfLearner(
        module,
        place.stated.pooling,
        bf16=bf16,
        decoder=network.decoder,
        seq2seq=network.seq2seq,
        checkpointing=recomputing,
        language=language,
    )
    learner, fallen = runnable_learner(new_learner, tokenizer, name)
    learner, spared = probed(learner, int(tokenizer.pad_token_id), name)
    notes = (_manner(learner, runtime), *fallen, *spared, *untyped, *added, *network.notes)
    return Backbone(learner, tokenizer, name, notes, place.stated.prompt, place.stated.length, place.stated.unit)


def _of_run(name: str, runtime: Runtime) -> Backbone:
    """Return the base model of a run with the parameters of its newest checkpoint put in."""
    root_of(name)  # told here, a run that is its own base is an error and no endless descent
    run = read_run(folder_of(name))
    check_params(run.checkpoint)
    backbone = load_base(run, runtime)
    try:
        learnt = load_file(run.checkpoint / PARAMS)
    except (OSError, SafetensorError) as error:
        raise MetaglotError(f"{run.checkpoint}: the checkpoint is damaged ({error}); {TO_USE}") from error
    check_finite(learnt, str(run.checkpoint))
    own = {**backbone.learner.body(), **backbone.learner.language_head()}
    learnt = restored(own, learnt)
    fitting = {}
    for key, value in learnt.items():
        if not key.startswith(("body.", "lm.", *BESIDE) if runtime.language else ("body.", *BESIDE)):
            continue
        if UNREAD in key and key not in own:  # a masked-LM model has none, and nothing reads it
            continue
        if not key.startswith(BESIDE) and (key not in own or own[key].shape != value.shape):
            raise MetaglotError(f"{run.checkpoint}: its {key} does not fit the base model {run.base}")
        fitting[key] = value.to(backbone.learner.device)
    used = averaged(own, fitting, run.average_with_base)
    for key, value in {**used, **in_weights(used, backbone.learner.module)}.items():
        if not key.startswith(BESIDE):
            own[key].copy_(value)
    complete = all(key in learnt for key in own if key.startswith("lm."))
    notes = tuple(note for note in backbone.notes if not (complete and note.startswith(NEW_HEAD)))
    heads = {key: value.to(backbone.learner.device) for key, value in learnt.items() if key.startswith(SHARED)}
    return backbone._replace(name=name, notes=notes, heads={**backbone.heads, **heads})


def load_base(run: Run, runtime: Runtime = Runtime()) -> Backbone:
    """Return the base model of a run, with its decoder where the run has learnt something of it."""
    backbone = load_backbone(run.base, runtime)
    if is_half(backbone) and _learnt_more(run.checkpoint, backbone):
        return load_backbone(run.base, runtime._replace(writes=True))
    return backbone


def is_half(backbone: Backbone) -> bool:
    """Return whether a model has a decoder that stayed away when it was loaded."""
    return any(note.startswith(HALF) for note in backbone.notes)


def _learnt_more(checkpoint: Path, backbone: Backbone) -> bool:
    """Return whether a checkpoint has weights that are none of the model; False if it cannot be read."""
    own = tuple(name.removeprefix("body.") for name in backbone.learner.body())
    try:
        with safe_open(checkpoint / "params.safetensors", framework="pt") as file:
            names = [_weight(name) for name in file.keys()]  # noqa: SIM118  # it is no mapping
    except (OSError, SafetensorError):
        return False  # whoever reads it says so
    return any(name is not None and not name.startswith(own) for name in names)


def _weight(name: str) -> str | None:
    """Return the weight that a parameter of a checkpoint is of, with what may follow; None where it is of none."""
    begin = next((mark for mark in ("body.", LEARNT) if mark in name), None)
    return None if begin is None else name.split(begin, 1)[1]


def _with_adapters(module: nn.Module, place: Place) -> tuple[str, ...]:
    """Add the adapters of a model to its weights, in place; return notes about them."""
    return tuple(note for folder, adapter in place.adapters for note in add_adapter(module, adapter, folder))


def _parts(network: Network, place: Place, runtime: Runtime) -> tuple[nn.Module, nn.Module | None]:
    """Return the frozen model, with its layers on the pooled vector, and an encoder's language-model head if wanted."""
    device = pick_device(runtime.device)
    whole = network.module.to(device).requires_grad_(requires_grad=False).eval()
    module, language = parts_of(network, place.name) if runtime.language else (whole, None)
    tail = read_tail(place.folder, place.stated.layers)
    if tail is not None:
        module.add_module(TAIL, tail.to(device).requires_grad_(requires_grad=False).eval())
    return module, language


def _manner(learner: HfLearner, runtime: Runtime) -> str:
    """Return precision, attention and device in words."""
    attention = cast("Any", learner.module).config._attn_implementation
    recomputed = ", layers recomputed" if runtime.checkpointing else ""
    precision = "bf16 autocast" if learner.bf16 else "fp32"
    return f"{precision}, {attention} attention, {learner.device.type}{recomputed}"


def _checkpointing(module: nn.Module, name: str, runtime: Runtime) -> bool:
    if runtime.checkpointing and not layers_of(module):
        raise MetaglotError(f"{name}: no list of layers in it to recompute; leave model.checkpointing out")
    return runtime.checkpointing
