"""Files that are none, and numbers that files state: a pipe is not opened, and no size is taken on trust."""

import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.hardening.test_model_folders import PLAIN, adapted, folder

from metaglot.adaptation import Adapted
from metaglot.data import bounds
from metaglot.data.readers import read_table
from metaglot.errors import MetaglotError
from metaglot.models import load_backbone

__all__ = ["adapted", "folder"]  # fixtures

pytestmark = pytest.mark.timeout(60)  # a pipe would never end


@pytest.fixture
def copy(folder, tmp_path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "m"))


def pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def device(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to("/dev/zero")


def index(path: Path, named: str) -> None:
    (path / "model.safetensors").rename(path / "model-00001-of-00001.safetensors")
    (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"embeddings.w": named}}))


def config(path: Path, **changed: object) -> None:
    file = path / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changed}))


def sparse(path: Path, size: int) -> None:
    with path.open("wb") as file:
        file.truncate(size)


def header(path: Path, length: int) -> None:
    with (path / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", length) + b"{}")
        file.truncate(length + 8)


MODELS: dict[str, tuple[Callable[[Path], object], str]] = {
    "a pipe for weights": (lambda p: pipe(p / "model.safetensors"), r"model\.safetensors: .*a pipe, not a file"),
    "a device for weights": (lambda p: device(p / "model.safetensors"), r"model\.safetensors: .*a device, not a file"),
    "a pipe for a tokenizer": (lambda p: pipe(p / "tokenizer.json"), r"tokenizer\.json: .*a pipe, not a file"),
    "a pipe for what is optional": (lambda p: pipe(p / "added_tokens.json"), r"added_tokens\.json: .*a pipe"),
    "a device for a config": (lambda p: device(p / "config.json"), "config.json"),
    "an index that names a device": (
        lambda p: index(p, "../../../dev/zero"),
        r"index\.json: it names '../../../dev/zero'",
    ),
    "an index of numbers": (lambda p: index(p, 3), r"index\.json: damaged \(weight_map\.embeddings\.w: .*string"),  # type: ignore[arg-type]
    "a header of 100 MB": (lambda p: header(p, 100 << 20), "a header of 104,857,600 bytes, above the limit of 32 MiB"),
    "a header beyond the file": (
        lambda p: (p / "model.safetensors").write_bytes(b"\xff" * 64),
        "no header, in 64 bytes",
    ),
    "a tokenizer of 1 TB": (
        lambda p: sparse(p / "tokenizer.json", 1 << 40),
        "1,099,511,627,776 bytes, above",
    ),
    "2,000 layers": (lambda p: config(p, num_hidden_layers=2000), "num_hidden_layers is 2,000, above the limit of 256"),
    "100 million labels": (lambda p: config(p, num_labels=10**8), "num_labels is 100,000,000, above the limit"),
    "10**30 layers within": (lambda p: config(p, text_config={"num_layers": 10**30}), "num_layers is 1,000,000,000,"),
}


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_folder(kind, copy):
    change, said = MODELS[kind]
    change(copy)
    with pytest.raises(MetaglotError, match=said):
        load_backbone(str(copy), PLAIN)


@pytest.mark.parametrize("name", ["adapted.json", "examples.jsonl", "weights.safetensors"])
def test_a_pipe_in_an_adaptation(name, adapted, tmp_path):
    place = Path(shutil.copytree(adapted, tmp_path / "a"))
    pipe(place / name)
    with pytest.raises(MetaglotError, match=r"a pipe|no adapted\.json"):
        Adapted.load(place)


def test_a_pipe_in_a_checkpoint(folder, tmp_path):
    step = tmp_path / "run" / "checkpoints" / "step-1"
    step.mkdir(parents=True)
    pipe(step / "params.safetensors")
    (tmp_path / "run" / "model.json").write_text(json.dumps({"base": str(folder), "max_length": 16}))
    with pytest.raises(MetaglotError, match=r"params\.safetensors: .*a pipe, not a file"):
        load_backbone(str(tmp_path / "run"), PLAIN)


LONG = "a" * 40_000
TABLES: dict[str, Callable[[Path], None]] = {
    "a dictionary of one text": lambda p: pq.write_table(
        pa.table({"text": pa.DictionaryArray.from_arrays(pa.array([0] * 400, pa.int32()), pa.array([LONG]))}), p
    ),
    "a packed column": lambda p: pq.write_table(
        pa.table({"text": [LONG] * 400}), p, use_dictionary=False, compression="zstd"
    ),
    "texts that share their beginning": lambda p: pq.write_table(
        pa.table({"text": [LONG] * 400}), p, use_dictionary=False, column_encoding={"text": "DELTA_BYTE_ARRAY"}
    ),
}


@pytest.mark.parametrize("kind", TABLES)
def test_a_small_parquet_file_that_becomes_large(kind, tmp_path, monkeypatch):
    """16 MB of texts from a few kB."""
    file = tmp_path / "a.parquet"
    TABLES[kind](file)
    assert file.stat().st_size < 200_000
    assert read_table(file)["text"].to_pylist() == [LONG] * 400
    monkeypatch.setattr(bounds, "UNPACKED", 4 << 20)
    monkeypatch.setattr(bounds, "MULTIPLE", 1)
    with pytest.raises(MetaglotError, match=r"a\.parquet: it unpacks to more than 4 MiB.*write it again as jsonl"):
        read_table(file)


def test_rows_that_a_parquet_file_states(tmp_path, monkeypatch):
    pq.write_table(pa.table({"text": pa.nulls(2000, pa.string())}), tmp_path / "a.parquet")
    monkeypatch.setattr(bounds, "ROWS", 1000)
    with pytest.raises(MetaglotError, match="it states 2,000 rows, above the limit of 1,000"):
        read_table(tmp_path / "a.parquet")


def test_columns_of_one_name(tmp_path):
    pq.write_table(pa.table([["a"], ["x"], ["y"]], names=["text", "label", "label"]), tmp_path / "a.parquet")
    with pytest.raises(MetaglotError, match="2 columns are called 'label', so which of them is meant is not known"):
        read_table(tmp_path / "a.parquet")
    pq.write_table(pa.table([["a"], ["x"], ["y"], ["z"]], names=["text", "label", "o", "o"]), tmp_path / "b.parquet")
    assert read_table(tmp_path / "b.parquet")["label"].to_pylist() == ["x"]


@pytest.mark.slow
def test_thirty_thousand_columns(tmp_path, monkeypatch):
    file = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": ["a"], "label": ["x"], **{f"c{i}": [1] for i in range(30_000)}}), file)
    assert read_table(file).column_names == ["text", "label", "row"]
    monkeypatch.setattr(bounds, "COLUMNS", 10_000)
    with pytest.raises(MetaglotError, match=r"30,002 columns, above the limit of 10,000"):
        read_table(file)


STATE = {"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("state.json", {"_data_files": [{"filename": "../../dev/zero"}]}, "it names '../../dev/zero'"),
        ("state.json", {"_data_files": [{"filename": "pipe"}]}, "a pipe, not a file"),
        ("state.json", {"_data_files": 3}, "_data_files: .*valid array"),
        ("state.json", {**STATE, "_data_files": [{"filename": "absent"}]}, "No such file"),
        ("dataset_dict.json", {"splits": [".."]}, r"it names '\.\.'"),
        ("dataset_dict.json", {"splits": "train"}, "splits: .*valid array"),
    ],
)
def test_a_folder_of_datasets(name, value, said, tmp_path):
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / name).write_text(json.dumps(value))
    if "pipe" in said:
        os.mkfifo(tmp_path / "set" / "pipe")
    with pytest.raises(MetaglotError, match=said):
        read_table(tmp_path / "set")
