"""A picture of each algorithm, drawn from its four choices: `python docs/_ext/algorithm_pictures.py` writes docs/img.

A column is the network at one point of the inner loop: embeddings, layers, head.  What the inner loop moves is blue,
what only the outer loop learns is white; the arrows below say how the outer gradient goes back.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metaglot.algorithms import CoTrained, Joint, SequentialReptile
from metaglot.algorithms.describe import describe
from metaglot.choices import ALGORITHMS

FOLDER = Path(__file__).parent.parent / "img" / "algorithms"
BARS = ("embeddings", "layer 1", "layer 2")
WIDTH, HEIGHT, COLUMN, BAR = 86, 16, 128, 4  # of a bar; between columns; between bars
TOP, LEFT, SHOWN = 46, 16, 3  # steps drawn at most
MOVED, OTHER, STILL, LINE, EXACT, ROUGH = "#3b7dd8", "#e08a2c", "#ffffff", "#444444", "#2b8a3e", "#b5482f"


@dataclass(frozen=True)
class Facts:
    """What a picture shows."""

    name: str
    scope: str
    head: str
    rule: str
    steps: int
    estimator: str
    exact: bool = True
    head_moves: bool = True
    in_turn: bool = False  # one loop through several tasks


def facts_of(name: str) -> Facts:
    """Return the facts of an algorithm's defaults."""
    made: Any = ALGORITHMS[name]()
    said = describe(name)
    alone = made.alone if isinstance(made, SequentialReptile | CoTrained) else made
    still = not isinstance(alone, Joint) and getattr(alone.rule, "head_lr", None) == 0.0
    return Facts(
        name,
        said.scope,
        said.head,
        said.rule,
        said.steps,
        said.estimator,
        exact=said.exact,
        head_moves=not still,
        in_turn=isinstance(made, SequentialReptile),
    )


def picture(facts: Facts) -> str:
    """Return the SVG of an algorithm."""
    shown = min(facts.steps, SHOWN)
    columns = [_column(facts, index, at=_x(index)) for index in range(shown + 1)]
    end = _x(shown) + WIDTH
    body = "".join([*columns, *(_step(facts, index) for index in range(shown)), _query(facts, end), _back(facts, end)])
    width, height = end + 150, 190
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{facts.name}" font-family="sans-serif" font-size="11">\n'
        '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
        f'orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="context-stroke"/></marker></defs>\n'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>\n{body}</svg>\n'
    )


def _x(column: int) -> int:
    return LEFT + column * COLUMN


def _column(facts: Facts, index: int, *, at: int) -> str:
    """Draw the network before step number `index`: blue where it is to move, or has moved."""
    colour = OTHER if facts.in_turn and index % 2 else MOVED
    steps = facts.steps > 0
    parts = [_text(at + WIDTH / 2, TOP - 12, _label(facts, index))]
    parts.append(_bar(at, 0, facts.head, colour if steps and facts.head_moves else STILL))
    for place, name in enumerate(reversed(BARS), start=1):
        parts.append(_bar(at, place, name, colour if steps and _moves(facts.scope, name) else STILL))
        if steps and facts.scope == "lora" and name != "embeddings":
            parts.append(_rect(at + WIDTH + 2, _y(place), 7, HEIGHT, colour))
        if steps and facts.scope == "warp" and name != "embeddings":
            parts.append(_rect(at, _y(place) - 3, WIDTH, 3, LINE))
    if steps and facts.scope == "context":
        parts.append(_rect(at + WIDTH + 2, _y(3), 7, HEIGHT, colour))
    return "".join(parts)


def _label(facts: Facts, index: int) -> str:
    if facts.steps == 0:
        return "θ and the support set" if facts.rule == "none" and facts.head != "one a data set" else "θ"
    if index == 0:
        return "φ₀ from θ"
    last = facts.steps if index == min(facts.steps, SHOWN) else index
    return f"φ{str(last).translate(str.maketrans('0123456789', '₀₁₂₃₄₅₆₇₈₉'))}"


def _moves(scope: str, bar: str) -> bool:
    return scope in {"all", "bias-norm"} or (scope in {"named", "all-but", "warp"} and bar != "embeddings")


def _y(place: int) -> int:
    return TOP + place * (HEIGHT + BAR)


def _bar(at: int, place: int, name: str, fill: str) -> str:
    ink = "#ffffff" if fill != STILL else LINE
    return _rect(at, _y(place), WIDTH, HEIGHT, fill) + _text(at + WIDTH / 2, _y(place) + 12, name[:15], ink)


def _step(facts: Facts, index: int) -> str:
    start, y = _x(index) + WIDTH + 10, _y(1) + 8
    more = " …" if facts.steps > SHOWN and index == SHOWN - 1 else ""
    task = f" {'AB'[index % 2]}" if facts.in_turn else ""
    return _line(start, y, _x(index + 1) - 3, y, LINE) + _text((start + _x(index + 1)) / 2, y - 6, f"∇L{task}{more}")


def _query(facts: Facts, end: int) -> str:
    y = _y(1) + 8
    said = "way gone" if facts.estimator == "reptile" else "loss of all" if facts.estimator == "plain" else "query loss"
    if facts.estimator == "plain" and facts.head != "one a data set":
        said = "query loss"
    return _line(end + 12, y, end + 52, y, LINE) + _text(end + 58, y + 4, said, LINE, anchor="start")


def _back(facts: Facts, end: int) -> str:
    """Draw how the outer gradient goes back to θ, with a word on it."""
    y, start = _y(4) + 22, _x(0) + WIDTH / 2
    dashes, colour, said = {
        "plain": ("", EXACT, "exact, no inner step"),
        "unrolled": ("", EXACT, "exact, through every step"),
        "auto": ("", EXACT, "exact, through every step"),
        "adjoint": ("", EXACT, "exact, step by step back"),
        "first-order": ("6 4", ROUGH, "first order: past the steps"),
        "reptile": ("2 3", ROUGH, "θ − φ, no query loss"),
        "implicit": ("10 3", ROUGH, "implicit: at the solution, λ holds it to θ"),
    }[facts.estimator]
    if facts.estimator in {"unrolled", "auto"} and not facts.exact:
        colour, said = ROUGH, "through every step, but not what the rule reads"
    if facts.steps and facts.rule != "sgd":
        said += f"; rule {facts.rule}"
    lift = f"L{start} {_y(4) + 2}"
    path = f'<path d="M{end + 84} {_y(1) + 14}L{end + 84} {y}L{start} {y}{lift}" fill="none" stroke="{colour}" '
    mark = f'stroke-width="1.6" stroke-dasharray="{dashes}" marker-end="url(#a)"/>\n'
    return path + mark + _text(max(start + 8, LEFT), y + 15, said, colour, anchor="start")


def _rect(x: float, y: float, width: float, height: float, fill: str) -> str:
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="2" fill="{fill}" stroke="{LINE}"/>\n'


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="{colour}" marker-end="url(#a)"/>\n'


def _text(x: float, y: float, said: str, fill: str = LINE, *, anchor: str = "middle") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="{fill}">{said}</text>\n'


def file_of(name: str) -> Path:
    """Return where the picture of an algorithm stands."""
    return FOLDER / f"{name.replace('+', 'p')}.svg"


def main() -> None:
    """Write every picture."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in ALGORITHMS:
        file_of(name).write_text(picture(facts_of(name)), "utf-8")
    print(f"{len(ALGORITHMS)} pictures in {FOLDER}", file=sys.stderr)


if __name__ == "__main__":
    main()
