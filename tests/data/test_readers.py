"""Readers: every format round-trips, every malformed input is an error that names file and line."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metaglot.data.columns import parse_columns
from metaglot.data.labels import table_notes
from metaglot.data.readers import FORMATS, read_table
from metaglot.errors import MetaglotError

TEXTS = ["plain", 'she said "no", twice', "two\nlines", "tab\there", "\u4f60\u597d \u0939\u093f \U0001f600", " padded "]
LABELS = ["a", "b", "a", "b", "a", "b"]


def write(path: Path, texts: list[str], labels: list[str]) -> Path:
    if path.suffix in (".csv", ".tsv"):
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter="," if path.suffix == ".csv" else "\t")
            writer.writerow(["text", "label"])
            writer.writerows(zip(texts, labels, strict=True))
    elif path.suffix in (".json", ".jsonl"):
        objects = [{"text": t, "label": y} for t, y in zip(texts, labels, strict=True)]
        content = json.dumps(objects, ensure_ascii=False)
        lines = "\n".join(json.dumps(one, ensure_ascii=False) for one in objects)
        path.write_bytes((content if path.suffix == ".json" else lines).encode())
    elif path.suffix == ".parquet":
        pq.write_table(pa.table({"text": texts, "label": labels}), path)
    else:
        path.write_bytes("\n".join(texts).encode())
    return path


@pytest.mark.parametrize("suffix", [suffix for suffix in FORMATS if suffix not in (".conll", ".po", ".tmx")])
def test_round_trip(tmp_path: Path, suffix: str) -> None:
    texts = [t for t in TEXTS if "\n" not in t] if suffix == ".txt" else TEXTS
    table = read_table(write(tmp_path / f"data{suffix}", texts, LABELS))
    assert table["text"].to_pylist() == texts
    assert table["row"].to_pylist() == list(range(len(texts)))
    if suffix != ".txt":
        assert table["label"].to_pylist() == LABELS


def test_the_limit_of_the_csv_module_stays_as_it_was_also_while_an_error_is_held(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    path = tmp_path / "a.csv"
    path.write_text("text,label\none\ntwo,x\n")
    with pytest.raises(MetaglotError, match="line 2") as held:
        read_table(path)
    assert held.tb is not None  # its frames are alive
    assert csv.field_size_limit() == before


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, None], ["1", "2", None]),
        ([1.0, 2.0, None], ["1", "2", None]),
        ([1.5, 2.0, float("nan")], ["1.5", "2.0", None]),
        ([True, False, None], ["true", "false", None]),
    ],
)
def test_labels_become_canonical_strings(tmp_path: Path, values: list[Any], expected: list[str | None]) -> None:
    lines = "\n".join(json.dumps({"text": "t", "label": v}) for v in values)
    (tmp_path / "a.jsonl").write_text(lines)
    pq.write_table(pa.table({"text": ["t"] * len(values), "label": values}), tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.jsonl")["label"].to_pylist() == expected
    assert read_table(tmp_path / "a.parquet")["label"].to_pylist() == expected


def test_parquet_dictionary_large_string_and_class_names(tmp_path: Path) -> None:
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

    large = pa.array(["x", "y", "x"], pa.large_string())
    pq.write_table(pa.table({"text": large, "label": large.dictionary_encode()}), tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet")["label"].to_pylist() == ["x", "y", "x"]
    features = Features({"text": Value("string"), "label": ClassLabel(names=["no", "yes"])})
    data = Dataset.from_dict({"text": ["s", "t", "u"], "label": [1, 0, 1]}, features=features)
    data.to_parquet(str(tmp_path / "b.parquet"))
    assert read_table(tmp_path / "b.parquet")["label"].to_pylist() == ["yes", "no", "yes"]
    data.select([2, 1]).save_to_disk(str(tmp_path / "one"))
    assert read_table(tmp_path / "one")["text"].to_pylist() == ["u", "t"]
    DatasetDict({"train": data, "test": data.select([0])}).save_to_disk(str(tmp_path / "several"))
    several = read_table(tmp_path / "several")
    assert several["split"].to_pylist() == ["train", "train", "train", "test"]
    assert several["label"].to_pylist() == ["yes", "no", "yes", "yes"]
    assert several["row"].to_pylist() == [0, 1, 2, 3]


def test_folder_of_data_files(tmp_path: Path) -> None:
    write(tmp_path / "test.csv", ["c"], ["z"])
    write(tmp_path / "train-00000-of-00001.csv", ["a", "b"], ["x", "y"])
    (tmp_path / "README.txt").write_text("not data")
    table = read_table(tmp_path)
    assert table["split"].to_pylist() == ["test", "train", "train"]
    assert table["row"].to_pylist() == [0, 1, 2]


def test_mapping_and_integers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("body,text,shot,draw,part\nreal,other,4,0,support\nmore,other,,,query\n")
    table = read_table(path, mapping=parse_columns(["text=body,lang=text"]))
    assert table["text"].to_pylist() == ["real", "more"]
    assert table["lang"].to_pylist() == ["other", "other"]
    assert table["shot"].to_pylist() == [4, None]
    assert table.schema.field("draw").type == pa.int64()


BAD: list[tuple[str, bytes, str, str]] = [  # name, content, line or place, what the message says
    ("empty.csv", b"", "line 1", "empty"),
    ("blank.jsonl", b"\n \n", "line 1", "empty"),
    ("empty.parquet", b"", "line 1", "empty"),
    ("header.csv", b"text,label\n", "line 2", "no rows"),
    ("latin.csv", "text\nok\ncaf\xe9\n".encode("latin-1"), "line 3", "--encoding cp1252"),
    ("wide.txt", "text".encode("utf-16")[:-1], "line 1", "UTF-16"),
    ("nul.csv", b"text\nok\na\0b\n", "line 3", "NUL"),
    ("column.csv", b"body,label\na,b\n", "line 1", "'body', 'label'"),
    ("column.jsonl", b'{"body": "a"}\n', "line 1", "--columns text=COLUMN"),
    ("semicolon.tsv", b"text;label\na;b\n", "line 1", "semicolons"),
    ("ragged.csv", b'text,label\n"a\nb",x\nc,d,e\n', "line 4", "3 fields where the header has 2"),
    ("ragged.tsv", b"text\tlabel\na\tx\nb\n", "line 3", "1 fields where the header has 2"),
    ("twice.csv", b"text,text\na,b\n", "line 1", "more than once"),
    ("quote.csv", b'text,label\na,b\n"open,x\nc,d\n', "line 3", "quotes"),
    ("bad.jsonl", b'{"text": "a"}\n\n{"text": }\n', "line 3", "not valid JSON"),
    ("array.jsonl", b'[{"text": "a"}]', "line 1", ".json"),
    ("scalar.jsonl", b'{"text": "a"}\n3\n', "line 2", "not a JSON object"),
    ("bad.json", b'[\n{"text": "a"},\n{"text" "b"}]', "line 3", "not valid JSON"),
    ("lines.json", b'{"text": "a"}\n{"text" "b"}\n', "line 2", "not valid JSON"),
    ("object.json", b'{"text": "a"}', "line 1", "array of objects"),
    ("item.json", b'[{"text": "a"},\n 7]', "line 2", "item 2 is not an object"),
    ("none.json", b"[]", "line 1", "no rows"),
    ("null.jsonl", b'{"text": "a"}\n{"text": null}\n', "line 2", "text is missing"),
    ("absent.json", b'[{"text": "a"},\n{"label": "x"}]', "line 2", "text is missing"),
    ("number.jsonl", b'{"text": "a"}\n{"text": 5}\n', "line 2", "not a string"),
    ("nested.jsonl", b'{"text": "a", "label": ["x"]}\n', "line 1", "not one label"),
    ("surrogate.jsonl", b'{"text": "a"}\n{"text": "\\ud800"}\n', "line 2", "surrogate"),
    ("shot.csv", b"text,part,shot\na,support,4\nb,support,four\n", "line 3", "not a whole number"),
    ("large.json", b'[{"text": "a", "part": "query", "draw": 9223372036854775296}]', "line 1", "at most 18 digits"),
    ("digits.jsonl", b'{"text": "a", "label": ' + b"1" * 5000 + b"}\n", "line 1", "cannot be read"),
    ("deep.jsonl", b"[" * 100_000 + b"\n", "line 1", "cannot be read"),
    ("text.parquet", b"text,label\na,b\n", "line 1", "not readable as Parquet"),
    ("parquet.csv", b"PAR1....", "line 1", "holds Parquet"),
    ("zip.jsonl", b"PK\x03\x04....", "line 1", "zip"),
    ("gzip.txt", b"\x1f\x8b....", "line 1", "gzip"),
    ("table.xlsx", b"PK", "table.xlsx", "unknown format '.xlsx'"),
    ("noending", b"text", "noending", "no ending"),
]


@pytest.mark.parametrize(("name", "content", "place", "says"), BAD, ids=[bad[0] for bad in BAD])
def test_malformed_input(tmp_path: Path, name: str, content: bytes, place: str, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(MetaglotError) as caught:
        read_table(path)
    message = str(caught.value)
    assert str(path) in message
    assert place in message
    assert says in message


def test_parquet_errors_name_the_row(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    for columns, says in [
        ({"text": ["a", None]}, "row 2: the text is missing"),
        ({"text": [1, 2]}, "int64"),
        ({"text": ["a"], "label": [["x"]]}, "list"),
        ({"body": ["a"]}, "'body'"),
    ]:
        pq.write_table(pa.table(columns), path)
        with pytest.raises(MetaglotError, match=says) as caught:
            read_table(path)
        assert str(path) in str(caught.value)
    pq.write_table(pa.table({"text": ["a" * 100] * 500}), path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(MetaglotError, match="not readable as Parquet"):
        read_table(path)


def test_paths_and_mappings_that_are_wrong(tmp_path: Path) -> None:
    write(tmp_path / "tickets.csv", ["a"], ["x"])
    (tmp_path / "none").mkdir()
    (tmp_path / "mixed").mkdir()
    write(tmp_path / "mixed" / "a.csv", ["a"], ["x"])
    write(tmp_path / "mixed" / "a.jsonl", ["a"], ["x"])
    cases: list[tuple[Any, dict[str, str] | None, str]] = [
        (tmp_path / "ticket.csv", None, "did you mean 'tickets.csv'"),
        (tmp_path / "none", None, "without data files"),
        (tmp_path / "mixed", None, "several formats"),
        (tmp_path / "tickets.csv", {"txt": "text"}, "did you mean 'text'"),
        (tmp_path / "tickets.csv", {"text": "texts"}, "did you mean 'text'"),
    ]
    for path, mapping, says in cases:
        with pytest.raises(MetaglotError, match=says):
            read_table(path, mapping=mapping)
    with pytest.raises(MetaglotError, match="text=COLUMN"):
        parse_columns(["text"])


def test_hub_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise ConnectionError("no hub here")

    monkeypatch.setattr("datasets.load_dataset", refuse)
    with pytest.raises(MetaglotError, match=r"hub:some/set@en:test.*no hub here.*HF_HUB_OFFLINE"):
        read_table("hub:some/set@en:test")


def test_hub_id_config_and_split(monkeypatch: pytest.MonkeyPatch) -> None:
    from datasets import Dataset

    asked: list[Any] = []

    def load(name: str, config: str | None, *, split: str | None) -> Any:
        asked.append((name, config, split))
        return Dataset.from_dict({"text": ["a", "b"], "label": [0, 1]})

    monkeypatch.setattr("datasets.load_dataset", load)
    assert read_table("hub:some/set@en:test")["split"].to_pylist() == ["test", "test"]
    assert asked == [("some/set", "en", "test")]


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
QUIET = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@QUIET
@given(st.lists(ANY_TEXT, min_size=1, max_size=8))
def test_jsonl_preserves_any_text(tmp_path: Path, texts: list[str]) -> None:
    table = read_table(write(tmp_path / "any.jsonl", texts, ["x"] * len(texts)))
    assert table["text"].to_pylist() == texts


@QUIET
@given(st.lists(ANY_TEXT.map(lambda text: text.replace("\0", "")), min_size=1, max_size=8))
def test_csv_preserves_any_text(tmp_path: Path, texts: list[str]) -> None:
    table = read_table(write(tmp_path / "any.csv", texts, ["x"] * len(texts)))
    assert table["text"].to_pylist() == texts


@QUIET
@given(st.binary(max_size=60), st.sampled_from(sorted(FORMATS)))
def test_any_bytes_give_a_table_or_a_clear_error(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"any{suffix}"
    path.write_bytes(content)
    try:
        told = str(read_table(path).num_rows and path)
    except MetaglotError as error:
        told = str(error)
    assert str(path) in told


def test_white_space_around_a_label_is_none_of_it(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text, label\nRefund me, billing\nCharged twice,billing \nhi,  \n")
    assert read_table(tmp_path / "a.csv")["label"].to_pylist() == ["billing", "billing", None]
    pq.write_table(pa.table({"text": ["s", "t", "u"], "label": [" x", "x ", " "]}), tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet")["label"].to_pylist() == ["x", "x", None]


def test_a_column_called_draw_is_ours_only_beside_part(tmp_path: Path) -> None:
    (tmp_path / "games.csv").write_text("text,label,draw\na close game,home,win\nnothing happened,away,draw\n")
    assert "draw" not in read_table(tmp_path / "games.csv").column_names
    (tmp_path / "fixed.csv").write_text("text,label,part,shot,draw\na,x,support,1,zero\n")
    with pytest.raises(MetaglotError, match="draw is 'zero', not a whole number"):
        read_table(tmp_path / "fixed.csv")


def test_a_column_that_looks_like_second_texts_and_is_not_read_is_noted(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("text,Text2,label\na,b,x\n")
    assert "the column 'Text2' is not read" in table_notes(read_table(path))[0]
    for mapping in ({"text_pair": "Text2"}, {"text": "Text2"}, {"label": "Text2"}):
        assert table_notes(read_table(path, mapping=mapping)) == []
