"""The rooms of the code and which imports which: `python docs/_ext/rooms_picture.py` writes docs/img/rooms.svg.

A room is a package of src/metaglot.  A room stands below all rooms that it imports from.  A line means that the lower
room imports from the upper one; where that follows from other lines, it is left out.
"""

import ast
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2] / "src" / "metaglot"
FILE = Path(__file__).parent.parent / "img" / "rooms.svg"
NOUNS = "nouns"  # the small files that everything may use, as one room
SMALL = {"errors", "seeds", "choices", "metric", "decoding", "types", "version"}
LEFT_OUT = {"__init__", "__main__", "loading"}
WIDTH, HEIGHT, ACROSS, DOWN, EDGE = 110, 34, 150, 70, 14
MIDDLE = 260  # of the picture
LINE, FILL, TEXT = "#5b6b82", "#e8eef8", "#1d2733"


def room_of(module: str) -> str:
    """Return the room of a dotted name below metaglot; an empty text for what is none."""
    first = module.split(".")[0]
    return "" if first in LEFT_OUT else NOUNS if first in SMALL else first


def imported(path: Path) -> set[str]:
    """Return the modules below metaglot that a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = {f"metaglot.{alias.name}" for alias in node.names}
            found |= names if node.module == "metaglot" else {node.module}
    modules = {name.removeprefix("metaglot.") for name in found if name.startswith("metaglot.")}
    return {name for name in modules if (ROOT / name.split(".")[0]).exists() or (ROOT / f"{name}.py").exists()}


def rooms(root: Path = ROOT) -> dict[str, set[str]]:
    """Return for each room those that it imports from."""
    found: dict[str, set[str]] = {}
    for path in sorted(root.rglob("*.py")):
        room = room_of(".".join(path.relative_to(root).with_suffix("").parts))
        if room:
            found.setdefault(room, set()).update({room_of(name) for name in imported(path)} - {room, ""})
    return found


def reduced(edges: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return the edges that do not follow from others."""
    return {
        room: {to for to in below if not any(to in reached(edges, other) for other in below - {to})}
        for room, below in edges.items()
    }


def reached(edges: Mapping[str, set[str]], start: str) -> set[str]:
    """Return all rooms that can be reached from one, itself left out."""
    found: set[str] = set()
    to_visit = [start]
    while to_visit:
        fresh = edges[to_visit.pop()] - found
        found |= fresh
        to_visit += fresh
    return found


def level(edges: Mapping[str, set[str]], room: str) -> int:
    """Return how many rooms stand above one, along the longest way.

    Raises ValueError where rooms import each other, since then there is no such order.
    """
    if room in reached(edges, room):
        raise ValueError(f"{room} imports itself through {sorted(edges[room])}")
    return 1 + max((level(edges, to) for to in edges[room]), default=-1)


def picture(edges: Mapping[str, set[str]]) -> str:
    """Return the SVG."""
    rows: dict[int, list[str]] = {}
    for room in sorted(edges):
        rows.setdefault(level(edges, room), []).append(room)
    at = {
        room: (MIDDLE + ACROSS * (i + 0.5 - len(row) / 2), DOWN * y + EDGE)
        for y, row in rows.items()
        for i, room in enumerate(row)
    }
    lines = [
        _arc(at[room], at[to], _room_between(rows, level(edges, to), level(edges, room)))
        for room, others in sorted(reduced(edges).items())
        for to in sorted(others)
    ]
    boxes = [_box(room, *at[room]) for room in sorted(edges)]
    size = f'width="{2 * MIDDLE}" height="{DOWN * max(rows) + HEIGHT + 2 * EDGE}"'
    begin = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-label="rooms" font-family="sans-serif"'
    return f'{begin} font-size="13">\n{"".join(lines)}{"".join(boxes)}</svg>\n'


def _room_between(rows: Mapping[int, list[str]], upper: int, lower: int) -> float:
    """Return how far from the middle the rooms between two rows reach; 0 where there is no row between."""
    return max((len(rows[row]) * ACROSS / 2 for row in range(upper + 1, lower)), default=0.0)


def _arc(lower: tuple[float, float], upper: tuple[float, float], aside: float) -> str:
    (x1, y1), (x2, y2) = lower, (upper[0], upper[1] + HEIGHT)
    middle = (x1 + x2) / 2
    if aside:  # around the rooms between: a cubic curve comes within a quarter of its control points
        away = aside * 4 / 3 if x1 + x2 >= 2 * MIDDLE else -aside * 4 / 3
        middle = MIDDLE + away
    curve = f"M {x1:g} {y1:g} C {middle:g} {y1 - 24:g}, {middle:g} {y2 + 24:g}, {x2:g} {y2:g}"
    return f'<path d="{curve}" fill="none" stroke="{LINE}" stroke-width="1.3"/>\n'


def _box(room: str, x: float, y: float) -> str:
    left = x - WIDTH / 2
    shape = f'<rect x="{left:g}" y="{y:g}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="{FILL}" stroke="{LINE}"/>\n'
    return f'{shape}<text x="{x:g}" y="{y + 22:g}" text-anchor="middle" fill="{TEXT}">{room}</text>\n'


def main() -> None:
    """Write the picture."""
    FILE.write_text(picture(rooms()), "utf-8")
    print(FILE, file=sys.stderr)


if __name__ == "__main__":
    main()
