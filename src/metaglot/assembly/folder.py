"""The files that describe a run in its folder: config.yaml, environment.json, model.json."""

import hashlib
import json
import platform
import shutil
from pathlib import Path
from typing import Any

from metaglot.config import dump_recipe, load_recipe
from metaglot.data.cache import atomic_folder, write_whole
from metaglot.data.checked import sealed
from metaglot.data.naming import name_record
from metaglot.data.runfile import description_in
from metaglot.data.yamltext import parse_yaml
from metaglot.errors import MetaglotError
from metaglot.version import __version__

BASE = "base"  # folder of a model that was made for the run


def write_run_files(folder: Path, recipe_text: str, description: dict[str, Any], *, base: Path | None = None) -> None:
    """Write config.yaml, environment.json and model.json; where they exist, check that they describe the same run.

    `base` is the folder of a model that was made for the run: it is copied into the folder of the run.
    Raises MetaglotError if the folder holds another run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.yaml"
    # Keys of later versions have defaults.
    if config.is_file() and _what(dump_recipe(load_recipe(config))) != _what(recipe_text):
        raise MetaglotError(f"{folder} holds a run of another recipe; use another --out, or --force to start over")
    recorded = description_in(folder / "model.json")
    different = [
        key for key in ("fingerprints", "validation_fingerprints") if recorded.get(key) != description.get(key)
    ]
    if recorded and different and (folder / "checkpoints").is_dir():
        raise MetaglotError(
            f"{folder}: the data differ from those that the run began with ({', '.join(different)} in model.json); put "
            "the old data back, use another --out, or --force to start over"
        )
    if base is not None and not (folder / BASE).is_dir():
        with atomic_folder(folder / BASE) as part:
            shutil.copytree(base, part, dirs_exist_ok=True)
    if base is None and "base" in description:
        description = {**description, **name_record("base", str(description["base"]), folder)}
    environment = {"metaglot": __version__, "python": platform.python_version(), "machine": platform.machine()}
    environment |= _versions()
    for name, text in (
        ("model.json", json.dumps(sealed(description), indent=1, ensure_ascii=False) + "\n"),
        ("environment.json", json.dumps(environment, indent=1) + "\n"),
        ("config.yaml", recipe_text),
    ):
        write_whole(folder / name, text)


def _what(recipe_text: str) -> dict[str, Any]:
    """Return what a recipe learns; whether ranks divide the body of it is how."""
    values = parse_yaml(recipe_text, "config.yaml")
    return {**values, "training": {k: v for k, v in values["training"].items() if k != "shard"}}


def _versions() -> dict[str, str]:
    import torch
    import transformers

    digest = hashlib.sha256(torch.__config__.show().encode()).hexdigest()[:16]
    return {
        "torch": torch.__version__,
        "torch_build": digest,
        "transformers": transformers.__version__,
        "threads": str(torch.get_num_threads()),
    }
