"""Results on disk: `results.jsonl`, one line a cell, and `settings.json`, what they depend on.

Lines are appended, flushed and synced one by one, so that a kill loses at most the line being written; a torn last
line is cut off when the evaluation goes on.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from metaglot.data.arguments import check_path
from metaglot.data.cache import atomic_file
from metaglot.data.checked import faults
from metaglot.data.environment import SETTINGS, read_settings
from metaglot.data.owned import RESULTS as OWNED
from metaglot.data.owned import check_kind
from metaglot.data.rawfiles import is_there, read_bytes
from metaglot.errors import MetaglotError
from metaglot.evaluation.result import Result, parsed, row_of

RESULTS = "results.jsonl"
COSTS = frozenset({"cpu_seconds", "peak_mb"})  # what of a row is measured, and never twice the same
ASIDE = "results.damaged.jsonl"  # lines that were no results
OVERLAP = "overlap"  # the setting that says whether texts seen in meta-training were "kept" or "excluded"
NOT_JUDGED = "not judged:"  # how settings begin that say which method does not learn which kind of task, and why
REFERENCE = "reference"  # the setting that names the method that others are compared with; no result depends on it


def read_results(path: str | Path) -> list[Result]:
    """Return the whole rows of `results.jsonl` (or of the directory that holds it); a torn last line is left out.

    Raises MetaglotError when there is no such file, or a line other than the last is not a result.
    """
    given = check_path("path", path, what="results")
    file = given / RESULTS if given.is_dir() else given
    if not file.is_file():
        raise MetaglotError(f"{file}: no such file. `metaglot evaluate … --out {file.parent}` writes it.")
    found, wrong = _sorted_lines(file)
    if wrong:
        number, reason = next(iter(wrong.items()))
        raise MetaglotError(
            f"{file}, line {number}: not a result ({reason}). Give the `metaglot evaluate` command again, which puts "
            "such lines aside and judges what is missing; or remove the line."
        )
    return list(found.values())


def kept_results(out: Path) -> tuple[list[Result], str | None]:
    """Return the results in a folder, and what is said of lines that are none; `resume` puts those aside."""
    if not is_there(out / RESULTS):
        return [], None
    found, wrong = _sorted_lines(out / RESULTS)
    if not wrong:
        return list(found.values()), None
    lines = f"line {min(wrong)} is not a result" if len(wrong) == 1 else f"{len(wrong)} lines are not results"
    note = f"{out / RESULTS}: {lines} ({wrong[min(wrong)]}); moved to {ASIDE}, and what is missing is judged again"
    return list(found.values()), note


def append(out: Path, result: Result) -> None:
    """Add one line to the results in `out`; on return it is on disk."""
    line = json.dumps(row_of(result), ensure_ascii=False, allow_nan=False) + "\n"
    with (out / RESULTS).open("ab") as file:
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())


def resume(out: Path, settings: Mapping[str, object], *, force: bool = False) -> list[Result]:
    """Return the results that `out` holds, and make it ready for more.

    Cuts off a torn last line, moves lines that are no results to ASIDE, and adds `settings` to those recorded.  Raises
    MetaglotError, with `out` untouched, when a setting recorded there differs, or `out` holds results without settings;
    `force` removes both instead.
    """
    file, recorded = out / RESULTS, out / SETTINGS
    settings = json.loads(json.dumps(settings))
    if force and (file.exists() or recorded.exists()):
        check_kind(out, OWNED)
        file.unlink(missing_ok=True)
        recorded.unlink(missing_ok=True)
    before = _recorded(out)
    for name in sorted((before.keys() & settings.keys()) - {REFERENCE}):
        if before[name] != settings[name]:
            raise MetaglotError(_differs(out, name, before[name], settings[name]))
    kept = kept_results(out)[0]
    _make(out, before | dict(settings))
    if file.exists():
        _put_aside(out)
        with file.open("r+b") as handle:
            handle.truncate(sum(len(line) + 1 for line in _whole_lines(file)))
    return kept


def _put_aside(out: Path) -> None:
    """Move the lines that are no results to a file of their own."""
    found, wrong = _sorted_lines(out / RESULTS)
    if not wrong:
        return
    lines = _whole_lines(out / RESULTS)
    with (out / ASIDE).open("ab") as file:
        file.writelines(lines[number - 1] + b"\n" for number in wrong)
    with atomic_file(out / RESULTS) as part:
        part.write_bytes(b"".join(lines[number - 1] + b"\n" for number in found))


def _make(out: Path, settings: Mapping[str, object]) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        draft = out / (SETTINGS + ".tmp")
        draft.write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n", "utf-8")
        draft.replace(out / SETTINGS)
    except OSError as error:
        raise MetaglotError(f"{out}: cannot be written ({error.strerror}). Choose another --out.") from error


def _recorded(out: Path) -> dict[str, object]:
    file = out / SETTINGS
    if not file.exists():
        if (out / RESULTS).exists():
            raise MetaglotError(
                f"{out}: holds {RESULTS} but no {SETTINGS}, so what they were made with is unknown. "
                "Choose another --out, or start afresh here with --force."
            )
        return {}
    return {OVERLAP: "kept", **read_settings(file)}


def _whole_lines(file: Path) -> Sequence[bytes]:
    return read_bytes(file).split(b"\n")[:-1]


def _sorted_lines(file: Path) -> tuple[dict[int, Result], dict[int, str]]:
    """Return the results by the number of their line, and why the other whole lines are none."""
    found: dict[int, Result] = {}
    wrong: dict[int, str] = {}
    for number, line in enumerate(_whole_lines(file), start=1):
        try:
            found[number] = parsed(line)
        except ValueError as error:
            wrong[number] = faults(error)
    return found, wrong


def _differs(out: Path, name: str, before: object, now: object) -> str:
    return (
        f"{out}: holds results made with another {name}: {json.dumps(before)} then, {json.dumps(now)} now. "
        "Choose another --out to keep both, or --force to start afresh here."
    )
