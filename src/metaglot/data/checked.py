"""Values that came from a file, checked against a pydantic model: errors name the file and the field."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, ValidationError

from metaglot.data.jsonfile import FAULTS, read_raw
from metaglot.data.yamltext import shown
from metaglot.errors import MetaglotError

SHOWN = 3  # faults in a message
SEAL = "seal"  # the name of the digest of all other names and values; files of earlier versions have none


class Stored(BaseModel):
    """Values as metaglot stored them: types are not bent, numbers are finite, names of later versions are kept."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow", allow_inf_nan=False, protected_namespaces=())


StoredT = TypeVar("StoredT", bound=Stored)


def read_stored(file: Path, model: type[StoredT], way_out: str) -> StoredT:
    """Return what a JSON file holds as `model`.

    Raises MetaglotError that names the file, the field, what was expected and what came, and ends with `way_out`.
    """
    raw = read_raw(file)
    value = parse_stored(raw, model, str(file), way_out)
    _check_seal(json.loads(raw.decode("utf-8")), file, way_out)
    return value


def read_plain(file: Path, model: type[StoredT], way_out: str) -> tuple[StoredT, dict[str, Any]]:
    """Return what `read_stored` does, and the names and values as they stand in the file."""
    raw = read_raw(file)
    value, plain = parse_stored(raw, model, str(file), way_out), json.loads(raw.decode("utf-8"))
    _check_seal(plain, file, way_out)
    return value, plain


def sealed(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Return names and values with a seal, by which a change of any of them is noticed when they are read."""
    return {**plain, SEAL: _seal_of(plain)}


def parse_stored(raw: bytes, model: type[StoredT], where: str, way_out: str) -> StoredT:
    """Return what a JSON text holds as `model`; raises as `read_stored` does, and the message begins with `where`."""
    try:
        return model.model_validate_json(raw)
    except FAULTS as error:
        raise MetaglotError(f"{where}: damaged ({faults(error)}); {way_out}") from error


def _seal_of(plain: Mapping[str, Any]) -> str:
    text = json.dumps({name: value for name, value in plain.items() if name != SEAL}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _check_seal(plain: object, file: Path, way_out: str) -> None:
    content = cast("dict[str, Any]", plain) if isinstance(plain, dict) else {}
    if SEAL in content and content[SEAL] != _seal_of(content):
        raise MetaglotError(
            f"{file}: damaged (it is not what was written: its seal does not fit; if you changed it yourself, remove "
            f'the line "{SEAL}"); {way_out}'
        )


def faults(error: Exception) -> str:
    """Return the first faults that pydantic found: the field, what was expected, what came."""
    if not isinstance(error, ValidationError):
        return str(error)[:200]
    errors = error.errors(include_url=False)
    sentences = [
        f"{'.'.join(str(part)[:60] for part in one['loc']) or 'the whole'}: {one['msg']} (got {shown(one['input'])})"
        for one in errors[:SHOWN]
    ]
    more = f"; and {len(errors) - SHOWN} more" if len(errors) > SHOWN else ""
    return "; ".join(sentences) + more
