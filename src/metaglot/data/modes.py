"""Who may read what metaglot writes: as the umask has it, also where a library writes private files."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError


@contextmanager
def usual_mode(file: Path) -> Generator[Path]:
    """Give a path for the block to write with safetensors, which makes private files; the umask decides who reads it.

    Raises OSError where safetensors cannot write.
    """
    file.touch()
    mode = file.stat().st_mode & 0o777
    try:
        yield file
    except SafetensorError as error:
        raise OSError(str(error)) from error
    file.chmod(mode)
