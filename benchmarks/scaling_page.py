"""Tables and plot of docs/scaling.md, from what `benchmarks.scaling measure` found."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.scaling_model import Fitted, Network, Size
from benchmarks.scaling_points import CHECKED, FITTED, LARGE, TWO, fitted, points, read
from metaglot.report.drawing.lines import Series, line_chart

NETWORKS = {
    "10 Gbit/s, 50 µs": Network(1.25e9, 50e-6),
    "100 Gbit/s, 10 µs": Network(12.5e9, 10e-6),
}
MODELS = {
    "MiniLM (22 M)": Size(6, 384, 30522, 25, 25, 64, 2, 4),
    "BERT base (110 M)": Size(12, 768, 30522, 25, 25, 64, 2, 4),
    "BERT large (335 M)": Size(24, 1024, 30522, 25, 25, 64, 2, 4),
}
SPEEDS = {1.0: "one core", 300.0: "300 × a core"}
RANKS = (1, 8, 64, 1024)
EACH = 4  # episodes a rank
PICTURE = Path(__file__).parent.parent / "docs" / "img" / "scaling.svg"


def predict(out: Path) -> None:
    """Print the tables, and draw the plot."""
    model = fitted(out)
    print(model, "\n")
    print("\n".join([*shares(out), "", *checks(out, model), "", *forecast(model)]))
    PICTURE.write_text(picture(model), "utf-8")


def shares(out: Path) -> list[str]:
    """Return the rows of one rank against two."""
    lines = [
        "| model | ranks | CPU-s a rank | wall, s | compute | all-reduce | data | load |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for size in TWO:
        for count in (1, 2):
            own = [one for one in read(out) if Size(*one["size"]) == size and one["ranks"] == count]
            spent = max(min(o["cpu_seconds"] for o in own if o["rank"] == rank) for rank in range(count))
            wall = min(one["least_seconds"] for one in own)
            whole = sum(one["seconds"] for one in own)
            parts = [sum(one[n] for one in own) / whole for n in ("compute", "collective", "waited_seconds")]
            load = min(one["load"] for one in own)
            named = f"{size.layers} × {size.width}, {size.parameters / 1e6:.1f} M"
            cells = [
                named,
                str(count),
                f"{spent:.3f}",
                f"{wall:.3f}",
                *(f"{part:.0%}" for part in parts),
                f"{load:.1f}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def checks(out: Path, model: Fitted) -> list[str]:
    """Return the rows of measured and predicted numbers, of sizes fitted and not."""
    lines = ["| size | | seconds | predicted | error | MB | predicted | error |", "|---|---|---|---|---|---|---|---|"]
    known = points(out)
    for use, sizes in (("fitted", FITTED), ("checked", CHECKED), ("extrapolated", LARGE)):
        for size in [one for one in sizes if one in known]:
            point, seconds, held = known[size], model.seconds(size, 1, Network(1e9, 1e-5)), model.bytes(size)
            times = f"{point.seconds:.3f} | {seconds:.3f} | {seconds / point.seconds - 1:+.0%}"
            memory = f"{point.bytes / 1e6:.0f} | {held / 1e6:.0f} | {held / point.bytes - 1:+.0%}"
            lines.append(f"| {size.layers} × {size.width}, {size.vocabulary} tokens | {use} | {times} | {memory} |")
    return lines


def forecast(model: Fitted) -> list[str]:
    """Return the rows of larger models and more ranks."""
    lines = [f"| model | GB a rank | a rank is | network | {' | '.join(str(count) for count in RANKS)} |"]
    lines.append("|---|---|---|---|" + "---|" * len(RANKS))
    for name, size in MODELS.items():
        for speed in SPEEDS:
            for words, network in NETWORKS.items():
                seconds = steps(model.faster(speed), size, network, RANKS)
                cells = [f"{one:.3g} s, {seconds[0] / one:.0%}" for one in seconds]
                place = f"{model.bytes(size) / 1e9:.1f} | {SPEEDS[speed]} | {words}"
                lines.append(f"| {name} | {place} | {' | '.join(cells)} |")
    return lines


def steps(model: Fitted, size: Size, network: Network, counts: Sequence[int]) -> list[float]:
    """Return the seconds of a step for each number of ranks, with the same episodes for each of them."""
    return [model.seconds(size._replace(episodes=EACH * count), count, network) for count in counts]


def picture(model: Fitted) -> str:
    """Return the share of perfect scaling over the number of ranks, for BERT base."""
    counts = [2**n for n in range(11)]
    series = []
    for speed, rank in SPEEDS.items():
        for words, network in NETWORKS.items():
            seconds = steps(model.faster(speed), MODELS["BERT base (110 M)"], network, counts)
            shares = [100 * seconds[0] / one for one in seconds]
            series.append(Series(f"{rank}, {words}", counts, shares, style=len(series)))
    title = f"BERT base: per cent of perfect scaling, {EACH} episodes a rank (predicted)"
    return line_chart(series, title=title, x="ranks", log=True, marks=[1, 4, 16, 64, 256, 1024])
