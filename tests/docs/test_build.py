"""The pages build without a warning, and formulas need neither script nor network."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.slow
def test_the_pages_build_without_warnings(tmp_path: Path) -> None:
    pytest.importorskip("sphinx", reason="the extra `docs` is not installed; `make docs` installs and builds")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "-d", str(tmp_path / "trees")]
    command += [str(ROOT / "docs"), str(tmp_path / "html")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "html" / "concepts" / "estimators.html").read_text("utf-8")
    assert page.count("<math") >= 40
    assert not re.search(r'(src|href)="https?://[^"]+\.(js|css|mjs)', page)
    assert "metaglot pretrain" in (tmp_path / "html" / "reference" / "cli.html").read_text("utf-8")
