"""The most memory that a process held while something ran (Linux)."""

from pathlib import Path

HELD, REFERENCES = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def forget_peak() -> None:
    """Begin to measure anew; elsewhere than on Linux nothing happens."""
    try:
        REFERENCES.write_text("5")  # resets VmHWM: https://docs.kernel.org/filesystems/proc.html
    except OSError:
        return


def peak_mb() -> float | None:
    """Return the most megabytes resident since then, of the whole process; None where that cannot be told."""
    try:
        status = HELD.read_text("utf-8")
    except OSError:
        return None
    lines = (line.split() for line in status.splitlines() if line.startswith("VmHWM:"))
    return next((round(int(line[1]) / 1024, 1) for line in lines), None)
