"""Which algorithm meta-trained a model, as its model.json says; free of heavy imports."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from metaglot.data.folders import check_model, folder_of, is_run, read_run
from metaglot.errors import MetaglotError


class Named(NamedTuple):
    """An algorithm by name and options."""

    name: str
    options: dict[str, Any]


def named_in(described: Mapping[str, Any]) -> Named | None:
    """Return the algorithm in what a run says of itself; None where it names none, as for a plain checkpoint."""
    algorithm = described.get("algorithm")
    if not isinstance(algorithm, Mapping) or not isinstance(algorithm.get("name"), str):
        return None
    options = algorithm.get("options")
    return Named(algorithm["name"], dict(options) if isinstance(options, Mapping) else {})


def trained_by(described: Mapping[str, Any], model: str) -> Named:
    """Return the algorithm in what a run says of itself; raise MetaglotError where it names none.

    `model` is what the user calls it.
    """
    return required(named_in(described), model)


def required(named: Named | None, model: str) -> Named:
    """Return the algorithm that trained a model; raise MetaglotError where none did."""
    if named is None:
        raise MetaglotError(
            f"{model} was not meta-trained by an algorithm, so there is none to adapt it by; choose another effort, "
            "such as fast, or name a run directory, as `metaglot pretrain` makes it"
        )
    return named


def check_trained(model: str) -> None:
    """Raise MetaglotError for a model that the effort as-trained cannot adapt."""
    check_model(model)
    folder = folder_of(model)
    trained_by(read_run(folder).described if is_run(folder) else {}, model)
