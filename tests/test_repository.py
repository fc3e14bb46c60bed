"""What belongs to the repository: no file of it is ignored, so that none is left out of a wheel or of the checks."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_no_file_of_the_repository_is_ignored():
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone: there is no .git here")
    asked = ["git", "ls-files", "--ignored", "--cached", "--exclude-standard"]
    assert subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout == ""


def test_every_package_has_an_init():
    folders = {file.parent for file in (ROOT / "src" / "metaglot").rglob("*.py")}
    assert [folder for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []
