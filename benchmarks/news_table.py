"""The tables of benchmarks/news.py."""

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from metaglot.evaluation.statistics import Interval, differences, macro_interval


def table(rows: Sequence[Mapping[str, Any]], arms: Sequence[str], domains: Sequence[str]) -> str:
    """Return the tables as Markdown: domains, then tasks, then what the first arm gains over each other."""
    lines: list[str] = []
    shots = sorted({row["shot"] for row in rows})
    for key, title in (("domain", "domain"), ("task", "task")):
        lines += ["", f"| {title} | shots | " + " | ".join(arms) + " |", "|---|---:|" + "---:|" * len(arms)]
        for name in dict.fromkeys(row[key] for row in rows):
            for shot in shots:
                cells = []
                for arm in arms:
                    mine = [row for row in rows if (row[key], row["shot"], row["arm"]) == (name, shot, arm)]
                    means = [_mean(mine, what) for what in ("accuracy", "precision", "recall")]
                    cells.append(" / ".join(f"{100 * value:.1f}" for value in means))
                lines.append(f"| {name} | {shot} | " + " | ".join(cells) + " |")
    lines += ["", "Accuracy / precision / recall in %, the latter two means over classes."]
    lines += ["", f"| {arms[0]}, over | " + " | ".join(f"{d}, {s} shots" for d in domains for s in shots) + " |"]
    lines.append("|---|" + "---:|" * (len(domains) * len(shots)))
    for arm in arms[1:]:
        gains = [_gain(rows, arms[0], arm, domain, shot) for domain in domains for shot in shots]
        lines.append(f"| {arm} | " + " | ".join(map(_shown, gains)) + " |")
    return "\n".join(lines[1:])


def _mean(rows: Sequence[Mapping[str, Any]], what: str) -> float:
    """Return the mean over tasks of the mean over draws."""
    tasks = dict.fromkeys(row["task"] for row in rows)
    return fmean(fmean(row[what] for row in rows if row["task"] == task) for task in tasks)


def _gain(rows: Sequence[Mapping[str, Any]], mine: str, other: str, domain: str, shot: int) -> Interval:
    both = [
        {
            (row["task"], shot, row["draw"]): row["accuracy"]
            for row in rows
            if (row["arm"], row["domain"], row["shot"]) == (arm, domain, shot)
        }
        for arm in (mine, other)
    ]
    return macro_interval(differences(*both))


def _shown(gain: Interval) -> str:
    interval = f" [{100 * gain.low:+.1f}, {100 * gain.high:+.1f}]" if gain.n > 1 else ""
    return f"{100 * gain.mean:+.1f}{interval}"
