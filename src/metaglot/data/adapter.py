"""What a PEFT adapter says of itself: `adapter_config.json`, read without torch and without peft.

https://huggingface.co/docs/peft/developer_guides/checkpoint
"""

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from metaglot.data.jsonfile import FAULTS, read_raw
from metaglot.errors import MetaglotError

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
WAY_OUT = "merge it with peft (merge_and_unload, save_pretrained) and load the merged folder"
UNSUPPORTED = (
    *("use_dora", "use_qalora", "use_bdlora", "lora_bias", "alora_invocation_tokens", "target_parameters"),
    *("trainable_token_indices", "layer_replication", "arrow_config", "kasa_config", "monteclora_config"),
    *("velora_config",),
)


class Adapter(BaseModel):
    """A LoRA adapter: each weight W becomes W + s·B A with s = alpha / r, or alpha / √r."""

    model_config = ConfigDict(extra="allow")
    peft_type: str
    base_model_name_or_path: str | None = None
    lora_alpha: float = 8
    r: int = Field(default=8, ge=1)
    use_rslora: bool = False
    alpha_pattern: dict[str, float] | None = None
    revision: str | None = None


def read_adapter(folder: Path) -> Adapter | None:
    """Return the adapter that a folder holds, or None; raise MetaglotError where it is damaged or of another kind."""
    file = folder / CONFIG
    if not file.is_file():
        return None
    try:
        adapter = Adapter.model_validate(json.loads(read_raw(file).decode("utf-8")))
    except FAULTS as error:
        what = " ".join(str(error).split())
        raise MetaglotError(f"{file}: the file is damaged ({what:.150}); copy or download the adapter again") from error
    if adapter.peft_type != "LORA":
        raise MetaglotError(f"{file}: the adapter is of the type {adapter.peft_type}, not LORA; {WAY_OUT}")
    extra: dict[str, Any] = adapter.model_extra or {}
    for name in UNSUPPORTED:
        if extra.get(name):
            raise MetaglotError(f"{file}: the setting {name} is not supported; {WAY_OUT}")
    if not (folder / WEIGHTS).is_file():
        raise MetaglotError(
            f"{folder}: an adapter without {WEIGHTS}; save it again with peft (save_pretrained writes safetensors)"
        )
    return adapter


def base_of(adapter: Adapter, folder: Path) -> str:
    """Return the model that an adapter stands over: a name, or a path from here or else from the adapter's folder."""
    name = adapter.base_model_name_or_path
    if not name:
        raise MetaglotError(f"{folder / CONFIG}: it names no base model; set base_model_name_or_path")
    beside = folder / name
    return str(beside) if not Path(name).exists() and beside.is_dir() else name
