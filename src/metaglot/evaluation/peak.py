"""The peak of the memory of the process (Linux)."""

from pathlib import Path

STATUS_FILE, RESET_FILE = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def forget_peak() -> None:
    """Begin a new measurement; without effect outside Linux."""
    try:
        RESET_FILE.write_text("5")  # resets VmHWM: https://docs.kernel.org/filesystems/proc.html
    except OSError:
        return


def peak_mb() -> float | None:
    """Return the peak of resident megabytes since then, of the whole process; None where it cannot be measured."""
    try:
        status = STATUS_FILE.read_text("utf-8")
    except OSError:
        return None
    lines = (line.split() for line in status.splitlines() if line.startswith("VmHWM:"))
    return next((round(int(line[1]) / 1024, 1) for line in lines), None)
