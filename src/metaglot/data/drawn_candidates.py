"""Candidates for texts that come with the right reply alone: the others are replies to other texts of the same domain.

A reply that reads like the right one, but for case and punctuation, is never among the others, and none stands twice.
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
import pyarrow as pa

from metaglot.data.candidates import as_cell
from metaglot.data.folding import folded
from metaglot.data.labels import CHOICES, table_notes, with_notes
from metaglot.errors import MetaglotError
from metaglot.seeds import generator


def with_candidates(table: pa.Table, count: int, *, source: object = "", seed: int = 0) -> pa.Table:
    """Return a table whose labels are right replies with `count` candidates for each, fewer where a domain has fewer.

    Candidates come in any order, and the label becomes the number of the right one.  Raises MetaglotError for a table
    without labels, and where the replies of a domain are all the same.
    """
    if "label" not in table.column_names:
        raise MetaglotError(f"{source}: no column has the right replies; name it: --columns label=COLUMN")
    replies = cast("list[str | None]", table["label"].to_pylist())
    domains = table["domain"].to_pylist() if "domain" in table.column_names else [None] * len(replies)
    rows_by_domain: dict[str | None, list[int]] = {}
    for row, (domain, reply) in enumerate(zip(domains, replies, strict=True)):
        if reply is not None:
            rows_by_domain.setdefault(domain, []).append(row)
    cells, numbers = list[str | None]([None] * len(replies)), list[str | None]([None] * len(replies))
    for domain, rows in rows_by_domain.items():
        rng = generator(seed, "candidates", str(domain))
        own = [str(replies[row]) for row in rows]
        for place, row in enumerate(rows):
            found, number = among(own, place, count, rng)
            if len(found) < 2:
                raise MetaglotError(f"{source}: all replies of the domain {domain!r} are the same; none would be wrong")
            cells[row], numbers[row] = as_cell(found), str(number)
    kept = table.drop_columns([name for name in ("text_pair", "label") if name in table.column_names])
    kept = kept.append_column("text_pair", pa.array(cells, pa.string()))
    kept = kept.append_column("label", pa.array(numbers, pa.string()))
    known = kept.filter(pa.array([cell is not None for cell in cells]))
    return with_notes(known, table_notes(table), CHOICES)


def among(replies: Sequence[str], place: int, count: int, rng: np.random.Generator) -> tuple[list[str], int]:
    """Return the reply at a place among `count` different ones in any order, and its number."""
    seen, chosen = {folded(replies[place])}, [replies[place]]
    for other in rng.permutation(len(replies)):
        if len(chosen) == count:
            break
        if (key := folded(replies[int(other)])) not in seen:
            seen.add(key)
            chosen.append(replies[int(other)])
    order = rng.permutation(len(chosen))
    return [chosen[int(at)] for at in order], int(np.flatnonzero(order == 0)[0])
