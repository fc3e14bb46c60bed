"""Which algorithm meta-trained a model, as its model.json says; free of heavy imports."""

from collections.abc import Mapping
from typing import Any

from metaglot.data.folders import check_model, folder_of, is_run, read_run
from metaglot.errors import MetaglotError


def trained_by(described: Mapping[str, Any], model: str) -> tuple[str, dict[str, Any]]:
    """Return the name and the options of the algorithm in what a run says of itself.

    Raises MetaglotError where it names none, as for a plain checkpoint; `model` is what the user calls it.
    """
    algorithm = described.get("algorithm")
    name = algorithm.get("name") if isinstance(algorithm, Mapping) else None
    if not isinstance(name, str):
        raise MetaglotError(
            f"{model} was not meta-trained by an algorithm, so there is none to adapt it by; choose another effort, "
            "such as fast, or name a run directory, as `metaglot pretrain` makes it"
        )
    options = algorithm.get("options") if isinstance(algorithm, Mapping) else None
    return name, dict(options) if isinstance(options, Mapping) else {}


def check_trained(model: str) -> None:
    """Raise MetaglotError for a model that the effort as-trained cannot adapt."""
    check_model(model)
    folder = folder_of(model)
    trained_by(read_run(folder).described if is_run(folder) else {}, model)
