"""What to know of the draws of a table before numbers from them are believed."""

from collections.abc import Iterator
from statistics import median

from metaglot.data.draws import Draws, RandomDraws
from metaglot.data.folding import folded_rows

LARGE = 0.1  # share of a class in one draw from which on draws have much in common


def draw_notes(name: str, draws: Draws, most: int) -> Iterator[str]:
    """Yield a note where draws of `most` shots have much in common, and where texts to judge on are learnt from.

    With 0 shots the former is known already.
    """
    support, query = draws.pools
    if isinstance(draws, RandomDraws):
        pool = median(count for count in draws.strata.counts(support).values() if count)
        of = f" of {draws.strata.each}" if draws.strata.each else ""
        if most >= LARGE * pool:
            yield (
                f"{name}: {most} shots are {min(1.0, most / pool):.0%} of the {pool:g} texts{of} that draws are "
                "made from, so that draws have texts in common, and intervals over draws are too narrow"
            )
    texts = folded_rows(draws.table)
    learnt = {texts[i] for i in support}
    again = sum(texts[i] in learnt for i in query)
    if again:
        yield (
            f"{name}: {again:,} of {len(query):,} texts to judge on stand among those to learn from too; leave repeats "
            "out of the file (metaglot data inspect shows them), or read the numbers as a little too high"
        )
