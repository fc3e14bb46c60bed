"""Catalogues of gettext (`.po`): texts of a program and their translations, read to learn from, and filled.

An entry gives an example; one with plural forms gives two, the singular with the first form and the plural with the
last.  Fuzzy entries, which a person is to look at, and obsolete ones are left out.  A translation that is written into
a catalogue keeps the white space at the edges of its source; where its placeholders, tags or the mark of its key are
others than those of the source, the entry is marked fuzzy.  Of two catalogues of one program, a near language's and
one's own, the texts stand beside each other by their contexts and msgids.
https://www.gnu.org/software/gettext/manual/html_node/PO-Files.html
"""

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from metaglot.data.catalogue_text import Change, catalogue_text, changed, unescaped
from metaglot.data.columns import Pick, Raw
from metaglot.data.placeholders import keeps_marks, placeholders_in
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
    fuzzy: int  # of these, those whose placeholders or tags are not kept, and those that are not sure

    def summary(self) -> str:
        """Return how many entries were translated, and how many of them a person is to look at."""
        why = "unsure, with other placeholders, tags or keys, or with more plural forms"
        marked = f"; {self.fuzzy} of them are marked fuzzy: {why}"
        return f"{self.written} entries translated{marked if self.fuzzy else ''}"


class Beside(NamedTuple):
    """Two catalogues of one program: what both have, and what one's own lacks."""

    known: list[tuple[str, str]]  # a text in the near language and in one's own
    open: list[str | None]  # in the near language, of each text of `untranslated`; None where it has none


def read_po(path: Path, pick: Pick) -> Raw:
    """Return the entries of a catalogue as sources and targets; raise MetaglotError for a file that is none."""
    if pick.cells != "texts":
        raise MetaglotError(
            f"{path}: a catalogue of translations, which the task generation learns: --task generation."
        )
    catalogue = _catalogue(path, catalogue_text(path, pick.encoding))
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
    return [part.source for part in _open_parts(_catalogue(path, catalogue_text(path, encoding)))]


def beside(own: Path, near: Path, encoding: str | None = None) -> Beside:
    """Return the texts of two catalogues beside each other; an entry that one of them lacks is left out."""
    theirs = {_key(part): part.target for part in _sure_parts(near, encoding) if part.target}
    singular = {key[:3]: target for key, target in theirs.items()}  # the one form of a language without plurals

    def text_of(part: Part) -> str | None:
        return theirs.get(_key(part)) or singular.get(_key(part)[:3])

    both = [(text_of(part), part.target) for part in _sure_parts(own, encoding)]
    lacking = _open_parts(_catalogue(own, catalogue_text(own, encoding)))
    return Beside([(text, target) for text, target in both if text and target], [text_of(part) for part in lacking])


def _sure_parts(path: Path, encoding: str | None) -> list[Part]:
    catalogue = _catalogue(path, catalogue_text(path, encoding))
    return [part for entry in catalogue if _is_sure(entry) for part in _parts(entry)]


def _key(part: Part) -> tuple[str | None, str, str, bool]:
    entry = part.entry
    return entry.msgctxt, entry.msgid, entry.msgid_plural, part.source == entry.msgid


def filled(
    path: Path, translations: Sequence[str], encoding: str | None = None, *, unsure: Sequence[bool] = ()
) -> Filled:
    """Return the catalogue with a translation for each of `untranslated`, to be written as UTF-8.

    Those that are `unsure` are marked fuzzy.
    """
    text = catalogue_text(path, encoding)
    catalogue = _catalogue(path, text)
    written: dict[int, Change] = {}  # by the number of the entry
    numbers = {id(entry): i for i, entry in enumerate(e for e in catalogue if e.msgid and not e.obsolete)}
    doubts = unsure or [False] * len(translations)
    for part, text_written, doubt in zip(_open_parts(catalogue), translations, doubts, strict=True):
        if not text_written.strip():
            continue
        target = _with_edges(part.source, text_written)
        sources = [part.entry.msgid, part.entry.msgid_plural] if part.forms else [part.source]
        fuzzy = doubt or len(part.forms) > 1 or not any(keeps_marks(source, target) for source in sources)
        number = numbers[id(part.entry)]
        before = written.get(number, Change({}, fuzzy=False))
        targets: dict[int | None, str] = dict.fromkeys(part.forms or (None,), target)
        written[number] = Change({**before.targets, **targets}, fuzzy=before.fuzzy or fuzzy)
    return Filled(_put(path, text, catalogue, written), len(written), sum(one.fuzzy for one in written.values()))


def _put(path: Path, text: str, catalogue: Any, written: Mapping[int, Change]) -> str:
    """Return the catalogue with changes: in the text that it has, or as polib writes it where that is read otherwise.

    The first needs that both count the same entries, so that what came of it is read again and compared.
    """
    entries = [entry for entry in catalogue if entry.msgid and not entry.obsolete]
    for number, change in written.items():
        entry = entries[number]
        for form, target in change.targets.items():
            if form is None:
                entry.msgstr = target
            else:
                entry.msgstr_plural[form] = target
        if change.fuzzy and "fuzzy" not in entry.flags:
            entry.flags.append("fuzzy")
    in_place = changed(text, written)
    if _content(_catalogue(path, in_place)) == _content(catalogue):
        return in_place
    if catalogue.metadata:
        kind = catalogue.metadata.get("Content-Type", "text/plain")
        catalogue.metadata["Content-Type"] = f"{kind.partition(';')[0]}; charset=UTF-8"
    return str(catalogue)


def _content(catalogue: Any) -> list[tuple[object, ...]]:
    return [
        (e.msgctxt, e.msgid, e.msgid_plural, e.msgstr, e.msgstr_plural, set(e.flags), e.obsolete) for e in catalogue
    ]


def _catalogue(path: Path, text: str) -> Any:
    if find_spec("polib") is None:
        raise MetaglotError(f"{path}: catalogues need the package polib: pip install 'metaglot[generation]'")
    polib: Any = import_module("polib")
    try:
        return polib.pofile(unescaped(text if "\n" in text else text + "\n"), wrapwidth=78)
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
    """Return a translation with the white space that its source begins and ends with."""
    inner = source.strip()
    begin, _, end = source.partition(inner) if inner else (source, "", "")
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
