"""Sources and targets in files: columns of several names, and chats."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metaglot.choices import FAMILIES
from metaglot.data.beside import read_whole
from metaglot.data.labels import table_notes
from metaglot.data.readers import read_table
from metaglot.data.task_kind import task_of
from metaglot.errors import MetaglotError
from metaglot.families.targets import targets_of


def lines(path: Path, *rows: object) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    return path


def read(path: Path, **mapping: str) -> list[tuple[str, str | None]]:
    table = read_table(path, cells="texts", mapping=mapping or None)
    labels = table["label"].to_pylist() if "label" in table.column_names else [None] * len(table)
    return list(zip(table["text"].to_pylist(), labels, strict=True))


@pytest.mark.parametrize(
    ("source", "target"),
    [("source", "target"), ("Src", "tgt"), ("article", "highlights"), ("prompt", "completion"), ("text", "summary")],
)
def test_columns_go_by_the_names_of_their_kind(tmp_path, source, target):
    file = lines(tmp_path / "a.jsonl", {"domain": "d", target: " eins  zwei\n ", source: "one  two"})
    assert read(file) == [("one  two", "eins  zwei")]
    assert task_of(read_table(file, cells="texts")) == "generation"


def test_other_columns_are_named(tmp_path):
    file = lines(tmp_path / "a.jsonl", {"en": "one", "de": "eins", "source": "x", "target": "y"})
    assert read(file, text="en", label="de") == [("one", "eins")]
    assert read(file) == [("x", "y")]
    (tmp_path / "a.csv").write_text('source,target\na,1\n"b","c,\nd"\ne,\n')
    assert read(tmp_path / "a.csv") == [("a", "1"), ("b", "c,\nd"), ("e", None)]
    assert table_notes(read_table(tmp_path / "a.csv", cells="texts"))[-1] == "1 rows have no target"


def test_an_instruction_has_its_input_below_it(tmp_path):
    file = lines(tmp_path / "a.jsonl", {"instruction": "Sum", "input": "1 2", "output": "3"})
    table = read_table(file, cells="texts")
    assert (table["text"][0].as_py(), table["text_pair"][0].as_py(), table["label"][0].as_py()) == ("Sum", "1 2", "3")


def test_a_file_of_sources_alone_has_no_targets(tmp_path):
    assert read(lines(tmp_path / "a.jsonl", {"source": "a"}, {"source": "b"})) == [("a", None), ("b", None)]
    (tmp_path / "a.txt").write_text("a\nb\n")
    assert read(tmp_path / "a.txt") == [("a", None), ("b", None)]


def test_what_the_assistant_says_last_is_the_target(tmp_path):
    chat = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "hello"},
        {"role": "user", "content": "when?"},
        {"role": "assistant", "content": "at 5 "},
        {"role": "user", "content": "thanks"},
    ]
    file = lines(tmp_path / "a.jsonl", {"messages": chat[:2]}, {"messages": chat})
    assert read(file) == [("hi", "hello"), ("user: hi\nassistant: hello\nuser: when?", "at 5")]
    pq.write_table(pa.table({"messages": [chat[:2], chat]}), tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet") == read(file)


def test_messages_of_parts_and_roles_in_other_words(tmp_path):
    parts = [{"type": "text", "text": "look"}, {"type": "text", "text": "here"}]
    chat = [{"role": "User", "content": parts}, {"role": "Model", "content": parts[1:]}]
    image = [{"role": "user", "content": [*parts, {"type": "image_url", "image_url": "x"}]}, chat[1]]
    assert read(lines(tmp_path / "a.jsonl", {"messages": chat})) == [("look\nhere", "here")]
    with pytest.raises(MetaglotError, match="line 1: a message is"):
        read(lines(tmp_path / "b.jsonl", {"messages": image}))


def test_calls_of_tools_are_told_as_json(tmp_path):
    user, tool = {"role": "user", "content": "warm?"}, {"role": "tool", "content": "21"}
    function, said = (
        {"name": "ask", "arguments": {"town": "Tromsø"}},
        '{"name": "ask", "arguments": {"town": "Tromsø"}}',
    )
    as_text = {"name": "ask", "arguments": json.dumps(function["arguments"])}
    calls = ({"tool_calls": [{"type": "function", "function": one}]} for one in (function, as_text))
    for call in (*calls, {"tool_calls": [function]}, {"function_call": as_text}):
        for content in ({}, {"content": None}, {"content": " "}):
            asking = {"role": "assistant", **content, **call}
            chat = [user, asking, tool, {"role": "assistant", "content": "21 degrees", "tool_calls": None}]
            file = lines(tmp_path / "a.jsonl", {"messages": chat}, {"messages": chat[:2]})
            assert read(file) == [(f"user: warm?\nassistant: {said}\ntool: 21", "21 degrees"), ("warm?", said)]
    both = {"role": "assistant", "content": "I ask.", "tool_calls": [function, function]}
    assert read(lines(tmp_path / "b.jsonl", {"messages": [user, both]})) == [("warm?", f"I ask.\n{said}\n{said}")]
    for wrong in ([{"function": {}}], [function, 3], [{"function": "ask"}]):
        with pytest.raises(MetaglotError, match="line 1: a message is"):
            read(lines(tmp_path / "c.jsonl", {"messages": [user, {"role": "assistant", "tool_calls": wrong}]}))


@pytest.mark.parametrize(
    ("messages", "said"),
    [
        ([{"role": "user", "content": "hi"}], "needs a message of the assistant behind another"),
        ([{"role": "assistant", "content": "hi"}], "needs a message of the assistant behind another"),
        ([{"role": "user"}], "a message is"),
        ("no list", "not a list in JSON"),
        ([], "the messages are"),
    ],
)
def test_what_is_no_chat_is_named_with_its_line(tmp_path, messages, said):
    good = {"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}
    with pytest.raises(MetaglotError, match=f"line 2.*{said}"):
        read(lines(tmp_path / "a.jsonl", good, {"messages": messages}))


def test_a_target_that_is_no_text_is_named(tmp_path):
    with pytest.raises(MetaglotError, match=r"line 1: the target is \['a'\], not a text"):
        read(lines(tmp_path / "a.jsonl", {"source": "a", "target": ["a"]}))
    with pytest.raises(MetaglotError, match="'messages' is read by the task generation alone"):
        read_table(lines(tmp_path / "b.jsonl", {"text": "a", "m": "b"}), mapping={"messages": "m"})


def test_targets_are_read_letter_by_letter(tmp_path):
    file = lines(tmp_path / "a.jsonl", {"source": "a", "target": "B  b\nc"}, {"source": "a", "target": 3})
    family = FAMILIES["generation"]()
    assert targets_of(read_table(file, cells="texts"), family).targets == ["B  b\nc", "3"]


def test_a_chat_is_asked_to_its_end_and_one_that_has_its_reply_to_that(tmp_path):
    user, reply, thanks = ({"role": role, "content": role[0]} for role in ("user", "assistant", "user"))
    chats = [[user], [user, reply, thanks], [user, reply], [user, reply, thanks, reply]]
    file = lines(tmp_path / "a.jsonl", *({"messages": one} for one in chats))
    asked = ["u", "user: u\nassistant: a\nuser: u", "u", "user: u\nassistant: a\nuser: u"]
    assert read_table(file, cells="texts", asking=True)["text"].to_pylist() == asked
    assert read_whole(file, cells="texts").table["text"].to_pylist() == asked


@pytest.mark.parametrize(
    ("cells", "row"),
    [
        ("answers", {"question": "q", "context": "in Oslo", "answer": "somewhere"}),
        ("candidates", {"question": "q", "options": ["a", "b"], "answer": 7}),
        ("texts", {"source": "q", "target": True}),
    ],
)
def test_what_is_right_is_not_read_of_what_is_asked(tmp_path, cells, row):
    file = lines(tmp_path / "a.jsonl", row)
    with pytest.raises(MetaglotError, match="line 1"):
        read_table(file, cells=cells)
    assert "label" not in read_table(file, cells=cells, asking=True).column_names
    assert [*read_whole(file, cells=cells).columns.values()][-1] == [row.get("answer", True)]


def test_tags_of_tokens_are_not_read_of_what_is_asked(tmp_path):
    file = lines(tmp_path / "a.jsonl", {"tokens": ["in", "Oslo"], "tags": ["O"]})
    with pytest.raises(MetaglotError, match="2 tokens and 1 tags"):
        read_table(file, cells="spans")
    table = read_table(file, cells="spans", asking=True)
    assert (table["text"].to_pylist(), "label" in table.column_names) == (["in Oslo"], False)
