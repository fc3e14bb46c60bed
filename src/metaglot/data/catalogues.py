"""Catalogues of gettext (`.po`): texts of a program and their translations, read to learn from, and filled.

An entry gives an example; one with plural forms gives two, the singular with the first form and the plural with the
last.  Fuzzy entries, which a person is to look at, and obsolete ones are left out.  A translation that is written into
a catalogue keeps line breaks at the edges of its source; where its placeholders are others than those of the source,
the entry is marked fuzzy.  https://www.gnu.org/software/gettext/manual/html_node/PO-Files.html
"""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from metaglot.data.columns import Pick, Raw
from metaglot.data.placeholders import keeps_placeholders, placeholders_in
from metaglot.data.textfiles import decode
from metaglot.errors import MetaglotError


class Part(NamedTuple):
    """A text of an entry and its translation."""

    entry: Any  # of polib
    source: str
    target: str  # "" where it is not translated
    forms: tuple[int, ...] = ()  # the plural forms that the target is; none of a plain entry


class Filled(NamedTuple):
    """A catalogue with more translations."""

    text: str
    written: int  # entries that were translated
    fuzzy: int  # of these, those whose placeholders are not kept


def read_po(path: Path, pick: Pick) -> Raw:
    """Return the entries of a catalogue as sources and targets; raise MetaglotError for a file that is none."""
    if pick.cells != "texts":
        raise MetaglotError(
            f"{path}: a catalogue of translations, which the task generation learns: --task generation."
        )
    catalogue = _catalogue(path, decode(path, pick.encoding))
    parts = [part for entry in catalogue if _is_sure(entry) for part in _parts(entry)]
    if not parts:
        raise MetaglotError(f"{path}, line 1: no entry that is not fuzzy or obsolete.")
    targets = [part.target or None for part in parts]
    columns = {"text": [part.source for part in parts]} | ({"label": targets} if any(targets) else {})
    return Raw(
        columns,
        lambda row: f"{path}, line {parts[row].entry.linenum}",
        typed=False,
        notes=tuple(_notes(path, catalogue, parts)),
        form="gettext catalogue",
        answers=True,
        file_columns=("msgid", "msgstr"),
    )


def untranslated(path: Path, encoding: str | None = None) -> list[str]:
    """Return the sources of a catalogue that have no translation, in their order; fuzzy entries have one."""
    return [part.source for part in _open_parts(_catalogue(path, decode(path, encoding)))]


def filled(path: Path, translations: Sequence[str], encoding: str | None = None) -> Filled:
    """Return the catalogue with a translation for each of `untranslated`."""
    catalogue = _catalogue(path, decode(path, encoding))
    written: dict[int, bool] = {}  # by entry, whether it is to be looked at
    for part, text in zip(_open_parts(catalogue), translations, strict=True):
        if not text.strip():
            continue
        target = _with_edges(part.source, text)
        sources = [part.entry.msgid, part.entry.msgid_plural] if part.forms else [part.source]
        doubtful = not any(keeps_placeholders(source, target) for source in sources) or len(part.forms) > 1
        if part.forms:
            part.entry.msgstr_plural |= dict.fromkeys(part.forms, target)
        else:
            part.entry.msgstr = target
        written[id(part.entry)] = written.get(id(part.entry), False) or doubtful
    for entry in catalogue:
        if written.get(id(entry), False) and "fuzzy" not in entry.flags:
            entry.flags.append("fuzzy")
    return Filled(str(catalogue), len(written), sum(written.values()))


def _catalogue(path: Path, text: str) -> Any:
    if find_spec("polib") is None:
        raise MetaglotError(f"{path}: catalogues need the package polib: pip install 'metaglot[generation]'")
    polib: Any = import_module("polib")
    try:
        return polib.pofile(text if "\n" in text else text + "\n", wrapwidth=78)
    except (OSError, ValueError, IndexError) as error:
        reason = str(error).replace("Syntax error in po file ", "").strip() or "it is no catalogue"
        raise MetaglotError(
            f"{path}: not a catalogue of gettext: {reason}. Mend it, for example with msgfmt -c."
        ) from error


def _is_sure(entry: Any) -> bool:
    return not entry.obsolete and "fuzzy" not in entry.flags and bool(entry.msgid)


def _parts(entry: Any) -> list[Part]:
    if not entry.msgid_plural:
        return [Part(entry, entry.msgid, entry.msgstr)]
    forms = sorted(map(int, entry.msgstr_plural)) or [0, 1]
    texts = {form: entry.msgstr_plural.get(form, "") for form in forms}
    if len(forms) == 1:  # a language without plurals
        return [Part(entry, entry.msgid_plural, texts[forms[0]], (forms[0],))]
    return [
        Part(entry, entry.msgid, texts[forms[0]], (forms[0],)),
        Part(entry, entry.msgid_plural, texts[forms[-1]], tuple(forms[1:])),
    ]


def _open_parts(catalogue: Any) -> list[Part]:
    """Return the parts of entries that have no translation at all."""
    entries = [entry for entry in catalogue if _is_sure(entry)]
    return [part for entry in entries for part in _parts(entry) if not any(own.target for own in _parts(entry))]


def _with_edges(source: str, target: str) -> str:
    """Return a translation with the line breaks that its source begins and ends with."""
    begin = "\n" if source.startswith("\n") else ""
    end = "\n" if source.endswith("\n") else ""
    return f"{begin}{target.strip()}{end}"


def _notes(path: Path, catalogue: Any, parts: Sequence[Part]) -> list[str]:
    lacking = sum(not part.target for part in parts)
    fuzzy = sum("fuzzy" in entry.flags and not entry.obsolete for entry in catalogue)
    plural = sum(bool(part.forms) for part in parts)
    held = sum(bool(placeholders_in(part.source)) for part in parts)
    return [
        *([f"{path}: {fuzzy} fuzzy entries are left out"] if fuzzy else []),
        *([f"{path}: {lacking} texts have no translation, and are no examples"] if lacking else []),
        *([f"{path}: {plural} texts are plural forms"] if plural else []),
        *([f"{path}: {held} of {len(parts)} texts have placeholders, such as {_one_of(parts)}"] if held else []),
    ]


def _one_of(parts: Sequence[Part]) -> str:
    return next(iter(next(found for part in parts if (found := placeholders_in(part.source)))))
