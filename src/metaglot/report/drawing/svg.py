"""The pieces of a picture: text, rules, markers, and the frame with its style.

Each picture has its own style, light and dark, so that it looks the same in a page and as a file in a README.
Series differ by colour and by marker; the colours follow Okabe & Ito (https://jfly.uni-koeln.de/color/), which
people with colour-blindness can distinguish, darkened or lightened to a contrast of 3 : 1 against the page.
"""

from collections.abc import Iterable, Sequence
from html import escape
from math import cos, pi, sin

WIDTH = 420  # user units; the picture fills its container
COLOURS = 8
SHAPES = 6  # no common factor with the seven colours that are used again

STYLE = """
.mg{font:12.5px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
.mg text{fill:#515c6a}.mg .strong{fill:#16202c;font-weight:600}.mg .title{fill:#16202c;font-weight:600;font-size:14px}
.mg .grid{stroke:#e0e5eb;stroke-width:1}.mg .axis{stroke:#8f9aa8;stroke-width:1}.mg .clique{stroke:#16202c}
.mg .thin{stroke-width:1.5}.mg .bar{stroke-width:3.5;stroke-linecap:round}
.mg .clique{stroke-width:4}.mg .clique.thin{stroke-width:1.5}
.mg .s0{stroke:#0a7d74;fill:#0a7d74}.mg .s1{stroke:#c85200;fill:#c85200}.mg .s2{stroke:#0067a8;fill:#0067a8}
.mg .s3{stroke:#a8467f;fill:#a8467f}.mg .s4{stroke:#946300;fill:#946300}.mg .s5{stroke:#4b5563;fill:#4b5563}
.mg .s6{stroke:#3487b8;fill:#3487b8}.mg .s7{stroke:#77740a;fill:#77740a}.mg .other{stroke:#6b7685;fill:#6b7685}
.mg .line{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}.mg .band{stroke:none;opacity:.16}
.mg .dash{stroke:#8f9aa8;stroke-dasharray:4 4}.mg .cell{fill:#0a7d74;stroke:none}.mg .cellsays{fill:#16202c}
@media (prefers-color-scheme:dark){
.mg text{fill:#a7b3c1}.mg .strong,.mg .title{fill:#eef2f6}.mg .grid{stroke:#2b3540}.mg .axis,.mg .dash{stroke:#687585}
.mg .s0{stroke:#3fd0c0;fill:#3fd0c0}.mg .s1{stroke:#ff9c5b;fill:#ff9c5b}.mg .s2{stroke:#6db6ff;fill:#6db6ff}
.mg .s3{stroke:#e58acb;fill:#e58acb}.mg .s4{stroke:#e8b84a;fill:#e8b84a}.mg .s5{stroke:#c3ccd8;fill:#c3ccd8}
.mg .s6{stroke:#8fd3f7;fill:#8fd3f7}.mg .s7{stroke:#cfcb52;fill:#cfcb52}.mg .other{stroke:#8d99a8;fill:#8d99a8}
.mg .line{fill:none}.mg .cell{fill:#3fd0c0}.mg .cellsays{fill:#eef2f6}.mg .clique{stroke:#eef2f6}}
"""


def picture(parts: Iterable[str], height: float, title: str, *, description: str = "") -> str:
    """Return the whole SVG; `title` names it, and `description` describes it for readers who do not see it."""
    label = f"{title}. {description}" if description else title
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="mg" viewBox="0 0 {WIDTH} {height:.0f}" role="img" '
        f'aria-label="{escape(label)}"><title>{escape(title)}</title><style>{STYLE}</style>{"".join(parts)}</svg>'
    )


def text(x: float, y: float, content: str, style: str = "", *, anchor: str = "start") -> str:
    """Return a line of text; `anchor` is the part of the line at x: start, middle or end."""
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(content)}</text>'


def rule(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """Return a straight line."""
    return f'<line class="{style}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def points(places: Iterable[tuple[float, float]]) -> str:
    """Return places as the `points` of a polyline or polygon."""
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in places)


def colour(style: int) -> str:
    """Return the CSS class of the colour of a series; only the first series has the first colour."""
    return f"s{style if style < COLOURS else 1 + (style - 1) % (COLOURS - 1)}"


def marker(x: float, y: float, style: int, *, description: str = "", size: float = 3.6) -> str:
    """Return the marker of a series, whose shape differs too; `description` appears under the pointer."""
    title_tag = f"<title>{escape(description)}</title>" if description else ""
    shape = style % SHAPES
    if shape == 0:
        return f'<circle class="{colour(style)}" cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}">{title_tag}</circle>'
    return (
        f'<polygon class="{colour(style)}" points="{points(_corners(x, y, shape, size * 1.2))}">{title_tag}</polygon>'
    )


def width_of(content: str) -> float:
    """Return an estimate of the width of a text, rather too large than too small."""
    return sum(4.2 if letter in "iljt.,:'|()[] -" else 10.4 if letter in "mwMW@%" else 7.4 for letter in content)


def shorten(content: str, room: float) -> str:
    """Return the text, cut in the middle if it is wider than `room`."""
    while width_of(content) > room and len(content) > 8:
        half = (len(content) - 2) // 2
        content = content[:half].rstrip("…") + "…" + content[-half:].lstrip("…")
    return content


def _corners(x: float, y: float, shape: int, size: float) -> Sequence[tuple[float, float]]:
    """Return the corners of a square, triangle, diamond, triangle on its head or star."""
    count, turn = ((4, pi / 4), (3, -pi / 2), (4, 0.0), (3, pi / 2), (10, -pi / 2))[shape - 1]
    radii = [size * (0.5 if count == 10 and n % 2 else 1.15) for n in range(count)]
    return [
        (x + r * cos(turn + 2 * pi * n / count), y + r * sin(turn + 2 * pi * n / count)) for n, r in enumerate(radii)
    ]
