"""Trackers beside `metrics.jsonl`: TensorBoard, Trackio, Weights & Biases, each in a folder of the run, offline.

They see the events that a run yields and nothing else, so that with or without them the run is the same.  Each is an
extra: pip install 'metaglot[tensorboard]', 'metaglot[trackio]', 'metaglot[wandb]', or all by 'metaglot[tracking]'.
"""

import importlib.util
import os
import sys
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from metaglot.choices import TRACKERS
from metaglot.errors import MetaglotError
from metaglot.training.run import Event

PROJECT = "metaglot"


class Tracker(Protocol):
    """Where numbers go."""

    def log(self, values: Mapping[str, float], *, step: int) -> None:
        """Note the values of a step."""
        ...

    def close(self) -> None:
        """Write what is not yet written."""
        ...


class Tracked(NamedTuple):
    """The run that is tracked."""

    folder: Path
    name: str
    config: Mapping[str, Any]
    step: int = 0  # that it goes on from; TensorBoard drops what was logged after it, elsewhere it stands twice


def tracked(events: Iterable[Event], trackers: Sequence[Tracker]) -> Iterator[Event]:
    """Yield the events; the numbers of steps and validations go to each tracker, as `train/…` and `validation/…`."""
    for event in events:
        if event.kind in PREFIX:
            numbers = {k: float(v) for k, v in event.record.items() if isinstance(v, int | float) and k != "step"}
            values = {f"{PREFIX[event.kind]}/{name}": value for name, value in numbers.items()}
            for tracker in trackers:
                tracker.log(values, step=event.state.step)
        yield event


@contextmanager
def open_trackers(names: Sequence[str], run: Tracked) -> Generator[list[Tracker]]:
    """Give the trackers called `names` (of `choices.TRACKERS`), and close them at the end.

    Raises MetaglotError as `check_trackers` does.
    """
    check_trackers(names)
    with ExitStack() as stack:
        yield [stack.enter_context(closing(TRACKERS[name](run))) for name in dict.fromkeys(names)]


def check_trackers(names: Sequence[str]) -> None:
    """Raise MetaglotError for a name that is not in TRACKERS, and for a package that is not installed."""
    for name in names:
        if name not in TRACKERS:
            raise MetaglotError(f"unknown tracker {name!r}; choose from {', '.join(TRACKERS)}")
        if importlib.util.find_spec(name) is None:
            raise MetaglotError(f"the tracker {name} is not installed: pip install 'metaglot[{name}]', or leave it out")


@dataclass(frozen=True)
class TensorBoard:
    """Event files in `tensorboard/`; show them with `tensorboard --logdir RUN/tensorboard`."""

    writer: Any

    @classmethod
    def begin(cls, run: Tracked) -> "TensorBoard":
        """Return a writer that goes on after the run's step; TensorBoard drops what came after it."""
        from torch.utils.tensorboard import SummaryWriter

        purge = run.step + 1 if run.step else None
        return cls(SummaryWriter(str(run.folder / "tensorboard"), purge_step=purge))

    def log(self, values: Mapping[str, float], *, step: int) -> None:
        """Note the values of a step."""
        for name, value in values.items():
            self.writer.add_scalar(name, value, step)

    def close(self) -> None:
        """Write what is not yet written."""
        self.writer.close()


@dataclass(frozen=True)
class Trackio:
    """A local SQLite file in `trackio/` (or where TRACKIO_DIR says); `TRACKIO_DIR=RUN/trackio trackio show` shows it.

    Trackio's own variables for a server or a Space are left to it: without them nothing leaves the machine.
    """

    package: Any  # which holds the one run of the process

    @classmethod
    def begin(cls, run: Tracked) -> "Trackio":
        """Return a run of that name, which goes on if it is there."""
        os.environ.setdefault("TRACKIO_DIR", str(run.folder.resolve() / "trackio"))  # read once, at the import
        import trackio  # pyright: ignore[reportMissingImports]  # an extra

        options: dict[str, Any] = {"embed": False, "auto_log_gpu": False, "auto_log_cpu": False}
        with redirect_stdout(sys.stderr):  # it greets, and stdout is for the outcome
            trackio.init(PROJECT, name=run.name, config=dict(run.config), resume="allow", **options)
        return cls(trackio)

    def log(self, values: Mapping[str, float], *, step: int) -> None:
        """Note the values of a step."""
        self.package.log(dict(values), step=step)

    def close(self) -> None:
        """Write what is not yet written."""
        with redirect_stdout(sys.stderr):
            self.package.finish()


@dataclass(frozen=True)
class Wandb:
    """An offline run in `wandb/`; `wandb sync RUN/wandb/offline-run-…` sends it, should you wish."""

    package: Any
    run: Any

    @classmethod
    def begin(cls, run: Tracked) -> "Wandb":
        """Return an offline run; a run that is resumed is another one of the same group."""
        import wandb  # pyright: ignore[reportMissingImports]  # an extra

        silent = wandb.Settings(silent=True, console="off", x_disable_stats=True)
        options: dict[str, Any] = {
            "mode": "offline",
            "dir": str(run.folder),
            "settings": silent,
            "reinit": "create_new",
        }
        began = wandb.init(project=PROJECT, name=run.name, group=run.name, config=dict(run.config), **options)
        return cls(wandb, began)

    def log(self, values: Mapping[str, float], *, step: int) -> None:
        """Note the values of a step."""
        self.run.log(dict(values), step=step)

    def close(self) -> None:
        """Write what is not yet written."""
        self.run.finish()
        self.package.teardown()  # waits for the process that writes, which `finish` alone does not


PREFIX = MappingProxyType({"step": "train", "validation": "validation"})
