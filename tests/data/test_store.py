"""The token store: tokenised once, mapped afterwards, rebuilt when damaged, safe with two writers."""

import copy
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from metaglot.data.encode import Encoder
from metaglot.data.fingerprint import fingerprint
from metaglot.data.sealed import SEAL, open_sealed
from metaglot.data.store import BATCH, TextSet, cache_dir, data_dir, tokenise
from metaglot.errors import MetaglotError

Make = Callable[..., pa.Table]


@pytest.fixture
def table(make_table: Make) -> pa.Table:
    return make_table(
        text=["the sky is blue", "grass", "", "the sea is a blue sea"],
        label=["up", "down", None, "down"],
        domain=["air", "land", None, "land"],
    )


class Counting:
    """A tokenizer that counts the texts it is given."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.texts = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.texts += len(args[0])
        return self.inner(*args, **kwargs)


def make_set(table: pa.Table, tokenizer: Any, cache: Path, **more: Any) -> TextSet:
    return tokenise(table, tokenizer, name="t", max_length=more.pop("max_length", 8), cache=cache, **more)


def test_rows(table: pa.Table, tokenizer: Any, tmp_path: Path) -> None:
    texts = make_set(table, tokenizer, tmp_path)
    assert len(texts) == 4
    assert texts.labels == ("down", "up")
    first, empty, last = texts.rows([0, 2, 3])
    assert first["input_ids"].tolist() == [2, 11, 7, 10, 6, 3]
    assert (first["label"], first["row"]) == (1, 0)
    assert empty["input_ids"].tolist() == [2, 3]
    assert empty["label"] == -1
    assert len(last["input_ids"]) == 8
    assert "token_type_ids" not in first
    assert texts.table["domain"].to_pylist() == ["air", "land", None, "land"]
    assert texts.table["lang"].null_count == 4
    for beyond in (4, -1):
        with pytest.raises(IndexError):
            texts.rows([beyond])


def test_pairs_have_token_types(make_table: Make, tokenizer: Any, tmp_path: Path) -> None:
    pairs = make_table(text=["red sky", "sea", "a"], text_pair=["blue", None, ""])
    rows = make_set(pairs, tokenizer, tmp_path).rows(np.arange(3))
    assert rows[0]["input_ids"].tolist() == [2, 4, 7, 3, 6, 3]
    assert rows[0]["token_type_ids"].tolist() == [0, 0, 0, 0, 1, 1]
    assert rows[1]["input_ids"].tolist() == [2, 9, 3]
    assert rows[1]["token_type_ids"].tolist() == [0, 0, 0]
    assert rows[2]["input_ids"].tolist() == [2, 12, 3, 3]
    assert all(row["label"] == -1 for row in rows)


def test_more_rows_than_a_batch_equal_the_tokenizer(make_table: Make, tokenizer: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    words = np.array(["red", "sky", "sea", "unknown", "a"])
    texts = [" ".join(rng.choice(words, n)) for n in rng.integers(0, 12, 2 * BATCH + 7)]
    told: list[tuple[int, int]] = []
    found = make_set(
        make_table(text=texts, lang=["x"] * len(texts)), tokenizer, tmp_path, progress=lambda *n: told.append(n)
    )
    expected = tokenizer(texts, truncation=True, max_length=8)["input_ids"]
    assert [row["input_ids"].tolist() for row in found.rows(np.arange(len(texts)))] == expected
    assert found.rows([BATCH])[0]["row"] == BATCH
    assert told[-1] == (len(texts), len(texts))
    assert len(told) == 3


def test_second_run_tokenises_nothing(table: pa.Table, tokenizer: Any, tmp_path: Path) -> None:
    counting = Counting(tokenizer)
    first = make_set(table, counting, tmp_path)
    assert counting.texts == 4
    tokenizer(["a call that leaves truncation and padding set"] * 2, truncation=True, max_length=3, padding=True)
    second = make_set(table, counting, tmp_path)
    assert counting.texts == 4
    assert second.path == first.path
    assert second.table.equals(first.table)
    assert second.labels == first.labels
    assert list(tmp_path.iterdir()) == [first.path]


def test_key_follows_the_content(make_table: Make, table: pa.Table, tokenizer: Any, tmp_path: Path) -> None:
    base = make_set(table, tokenizer, tmp_path).fingerprint
    changed = [
        table.set_column(0, "text", pa.array(["the sky is blu", "egrass", "", "the sea is a blue sea"])),
        table.set_column(1, "label", pa.array(["up", "down", "down", None])),
        table.drop_columns(["domain"]),
        table.slice(0, 3),
    ]
    keys = {make_set(one, tokenizer, tmp_path).fingerprint for one in changed}
    keys.add(make_set(table, tokenizer, tmp_path, max_length=9).fingerprint)
    assert len(keys | {base}) == 6
    pieces = pa.concat_tables([table.slice(0, 1), table.slice(1, 2), table.slice(3, 1)])
    assert fingerprint(pieces, "x") == fingerprint(table, "x") == fingerprint(table.combine_chunks(), "x")


def test_damaged_file_is_made_anew(table: pa.Table, tokenizer: Any, tmp_path: Path) -> None:
    good = make_set(table, tokenizer, tmp_path)
    content = good.path.read_bytes()
    at = content.index(np.array([2, 11, 7, 10, 6, 3], np.int32).tobytes())
    flipped = content[:at] + b"\x07" + content[at + 1 :]
    expected = [row["input_ids"].tolist() for row in good.rows(range(4))]
    damages = [b"", content[: len(content) // 2], content[:-9], b"x" * len(content), flipped]
    for damaged in damages:
        good.path.unlink()  # not written over: the first map is still open
        good.path.write_bytes(damaged)
        again = make_set(table, tokenizer, tmp_path)
        assert [row["input_ids"].tolist() for row in again.rows(range(4))] == expected
        assert again.path.read_bytes() == content


def test_no_wrong_byte_is_believed(table: pa.Table, tokenizer: Any, tmp_path: Path) -> None:
    """One wrong byte among offsets or in the footer would be read far outside the file."""
    good = make_set(table, tokenizer, tmp_path)
    content = good.path.read_bytes()
    assert open_sealed(good.path) is not None
    for at in range(len(content)):
        good.path.unlink()
        good.path.write_bytes(content[:at] + bytes([content[at] ^ (1 << at % 8)]) + content[at + 1 :])
        assert open_sealed(good.path) is None, at
        if at % 97 == 0:
            assert make_set(table, tokenizer, tmp_path).table.equals(good.table)
            assert good.path.read_bytes() == content


def test_a_file_of_an_earlier_layout_is_made_anew(table: pa.Table, tokenizer: Any, tmp_path: Path) -> None:
    good = make_set(table, tokenizer, tmp_path)
    content = good.path.read_bytes()
    good.path.unlink()
    good.path.write_bytes(content[SEAL:])  # an Arrow file without a seal
    assert make_set(table, tokenizer, tmp_path).table.equals(good.table)
    assert good.path.read_bytes() == content


def test_concurrent_writers(table: pa.Table, tokenizer: Any, tmp_path: Path) -> None:
    tokenizers = [copy.deepcopy(tokenizer) for _ in range(6)]
    start = threading.Barrier(6)

    def write(own: Any) -> list[int]:
        start.wait()
        return [len(make_set(table, own, tmp_path)) for _ in range(3)]

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(write, tokenizers)) == [[4, 4, 4]] * 6
    assert len(list(tmp_path.iterdir())) == 1


def test_interrupted_writer_leaves_nothing(table: pa.Table, tokenizer: Any, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_set(table, tokenizer, tmp_path, progress=stop)
    assert not list(tmp_path.iterdir())


def test_what_a_killed_writer_left_goes_with_the_next(table: pa.Table, tokenizer: Any, tmp_path: Path) -> None:
    path = make_set(table, tokenizer, tmp_path).path
    path.unlink()
    (tmp_path / f".{path.name}.left.part").write_text("half")
    make_set(table, tokenizer, tmp_path)
    assert sorted(tmp_path.iterdir()) == [path]


def test_very_long_text_is_cut_first(tokenizer: Any) -> None:
    start = time.perf_counter()
    found = Encoder(tokenizer, max_length=16, max_chars=256).encode(["sky " * 1_000_000], None)
    assert len(found["input_ids"][0]) == 16
    assert time.perf_counter() - start < 1


def test_an_episode_is_read_in_less_than_two_milliseconds(make_table: Make, tokenizer: Any, tmp_path: Path) -> None:
    texts = make_set(make_table(text=["the sky is blue"] * 5000), tokenizer, tmp_path)
    rng = np.random.default_rng(0)
    texts.rows([0])
    spent: list[float] = []
    for _ in range(20):
        start = time.perf_counter()
        assert len(texts.rows(rng.integers(0, 5000, 64))) == 64
        spent.append(time.perf_counter() - start)
    assert min(spent) < 2e-3


def test_a_decoders_empty_text_has_a_token(make_table: Make, tokenizer: Any, tmp_path: Path) -> None:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    bare = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    bare.post_processor = None  # pyright: ignore
    decoder = PreTrainedTokenizerFast(tokenizer_object=bare, eos_token="[SEP]", unk_token="[UNK]", pad_token="[PAD]")
    rows = make_set(make_table(text=["", "sky"]), decoder, tmp_path).rows([0, 1])
    assert [row["input_ids"].tolist() for row in rows] == [[3], [7]]


def test_errors(table: pa.Table, tokenizer: Any, tmp_path: Path) -> None:
    with pytest.raises(MetaglotError, match="max_length"):
        make_set(table, tokenizer, tmp_path, max_length=2)
    with pytest.raises(MetaglotError, match=r"tokenizer\.json"):
        make_set(table, object(), tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(MetaglotError, match="METAGLOT_CACHE"):
        make_set(table, tokenizer, tmp_path / "file" / "cache")


def test_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("METAGLOT_CACHE", str(tmp_path / "own"))
    assert cache_dir() == tmp_path / "own"
    monkeypatch.delenv("METAGLOT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_dir() == tmp_path / "metaglot"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_dir().is_absolute()
    monkeypatch.delenv("METAGLOT_DATA", raising=False)
    assert data_dir() is None
    monkeypatch.setenv("METAGLOT_DATA", str(tmp_path))
    assert data_dir() == tmp_path
