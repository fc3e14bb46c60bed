"""Translation memories (`.tmx`): units that have a text in each of several languages.

Of two languages, that which the header calls the source is the source; of more, two are named by their codes
(`--columns text=en,label=de`).  What stands in inline codes (bpt, ept, it, ph, ut) is left out.  Files that declare
entities of their own are refused, since these may grow without bound.  https://www.gala-global.org/tmx-14b
"""

import re
from pathlib import Path
from xml.etree import ElementTree

from metaglot.data.columns import Pick, Raw
from metaglot.data.rawfiles import read_bytes
from metaglot.data.textfiles import decode
from metaglot.errors import MetaglotError

LANG = "{http://www.w3.org/XML/1998/namespace}lang"
CODES = ("bpt", "ept", "it", "ph", "ut")
BEGINNING = 200  # bytes in which a declaration stands
_ENCODING = re.compile(r"""<\?xml[^>]*?\sencoding\s*=\s*["']([\w.:+-]+)["']""")
SHOWN = 12  # languages in a message


def read_tmx(path: Path, pick: Pick) -> Raw:
    """Return the units of a memory as sources and targets; units that lack one of the two are left out.

    Raises MetaglotError for a file that is none, and where two languages are not told apart.
    """
    if pick.cells != "texts":
        raise MetaglotError(f"{path}: a translation memory, which the task generation learns: --task generation.")
    root = _root(path, decode(path, pick.encoding or _stated(path)))
    units = [_unit(element) for element in root.iter() if _name(element) == "tu"]
    header = next((element for element in root.iter() if _name(element) == "header"), None)
    source, target = _languages(path, units, pick, "" if header is None else header.get("srclang", ""))
    whole = [number for number, unit in enumerate(units) if source in unit and target in unit]
    if not whole:
        raise MetaglotError(f"{path}: no unit has both {source} and {target}. Name languages that stand together.")
    left_out = len(units) - len(whole)
    return Raw(
        {"text": [units[i][source] for i in whole], "label": [units[i][target] for i in whole]},
        lambda row: f"{path}, unit {whole[row] + 1}",
        typed=False,
        notes=(f"{path}: {left_out} units lack {source} or {target} and are left out",) if left_out else (),
        form=f"translation memory, {source} to {target}",
        file_columns=(source, target),
    )


def _stated(path: Path) -> str | None:
    """Return the encoding that a file declares, where it is another than UTF-8 or UTF-16 and the file is in it."""
    raw = read_bytes(path)
    found = _ENCODING.match(raw[:BEGINNING].decode("latin-1"))
    if found is None or found[1].lower().startswith("utf"):
        return None
    try:
        raw.decode(found[1])
    except (LookupError, UnicodeError):
        return None
    return found[1]


def _root(path: Path, text: str) -> ElementTree.Element:
    if "<!ENTITY" in text:
        raise MetaglotError(f"{path}: it declares entities of its own, which are not read. Take them out of the file.")
    try:
        # A declaration of another encoding no longer holds of text that is decoded.
        root = ElementTree.fromstring(text.split("?>", 1)[-1] if text.lstrip().startswith("<?xml") else text)
    except ElementTree.ParseError as error:
        line = error.position[0]
        raise MetaglotError(f"{path}, line {line}: not XML ({error}). Mend it, or export it again.") from error
    if _name(root) != "tmx":
        raise MetaglotError(f"{path}, line 1: a file of <{_name(root)}>, not a translation memory (<tmx>).")
    return root


def _unit(element: ElementTree.Element) -> dict[str, str]:
    """Return the text of each language of a unit, the first one where there are several."""
    found: dict[str, str] = {}
    for variant in element:
        language = (variant.get(LANG) or variant.get("lang") or "").lower()  # case says nothing (RFC 5646)
        segment = next((one for one in variant if _name(one) == "seg"), None)
        text = "" if segment is None else _text(segment)
        if _name(variant) == "tuv" and language and text.strip():
            found.setdefault(language, text)
    return found


def _text(segment: ElementTree.Element) -> str:
    """Return the text of a segment without its inline codes, in order, however deep elements stand in each other."""
    parts: list[str] = []
    ahead: list[ElementTree.Element | str] = [segment]
    while ahead:
        one = ahead.pop()
        if isinstance(one, str):
            parts.append(one)
            continue
        inner = [step for child in one for step in (child, child.tail or "")]
        ahead += reversed([one.text or "", *inner] if _name(one) not in CODES else [])
    return "".join(parts)


def _languages(path: Path, units: list[dict[str, str]], pick: Pick, stated: str) -> tuple[str, str]:
    known = list(dict.fromkeys(language for unit in units for language in unit))
    named = [pick.mapping.get(role, "").lower() for role in ("text", "label")]
    for language in filter(None, named):
        if language not in known:
            raise MetaglotError(f"{path}: no language {language!r}; it has {', '.join(known[:SHOWN])}.")
    if all(named):
        return named[0], named[1]
    if len(known) != 2:
        raise MetaglotError(
            f"{path}: it has the languages {', '.join(known[:SHOWN]) or 'none'}; say which is the source and which the "
            "target: --columns text=en,label=de"
        )
    first = named[0] or next((one for one in known if one.lower() == stated.lower()), known[0])
    source = first if not named[1] else next(one for one in known if one != named[1])
    return source, next(one for one in known if one != source)


def _name(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]
