"""MinHash signatures against the sets they stand for, and the hashes a run keeps."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaglot.data import minhash
from metaglot.data.folding import folded, folded_rows
from metaglot.data.minhash import Marks, equal_pairs, joined, marks_of, near_pairs, similarity, take
from metaglot.data.seen import Part, find_seen, read_seen, seen_of, write_seen
from metaglot.errors import MetaglotError

Make = Callable[..., pa.Table]
VOCABULARY = [f"w{i}" for i in range(5000)]


def words_of(count: int, rng: np.random.Generator) -> list[str]:
    return [str(word) for word in rng.choice(VOCABULARY, count)]


def pairs(queries: Marks, texts: Marks) -> set[tuple[int, int]]:
    found = near_pairs(queries, texts)
    return {(int(a), int(b)) for left, right in found for a, b in zip(left, right, strict=True)}


def jaccard(one: list[str], other: list[str], *, long: bool) -> float:
    """J of the sets themselves, as the docstring of the module defines them."""
    sizes = (5,) if long else (1, 2)
    a, b = ({tuple(w[i : i + n]) for n in sizes for i in range(len(w) - n + 1)} for w in (one, other))
    return len(a & b) / len(a | b)


@pytest.mark.parametrize("long", [False, True])
def test_the_estimate_is_unbiased_with_the_deviation_stated(long: bool) -> None:
    rng = np.random.default_rng(0)
    left = [words_of(60 if long else 20, rng) for _ in range(400)]
    right = [[w if rng.random() > i / 1000 else f"x{rng.integers(1e9)}" for w in ws] for i, ws in enumerate(left)]
    marks = [marks_of([" ".join(words) for words in side]) for side in (left, right)]
    a, b = ((m.long if long else m.short).values for m in marks)
    true = np.array([jaccard(x, y, long=long) for x, y in zip(left, right, strict=True)])
    errors = similarity(a, b) - true
    assert np.ptp(true) > 0.5
    assert abs(errors.mean()) < 3 * 0.044 / 20
    assert (errors**2).mean() ** 0.5 < 0.044
    unlike = similarity(a, np.roll(b, 1, axis=0))
    assert abs(unlike.mean()) < 0.003


def test_a_text_has_the_same_marks_alone_and_among_others() -> None:
    rng = np.random.default_rng(1)
    texts = [" ".join(words_of(int(n), rng)) for n in rng.integers(0, 70, 200)]
    texts += [" ".join(words_of(40000, rng)), "", "one"]
    whole = marks_of(texts)
    for row in (0, 7, 150, 200, 201, 202):
        alone = marks_of([texts[row]])
        assert alone.exact[0] == whole.exact[row]
        for kind in ("short", "long"):
            one, many = getattr(alone, kind), getattr(whole, kind)
            assert len(one.rows) == int(row in many.rows)
            assert (one.values == many.values[many.rows == row]).all()
    assert whole.words[200:].tolist() == [40000, 0, 1]


def test_taking_and_joining_are_the_marks_of_those_rows() -> None:
    rng = np.random.default_rng(2)
    texts = [" ".join(words_of(int(n), rng)) for n in rng.integers(0, 70, 60)]
    rows = np.array([59, 3, 4, 30])
    chosen = joined([take(marks_of(texts), rows), marks_of(texts[:5])])
    expected = marks_of([texts[i] for i in rows] + texts[:5])
    assert pairs(chosen, expected) == pairs(expected, chosen) >= {(i, i) for i in range(9) if expected.words[i] >= 5}
    assert (chosen.exact == expected.exact).all()


@pytest.mark.parametrize("edit", ["drop", "replace", "swap", "suffix"])
def test_one_edited_word_is_found_at_every_length(edit: str) -> None:
    rng = np.random.default_rng(3)
    cases = [words_of(n, rng) for n in range(6, 66) for _ in range(10)]
    changed: list[list[str]] = []
    for words in cases:
        at = int(rng.integers(len(words) - 1))
        middle = {"drop": words[at + 1 : at + 2], "replace": ["new", words[at + 1]], "swap": words[at : at + 2][::-1]}
        kept = middle.get(edit, words[at : at + 2])
        changed.append([*words[:at], *kept, *words[at + 2 :], *(["new"] if edit == "suffix" else [])])
    texts, copies = (marks_of([" ".join(words) for words in side]) for side in (cases, changed))
    found = pairs(copies, texts)
    hit = np.array([(i, i) in found for i in range(len(cases))])
    assert hit.mean() > 0.985
    assert hit.reshape(60, 10).mean(axis=1).min() >= 0.7
    assert len(found) == hit.sum()  # no other text is near


def test_short_texts_are_only_ever_equal() -> None:
    texts = marks_of(["what is a mortgage", "set an alarm"])
    assert pairs(marks_of(["what is a vaccine", "set an alarm"]), texts) == set()
    assert pairs(marks_of(["what is a mortgage please"]), texts) == {(0, 0)}


def test_characters_are_words_where_no_spaces_are_written() -> None:
    title = "\u4e2d\u56fd\u7ecf\u6d4e\u589e\u957f\u653e\u7f13\u4f46\u4ecd\u7136\u9ad8\u4e8e\u9884\u671f"
    marks = marks_of([title, "กรุงเทพมหานคร"])
    assert marks.words.tolist() == [15, 13]
    assert pairs(marks_of([title[:6] + "\u5927" + title[7:]]), marks) == {(0, 0)}


@given(st.lists(st.integers(0, 6), max_size=12), st.lists(st.integers(0, 6), max_size=12), st.integers(1, 5))
def test_equal_pairs_are_all_equal_pairs(keys: list[int], theirs: list[int], size: int) -> None:
    before, minhash._PAIRS = minhash._PAIRS, size
    try:
        found = [
            (int(a), int(b))
            for x, y in equal_pairs(np.array(keys), np.array(theirs))
            for a, b in zip(x, y, strict=True)
        ]
    finally:
        minhash._PAIRS = before
    assert sorted(found) == [(i, j) for i, a in enumerate(keys) for j, b in enumerate(theirs) if a == b]


def test_folded_rows_tell_pairs_from_single_texts(make_table: Make) -> None:
    table = make_table(text=["Red, sky!", "a"], text_pair=[None, "B."])
    assert folded_rows(table) == ["red sky", "a\0b"]
    assert folded_rows(table.select(["text"])) == [folded("red sky"), "a"]


LONG = "the quick brown fox jumps over the lazy dog near the old harbour"


@pytest.fixture(name="parts")
def _parts(make_table: Make) -> list[Part]:
    one = make_table(text=[LONG, "Red sky!", "red sky", "left out by a filter"], label=["a", "b", "b", "a"])
    two = make_table(text=["blue sea", "red sky"], text_pair=[None, "at night"])
    return [Part("one", one, np.array([0, 1, 2]), ("a", "b")), Part("two", two, np.array([0, 1]), ("c",))]


def test_what_a_run_has_seen_survives_the_disk(parts: list[Part], make_table: Make, tmp_path: Path) -> None:
    seen = seen_of(parts)
    assert [(one.name, one.texts) for one in seen.sets] == [("one", 2), ("two", 2)]
    assert read_seen(tmp_path) is None
    write_seen(tmp_path, seen)
    write_seen(tmp_path, seen)  # a resumed run writes again
    assert sorted(path.name for path in (tmp_path / "seen").iterdir()) == ["hashes.safetensors", "sets.json"]
    back = read_seen(tmp_path)
    assert back is not None
    assert back.sets == seen.sets
    asked = make_table(
        text=["RED SKY", LONG.replace("lazy", "sleepy"), "left out by a filter", "red sky", "red sky", ""],
        text_pair=[None, None, None, "at night", "at noon", None],
    )
    for one in (seen, back):
        found = find_seen(one, asked)
        assert found.exact.tolist() == [True, False, False, True, False, False]
        assert found.near.tolist() == [False, True, False, False, False, False]
        assert found.sets.tolist() == [[1, 0], [1, 0], [0, 0], [0, 1], [0, 0], [0, 0]]


def test_no_text_is_written(parts: list[Part], tmp_path: Path) -> None:
    write_seen(tmp_path, seen_of(parts))
    written = b"".join(path.read_bytes() for path in (tmp_path / "seen").iterdir()).lower()
    assert b"one" in written
    assert not any(word in written for word in (b"quick", b"harbour", b"sky"))


@pytest.mark.parametrize("how", ["cut", "format", "sizes", "gone", "json"])
def test_damaged_hashes_are_an_error_that_says_the_way_out(parts: list[Part], tmp_path: Path, how: str) -> None:
    write_seen(tmp_path, seen_of(parts))
    hashes, sets = tmp_path / "seen" / "hashes.safetensors", tmp_path / "seen" / "sets.json"
    plain = json.loads(sets.read_text())
    if how == "cut":
        hashes.write_bytes(hashes.read_bytes()[:-9])
    elif how == "gone":
        hashes.unlink()
    elif how == "json":
        sets.write_text(sets.read_text()[:-9])
    else:
        plain["format"] += how == "format"
        plain["sets"][0]["texts"] += how == "sizes"
        sets.write_text(json.dumps(plain))
    with pytest.raises(MetaglotError, match=r"seen(/sets\.json)?: .*--resume"):
        read_seen(tmp_path)
