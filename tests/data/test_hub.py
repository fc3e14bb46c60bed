"""The hub, asked through a proxy that never answers, from its cache, and by mistyped names."""

import socket
import threading
import time
from collections.abc import Generator
from pathlib import Path

import pytest
from huggingface_hub import HfApi, close_session

from metaglot.data import hub
from metaglot.data.folders import locate
from metaglot.errors import MetaglotError


@pytest.fixture
def silence(monkeypatch) -> Generator[list[socket.socket]]:
    """A proxy that takes connections and never answers, and a network that is asked through it."""
    taken: list[socket.socket] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                taken.append(server.accept()[0])
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    proxy = f"http://127.0.0.1:{server.getsockname()[1]}"
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, proxy)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub, "PATIENCE", 0.3)
    monkeypatch.setattr(hub, "ANSWER", 2.4)
    monkeypatch.setattr(hub, "IN_DOUBT", 1.4)
    monkeypatch.delenv(hub.LONGER, raising=False)
    close_session()  # one of another test has another proxy
    yield taken
    close_session()
    server.close()
    for one in taken:
        one.close()


def test_a_silent_network_is_spoken_of_and_given_up(silence, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "bert").mkdir(parents=True)
    began = time.monotonic()
    with pytest.raises(
        MetaglotError, match=r"modles/bert: .*did you mean builtin:bert or models/bert\?.*no answer for 1 s"
    ):
        hub.hub_folder("modles/bert", near=["builtin:bert", *hub.near_folders("modles/bert")])
    assert time.monotonic() - began >= 1.4
    assert len(silence) >= 1
    said = capsys.readouterr().err
    assert (
        said == "metaglot: waiting for the Hugging Face hub: modles/bert (did you mean builtin:bert or models/bert?)\n"
    )


def test_the_environment_says_how_long_the_hub_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "model_info", lambda *_, **__: time.sleep(3))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setenv(hub.LONGER, "1")
    began = time.monotonic()
    with pytest.raises(MetaglotError, match=r"no answer for 1 s \(HF_HUB_ETAG_TIMEOUT=60 in the environment waits"):
        hub.hub_folder("nobody/nothing", near=["builtin:tiny"])
    assert time.monotonic() - began > 0.9


def test_a_network_that_is_not_there_is_asked_once_and_in_silence(tmp_path, monkeypatch, capfd):
    """The client's own way to list files tried six times within 23 s, and told each."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    close_session()
    began = time.monotonic()
    with pytest.raises(MetaglotError, match="no network leads to the hub"):
        hub.hub_folder("nobody/nothing")
    assert time.monotonic() - began < 15
    assert capfd.readouterr().err == ""
    close_session()


def test_a_silent_network_leaves_what_the_cache_has(silence, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    snapshot = tmp_path / "models--a--b" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")
    (tmp_path / "models--a--b" / "refs").mkdir()
    (tmp_path / "models--a--b" / "refs" / "main").write_text("abc")
    assert hub.hub_folder("a/b") == snapshot


@pytest.mark.slow
def test_the_clock_begins_anew_while_the_cache_grows(tmp_path, monkeypatch):
    monkeypatch.setattr(hub, "SILENCE", 1.5)
    blobs = tmp_path / "blobs"
    blobs.mkdir()

    def slow() -> str:
        for i in range(7):
            time.sleep(0.5)
            (blobs / "weights.incomplete").write_bytes(b"x" * (i + 1))
        return "done"

    assert hub._watched(slow, tmp_path, "a model") == "done"
    with pytest.raises(hub.SilenceError):
        hub._watched(lambda: time.sleep(4), tmp_path, "a model")


def test_offline_nothing_is_asked(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(MetaglotError, match=r"neither a model folder here nor .* its cache, gives: HF_HUB_OFFLINE"):
        hub.hub_folder("nobody/nothing")


def test_the_files_that_a_model_needs():
    listed = [
        *("config.json", "model.safetensors", "pytorch_model.bin", "tokenizer.json", "vocab.txt", "README.md"),
        *("modules.json", "1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors"),
        *("onnx/config.json", "onnx/model.onnx", "model.fp16.safetensors", "openvino/config.json"),
    ]
    assert hub._needed(listed) == [
        *("1_Pooling/config.json", "2_Dense/config.json", "config.json", "modules.json", "tokenizer.json", "vocab.txt"),
        *("2_Dense/model.safetensors", "model.safetensors"),
    ]
    shards = [
        "config.json",
        "model.safetensors.index.json",
        "model-00001-of-00002.safetensors",
        "consolidated.safetensors",
    ]
    assert hub._needed(shards) == [shards[0], shards[1], shards[2]]
    assert hub._needed(["README.md", "data.json"]) == []


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("modles/bert", ["models/bert"]),
        ("models/brt", ["models/bert"]),
        ("mdels/robreta", ["models/roberta"]),
        ("models/bert/deep", []),
        ("elsewhere/entirely", []),
    ],
)
def test_near_folders(name, near, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("models/bert", "models/roberta", "data"):
        Path(folder).mkdir(parents=True)
    assert hub.near_folders(name) == near
    assert hub.near_folders(str(tmp_path / name)) == [str(tmp_path / one) for one in near]


def test_a_path_that_can_be_no_hub_id_names_near_folders_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a/models/bert").mkdir(parents=True)
    with pytest.raises(MetaglotError, match=r"no such model folder \(did you mean a/models/bert\?\)"):
        locate("a/modles/bert")


@pytest.mark.parametrize("offline", ["0", "1"])
@pytest.mark.parametrize("name", ["¹", "-1", "a--b", "a/b/c", "x" * 300])
def test_a_name_that_no_model_can_have_is_refused_before_the_network_is_asked(name, offline, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", offline)
    with pytest.raises(MetaglotError, match="no model folder here, and no id of a model of the hub"):
        hub.hub_folder(name)
