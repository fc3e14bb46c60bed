"""The public API is this list; each name is documented, and each example of the documentation runs."""

import doctest
import inspect
import re
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

import metaglot
from metaglot.errors import MetaglotError

PUBLIC = [
    *("Adapted", "Answer", "Candidates", "Choice", "Decoding", "Effort", "Evidence", "Expected", "Explanation"),
    *("FewShotClassifier", "MetaglotError"),
    *("Model", "Pairs", "Predictions", "Span", "__version__", "adapt_until", "load"),
]
SECTION = re.compile(r"^(\w[\w ]*)\n-{3,}$", re.M)
ENTRY = re.compile(r"^(\S[^:\n]*?)(?: : .+)?$", re.M)


def in_the_namespace() -> list[str]:
    """The names that `dir` shows of the package, but for its modules."""
    names = [name for name in dir(metaglot) if not name.startswith("_") or name == "__version__"]
    return [name for name in names if not isinstance(getattr(metaglot, name), types.ModuleType)]


def test_what_is_public_is_the_list_and_nothing_else():
    assert metaglot.__all__ == PUBLIC == in_the_namespace()
    assert metaglot.MetaglotError is MetaglotError
    assert metaglot.__version__[0].isdigit()
    with pytest.raises(AttributeError, match="has no attribute 'model'"):
        _ = metaglot.model  # pyright: ignore


def test_importing_the_package_alone_is_light():
    """`metaglot --help` starts in half a CPU-second: the package itself may not import torch."""
    heavy = {"torch", "transformers", "pyarrow", "numpy", "sklearn"}
    code = f"import sys, metaglot; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def public() -> Iterator[tuple[str, object]]:
    """Yield each public name but the version, and each method that a public class of ours has, by its full name."""
    for name in PUBLIC:
        value = getattr(metaglot, name)
        if name != "__version__":
            yield name, value
        if isinstance(value, type):
            parts = [part for part in reversed(value.__mro__) if part.__module__.startswith("metaglot.")]
            members = {own: member for part in parts for own, member in vars(part).items()}
            for own, member in members.items():
                member = member.__func__ if isinstance(member, staticmethod) else member
                if not own.startswith("_") and inspect.isfunction(member):
                    yield f"{name}.{own}", member


DOCUMENTED = dict(public())


def sections(value: object) -> dict[str, str]:
    """The sections of a docstring by their titles; what comes before them has the title ""."""
    parts = SECTION.split(inspect.getdoc(value) or "")
    return {"": parts[0].strip(), **dict(zip(parts[1::2], (part.strip("\n") for part in parts[2::2]), strict=True))}


def entries(section: str) -> list[str]:
    """The names that a section describes: what stands before a colon on lines that are not indented."""
    return [name for line in ENTRY.findall(section) for name in line.split(", ")]


def parameters(value: object) -> list[str]:
    """What a function or the constructor of a class takes."""
    return [name for name in inspect.signature(value).parameters if name != "self"]  # pyright: ignore


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_public_name_is_documented_in_full(name: str):
    value = DOCUMENTED[name]
    found = sections(value)
    assert found[""].partition("\n")[0].endswith((".", ":")), "the first line is a sentence"
    assert ">>> " in found["Examples"]
    if isinstance(value, type):
        fields = [*entries(found.get("Parameters", "")), *entries(found.get("Attributes", ""))]
        assert issubclass(value, Exception) or fields[: len(parameters(value))] == parameters(value)
        return
    assert entries(found.get("Parameters", "")) == parameters(value)
    returns = inspect.signature(value).return_annotation  # pyright: ignore
    assert ("Returns" in found) == (returns is not None)


RUN = [name for name in DOCUMENTED if "." not in name]


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in ("load", "Adapted") else pytest.mark.slow) for n in RUN]
)
def test_the_examples_of_a_public_name_run(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mini: object):
    """Those of a class, then those of its methods, which go on from them."""
    assert mini is not None
    monkeypatch.chdir(tmp_path)
    parser, runner = doctest.DocTestParser(), doctest.DocTestRunner()
    scope: dict[str, object] = {"FewShotClassifier": metaglot.FewShotClassifier} if name == "FewShotClassifier" else {}
    for own in [name, *(own for own in DOCUMENTED if own.startswith(f"{name}."))]:
        test = parser.get_doctest(inspect.getdoc(DOCUMENTED[own]) or "", scope, own, None, 0)
        assert test.examples, own
        runner.run(test, clear_globs=False)
        scope = test.globs
    assert runner.failures == 0
    assert runner.tries >= 2


@pytest.fixture(scope="module")
def mini() -> object:
    try:
        return metaglot.load("builtin:mini")
    except MetaglotError as error:
        pytest.skip(f"its base model is not at hand: {error}")
