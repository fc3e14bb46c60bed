"""`metaglot localise OWN.po --near NEAR.po --out OUT.po`: a catalogue is filled from that of a near language."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from metaglot.cli.shared.options import Encoding, ErrorsOnly, FuzzyBelow, Json, ReplaceFile
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    from metaglot.data.catalogues import Beside
    from metaglot.families.heads.near_language import Judged


def localise(
    own: Annotated[
        Path, typer.Argument(metavar="CATALOGUE", help="The catalogue (.po) to fill; what it has is learnt from.")
    ],
    *,
    near: Annotated[
        list[Path],
        typer.Option(help="The catalogue of the same program in a near language; may be given several times."),
    ],
    out: Annotated[Path, typer.Option(help="The .po file to write.")],
    fuzzy_below: FuzzyBelow = None,
    encoding: Encoding = None,
    force: ReplaceFile = False,
    quiet: ErrorsOnly = False,
    as_json: Json = False,
) -> None:
    """Fill a catalogue from that of a near language: word by word, as the entries that both have show.

    Fifty entries that are translated already are a beginning, two hundred are better. No model is read. chrF says how
    near the writing comes to yours, on entries set aside (100 is the same), beside the near language's texts as they
    are. Of several catalogues the best goes first, and others stand in where it has no text. A text with a word that
    no entry shows is marked fuzzy, so that no program shows it before a person has looked.

    Examples:

      metaglot localise gl.po --near es.po --out gl-filled.po

      metaglot localise gl.po --near es.po --near pt.po --out gl-filled.po --fuzzy-below 0.8
    """
    from metaglot.cli.shared.catalogue import SURE, check_out_catalogue, write_catalogue
    from metaglot.data.catalogues import untranslated

    for file in (own, *near):
        if file.suffix.lower() not in (".po", ".pot"):
            raise MetaglotError(f"{file}: a catalogue of gettext is needed, a .po file")
    check_out_catalogue(out, force=force)
    sources = untranslated(own, encoding)
    ranked = _ranked(own, near, encoding)
    texts, chances = _written(ranked, len(sources))
    least = SURE if fuzzy_below is None else fuzzy_below
    unsure = [chance < least for chance in chances]
    found = write_catalogue(own, out, texts, unsure, encoding)
    lacking = sum(not text for text in texts)
    if as_json:
        tell_json(
            {"out": str(out), "entries": found.written, "fuzzy": found.fuzzy, "texts_without": lacking}
            | {"near": [_record(one) for one in ranked]}
        )
    elif not quiet:
        for one in ranked:
            tell(_sentence(one))
        if lacking:
            tell(f"{lacking} texts stay without a translation, since {_names(near)} has none", err=True)
        tell(f"{found.summary()} → {out}")


class _Near(NamedTuple):
    """A catalogue of a near language, and how well it serves."""

    path: Path
    texts: "Beside"
    judged: "Judged | None"


def _ranked(own: Path, near: list[Path], encoding: str | None) -> list[_Near]:
    """Return the catalogues of near languages that have entries in common with one's own, the best first."""
    from metaglot.data.catalogues import beside
    from metaglot.families.heads.near_language import judged

    found = [(file, beside(own, file, encoding)) for file in dict.fromkeys(near)]
    if not any(texts.known for _, texts in found):
        raise MetaglotError(
            f"{own} has no translated entry in common with {_names(near)}, so that there is nothing to learn from; "
            "give catalogues of one program, with some entries translated in both"
        )
    learnable = [_Near(file, texts, judged(texts.known)) for file, texts in found if texts.known]
    return sorted(learnable, key=lambda one: -1.0 if one.judged is None else -one.judged.written)


def _written(ranked: list[_Near], count: int) -> tuple[list[str], list[float]]:
    """Return a text for each that lacks one, from the best catalogue that has it, and how sure its words are."""
    from metaglot.families.heads.lexicon import lexicon_of

    texts, chances = [""] * count, [1.0] * count
    for one in ranked:
        wanted = [(row, text) for row, text in enumerate(one.texts.open) if text and not texts[row]]
        if not wanted:
            continue
        lexicon = lexicon_of([text for text, _ in one.texts.known], [target for _, target in one.texts.known])
        for row, text in wanted:
            found = lexicon.write(text)
            texts[row], chances[row] = found.text, found.least
    return texts, chances


def _names(near: list[Path]) -> str:
    return " or ".join(map(str, near))


def _record(one: _Near) -> dict[str, object]:
    figures = {} if one.judged is None else {"chrf": round(100 * one.judged.written, 1)}
    copied = {} if one.judged is None else {"chrf_copied": round(100 * one.judged.copied, 1)}
    return {"file": str(one.path), "texts_in_both": len(one.texts.known), **figures, **copied}


def _sentence(one: _Near) -> str:
    count = f"{one.path}: {len(one.texts.known)} texts in both"
    if one.judged is None:
        return count
    written, copied = 100 * one.judged.written, 100 * one.judged.copied
    return f"{count}; on texts set aside chrF {written:.1f}, and {copied:.1f} as they are"
