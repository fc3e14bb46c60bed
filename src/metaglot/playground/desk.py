"""Where the page has its work done: adaptations of one model, one after the other, in a thread of their own."""

import shutil
import tempfile
import threading
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from metaglot.adaptation import Adapted, Model
from metaglot.adaptation.auto import step_seconds
from metaglot.adaptation.choice import MANY, SECONDS, SOME
from metaglot.adaptation.effort import efforts_of
from metaglot.choices import FAMILIES
from metaglot.errors import MetaglotError
from metaglot.playground.sessions import Sessions, Work
from metaglot.playground.table import Labelled

WAITING = 8  # adaptations that wait or run
EFFORTS = ("instant", "fast", "thorough", "auto")
"""The efforts that the page offers."""
FOLDER = "my-model"
KEPT = 600  # seconds that a zip waits to be fetched


@dataclass(frozen=True)
class Desk:
    """A model, and the works of visitors; on a server also what keeps a work of a tenant, and returns its name."""

    model: Model
    keep: Callable[[Work, str], str] | None = None
    sessions: Sessions = field(default_factory=Sessions)
    _shelf: "tempfile.TemporaryDirectory[str]" = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="metaglot-", ignore_cleanup_errors=True)
    )
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "playground"))
    _waiting: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(WAITING))

    def learn(self, labelled: Labelled, header: tuple[str, ...], effort: str) -> "Future[Work]":
        """Begin to adapt; raise MetaglotError where too many wait."""
        inputs, targets = labelled.examples.inputs, labelled.examples.targets

        def adapt() -> Adapted:
            chosen = effort if effort in EFFORTS else None
            return self.model.adapt(inputs.texts, targets, task=labelled.task, pairs=inputs.pairs, effort=chosen)

        return self._begin(adapt, header)

    def add(self, work: Work, labelled: Labelled) -> "Future[Work]":
        """Begin to learn more examples; raise MetaglotError where too many wait."""
        inputs, targets = labelled.examples.inputs, labelled.examples.targets
        return self._begin(lambda: work.adapted.add_examples(inputs.texts, targets, pairs=inputs.pairs), work.header)

    def estimate(self, labelled: Labelled, effort: str) -> float:
        """Return about how many seconds an effort takes; a guess for the bar alone."""
        family = FAMILIES[labelled.task]()
        if family.writes is not None:
            return 20.0
        step = step_seconds(self.model.encoder, labelled.examples.inputs)
        known = efforts_of(family).get(effort)
        steps = 2 * SOME.steps + MANY.steps if known is None else known.steps
        return min(0.4 + step * steps, SECONDS if known is None else 600.0)

    def packed(self, adapted: Adapted) -> Path:
        """Return the zip of an adaptation, in a folder that goes with this process; older ones are removed."""
        shelf = Path(self._shelf.name)
        for old in shelf.iterdir():
            if time.time() - old.stat().st_mtime > KEPT:
                shutil.rmtree(old, ignore_errors=True)
        file = Path(tempfile.mkdtemp(dir=shelf)) / f"{FOLDER}.zip"
        zipped(adapted, file)
        return file

    def _begin(self, adapt: Callable[[], Adapted], header: tuple[str, ...]) -> "Future[Work]":
        if not self._waiting.acquire(blocking=False):
            raise MetaglotError("others are learning here, and the queue is full; try again in a minute")

        def run() -> Work:
            begin = time.monotonic()
            return Work(adapt(), header, time.monotonic() - begin)

        future = self._pool.submit(run)
        future.add_done_callback(lambda _: self._waiting.release())
        return future


def zipped(adapted: Adapted, file: Path) -> None:
    """Write the adapted model, with its examples, as a zip of one folder."""
    with tempfile.TemporaryDirectory(prefix="metaglot-") as place:
        folder = adapted.save(Path(place) / FOLDER, keep_examples=True)
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for one in sorted(one for one in folder.rglob("*") if one.is_file()):
                archive.write(one, f"{FOLDER}/{one.relative_to(folder).as_posix()}")
