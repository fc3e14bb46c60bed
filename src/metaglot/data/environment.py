"""What `environment.json` and `settings.json` of an output folder hold, checked."""

from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from metaglot.data.checked import Stored, read_plain
from metaglot.data.yamltext import shown

SETTINGS = "settings.json"
ENVIRONMENT = "environment.json"


class Versions(Stored):
    """Names of programs and packages, with their versions."""

    @model_validator(mode="after")
    def _plain(self) -> "Versions":
        for name, value in (self.model_extra or {}).items():
            _check(name, value, (str, int, float))
        return self


class Settings(Stored):
    """What results depend on besides their cell."""

    seed: int | None = None
    queries: int | None = Field(default=None, ge=0)
    overlap: str | None = None
    reference: str | None = None

    @model_validator(mode="after")
    def _kinds(self) -> "Settings":
        for name, value in (self.model_extra or {}).items():
            if name.startswith("task "):
                _check(name, value, (str,))
            if name.startswith("method "):
                _check(name, value, (dict,))
        return self


def read_settings(file: Path) -> dict[str, Any]:
    """Return the settings of an evaluation by name; raise MetaglotError where the file is absent or damaged."""
    return read_plain(file, Settings, "put the file back as it was, or evaluate again with --force")[1]


def read_versions(file: Path) -> dict[str, Any]:
    """Return versions by name; raise MetaglotError where the file is absent or damaged."""
    return read_plain(file, Versions, "put the file back as it was, or remove it")[1]


def _check(name: str, value: object, kinds: tuple[type, ...]) -> None:
    if not isinstance(value, kinds):
        expected = " or ".join(kind.__name__ for kind in kinds)
        raise ValueError(f"{name:.60}: expected {expected}, and got {shown(value)}")
