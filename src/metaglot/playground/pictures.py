"""The examples in two dimensions, before and after adapting.

Before, by the two directions in which the features of the texts differ most (principal components).  After, by those in
which the scores of the head differ most, and, where these are fewer than two, by what differs most beside them.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from metaglot.adaptation import Adapted
from metaglot.report.drawing.svg import WIDTH, marker, picture, rule, shorten, text, width_of

HEIGHT, EDGE = 250.0, 14.0
GROUPS = 8  # with a colour of their own in the legend; others share the last


class Map(NamedTuple):
    """Texts as points of a plane, before and after; none where a text is not one point."""

    before: np.ndarray  # [n, 2]
    after: np.ndarray  # [n, 2]
    groups: tuple[str, ...]  # of each: its class, or what folds spread evenly
    texts: tuple[str, ...]


def map_of(adapted: Adapted) -> Map | None:
    """Return the examples as points; None where a text has many units, or is written, and without examples."""
    fit = adapted.fit
    if fit.family.tokens is not None or fit.family.writes is not None or len(fit.examples) < 2:
        return None
    inputs = fit.examples.inputs
    before = fit.encoder.features(fit.encoder.meta, inputs).cpu().numpy().astype(np.float64)
    after = fit.features(inputs).cpu().numpy().astype(np.float64)
    weight = fit.head()["head.weight"].numpy() if "head.weight" in fit.params else np.zeros((0, after.shape[1]))
    groups = tuple(one or "–" for one in fit.family.strata(fit.examples.targets))
    return Map(principal(before), by_head(after, weight), groups, inputs.texts)


def principal(features: np.ndarray) -> np.ndarray:  # [n, D] -> [n, 2]
    """Return the places along the two directions of the largest variance, each with a sign that is always the same."""
    centred = features - features.mean(0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    places = centred @ _signed(axes[:2]).T
    return np.pad(places, ((0, 0), (0, 2 - places.shape[1])))


def by_head(features: np.ndarray, weight: np.ndarray) -> np.ndarray:  # [n, D], [C, D] -> [n, 2]
    """Return the places along the directions in which the scores differ most, then along what is left."""
    centred = features - features.mean(0)
    if weight.shape[1] != features.shape[1] or not len(weight):
        return principal(features)
    across = weight - weight.mean(0) if len(weight) > 1 else weight
    _, sizes, rows = np.linalg.svd(across, full_matrices=False)
    space = rows[sizes > 1e-6 * max(sizes.max(), 1e-12)]  # [r, D] all that the scores see
    seen = centred @ space.T
    _, _, turn = np.linalg.svd(seen @ (space @ across.T), full_matrices=False)
    scores = seen @ (space @ across.T)
    places = (scores - scores.mean(0)) @ _signed(turn[: min(2, len(space))]).T
    if places.shape[1] == 2:
        return places
    rest = principal(centred - seen @ space)[:, :1]
    return np.hstack([_spread(places), _spread(rest)])


def drawn(places: np.ndarray, known: Map, *, title: str, description: str) -> str:
    """Return a picture of the points; their texts appear under the pointer."""
    names = list(dict.fromkeys(known.groups))
    style = {name: min(number, GROUPS - 1) for number, name in enumerate(names)}
    low, high = places.min(0), places.max(0)
    size = np.where(high > low, high - low, 1.0)
    foot = HEIGHT - EDGE
    parts = [text(0, 14, title, "title"), *_frame(24, foot + EDGE)]
    for place, group, content in zip(places, known.groups, known.texts, strict=True):
        across, up = (place - low) / size
        x, y = EDGE + across * (WIDTH - 2 * EDGE), foot - up * (foot - 24 - EDGE)
        parts.append(marker(x, y, style[group], description=f"{group}: {content[:200]}", size=5.0))
    legend, height = _legend(names, style, foot + EDGE + 20)
    return picture([*parts, *legend], height, title, description=description)


def _frame(top: float, foot: float) -> list[str]:
    sides = ((1, top, WIDTH - 1, top), (1, foot, WIDTH - 1, foot), (1, top, 1, foot), (WIDTH - 1, top, WIDTH - 1, foot))
    return [rule(*side, "grid") for side in sides]


def _legend(names: Sequence[str], style: dict[str, int], y: float) -> tuple[list[str], float]:
    """Return the names of the groups in lines, and the height of the whole picture."""
    parts: list[str] = []
    x = 6.0
    for name in names[:GROUPS]:
        shown = shorten(name, 150)
        wide = 22 + max(width_of(shown), 13.0 * sum(ord(letter) > 0x2E80 for letter in shown))
        if x > 6 and x + wide > WIDTH:
            x, y = 6.0, y + 20
        parts += [marker(x + 5, y - 4, style[name], size=4.5), text(x + 15, y, shown)]
        x += wide + 8
    return parts, y + 10


def _signed(axes: np.ndarray) -> np.ndarray:  # [k, D]
    """Return the directions, each turned so that its largest part is positive."""
    largest = np.abs(axes).argmax(1)
    return axes * np.where(axes[np.arange(len(axes)), largest] < 0, -1.0, 1.0)[:, None]


def _spread(column: np.ndarray) -> np.ndarray:  # [n, 1]
    """Return the column with a spread of one, where it has any."""
    return column / max(float(column.std()), 1e-12)
