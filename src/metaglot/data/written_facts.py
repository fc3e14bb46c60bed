"""A look at texts that are to be written: how many there are, how long they are, and which stand often."""

from collections import Counter
from collections.abc import Callable, Sequence
from statistics import mean, median

from metaglot.data.labels import Label, label_text
from metaglot.data.target_facts import Facts, Grid
from metaglot.data.words import words

SHOWN = 10  # targets in a table
LONG = 60  # characters of a target that is shown


def written_facts(cells: Sequence[Label | None], name: Callable[[int], str]) -> Facts:
    """Return the facts; an empty cell has no target."""
    del name  # any text can be written
    targets = [None if cell is None else label_text(cell).strip() or None for cell in cells]
    known = [target for target in targets if target is not None]
    sizes = [len(words(target)) for target in known] or [0]
    counts = Counter(known)
    often = [(text, count) for text, count in counts.most_common(SHOWN) if count > 1]
    return Facts(
        targets,
        [
            ("targets", f"{len(known):,}, {len(counts):,} different"),
            (
                "length of targets",
                f"{mean(sizes):.1f} words on average, median {median(sizes):g}, {max(sizes):,} at most",
            ),
            ("without a target", f"{len(targets) - len(known):,}"),
        ],
        {
            "targets": {
                "n": len(known),
                "different": len(counts),
                "missing": len(targets) - len(known),
                "mean_words": mean(sizes),
                "max_words": max(sizes),
            }
        },
        [Grid("Targets", ("target", "rows"), tuple((text[:LONG], f"{count:,}") for text, count in often))],
        [],
        "with unlike targets",
    )
