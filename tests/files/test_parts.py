"""What a killed writer left goes with the next writer; what somebody writes stays, whatever the clock says."""

import os
import signal
import subprocess
import sys
import time

from metaglot.data.cache import atomic_file, atomic_folder
from metaglot.data.parts import parts_of, remove_abandoned

WRITER = """
import sys, time
from pathlib import Path
from metaglot.data.cache import atomic_folder
with atomic_folder(Path(sys.argv[1])) as part:
    (part / "one").write_text("half")
    print("writing", flush=True)
    time.sleep(100)
"""


def test_a_part_stays_while_it_is_written_and_goes_after_a_kill(tmp_path):
    target = tmp_path / "a [target]"
    process = subprocess.Popen([sys.executable, "-c", WRITER, target], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "writing\n"
        (written,) = parts_of(target)
        os.utime(written, (0, 0))  # as a clock that jumped by years would have it
        with atomic_folder(target) as other:
            (other / "one").write_text("whole")
        assert parts_of(target) == [written]
        assert not remove_abandoned(written)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
    os.utime(written, (time.time() + 10**8,) * 2)
    assert remove_abandoned(written, only_look=True)
    with atomic_folder(target, replace=True) as other:
        (other / "one").write_text("new")
    assert [path.name for path in tmp_path.iterdir()] == ["a [target]"]
    assert (target / "one").read_text() == "new"


def test_the_folder_that_was_put_aside_is_no_leftover(tmp_path):
    """It is all that there is between the two renames where names cannot be exchanged at once."""
    (tmp_path / ".run.before.part").mkdir()
    (tmp_path / ".run.0123456789ab.part").write_text("")
    with atomic_file(tmp_path / "run") as part:
        part.write_text("new")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".run.before.part", "run"]
