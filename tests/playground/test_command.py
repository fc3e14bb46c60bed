"""`metaglot playground`: mistakes are one line, and help is quick."""

import importlib
import socket
import sys
from pathlib import Path

import pytest

import metaglot as mg


def test_mistakes_are_told_before_a_model_is_loaded(metaglot, tmp_path, monkeypatch):
    pytest.importorskip("gradio", reason="the extra `playground` is not installed")
    assert "no such" in metaglot("playground", tmp_path / "none").err
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen()
        port = one.getsockname()[1]
        said = metaglot("playground", "builtin:mini", "--port", port)
    assert said.code == 2
    assert f"127.0.0.1:{port}" in said.err
    for name in [name for name in sys.modules if name.startswith("metaglot.playground")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "gradio", None)
    said = metaglot("playground", "builtin:mini")
    assert said.code == 2
    assert "metaglot[playground]" in said.err


def test_uploads_lie_where_no_other_user_reads_them():
    pytest.importorskip("gradio", reason="the extra `playground` is not installed")
    from gradio.utils import get_upload_folder

    from metaglot.playground import page

    importlib.reload(page)
    assert page.os.environ["GRADIO_TEMP_DIR"] == get_upload_folder()
    assert Path(get_upload_folder()).stat().st_mode & 0o777 == 0o700


def test_what_is_adapted_already_is_refused(metaglot, tiny, tmp_path):
    mg.load(tiny).adapt(["a", "b"], ["x", "y"], effort="instant").save(tmp_path / "adapted")
    said = metaglot("playground", tmp_path / "adapted")
    assert said.code == 2
    assert "adapted already" in said.err
