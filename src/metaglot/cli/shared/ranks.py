"""Ranks of a command: started on this machine by torch's elastic agent, all of them again where one is lost.

The agent is that of torchrun (https://docs.pytorch.org/docs/stable/elastic/run.html), within this process.  A rank that
ends by an exit code would be started again, so that ranks end with 0 and tell the code of the command by a file.
"""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from metaglot.cli.shared.printing import LAUNCHER, error_text, tell
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    from metaglot.training.ranks import Ranks

OUTCOME = "METAGLOT_OUTCOME"  # the file by which a rank tells `launch` the exit code of the command
PLACE = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")  # what torchrun sets
PATIENCE = 120  # seconds that ranks have to save and end
SILENCE = 20.0  # seconds after which a rank says that it waits for the others
NOTED_WITHIN = 2.0  # seconds in which a rank that met an error notes it, once it has left
FAILED = LOST = 1  # exit codes
INTERRUPTED = 130


class Place(NamedTuple):
    """Where this process stands among ranks; without arguments it is alone."""

    first: bool = True  # whether it writes and speaks
    restarted: bool = False  # whether the ranks were started again: they go on from the newest checkpoint
    ranks: "Ranks | None" = None  # None where it is alone

    def left(self) -> bool:
        """Whether the process that started the ranks is gone."""
        return LAUNCHER in os.environ and self.ranks is not None and os.getppid() != int(os.environ[LAUNCHER])

    def begin(self) -> None:
        """Note that the folder is that of this run."""
        if OUTCOME in os.environ:
            _beside("begun").touch()

    def begun(self) -> bool:
        """Whether `begin` was called, before all ranks were started again too; False under torchrun."""
        return OUTCOME in os.environ and _beside("begun").is_file()

    def end(self, code: int) -> int:
        """Return the code to exit with, once the command has its own; `launch` is told that one."""
        if self.ranks is None:
            return code
        if self.first:
            _note(code)
        return 0


def is_rank() -> bool:
    """Return whether torchrun, or `launch`, started this process."""
    return all(name in os.environ for name in PLACE)


@contextmanager
def as_rank() -> Generator[Place]:
    """Give the place of this process; an error ends all ranks, and one of them says it.

    Under `launch` nothing is started again after an error, be it one that a user can mend or one of the program.  A
    rank that lost another one exits with 1, and all are started again.
    """
    if not is_rank():
        yield Place()
        return
    if _has_failed():  # and others were killed at the same time, or ended for it
        sys.exit(0)
    from metaglot.training.joining import joined, starts_before

    first = os.environ["RANK"] == "0"
    try:
        with ExitStack() as stack:
            with _waiting():
                ranks = stack.enter_context(joined(os.environ))
            stack.enter_context(ranks.guard())
            yield Place(first, starts_before(os.environ) > 0, ranks)
            ranks.exchange("ended")  # rank 0 may fail to the last, on a full disk or a closed pipe
    except KeyboardInterrupt:
        if first:
            raise
        sys.exit(INTERRUPTED)
    except Exception as error:
        code = _code_after(error)
        if code is None:
            raise
        sys.exit(code)


def _code_after(error: Exception) -> int | None:
    """Say what ended this rank, and return its exit code; None where it is for others to say."""
    from metaglot.training.ranks import OtherRankError, lost_words

    launched = OUTCOME in os.environ
    if words := lost_words(error):
        if _said_by_another():
            return 0
        tell(f"metaglot: rank {os.environ['RANK']} {words}, and ends", err=True)
        return LOST
    if isinstance(error, OtherRankError):  # the rank that met it says it
        return 0 if launched else 2
    if not launched:
        return None
    if isinstance(error, MetaglotError | OSError):
        tell(f"metaglot: {error_text(error)}", err=True)
        _note(2)
        return 0
    _fail()
    return FAILED  # so that the others are ended too, wherever they are; started again, they end at once


def _fail() -> None:
    """Print the traceback of an error of the program, once among ranks; from now on none of them trains."""
    with suppress(FileExistsError):
        _beside("failed").touch(exist_ok=False)
        _note(FAILED)
        traceback.print_exc()
        tell(f"metaglot: rank {os.environ['RANK']} met this error, so that all end; what was saved is whole", err=True)


def _has_failed() -> bool:
    return OUTCOME in os.environ and _beside("failed").is_file()


@contextmanager
def _waiting() -> Generator[None]:
    """Say that this rank waits if that takes long; signals end it at once, though torch waits outside of Python."""
    where = "{RANK} of {WORLD_SIZE} waits for the others, at {MASTER_ADDR}:{MASTER_PORT}".format_map(os.environ)
    timer = threading.Timer(SILENCE, lambda: tell(f"note: rank {where}", err=True))
    timer.daemon = True
    timer.start()
    main = threading.current_thread() is threading.main_thread()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM) if main}
    mine = {number: handler for number, handler in handlers.items() if callable(handler)}
    try:
        for number in mine:
            signal.signal(number, signal.SIG_DFL)
        yield
    finally:
        timer.cancel()
        for number, handler in mine.items():
            signal.signal(number, handler)


def launch(count: int, arguments: Sequence[str], *, restarts: int) -> int:
    """Run the command in `count` ranks and return its exit code; where a rank is lost, start all again.

    Raises MetaglotError where that happened more than `restarts` times.
    """
    import logging
    import uuid

    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    logging.disable(logging.CRITICAL)  # the agent's own words; ranks are other processes
    with TemporaryDirectory(prefix="metaglot-") as folder:
        outcome = Path(folder) / "outcome"
        _set_environment(count, outcome)
        config = LaunchConfig(
            min_nodes=1,
            max_nodes=1,
            nproc_per_node=count,
            run_id=uuid.uuid4().hex,
            rdzv_backend="c10d",
            rdzv_endpoint="127.0.0.1:0",
            local_addr="127.0.0.1",
            max_restarts=restarts,
        )
        if hasattr(signal, "SIGUSR1"):  # by which Slurm warns; the agent knows SIGTERM, and passes it on
            signal.signal(signal.SIGUSR1, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        try:
            elastic_launch(config, sys.executable)("-m", "metaglot", *arguments)
        except SignalException as error:
            return _noted(outcome) if outcome.is_file() else _ended_by(error.sigval)
        except ChildFailedError as error:
            if _has_failed():
                return FAILED
            rank, failure = error.get_first_failure()
            raise MetaglotError(
                f"rank {rank} ended with {_words(failure.exitcode)}, and the ranks were started again "
                f"{restarts} times already; what was saved is whole: mend what stands above, or lack of memory, and "
                "go on with --resume"
            ) from error
        return _noted(outcome)  # a rank that ends with 0 has noted its code, or another one has


def _set_environment(count: int, outcome: Path) -> None:
    """Set what the ranks inherit: where they find one another, how long they may take to end, and their threads."""
    os.environ |= {OUTCOME: str(outcome), LAUNCHER: str(os.getpid())}
    os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", str(PATIENCE))
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // count)))


def _beside(name: str) -> Path:
    """Return a file of the folder that ranks and `launch` share."""
    return Path(os.environ[OUTCOME]).with_name(name)


def _said_by_another() -> bool:
    """Whether a rank left because of an error, which it notes as it ends."""
    until = time.monotonic() + NOTED_WITHIN
    while OUTCOME in os.environ and time.monotonic() < until:
        if Path(os.environ[OUTCOME]).is_file():
            return True
        time.sleep(0.05)
    return False


def _note(code: int) -> None:
    if OUTCOME in os.environ:
        Path(os.environ[OUTCOME]).write_text(str(code), "utf-8")


def _noted(outcome: Path) -> int:
    return int(outcome.read_text("utf-8")) if outcome.is_file() else LOST


def _ended_by(number: int) -> int:
    """Say which signal ended the command before it had anything to save, and return its exit code."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    tell(f"metaglot: ended by {signal.Signals(number).name}; what was saved is whole", err=True)
    return 128 + number


def _words(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
