"""What a sentence-transformers folder says of itself: modules, pooling, prompt, length; read without torch.

`modules.json` lists a network, a pooling of its tokens and layers on the pooled vector.  All of it is followed, or
refused by name: a part that is left out gives other embeddings than the ones that the model was trained for.
https://sbert.net/docs/package_reference/sentence_transformer/modules.html
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from metaglot.data.jsonfile import FAULTS, read_raw
from metaglot.errors import MetaglotError

MODULES = "modules.json"
NETWORKS = ("bert", "roberta", "distilbert", "camembert", "albert", "xlm-roberta", "xlnet")
POOLINGS = {
    "cls": "cls",
    "max": "max",
    "mean": "mean",
    "mean_sqrt_len_tokens": "mean_sqrt_len",
    "weightedmean": "weightedmean",
    "lasttoken": "last",
}
"""Our names of the poolings that sentence-transformers has, in the order in which it joins several."""
OLD_KEYS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
PIPELINE = "SentenceTransformer"
WAY_OUT = f"take another model, or delete {MODULES} from a copy of the folder: the network is then mean-pooled"
Kind = Literal["Dense", "LayerNorm", "Normalize"]


class Layer(NamedTuple):
    """A layer on the pooled vector."""

    kind: Kind
    path: str  # of its folder within the model's
    settings: Mapping[str, Any] = {}


class Stated(NamedTuple):
    """What a folder says beyond its network."""

    network: str = ""  # the folder of the network within the model's
    pooling: str = "mean"  # one of POOLINGS' values, or several joined by +
    layers: tuple[Layer, ...] = ()  # on the pooled vector, in their order
    unit: bool = True  # whether embeddings have length one
    prompt: str = ""  # the text before every text
    length: int | None = None  # tokens of a text that are read
    lowercase: bool = False


class _Lax(BaseModel):
    model_config = ConfigDict(extra="allow")


class _Entry(_Lax):
    path: str = ""
    type: str


class _Pooling(_Lax):
    pooling_mode: str | list[str] | None = None
    include_prompt: bool = True


class _Network(_Lax):
    max_seq_length: int | None = Field(default=None, ge=1)
    do_lower_case: bool | None = False
    transformer_task: str = "feature-extraction"
    modality_config: dict[str, dict[str, Any]] = {}
    processing_kwargs: dict[str, Any] | None = None
    tokenizer_name_or_path: str | None = None


class _Model(_Lax):
    model_type: str = PIPELINE
    prompts: dict[str, str | None] | None = None
    default_prompt_name: str | None = None
    truncate_dim: int | None = None


class _Tokenizer(_Lax):
    model_max_length: float | None = None


class _Layer(_Lax):
    module_input_name: str = "sentence_embedding"
    module_output_name: str | None = None


_M = TypeVar("_M", bound=BaseModel)


def stated_by(folder: Path) -> Stated:
    """Return what a model's folder says; a plain one is mean-pooled and its embeddings have length one.

    Raises MetaglotError for a damaged file, and for a module or a setting that is not supported.
    """
    if not (folder / MODULES).is_file():
        return Stated(pooling=_pooling(folder / "1_Pooling") if (folder / "1_Pooling").is_dir() else "mean")
    network, *others = _entries(folder)
    kinds = [_kind(folder, entry) for entry in others]
    kept = [(kind, entry.path) for kind, entry in zip(kinds, others, strict=True) if kind != "Dropout"]
    if _kind(folder, network) != "Transformer" or not kept or kept[0][0] != "Pooling":
        raise _refused(folder / MODULES, "it is no Transformer followed by a Pooling")
    model = _read(folder / "config_sentence_transformers.json", _Model)
    _check_model(folder, model)
    settings = _settings(folder / network.path)
    prompt = _prompt(folder, model)
    layers = tuple(_layer(folder, kind, path) for kind, path in kept[1:])
    return Stated(
        network=network.path,
        pooling=_pooling(folder / kept[0][1], prompt=prompt),
        layers=layers,
        unit=bool(layers) and layers[-1].kind == "Normalize",
        prompt=prompt,
        length=settings.max_seq_length or _tokenizer_length(folder / network.path),
        lowercase=bool(settings.do_lower_case),
    )


def network_of(folder: Path) -> Path:
    """Return the folder of config and weights: the model's own, or the one that its `modules.json` names first."""
    return folder / _entries(folder)[0].path if (folder / MODULES).is_file() else folder


def _entries(folder: Path) -> list[_Entry]:
    file = folder / MODULES
    try:
        entries = [_Entry.model_validate(one) for one in _json(file)]
    except (ValidationError, TypeError) as error:
        raise _damaged(file, error) from error
    if not entries:
        raise _damaged(file, ValueError("it lists no module"))
    for entry in entries:
        if Path(entry.path).is_absolute() or ".." in Path(entry.path).parts:
            raise _refused(file, f"the path {entry.path!r} leaves the folder")
    return entries


def _kind(folder: Path, entry: _Entry) -> str:
    kind = entry.type.rpartition(".")[2]
    kinds = ("Transformer", "Pooling", "Dense", "LayerNorm", "Normalize", "Dropout")
    if not entry.type.startswith("sentence_transformers.") or kind not in kinds:
        raise _refused(folder / MODULES, f"the module {entry.type} is not supported (supported: {', '.join(kinds)})")
    return kind


def _check_model(folder: Path, model: _Model) -> None:
    file = folder / "config_sentence_transformers.json"
    if model.model_type != PIPELINE:
        raise _refused(file, f"it is a {model.model_type}, not a {PIPELINE}")
    if model.truncate_dim is not None:
        raise _refused(file, "truncate_dim is not supported")


def _prompt(folder: Path, model: _Model) -> str:
    if model.default_prompt_name is None:
        return ""
    prompts = model.prompts or {}
    if model.default_prompt_name not in prompts:
        raise _damaged(
            folder / "config_sentence_transformers.json",
            ValueError(f"no prompt called {model.default_prompt_name!r} among {', '.join(prompts) or 'none'}"),
        )
    return prompts[model.default_prompt_name] or ""


def _settings(network: Path) -> _Network:
    files = [network / f"sentence_{name}_config.json" for name in NETWORKS]
    file = next((file for file in files if file.is_file()), files[0])
    settings = _read(file, _Network)
    odd = ("model_args", "model_kwargs", "tokenizer_args", "processor_kwargs", "config_args", "config_kwargs")
    given: set[str] = {key for name in odd for key in dict((settings.model_extra or {}).get(name) or {})}
    # What decides code, precision or attention is chosen here in any case.
    given -= {"trust_remote_code", "attn_implementation", "dtype", "torch_dtype", "device_map", "use_safetensors"}
    given |= {name for name in ("processing_kwargs", "tokenizer_name_or_path") if getattr(settings, name)}
    text = settings.modality_config.get("text", {})
    if given:
        raise _refused(file, f"the setting {min(given)} is not supported")
    if settings.transformer_task != "feature-extraction":
        raise _refused(file, f"the task {settings.transformer_task} is not supported")
    if settings.modality_config and text.get("method_output_name") != "last_hidden_state":
        raise _refused(file, "the features are not the last hidden states of a text")
    return settings


def _tokenizer_length(network: Path) -> int | None:
    stated = _read(network / "tokenizer_config.json", _Tokenizer).model_max_length
    return int(stated) if stated is not None and 1 <= stated < 1e9 else None


def _pooling(folder: Path, *, prompt: str = "") -> str:
    file = folder / "config.json"
    if not file.is_file():
        raise _damaged(file, FileNotFoundError("it is not there"))
    pooling = _read(file, _Pooling)
    if prompt and not pooling.include_prompt:
        raise _refused(
            file, "a default prompt whose tokens are left out of the pooling (include_prompt) is not supported"
        )
    extra = pooling.model_extra or {}
    old = [mode for key, mode in OLD_KEYS.items() if extra.get(key)]
    modes = pooling.pooling_mode or old or ["mean"]
    modes = [modes] if isinstance(modes, str) else modes
    unknown = [mode for mode in modes if mode not in POOLINGS]
    unknown += [key for key, on in extra.items() if key.startswith("pooling_mode_") and on and key not in OLD_KEYS]
    if unknown:
        raise _refused(file, f"the pooling {unknown[0]} is not supported (supported: {', '.join(POOLINGS)})")
    return "+".join(POOLINGS[mode] for mode in modes)


def _layer(folder: Path, kind: str, path: str) -> Layer:
    kinds: Mapping[str, Kind] = {"Dense": "Dense", "LayerNorm": "LayerNorm", "Normalize": "Normalize"}
    if kind not in kinds:
        raise _refused(folder / MODULES, f"a {kind} after the Pooling is not supported")
    file = folder / path / "config.json"
    settings = _read(file, _Layer)
    names = {settings.module_input_name, settings.module_output_name or settings.module_input_name}
    if names != {"sentence_embedding"}:
        raise _refused(file, f"a {kind} on {', '.join(sorted(names - {'sentence_embedding'}))} is not supported")
    return Layer(kinds[kind], path, settings.model_extra or {})


def _read(file: Path, model: type[_M]) -> _M:
    """Return the settings in a file; those by default where it is absent."""
    if not file.is_file():
        return model()
    try:
        return model.model_validate(_json(file))
    except ValidationError as error:
        raise _damaged(file, error) from error


def _json(file: Path) -> Any:
    try:
        return json.loads(read_raw(file).decode("utf-8"))
    except FAULTS as error:
        raise _damaged(file, error) from error


def _damaged(file: Path, error: Exception) -> MetaglotError:
    what = " ".join(str(error).split())
    return MetaglotError(f"{file}: the file is damaged ({what:.150}); copy or download the model again")


def _refused(file: Path, why: str) -> MetaglotError:
    return MetaglotError(f"{file}: {why}; {WAY_OUT}")
