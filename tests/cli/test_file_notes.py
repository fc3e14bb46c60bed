"""What is odd about a file is pointed out on standard error by every command that reads it."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from metaglot.adaptation import load_model
from metaglot.adaptation.scripts import TEXTS
from metaglot.assembly.labelled import read_set
from metaglot.assembly.text import read_text
from metaglot.cli.shared.predicting import with_language_note
from metaglot.config import parse_recipe
from metaglot.config.text import CorpusSettings, TextSettings
from metaglot.data.corpus import read_corpus
from metaglot.errors import MetaglotError

SMALL = ("--shots", "1", "--draws", 1, "--efforts", "instant", "--against", "tfidf")
RAW = [f"un {kind} au lait, au comptoir de la gare du Nord" for kind in ("café", "thé")]
CHINESE = ["今天天气很好我们去公园散步", "这家餐厅的菜非常好吃", "股票市场昨天大幅下跌", "他们赢得了昨晚的比赛"]


@pytest.fixture(name="odd")
def _odd(tmp_path, monkeypatch) -> str:
    """Stand in a folder with a file of classes whose names look alike, a text under two labels and an empty one."""
    monkeypatch.chdir(tmp_path)
    rows = [f"{word} number {i},{label}" for i in range(6) for word, label in (("refund", "Bill"), ("crash", "bug"))]
    rows += ["parcel one,bill", "parcel two,bill", "café twice,Bill", "café twice,bug", ",bug"]
    Path("task.csv").write_text("text,label\n" + "\n".join(rows) + "\n", "utf-8")
    return "task.csv"


@pytest.mark.parametrize("command", ["evaluate", "bench", "compare"])
def test_evaluations_note_what_adapt_notes(command, odd, metaglot, tiny):
    model, judged = (tiny,), SMALL
    if command == "compare":
        model, judged = (tiny, "builtin:mini"), SMALL[:6]
    encoding = () if command == "bench" else ("--encoding", "cp1252")
    judged += ("--jobs", 1)
    said = metaglot(command, *model, odd, *judged, *encoding, "--out", "o")
    assert said.code == 0, said.err
    notes = ["1 texts appear under several labels", "'Bill'", "texts are empty"]
    for note in [*notes, "looks like UTF-8"] if encoding else notes:
        assert any(line.startswith("note: task: ") and note in line for line in said.err.splitlines()), (note, said.err)
    assert "note" not in said.out
    silent = metaglot(command, *model, odd, *judged, *encoding, "--out", "o", "-q")
    assert (silent.code, silent.err) == (0, "")


def test_predict_notes_what_was_odd_when_it_was_read(odd, metaglot, tiny):
    assert metaglot("adapt", tiny, odd, "--effort", "instant", "--out", "m", "-q").code == 0
    for more in ((), ("--out", "found.csv", "--new-columns", "label=found,probability=chance")):
        said = metaglot("predict", "m", odd, "--encoding", "cp1252", *more)
        assert said.code == 0, said.err
        assert "note: task.csv: it is read as cp1252 and looks like UTF-8" in said.err
        assert "note" not in said.out
    assert metaglot("predict", "m", odd, "--encoding", "cp1252", "-q").err == ""


def test_lines_in_a_language_that_the_model_was_not_made_for(odd, metaglot, tiny, monkeypatch):
    assert metaglot("adapt", tiny, odd, "--effort", "instant", "--out", "m", "-q").code == 0
    lines = "\n".join(CHINESE * 4) + "\n"
    for options, count in (((), 1), (("-q",), 0)):
        monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(lines.encode()))))
        said = metaglot("predict", "m", "-", *options)
        assert (said.code, len(said.out.splitlines())) == (0, 16)
        assert len(said.err.splitlines()) == count, said.err
    english = "please refund the invoice that I was charged for twice\n" * 40
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BufferedReader(io.BytesIO(english.encode()))))
    assert metaglot("predict", "m", "-").err == ""


def test_a_stream_is_looked_at_a_few_times_and_noted_once(tiny, monkeypatch):
    model, looked, said = load_model(tiny), [], []
    monkeypatch.setattr("metaglot.adaptation.scripts.language_note", lambda _, texts: looked.append(len(texts)))
    lines = [[f"line {i}"] for i in range(2 * TEXTS)]
    assert list(with_language_note(model, lines, said.append)) == lines
    assert looked == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300]
    monkeypatch.setattr("metaglot.adaptation.scripts.language_note", lambda _, texts: "odd" if len(texts) > 3 else None)
    assert len(list(with_language_note(model, [["a line", ""]] * 9, said.append))) == 9
    assert said == ["odd"]


def test_a_recipe_names_the_encoding_of_its_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("cafes.csv").write_bytes("text,label\ncafé,a\nthé,b\n".encode("cp1252"))
    Path("raw.txt").write_bytes("\n\n".join(RAW).encode("cp1252"))
    named = parse_recipe({"data": {"train": [{"path": "cafes.csv", "encoding": "cp1252"}]}})
    assert read_set(named, named.data.train[0])["text"].to_pylist() == ["café", "thé"]
    plain = parse_recipe({"data": {"train": ["cafes.csv"]}})
    with pytest.raises(MetaglotError, match=r"cafes\.csv, line 2"):
        read_set(plain, plain.data.train[0])
    assert read_corpus("raw.txt", encoding="cp1252").table["text"].to_pylist() == RAW
    with pytest.raises(MetaglotError, match=r"raw\.txt, line 1"):
        read_corpus("raw.txt")


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("", "such as `encoding: cp1252` in the entry of "),
        ("encoding: utf-8, ", "Try another value for `encoding` in the entry of "),
        ("encoding: cp12523, ", "no such encoding (did you mean 'cp1253'?); cp1252, latin-1"),
    ],
)
def test_errors_of_a_recipe_name_its_key_and_no_option(monkeypatch, small_recipe, metaglot, given, says):
    Path("train.csv").write_bytes(Path("train.csv").read_text().replace("crash", "crâsh").encode("cp1252"))
    recipe = Path("small.yaml").read_text().replace("{path: train.csv,", f"{{path: train.csv, {given}")
    Path("small.yaml").write_text(recipe)
    said = metaglot("pretrain", "small.yaml", "--out", "run")
    assert said.code == 2
    for part in (says, "`encoding", "in the entry of", "train.csv"):
        assert part in said.err
    assert "--encoding" not in said.err


def test_errors_of_a_corpus_name_the_key_of_the_recipe(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("raw.txt").write_bytes("\n\n".join(RAW).encode("cp1252"))
    settings = TextSettings(corpora=(CorpusSettings(path="raw.txt"),))
    with pytest.raises(MetaglotError, match=r"raw\.txt, line 1: .*`encoding: cp1252` in the entry of raw\.txt"):
        read_text(settings)


def test_the_command_reads_it_too(tmp_path, monkeypatch, small_recipe, metaglot):
    Path("train.csv").write_bytes(Path("train.csv").read_text().replace("crash", "crâsh").encode("cp1252"))
    recipe = Path("small.yaml").read_text().replace("{path: train.csv,", "{path: train.csv, encoding: cp1252,")
    Path("small.yaml").write_text(recipe)
    said = metaglot("pretrain", "small.yaml", "training.steps=1", "--out", "run", "--json")
    assert (said.code, json.loads(said.out)["step"]) == (0, 1)
