"""Files of texts with candidates, as sets of multiple choice are written, and errors that say the line."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metaglot.data.labels import table_notes
from metaglot.data.readers import read_table
from metaglot.data.task_kind import cells_of, task_of
from metaglot.errors import MetaglotError

ARC = {"question": "q", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "B"}
NUMBERED = {"question": "q", "choices": {"text": ["a", "b", "c"], "label": ["1", "2", "3"]}, "answerKey": "1"}
READING = {"article": "long", "question": "q", "options": ["a", "b"], "answer": "B"}
BY_TEXT = {**READING, "answer": "a"}
SEVERAL = {"text": "q", "candidates": ["a", "b", "c"], "label": [0, 2]}
MARKED = {"question": "q", "mc_answers": {"choices": ["a", "b"], "labels": [0, 1]}}
NUMBERS = {"text": "2 + 2", "candidates": ["3", "4", "5"], "label": "4"}
NESTED = {"question": {"stem": "q", "choices": [{"label": "A", "text": "a"}, {"label": "B", "text": "b"}]}}
TRUTH = {"question": "q", "mc1_targets": {"choices": ["a", "b"], "labels": [0, 1]}}
READ = {
    "a question that holds its candidates": (
        [{**NESTED, "answerKey": "B"}, {**NESTED, "answerKey": "A"}],
        ["q", "q"],
        [["a", "b"]] * 2,
        ["1", "0"],
    ),
    "marks, one beside several": (
        [{**TRUTH, "mc2_targets": {"choices": ["c"], "labels": [1]}}],
        ["q"],
        [["a", "b"]],
        ["1"],
    ),
    "texts with marks": (
        [{**TRUTH, "mc1_targets": {"a": 1, "b": 0}}, {**TRUTH, "mc1_targets": {"c": 0, "d": 1}}],
        ["q", "q"],
        [["a", "b"], ["c", "d"]],
        ["0", "1"],
    ),
    "jsonl of ARC": ([ARC, NUMBERED], ["q", "q"], [["a", "b"], ["a", "b", "c"]], ["1", "0"]),
    "letters and texts": ([READING, BY_TEXT], ["long\nq", "long\nq"], [["a", "b"], ["a", "b"]], ["1", "0"]),
    "several are right": ([SEVERAL], ["q"], [["a", "b", "c"]], ["[0, 2]"]),
    "marks": ([MARKED], ["q"], [["a", "b"]], ["1"]),
    "numbers as candidates": ([NUMBERS, {**NUMBERS, "label": "5"}], ["2 + 2"] * 2, [["3", "4", "5"]] * 2, ["1", "2"]),
    "brackets": ([{**READING, "options": ["[1]", "[0]"], "answer": "[1]"}], ["long\nq"], [["[1]", "[0]"]], ["0"]),
    "predicted": ([{**READING, "answer": {"number": 1, "text": "b"}}], ["long\nq"], [["a", "b"]], ["1"]),
    "texts that might be numbers": (
        [
            {**READING, "options": ["1", "2", "0"], "answer": "2"},
            {**READING, "options": ["2", "1", "0"], "answer": "1"},
        ],
        ["long\nq"] * 2,
        [["1", "2", "0"], ["2", "1", "0"]],
        ["1", "1"],
    ),
    "letters that are candidates of some rows too": (
        [{**READING, "answer": "B"}, {**READING, "options": ["C", "A"], "answer": "A"}],
        ["long\nq"] * 2,
        [["a", "b"], ["C", "A"]],
        ["1", "0"],
    ),
    "not known": ([{**SEVERAL, "label": None}, SEVERAL], ["q"] * 2, [["a", "b", "c"]] * 2, [None, "[0, 2]"]),
}


def read(path):
    return read_table(path, cells=cells_of("choice"))


@pytest.mark.parametrize("name", READ)
@pytest.mark.parametrize("form", ["jsonl", "json", "parquet"])
def test_lists_of_candidates_are_read(tmp_path, name, form):
    rows, texts, lists, labels = READ[name]
    path = tmp_path / f"set.{form}"
    if form == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        path.write_text(json.dumps(rows) if form == "json" else "\n".join(map(json.dumps, rows)))
    table = read(path)
    assert table["text"].to_pylist() == texts
    assert list(map(json.loads, table["text_pair"].to_pylist())) == lists
    assert table["label"].to_pylist() == labels
    assert task_of(table) == "choice"


@pytest.mark.parametrize(
    ("header", "row", "lists", "labels"),
    [
        ("startphrase,ending0,ending1,ending2,ending3,label", "{},a,b,c,d,{}", ["a", "b", "c", "d"], ["0", "3"]),
        ("sentence,option1,option2,answer", "{},a,b,{}", ["a", "b"], ["0", "1"]),
        ("goal,sol1,sol2,label", "{},a,b,{}", ["a", "b"], ["0", "1"]),
        ("text,choice_b,choice_a,label", "{},b,a,{}", ["a", "b"], ["A", "b"]),
        ("question,answerA,answerB,answerC,label", "{},a,b,c,{}", ["a", "b", "c"], ["1", "3"]),
        ("question,A,B,C,D,answer", "{},a,b,c,d,{}", ["a", "b", "c", "d"], ["D", "A"]),
        ("input,a,b,target", "{},a,b,{}", ["a", "b"], ["A", "B"]),
        ("text,candidates,label", '{},"[""a"", ""b""]",{}', ["a", "b"], ["1", "0"]),
    ],
)
def test_candidates_in_columns_of_their_own_are_read(tmp_path, header, row, lists, labels):
    path = tmp_path / "set.csv"
    path.write_text("\n".join([header, *(row.format("q", label) for label in labels)]))
    table = read(path)
    assert list(map(json.loads, table["text_pair"].to_pylist())) == [lists, lists]
    from_one = header.startswith("question,answerA")
    numbers = [str(int(one) - from_one) if one.isdecimal() else str("ABCD".index(one.upper())) for one in labels]
    assert table["label"].to_pylist() == numbers
    assert any("count from 1" in note for note in table_notes(table)) == from_one


def test_the_number_of_candidates_may_differ(tmp_path):
    path = tmp_path / "set.csv"
    path.write_text("question,option1,option2,option3,label\nq,a,b,,b\nq,a,b,c,c\n")
    table = read(path)
    assert list(map(json.loads, table["text_pair"].to_pylist())) == [["a", "b"], ["a", "b", "c"]]
    assert table["label"].to_pylist() == ["1", "2"]


def test_a_file_without_right_ones_has_no_label(tmp_path):
    path = tmp_path / "set.csv"
    path.write_text("question,option1,option2\nq,a,b\n")
    assert "label" not in read(path).column_names


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text":"q","candidates":null,"label":0}', "line 2: the candidates are None, not a list"),
        ('{"text":"q","candidates":"x","label":0}', "line 2: the candidates are 'x', not a list in JSON"),
        ('{"text":"q","candidates":["a"],"label":7}', "line 2: label is 7, and the text has 1 candidates"),
        ('{"text":"q","candidates":["a",3],"label":0}', "line 2: the candidates: candidate number 1 is 3"),
        ('{"text":"q","candidates":[],"label":0}', "line 2: the candidates are an empty list"),
        ('{"text":"q","candidates":["a","b"],"label":"zz"}', "line 2: label is 'zz', which is no candidate"),
        ('{"text":"q","candidates":["a","b"],"label":"[0"}', "line 2: label is '\\[0', which is no candidate"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path, line, message):
    path = tmp_path / "set.jsonl"
    path.write_text('{"text":"q","candidates":["a","b"],"label":"b"}\n' + line)
    with pytest.raises(MetaglotError, match=message):
        read(path)


def test_gaps_and_absent_columns_are_named(tmp_path):
    path = tmp_path / "set.csv"
    path.write_text("question,option1,option2,option3,label\nq,a,,c,a\n")
    with pytest.raises(MetaglotError, match="line 2: candidate number 1 is empty"):
        read(path)
    path.write_text("text,label\nq,a\n")
    with pytest.raises(MetaglotError, match="no column has candidates; name theirs candidates"):
        read(path)
    with pytest.raises(MetaglotError, match="column 'candidates' is read by the task choice alone"):
        read_table(path, mapping={"candidates": "text"})


def test_numbers_that_may_count_from_one_are_told(tmp_path):
    path = tmp_path / "set.csv"
    path.write_text("question,option1,option2,answer\nq,a,b,1\nr,c,d,1\n")
    table = read(path)
    assert table["label"].to_pylist() == ["1", "1"]
    assert any("if they count from 1" in note for note in table_notes(table))


def test_a_set_has_no_first_candidate(tmp_path):
    path = tmp_path / "set.csv"
    path.write_text("text,candidates,label\nq,\"{'a', 'b'}\",0\n")
    with pytest.raises(MetaglotError, match=r"line 2: the candidates are .*, a set, which has no order"):
        read(path)
