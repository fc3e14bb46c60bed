"""What is seen of meta-training: a live view on a terminal, lines for a log elsewhere or with `--plain`."""

import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from metaglot.cli.shared.printing import tell
from metaglot.metric import Metric

if TYPE_CHECKING:
    from metaglot.training import Event, Optimisation
    from metaglot.types import Record

LOSSES = ("loss", "domain_loss", "plain_loss")
MOST_RESIDUAL = 0.1  # of an inner problem, relative to its start; above it a note is printed
LEAST_WAITING = 0.02  # share of a step's time; a larger one is printed
RECENT = 20  # steps over which losses and speeds are averaged
PAUSE = 30.0  # seconds between two lines of a log, but for validations
WIDTH = 40  # columns of the bar

Rows = list[tuple[str, str]]


def watch(
    events: "Iterator[Event]",
    optimisation: "Optimisation",
    *,
    metrics: Sequence[Metric],
    quiet: bool,
    plain: bool = False,
) -> "Event":
    """Show how far a run is, and return the last event."""
    from rich.console import Console

    console = Console(stderr=True)
    seen, last_event, has_warned = Seen(optimisation.steps, optimisation.meta_batch, metrics), None, False
    drawn = console.is_terminal and not plain
    with _drawing(console, seen, shown=drawn and not quiet) as say:
        for last_event in events:
            seen.take(last_event)
            if last_event.kind == "damaged":
                tell(_damaged_note(last_event.record), err=True)
            elif last_event.kind == "step" and not has_warned and (warning := unsolved_note(last_event.record)):
                has_warned = True
                if not quiet:
                    say(warning)
            if not quiet and not drawn and (line := seen.line(last_event)):
                say(line)
    assert last_event is not None
    return last_event


class Seen:
    """What was seen of a run so far, in words."""

    def __init__(self, steps: int, meta_batch: int, metrics: Sequence[Metric]) -> None:
        self._steps, self._meta_batch, self._metrics = steps, meta_batch, metrics
        self._began, self._first, self.step = time.monotonic(), 0, 0
        self._said = self._began
        self._recent: deque[Record] = deque(maxlen=RECENT)
        self._validation = self._saved = ""

    @property
    def share(self) -> float:
        """How much of the run is done."""
        return min(1.0, self.step / max(1, self._steps))

    def take(self, event: "Event") -> None:
        """Take note of an event."""
        self.step = event.state.step
        if event.kind == "start":
            self._began, self._first = time.monotonic(), self.step
        elif event.kind == "step":
            self._recent.append(event.record)
        elif event.kind == "validation":
            self._validation = (
                f"{held_out_note(event.record, self._metrics).replace('held-out ', '')} (step {self.step})"
            )
        elif event.kind == "saved":
            self._saved = f"step {self.step}"

    def rows(self) -> Rows:
        """Return what is known, by name."""
        seconds = self._mean("seconds")
        waiting = self._mean("waited_seconds") / seconds if seconds else 0.0
        losses = [f"{name.replace('_', ' ')} {self._mean(name):.3f}" for name in LOSSES if self._known(name)]
        rows = [
            ("step", f"{self.step:,} of {self._steps:,}"),
            ("learning", ", ".join(losses)),
            ("held out", self._validation),
            ("speed", self._speed(seconds)),
            ("waiting", f"{waiting:.0%} for episodes" if waiting > LEAST_WAITING else ""),
            ("memory", _memory()),
            ("saved", self._saved),
            ("time", self._left()),
        ]
        return [row for row in rows if row[1]]

    def line(self, event: "Event") -> str:
        """Return the line of a log for an event; "" where none is due."""
        now = time.monotonic()
        if event.kind == "validation":
            return f"step {self.step}: {held_out_note(event.record, self._metrics)}"
        if event.kind != "step" or now - self._said < PAUSE:
            return ""
        self._said = now
        return f"step {self.step} of {self._steps}: " + " · ".join(
            text for name, text in self.rows() if name not in ("step", "held out", "saved")
        )

    def _speed(self, seconds: float) -> str:
        if not seconds:
            return ""
        return f"{self._meta_batch / seconds:,.1f} tasks/s, {self._mean('tokens') / seconds:,.0f} tokens/s"

    def _known(self, name: str) -> bool:
        return any(name in record for record in tuple(self._recent))  # the view is drawn by a thread of its own

    def _mean(self, name: str) -> float:
        values = [float(record[name]) for record in tuple(self._recent) if name in record]
        return sum(values) / len(values) if values else 0.0

    def _left(self) -> str:
        """Return the time that is left by what the steps so far took, validations among them."""
        done = self.step - self._first
        if not done or self.step >= self._steps:
            return ""
        return f"{_clock((time.monotonic() - self._began) / done * (self._steps - self.step))} left"


@contextmanager
def _drawing(console: Any, seen: Seen, *, shown: bool) -> Generator[Callable[[str], None]]:
    """Draw what was seen until the block ends, if it is shown; give a function that prints a line above it."""

    def say(line: str) -> None:
        console.print(line, highlight=False, markup=False)

    if not shown:
        yield say
        return
    from rich.live import Live

    with Live(get_renderable=lambda: _view(seen), console=console, refresh_per_second=4):
        yield say


def _view(seen: Seen) -> Any:
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    table.add_row("", ProgressBar(total=1.0, completed=seen.share, width=WIDTH))
    for name, text in seen.rows():
        table.add_row(Text(name, style="dim"), Text(text))
    return table


def _memory() -> str:
    """Return the most memory that the process had so far; "" where the system does not tell."""
    if sys.platform == "win32":
        return ""
    import resource

    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return f"{size / 1e6:,.0f} MB at most"


def _clock(seconds: float) -> str:
    hours, minutes = divmod(int(seconds) // 60, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min" if minutes else f"{seconds:.0f} s"


def _damaged_note(record: "Record") -> str:
    """Return a warning of a checkpoint that was put aside; it is said with --quiet too."""
    return (
        f"warning: the checkpoint {record['checkpoint']} is damaged ({record['why']}); it was put aside as "
        f"{record['now']}, and the run goes on from step {record['step']}"
    )


def unsolved_note(record: "Record") -> str:
    """Return a warning where the inner problem of an implicit gradient ended far from its solution."""
    residual = float(record.get("residual", 0.0))
    if residual <= MOST_RESIDUAL:
        return ""
    return (
        f"note: the inner loop ends far from its solution (its gradient is {100 * residual:.0f} % of that at the "
        "start), so the implicit gradient is not that of the query loss; raise algorithm.steps or algorithm.proximal, "
        "or choose another lr or a smaller scope"
    )


def held_out_note(record: "Record", metrics: Sequence[Metric]) -> str:
    """Return the outcome of a validation: the metrics on held-out tasks, the perplexity of held-out text."""
    recorded = [metric for metric in metrics if metric.name in record]
    notes = [f"held-out {metric.words} {metric.format_with_unit(float(record[metric.name]))}" for metric in recorded]
    if "perplexity" in record:
        notes.append(f"held-out perplexity {float(record['perplexity']):.1f}")
    return ", ".join(notes)
