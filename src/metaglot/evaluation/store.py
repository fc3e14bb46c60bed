"""Results on disk: `results.jsonl`, one line a cell, and `settings.json`, on which the results depend.

Lines are appended, flushed and synced one by one, so that a kill loses at most the last line; an unfinished last line
is removed when the evaluation goes on.
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
from metaglot.evaluation.result import Result, parse_row, row_of

RESULTS = "results.jsonl"
COSTS = frozenset({"cpu_seconds", "peak_mb"})  # fields of a row that differ from run to run
DAMAGED_LINES = "results.damaged.jsonl"  # for lines that are no results
OVERLAP = "overlap"  # the setting that says whether texts seen in meta-training were "kept" or "excluded"
NOT_JUDGED = "not judged:"  # begins the settings with the reasons why a method cannot learn a kind of task
REFERENCE = "reference"  # the setting with the method that others are compared with; no result depends on it


def read_results(path: str | Path) -> list[Result]:
    """Return the rows of `results.jsonl`, a file or the one in a folder, without an unfinished last line.

    Raises MetaglotError when there is no such file, or a line other than the last is not a result.
    """
    path_given = check_path("path", path, what="results")
    file = path_given / RESULTS if path_given.is_dir() else path_given
    if not file.is_file():
        raise MetaglotError(f"{file}: no such file. `metaglot evaluate … --out {file.parent}` writes it.")
    results, faults_by_line = _sorted_lines(file)
    if faults_by_line:
        number, reason = next(iter(faults_by_line.items()))
        raise MetaglotError(
            f"{file}, line {number}: not a result ({reason}). Give the `metaglot evaluate` command again, which moves "
            "such lines away and judges the missing cells; or remove the line."
        )
    return list(results.values())


def saved_results(out: Path) -> tuple[list[Result], str | None]:
    """Return the results in a folder, and a note on lines that are no results; `resume` moves these away."""
    if not is_there(out / RESULTS):
        return [], None
    results, faults_by_line = _sorted_lines(out / RESULTS)
    if not faults_by_line:
        return list(results.values()), None
    first, count = min(faults_by_line), len(faults_by_line)
    lines = f"line {first} is not a result" if count == 1 else f"{count} lines are not results"
    fate = f"moved to {DAMAGED_LINES}, and the missing cells are judged again"
    note = f"{out / RESULTS}: {lines} ({faults_by_line[first]}); {fate}"
    return list(results.values()), note


def append(out: Path, result: Result) -> None:
    """Add one line to the results in `out`; on return it is on disk."""
    line = json.dumps(row_of(result), ensure_ascii=False, allow_nan=False) + "\n"
    with (out / RESULTS).open("ab") as file:
        file.write(line.encode())
        file.flush()
        os.fsync(file.fileno())


def resume(out: Path, settings: Mapping[str, object], *, force: bool = False) -> list[Result]:
    """Return the results in `out`, and prepare the folder for more.

    An unfinished last line is removed, lines that are no results are moved to DAMAGED_LINES, and `settings` are added
    to the recorded ones.  Raises MetaglotError, with `out` unchanged, when a recorded setting differs, or `out` has
    results without settings; `force` removes both instead.
    """
    file, settings_file = out / RESULTS, out / SETTINGS
    settings = json.loads(json.dumps(settings))
    if force and (file.exists() or settings_file.exists()):
        check_kind(out, OWNED)
        file.unlink(missing_ok=True)
        settings_file.unlink(missing_ok=True)
    recorded_settings = _recorded_settings(out)
    for name in sorted((recorded_settings.keys() & settings.keys()) - {REFERENCE}):
        if recorded_settings[name] != settings[name]:
            raise MetaglotError(_difference_message(out, name, recorded_settings[name], settings[name]))
    saved = saved_results(out)[0]
    _write_settings(out, recorded_settings | dict(settings))
    if file.exists():
        _move_damaged_lines(out)
        with file.open("r+b") as handle:
            handle.truncate(sum(len(line) + 1 for line in _whole_lines(file)))
    return saved


def _move_damaged_lines(out: Path) -> None:
    """Move the lines that are no results to a file of their own."""
    results, faults_by_line = _sorted_lines(out / RESULTS)
    if not faults_by_line:
        return
    lines = _whole_lines(out / RESULTS)
    with (out / DAMAGED_LINES).open("ab") as file:
        file.writelines(lines[number - 1] + b"\n" for number in faults_by_line)
    with atomic_file(out / RESULTS) as part:
        part.write_bytes(b"".join(lines[number - 1] + b"\n" for number in results))


def _write_settings(out: Path, settings: Mapping[str, object]) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
        draft = out / (SETTINGS + ".tmp")
        draft.write_text(json.dumps(settings, indent=2, ensure_ascii=False) + "\n", "utf-8")
        draft.replace(out / SETTINGS)
    except OSError as error:
        raise MetaglotError(f"{out}: cannot be written ({error.strerror}). Choose another --out.") from error


def _recorded_settings(out: Path) -> dict[str, object]:
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
    """Return the results by the number of their line, and the faults of the other lines by theirs."""
    results: dict[int, Result] = {}
    faults_by_line: dict[int, str] = {}
    for number, line in enumerate(_whole_lines(file), start=1):
        try:
            results[number] = parse_row(line)
        except ValueError as error:
            faults_by_line[number] = faults(error)
    return results, faults_by_line


def _difference_message(out: Path, name: str, recorded: object, current: object) -> str:
    return (
        f"{out}: holds results made with another {name}: {json.dumps(recorded)} then, {json.dumps(current)} now. "
        "Choose another --out to keep both, or --force to start afresh here."
    )
