"""`metaglot predict FOLDER in.po --out out.po`: a catalogue of gettext with translations where it had none."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from metaglot.choices import FAMILIES
from metaglot.cli.shared.predicting import Question
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.cli.shared.texts import task_of_folder
from metaglot.data.examples import Inputs
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    from metaglot.data.catalogues import Filled

SURE = 0.5  # the probability from which on a translation is not marked fuzzy, unless another is asked for


def check_catalogue(
    folder: Path, file: Path | None, out: Path, *, columns: str | None, new_columns: str | None, force: bool
) -> None:
    """Raise MetaglotError for options without a use, for another input, and for a file that exists, unless `force`."""
    from metaglot.data.folders import check_adapted

    check_adapted(folder)
    for option, value in (("--columns", columns), ("--new-columns", new_columns)):
        if value is not None:
            raise MetaglotError(f"{option} has no use beside --out {out}: a catalogue has no columns; drop it")
    if file is None or file.suffix.lower() not in (".po", ".pot"):
        raise MetaglotError(f"--out {out}: a catalogue is made of a catalogue; give a .po file, or another --out")
    task = task_of_folder(folder)
    if not (task in FAMILIES and FAMILIES.kinds[task].writes):
        raise MetaglotError(
            f"--out {out}: {folder} is a task of {task}, which writes no texts; --out FILE.csv has labels"
        )
    check_out_catalogue(out, force=force)


def check_out_catalogue(out: Path, *, force: bool) -> None:
    """Raise MetaglotError for a name that is no catalogue's, and for a file that exists, unless `force`."""
    from metaglot.data.rawfiles import utf8_path

    if out.suffix.lower() != ".po":
        raise MetaglotError(f"--out {out}: a catalogue is written; give a name that ends in .po")
    utf8_path(out)
    if out.is_dir() or (out.exists() and not force):
        raise MetaglotError(f"--out {out}: it exists already; choose another name, or --force to replace that file")


def fill_catalogue(
    question: Question,
    file: Path,
    out: Path,
    encoding: str | None,
    *,
    fuzzy_below: float | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write the catalogue with a translation of each entry that has none; its others stay as they are."""
    from metaglot.cli.shared.progress import bar
    from metaglot.data.catalogues import untranslated

    inputs = Inputs.of(untranslated(file, encoding))
    if quiet or as_json:
        predictions = question.predictions(inputs)
    else:
        with bar("predict", len(inputs)) as advance:
            predictions = question.predictions(inputs, advance)
    least = SURE if fuzzy_below is None else fuzzy_below
    unsure = [isinstance(one.probability, float) and one.probability < least for one in predictions]
    found = write_catalogue(file, out, [one.text for one in predictions], unsure, encoding)
    if as_json:
        tell_json({"out": str(out), "entries": found.written, "fuzzy": found.fuzzy})
    elif not quiet:
        tell(f"{found.summary()} → {out}")


def write_catalogue(
    file: Path, out: Path, texts: Sequence[str], unsure: Sequence[bool], encoding: str | None
) -> "Filled":
    """Write a catalogue with texts for those that it lacks; return what was filled."""
    from metaglot.data.cache import atomic_file
    from metaglot.data.catalogues import filled

    found = filled(file, texts, encoding, unsure=unsure)
    with atomic_file(out) as part:
        part.write_bytes(found.text.encode("utf-8"))  # with the line ends that it has
    return found
