"""What methods wrote, next to sources and references: a file of whoever has the data, which do not stand here."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.writing.cells import Place
from metaglot.families.write_tools import source_texts


def samples(rows: Sequence[Mapping[str, Any]], places: Sequence[Place], count: int) -> Iterator[str]:
    """Yield lines of Markdown: the first texts of each place with source, reference and what each method wrote."""
    for place in places:
        own = [row for row in rows if (row["domain"], row["draw"]) == (place.domain, place.draw) and row.get("texts")]
        few = place.few.at(range(min(count, len(place.few)))) if own else place.few.at([])
        for n, (source, reference) in enumerate(zip(source_texts(few.inputs), few.targets, strict=True)):
            yield f"## {place.domain}, text {n + 1}\n"
            yield from _quoted("source", source)
            yield from _quoted("reference", reference)
            for row in own:
                yield from _quoted(_name(row), row["texts"][n])


def _name(row: Mapping[str, Any]) -> str:
    steps = int(row["steps"])
    return f"{row['method']}, {steps} steps" if steps else str(row["method"])


def _quoted(name: str, text: str) -> Iterator[str]:
    """Yield a text under its name."""
    yield f"**{name}**\n"
    yield from (f"> {line}".rstrip() for line in text.splitlines() or [""])
    yield ""
