"""Arrays kept in the cache: the same back, memory-mapped, made once, never half written."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays_of

from metaglot.data.arrays import Put, array_writer, cached_arrays, open_arrays, parts_of
from metaglot.errors import MetaglotError

KINDS = st.sampled_from([np.int32, np.int64, np.uint8, np.uint64, np.float32])
SHAPES = arrays_of.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5)
ARRAYS = st.lists(KINDS.flatmap(lambda kind: arrays_of.arrays(kind, SHAPES)), max_size=4)


@given(ARRAYS)
def test_what_is_put_comes_back(tmp_path_factory: pytest.TempPathFactory, arrays: list[np.ndarray]) -> None:
    path = tmp_path_factory.mktemp("a") / "x.arrow"
    with array_writer(path, "key") as put:
        for number, array in enumerate(arrays):
            put(f"a/{number}", array)
        put("other", np.arange(6)[::2])
    found = open_arrays(path, "key")
    assert found is not None
    assert found["other"].tolist() == [0, 2, 4]
    parts = parts_of(found, "a")
    assert [(p.shape, p.dtype) for p in parts] == [(a.shape, a.dtype) for a in arrays]
    assert all(p.tobytes() == a.tobytes() for p, a in zip(parts, arrays, strict=True))
    assert not any(p.flags.writeable for p in parts)
    assert open_arrays(path, "another key") is None
    assert open_arrays(path.with_name("absent"), "key") is None


def test_made_once_and_nothing_left_by_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METAGLOT_CACHE", str(tmp_path))
    calls: list[int] = []

    def make(put: Put) -> None:
        calls.append(1)
        put("x", np.arange(3))
        if len(calls) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached_arrays("things", "k", make)
    assert list((tmp_path / "things").iterdir()) == []
    for _ in range(2):
        assert cached_arrays("things", "k", make)["x"].tolist() == [0, 1, 2]
    assert len(calls) == 2


def test_a_file_that_reads_back_damaged_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METAGLOT_CACHE", str(tmp_path))
    monkeypatch.setattr("metaglot.data.sealed.Sealing.write", lambda sealing, data: sealing.file.write(data))
    with pytest.raises(MetaglotError, match="METAGLOT_CACHE"):
        cached_arrays("things", "k", lambda put: put("x", np.arange(3)))


def test_no_wrong_byte_is_believed(tmp_path: Path) -> None:
    path = tmp_path / "x.arrow"
    with array_writer(path, "key") as put:
        put("a", np.arange(20))
    content = path.read_bytes()
    assert open_arrays(path, "key") is not None
    damaged = [content[:at] + bytes([content[at] ^ 4]) + content[at + 1 :] for at in range(len(content))]
    for one in [*damaged, *(content[:size] for size in range(0, len(content), 7)), content + b"0"]:
        other = tmp_path / "other.arrow"
        other.unlink(missing_ok=True)
        other.write_bytes(one)
        assert open_arrays(other, "key") is None
    assert len(damaged) > 500
