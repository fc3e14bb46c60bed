"""The public API is this list."""

import subprocess
import sys

import metaglot
from metaglot.errors import MetaglotError

PUBLIC = ["Adapted", "MetaglotError", "__version__", "load"]


def test_the_public_names():
    assert sorted(metaglot.__all__) == PUBLIC
    for name in PUBLIC:
        assert getattr(metaglot, name) is not None, name
    assert metaglot.MetaglotError is MetaglotError
    assert callable(metaglot.load)
    assert metaglot.__version__[0].isdigit()


def test_importing_the_package_alone_is_light():
    """`metaglot --help` starts in half a CPU-second: the package itself may not import torch."""
    code = "import sys, metaglot; print(sorted({'torch', 'transformers', 'pyarrow'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
