"""A domain of translation that nothing was learnt from: a section of Debian's packages, word by word.

    METAGLOT_DATA=… python -m benchmarks.writing.sections --out results/sections

Short descriptions of packages in English are translated into four languages.  Two large sections are kept aside one by
one; 50 strings of it (--support) are the support, and JUDGED others are judged (three draws).  `other` are OTHER
strings of the other sections.  With --captions the domain is that of captions of pictures (multi30k), and `other` are
strings of packages of all sections.

    english            the English string is copied
    neighbour          the translation of the nearest English string, of other sections and the support
    lexicon, support   words become what they are in the support (the effort `words`)
    lexicon, other     in the other sections
    lexicon, both      in both, which is what fine-tuning on the support would be
    chosen             the neighbour where its English shares more than LIKE of its letters, else `lexicon, both`

Then the curve: `lexicon, both` and `neighbour` over the number of strings of other sections.  No model is asked.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from benchmarks.running import write_table
from benchmarks.writing.domains import table
from benchmarks.writing.tables import append, by_place, read_rows
from metaglot.adaptation.alike import nearest
from metaglot.evaluation.statistics import t_interval
from metaglot.families.chrf import chrf
from metaglot.families.heads.lexicon import lexicon_of
from metaglot.report.drawing import Series, line_chart
from metaglot.seeds import fold, generator

LANGUAGES, SECTIONS = ("de", "es", "cs", "ru"), ("libs", "utils")
CAPTIONED, CAPTIONS = ("de", "fr", "cs"), "captions"
SUPPORT, OTHER, JUDGED, DRAWS = 50, 400, 50, 3
LIKE = 0.7
SIZES = (0, 100, 200, 400, 800)
Pairs = list[tuple[str, str]]


class Task(NamedTuple):
    """A section to be learnt."""

    place: tuple[str, int]  # language and section, draw
    support: Pairs
    other: Pairs
    judged: Pairs


def tasks(languages: Sequence[str], *, support: int = SUPPORT, captions: bool = False) -> Iterator[Task]:
    """Yield each language, domain and draw."""
    packages = table("translation/debian")
    captioned = table("translation/multi30k") if captions else []
    for language in languages:
        own = _known(packages, language)
        for domain in (CAPTIONS,) if captions else SECTIONS:
            inside = _pairs(_known(captioned, language) if captions else own, lambda one, at=domain: one == at)
            other = _pairs(own, lambda one, at=domain: one != at)
            if len(inside) < support + JUDGED:
                print(f"{language} {domain} is left out: it has {len(inside)} strings", flush=True)
                continue
            for draw in range(DRAWS):
                rng = generator(fold(0, language, domain, draw), "draw")
                here = [inside[i] for i in rng.permutation(len(inside))]
                there = [other[i] for i in rng.permutation(len(other))]
                yield Task((f"{language} {domain}", draw), here[:support], there, here[support : support + JUDGED])


def _known(rows: Sequence[Mapping[str, Any]], language: str) -> dict[str, tuple[str, str]]:
    """Return the translation and the domain of each English string of a language."""
    return {row["source"]: (row["target"], row["domain"]) for row in rows if row["target_lang"] == language}


def _pairs(known: Mapping[str, tuple[str, str]], belongs: Callable[[str], bool]) -> Pairs:
    return sorted((source, target) for source, (target, domain) in known.items() if belongs(domain))


def by_lexicon(pairs: Pairs, sources: Sequence[str]) -> list[str]:
    """Return the sources word by word."""
    if not pairs:
        return list(sources)
    lexicon = lexicon_of(*map(list, zip(*pairs, strict=True)))
    return [lexicon.write(text).text for text in sources]


def by_neighbour(pairs: Pairs, sources: Sequence[str]) -> tuple[list[str], list[float]]:
    """Return the translation of the nearest English string, and how alike both are."""
    known = [source for source, _ in pairs]
    at = [found[0] for found in nearest(list(sources), known, 1)]
    alike = [SequenceMatcher(None, one, known[i]).ratio() for one, i in zip(sources, at, strict=True)]
    return [pairs[i][1] for i in at], alike


def rows_of(task: Task) -> Iterator[dict[str, Any]]:
    """Yield the chrF of each method, and of two of them over the number of other strings."""
    sources, truth = [source for source, _ in task.judged], [target for _, target in task.judged]
    other = task.other[:OTHER]
    near, alike = by_neighbour(task.support + other, sources)
    both = by_lexicon(task.support + other, sources)
    written = {
        "english": sources,
        "neighbour": near,
        "lexicon, support": by_lexicon(task.support, sources),
        "lexicon, other": by_lexicon(other, sources),
        "lexicon, both": both,
        "chosen": [a if like > LIKE else b for a, b, like in zip(near, both, alike, strict=True)],
    }
    place = {"domain": task.place[0], "draw": task.place[1]}
    for name, texts in written.items():
        yield {**place, "method": name, "steps": -1, "chrf": chrf(texts, truth)}
    for size in SIZES if task.place[1] == 0 else ():
        pairs = task.support + task.other[:size]
        for name, texts in (("lexicon", by_lexicon(pairs, sources)), ("neighbour", by_neighbour(pairs, sources)[0])):
            yield {**place, "method": name, "steps": size, "chrf": chrf(texts, truth)}


def lines(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Yield the table: a language a row, then the means over languages and sections, and gains."""
    methods = list(dict.fromkeys(str(row["method"]) for row in rows if row["steps"] == -1))
    yield f"| to | {' | '.join(methods)} |"
    yield f"|---|{'---:|' * len(methods)}"
    found = {name: by_place(rows, (name, -1), "chrf") for name in methods}
    for language in dict.fromkeys(str(row["domain"]).split()[0] for row in rows):
        own = [fmean(v for (domain, _), v in found[m].items() if domain.split()[0] == language) for m in methods]
        yield f"| {language} | {' | '.join(f'{100 * one:.1f}' for one in own)} |"
    yield f"| mean | {' | '.join(f'{100 * fmean(found[m].values()):.1f}' for m in methods)} |"
    gains = [_gain(rows, name) for name in methods]
    yield f"| over `lexicon, other` | {' | '.join(gains)} |"
    yield ""
    yield f"| strings of other sections | {' | '.join(map(str, SIZES))} |"
    yield f"|---|{'---:|' * len(SIZES)}"
    for name in ("lexicon", "neighbour"):
        means = [fmean(by_place(rows, (name, size), "chrf").values()) for size in SIZES]
        yield f"| {name} | {' | '.join(f'{100 * one:.1f}' for one in means)} |"


def _gain(rows: Sequence[dict[str, Any]], name: str) -> str:
    """Return the gain over the lexicon of other sections, over sections: draws of one count once."""
    found: dict[str, list[float]] = {}
    other = by_place(rows, ("lexicon, other", -1), "chrf")
    for place, value in by_place(rows, (name, -1), "chrf").items():
        found.setdefault(place[0], []).append(100 * (value - other[place]))
    interval = t_interval([fmean(one) for one in found.values()])
    return f"{interval.mean:+.1f} ± {interval.half:.1f}"


def main() -> None:
    """Judge every method on every section."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--languages", nargs="+", help="of the targets; all by default")
    parser.add_argument("--support", type=int, default=SUPPORT, help="strings of the domain to learn from")
    parser.add_argument("--captions", action="store_true", help="captions of pictures in place of sections of packages")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    domains = CAPTIONS if options.captions else "sections"
    file = options.out / f"rows-{domains}-{options.support}.jsonl"
    done = {row["domain"].split()[0] for row in read_rows(file)}
    for language in options.languages or (CAPTIONED if options.captions else LANGUAGES):
        if language not in done:
            found = tasks([language], support=options.support, captions=options.captions)
            append(file, [row for task in found for row in rows_of(task)])
    rows = read_rows(file)
    write_table(options.out, lines(rows))
    curve = [
        Series(name, SIZES, [100 * fmean(by_place(rows, (name, size), "chrf").values()) for size in SIZES], style=i)
        for i, name in enumerate(("lexicon", "neighbour"))
    ]
    picture = line_chart(curve, title="A domain never seen: chrF", x="strings of other sections")
    (options.out / f"{domains}.svg").write_text(picture, "utf-8")


if __name__ == "__main__":
    main()
