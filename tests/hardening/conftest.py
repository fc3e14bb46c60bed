"""Bad input of any kind: how a command must take it, and the count of what was tried."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from metaglot.errors import MetaglotError

LINES = 14  # of a message at most; usage errors stand in a box


def state(folder: Path) -> dict[str, bytes | None]:
    """What stands in a folder: names and contents."""
    if not folder.exists():
        return {}
    found = (path for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else None for p in found}


@pytest.fixture(scope="session")
def handled(metaglot, tally) -> Callable[..., Any]:
    """Return a function that calls a command on input that may be bad.

    It must end with 0, or with 2 and a message of a few lines that holds one of `naming`; `keeps` is left as it was
    where it ends with 2, and nothing half-written stays.
    """

    def call(*arguments: object, naming: tuple[str, ...] = (), keeps: Path | None = None, code: int | None = None):
        before = state(keeps) if keeps else {}
        with counted(tally):
            said = metaglot(*arguments)
            assert said.code in ((0, 2) if code is None else (code,)), said
            assert "Traceback" not in said.err
            assert "\x1b" not in said.err
            if said.code == 2:
                words = "".join(said.err.replace("│", "").split())
                assert 0 < len(said.err.strip().splitlines()) <= LINES, said
                assert not naming or any("".join(name.split()) in words for name in naming), (naming, said)
                if keeps:
                    assert state(keeps) == before
        return said

    return call


@pytest.fixture(scope="session")
def answered(tally) -> Callable[..., Any]:
    """Return a function that calls a function: it must return, or raise a MetaglotError that holds one of `naming`."""

    def call(function: Callable[[], Any], *, naming: tuple[str, ...] = ()) -> Any:
        with counted(tally):
            try:
                return function()
            except MetaglotError as error:
                said = str(error)
            assert not naming or any(name in said for name in naming), said
            assert len(said) < 3000
            return None

    return call


@contextmanager
def counted(tally: Any) -> Iterator[None]:
    """Count one input, as mishandled unless the block ends well."""
    tally["tried"] += 1
    tally["mishandled"] += 1
    yield
    tally["mishandled"] -= 1
