"""Files of sentences with spans: each form gives the same texts and spans, and what is wrong is named with its line."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metaglot.data.form import answered, form_of
from metaglot.data.labels import SPANS, label_kind, table_notes
from metaglot.data.readers import read_table
from metaglot.data.spans import Span, Spans, spans_in
from metaglot.errors import MetaglotError

TEXTS = ["Ann is in Oslo", "It rains", "Bo Lee left"]
TOKENS = [text.split() for text in TEXTS]
TAGS = [["B-PER", "O", "O", "B-LOC"], ["O", "O"], ["B-PER", "I-PER", "O"]]
GOLD: list[Spans] = [(Span(0, 3, "PER"), Span(10, 14, "LOC")), (), (Span(0, 6, "PER"),)]
TRIPLES = [[[s.start, s.end, s.label] for s in spans] for spans in GOLD]
OBJECTS = [[{"start": s, "end": e, "label": y} for s, e, y in one] for one in TRIPLES]
OFFSETS = [[{"id": 1, "label": y, "start_offset": s, "end_offset": e} for s, e, y in one] for one in TRIPLES]


def studio(spans: Sequence[dict[str, Any]], text: str) -> list[dict[str, Any]]:
    values = [{"start": s["start"], "end": s["end"], "text": text[s["start"] : s["end"]]} for s in spans]
    labels = [{"labels": [s["label"]]} for s in spans]
    marks = [value | label for value, label in zip(values, labels, strict=True)]
    return [{"type": "labels", "from_name": "ner", "to_name": "text", "value": value} for value in marks]


def rows(**columns: Sequence[Any]) -> list[dict[str, Any]]:
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def conll(sentences: Sequence[Sequence[tuple[str, ...]]], mark: str = " ") -> str:
    return "\n\n".join("\n".join(mark.join(line) for line in one) for one in sentences) + "\n"


PAIRED = [list(zip(tokens, tags, strict=True)) for tokens, tags in zip(TOKENS, TAGS, strict=True)]
FOUR = [[(token, "NN", "O", tag) for token, tag in one] for one in PAIRED]
COUNTED = [[(str(n), *pair) for n, pair in enumerate(one, start=1)] for one in PAIRED]
BILOU = [[["U-PER", "O", "O", "U-LOC"], ["O", "O"], ["B-PER", "L-PER", "O"]][i] for i in range(3)]
LINES = {"jsonl": lambda value: "\n".join(map(json.dumps, value)), "json": json.dumps, "txt": str, "conll": str}
PRODIGY = [{"text": t, "spans": s, "answer": "accept", "_view_id": "ner_manual", "tokens": [{"text": "x"}]}
           for t, s in zip(TEXTS, OBJECTS, strict=True)]  # fmt: skip
STUDIO = [{"data": {"body": t}, "annotations": [{"result": studio(s, t)}]} for t, s in zip(TEXTS, OBJECTS, strict=True)]
PAIRS = [[text, {"entities": spans}] for text, spans in zip(TEXTS, TRIPLES, strict=True)]
RASA = """nlu:
- intent: any
  examples: |
    - [Ann](PER) is in [Oslo]{"entity": "LOC", "role": "to"}
    - It rains
    - [Bo Lee](PER) left
"""
FORMS: list[tuple[str, Any, str]] = [  # name, content, what it is recognised as
    ("a.conll", conll(PAIRED), "CoNLL columns"),
    ("tabs.iob", "-DOCSTART-\tO\n\n" + conll(PAIRED, "\t"), "CoNLL columns"),
    ("four.bio", "-DOCSTART- -X- O O\n\n" + conll(FOUR), "CoNLL columns"),
    ("counted.conll", "#\thttp://example.org\n" + conll(COUNTED, "\t"), "CoNLL columns"),
    ("windows.conll", conll(PAIRED).replace("\n", "\r\n"), "CoNLL columns"),
    ("plain.txt", conll(PAIRED), "CoNLL columns"),
    ("lists.jsonl", rows(tokens=TOKENS, tags=TAGS), "json lines"),
    ("hub.jsonl", rows(tokens=TOKENS, pos_tags=TOKENS, ner_tags=TAGS), "json lines"),
    ("labels.json", rows(words=TOKENS, labels=BILOU), "json"),
    ("both.json", rows(text=TEXTS, tokens=TOKENS, ner_tags=TAGS), "json"),
    ("strings.jsonl", rows(tokens=map(" ".join, TOKENS), tags=map(" ".join, TAGS)), "json lines"),
    ("prodigy.jsonl", PRODIGY, "Prodigy"),
    ("spacy.jsonl", rows(text=TEXTS, entities=TRIPLES), "json lines"),
    ("pairs.json", PAIRS, "json"),
    ("pairs.jsonl", PAIRS, "json lines"),
    ("wrapped.json", {"classes": ["PER"], "annotations": [None, *PAIRS]}, "json (the list 'annotations' within it)"),
    ("doccano.jsonl", rows(id=[1, 2, 3], text=TEXTS, label=TRIPLES, Comments=[[], [], []]), "doccano"),
    ("newer.jsonl", rows(id=[1, 2, 3], text=TEXTS, entities=OFFSETS, relations=[[], [], []]), "json lines"),
    ("older.jsonl", rows(id=[1, 2, 3], text=TEXTS, labels=TRIPLES, meta=[{}, {}, {}]), "doccano"),
    ("studio.json", STUDIO, "Label Studio"),
    ("own.jsonl", rows(text=TEXTS, label=OBJECTS), "json lines"),
    ("predicted.jsonl", rows(text=TEXTS, spans=OBJECTS), "json lines"),
    ("marks.txt", "[Ann](PER) is in [Oslo](LOC)\nIt rains\n[Bo Lee](PER) left\n", "txt"),
    ("rasa.yml", RASA, "Rasa"),
    ("rasa.json", {"rasa_nlu_data": {"common_examples": rows(text=TEXTS, intent=["a"] * 3, entities=[
        [{"start": s, "end": e, "value": "x", "entity": y} for s, e, y in one] for one in TRIPLES])}}, "Rasa"),
]  # fmt: skip


def write(path: Path, value: Any) -> Path:
    text = LINES[path.suffix[1:]](value) if not isinstance(value, str) else value
    path.write_text(text, encoding="utf-8", newline="")
    return path


def found(table: pa.Table) -> list[Spans | None]:
    return [spans_in(cell, "row") for cell in table["label"].to_pylist()]


def fault(path: Path, **options: Any) -> str:
    with pytest.raises(MetaglotError) as error:
        read_table(path, cells="spans", **options)
    return str(error.value).replace(str(path), path.name)


@pytest.mark.parametrize(("name", "content", "form"), FORMS, ids=[one[0] for one in FORMS])
def test_each_form_gives_the_texts_and_spans(tmp_path: Path, name: str, content: Any, form: str):
    table = read_table(write(tmp_path / name, content), cells="spans")
    assert table["text"].to_pylist() == TEXTS
    assert found(table) == GOLD
    assert (form_of(table).name, label_kind(table)) == (form, SPANS)
    cells = [json.loads(cell) for cell in table["label"].to_pylist()]
    assert [one["text"] for one in cells[0]] == ["Ann", "Oslo"]


@pytest.mark.parametrize("named", [False, True])
def test_tables_of_tokens_and_tags(tmp_path: Path, named: bool):
    joined = {"tokens": list(map(" ".join, TOKENS)), "tags": list(map(" ".join, TAGS)), "domain": ["a", "b", "a"]}
    columns = {"form": "tokens", "ner": "tags"} if named else {}
    renamed = {next((new for new, old in columns.items() if old == name), name): own for name, own in joined.items()}
    mapping = {old: new for new, old in columns.items()} or None
    pq.write_table(pa.table(renamed), tmp_path / "strings.parquet")
    lists = {**renamed, **{name: [one.split() for one in renamed[name]] for name in list(renamed)[:2]}}
    pq.write_table(pa.table(lists), tmp_path / "lists.parquet")
    header, body = ",".join(renamed), "\n".join(map(",".join, zip(*renamed.values(), strict=True)))
    (tmp_path / "strings.csv").write_text(f"{header}\n{body}\n")
    listed = "\n".join(f'"{a}","{b}",{c}' for a, b, c in zip(*lists.values(), strict=True))
    (tmp_path / "lists.csv").write_text(f"{header}\n{listed}\n")
    for name in ("strings.parquet", "lists.parquet", "strings.csv", "lists.csv"):
        table = read_table(tmp_path / name, cells="spans", mapping=mapping)
        assert (table["text"].to_pylist(), found(table)) == (TEXTS, GOLD), name
        assert table["domain"].to_pylist() == ["a", "b", "a"]


def test_class_numbers_of_a_schema_are_tags_and_bare_numbers_are_refused(tmp_path: Path):
    names = ["O", "B-PER", "I-PER", "B-LOC"]
    numbers = [[names.index(tag) for tag in tags] for tags in TAGS]
    table = pa.table({"tokens": TOKENS, "ner_tags": numbers})
    pq.write_table(table, tmp_path / "bare.parquet")
    assert "bare.parquet, row 1: tags has the item 1, which is no string. Write tags by name" in fault(
        tmp_path / "bare.parquet"
    )
    feature = {"feature": {"names": names, "_type": "ClassLabel"}, "_type": "Sequence"}
    noted = {b"huggingface": json.dumps({"info": {"features": {"ner_tags": feature}}}).encode()}
    pq.write_table(table.replace_schema_metadata(noted), tmp_path / "named.parquet")
    assert found(read_table(tmp_path / "named.parquet", cells="spans")) == GOLD


def test_nested_columns_of_parquet(tmp_path: Path):
    pq.write_table(pa.table({"text": TEXTS, "label": OBJECTS}), tmp_path / "a.parquet")
    assert found(read_table(tmp_path / "a.parquet", cells="spans")) == GOLD


def test_what_people_of_prodigy_did_not_accept_is_not_known(tmp_path: Path):
    tasks = [{**task, "answer": answer} for task, answer in zip(PRODIGY, ("accept", "ignore", "reject"), strict=True)]
    table = read_table(write(tmp_path / "a.jsonl", tasks), cells="spans")
    assert found(table) == [GOLD[0], None, None]
    assert answered(table).num_rows == 1
    assert "2 of 3 rows have no label and are not learnt from: 1 ignored, 1 rejected" in table_notes(table)[0]
    teach = [{**task, "_view_id": "ner"} for task in PRODIGY]
    notes = table_notes(read_table(write(tmp_path / "b.jsonl", teach), cells="spans"))
    assert "one span of a text each" in notes[0]


def test_spans_of_several_people_are_those_of_most(tmp_path: Path):
    text, gold = TEXTS[0], OBJECTS[0]
    people = [{"result": studio(own, text)} for own in (gold, gold[:1], gold)]
    thrown = {"result": studio([], text), "was_cancelled": True}
    tasks = [{"data": {"t": text}, "annotations": [*people, thrown]}, {"data": {"t": "Nobody came"}, "annotations": []}]
    table = read_table(write(tmp_path / "a.json", tasks), cells="spans")
    assert found(table) == [GOLD[0], None]
    assert any("people disagree about 1 of 2 rows, which have the spans that more" in n for n in table_notes(table))


def test_exports_of_spans_are_no_classes(tmp_path: Path):
    for name in ("doccano.jsonl", "studio.json", "prodigy.jsonl"):
        path = write(tmp_path / name, next(content for one, content, _ in FORMS if one == name))
        with pytest.raises(MetaglotError, match=r"marks parts of texts \(spans\).*--task tagging"):
            read_table(path)
    with pytest.raises(MetaglotError, match=r"a\.conll: a file of tokens and tags.*--task tagging"):
        read_table(write(tmp_path / "a.conll", conll(PAIRED)))


def test_places_in_utf16_and_within_words(tmp_path: Path):
    text = "😀 Ann is in Osloby"
    value = [
        {"start": 3, "end": 6, "label": "PER", "text": "Ann"},
        {"start": 12, "end": 16, "label": "LOC"},
    ]
    table = read_table(write(tmp_path / "a.jsonl", [{"text": text, "label": value}]), cells="spans")
    assert found(table) == [(Span(2, 5, "PER"), Span(12, 16, "LOC"))]
    notes = table_notes(table)
    assert notes[0].startswith("1 spans count places as JavaScript does (UTF-16)")
    assert notes[1].startswith("1 spans begin or end within a word")


def test_tags_that_continue_nothing_are_repaired_with_a_note(tmp_path: Path):
    table = read_table(
        write(tmp_path / "a.conll", "Ann B-PER\n\nBo I-PER\nLee I-PER\nB-x O\nIda B-PER\n"), cells="spans"
    )
    assert found(table) == [(Span(0, 3, "PER"),), (Span(0, 6, "PER"), Span(11, 14, "PER"))]
    assert "1 tags of 1 sentences stand where IOB2 does not allow them" in table_notes(table)[0]
    assert "a.conll, line 3" in table_notes(table)[0]


def test_a_plain_file_of_tokens_with_small_tags_is_recognised(tmp_path: Path):
    table = read_table(write(tmp_path / "a.txt", "Ann b-per\nleft o\n\nBo b-per\nLee i-per\n"), cells="look")
    assert found(table) == [(Span(0, 3, "per"),), (Span(0, 6, "per"),)]
    assert read_table(write(tmp_path / "b.txt", "an e-mail\nan i-beam\na go\n"), cells="look").num_rows == 3  # no o


def test_sentences_without_tags_are_texts(tmp_path: Path):
    table = read_table(
        write(tmp_path / "a.conll", conll([[(token,) for token in one] for one in TOKENS])), cells="spans"
    )
    assert (table["text"].to_pylist(), "label" in table.column_names) == (TEXTS, False)
    table = read_table(write(tmp_path / "a.jsonl", rows(tokens=TOKENS, tags=[TAGS[0], None, TAGS[2]])), cells="spans")
    assert found(table) == [GOLD[0], None, GOLD[2]]


def test_columns_of_conll_go_by_number(tmp_path: Path):
    nested = [[(*line, "O") for line in one] for one in COUNTED]
    path = write(tmp_path / "a.conll", conll(nested, "\t"))
    table = read_table(path, cells="spans", mapping={"tags": "3"})
    assert (table["text"].to_pylist(), found(table)) == (TEXTS, GOLD)
    assert "of 4 columns, number 2 the tokens and number 3 the tags" in table_notes(table)[0]
    assert "no column '5'; it has 4 that go by number" in fault(path, mapping={"tags": "5"})


def test_tokens_with_blanks_are_left_out_and_scripts_without_spaces_are_joined(tmp_path: Path):
    tokens, tags = [["北", "京", " ", "很", "\u3000"]], [["B-LOC", "I-LOC", "O", "O", "O"]]
    table = read_table(write(tmp_path / "a.jsonl", rows(tokens=tokens, tags=tags)), cells="spans")
    assert (table["text"].to_pylist(), found(table)) == (["北京很"], [(Span(0, 2, "LOC"),)])


def test_marks_have_escapes_links_are_none_and_texts_without_marks_stay(tmp_path: Path):
    text = r"\[no\](X) [a \] b](Y) [link](http://x.org) [Ann](PER)"
    table = read_table(write(tmp_path / "a.txt", text + "\n"), cells="spans")
    assert table["text"].to_pylist() == ["[no](X) a ] b [link](http://x.org) Ann"]
    assert found(table) == [(Span(8, 13, "Y"), Span(35, 38, "PER"))]
    plain = read_table(write(tmp_path / "b.txt", "a [b] \\[c\\]\n"), cells="spans")
    assert (plain["text"].to_pylist(), "label" in plain.column_names) == (["a [b] \\[c\\]"], False)
    unasked = read_table(write(tmp_path / "c.csv", "text\n[Ann](PER) left\n"))
    assert unasked["text"].to_pylist() == ["[Ann](PER) left"]


WRONG: list[tuple[str, Any, str]] = [
    ("a.jsonl", rows(text=["Ann", "Bo"], label=[[[0, 3, "P"]], [[0, 3, "P"]]]), "line 2: label, span number 1"),
    ("a.jsonl", rows(text=["Ann Lee"], spans=[[[0, 7, "P"], [4, 7, "L"]]]), "line 1: label: the spans P 'Ann Lee' ("),
    ("a.jsonl", rows(text=["Ann"], label=["PER"]), "line 1: label is 'PER', not a list of spans"),
    ("a.jsonl", rows(text=["Ann"], label=[[{"start": 0, "end": 3, "labels": ["A", "B"]}]]), "has 2 labels"),
    ("a.jsonl", rows(text=["Ann"], label=[[{"start": 0, "end": 3, "label": "P", "text": "Bob"}]]), "its text is 'Bob'"),
    ("a.jsonl", rows(text=[None], label=[[[0, 3, "P"]]]), "a.jsonl, line 1: the text is None"),
    ("a.jsonl", rows(tokens=[["a", "b"]], tags=[["O"]]), "a.jsonl, line 1: 2 tokens and 1 tags"),
    ("a.jsonl", rows(tokens=[["a", 5]], tags=[["O", "O"]]), "a.jsonl, line 1: tokens has the item 5"),
    ("a.jsonl", rows(tokens=[["a"]], tags=[[3]]), "tags has the item 3, which is no string. Write tags by name"),
    ("a.jsonl", rows(tokens=[None], tags=[["O"]]), "a.jsonl, line 1: tokens is None"),
    ("a.jsonl", rows(tokens=[["a"], ["b"]], tags=[["B-X"], ["X"]]), "line 2 has the tag 'X', without a prefix"),
    ("a.jsonl", rows(text=["a c"], tokens=[["a", "b"]], tags=[["O", "O"]]), "token number 2, 'b', does not stand"),
    ("a.conll", "a O\n\nb B-nan\n", "a.conll, line 3: a tag has the type 'nan', which is no name"),
    ("a.conll", "a O\nb O\nc\n", "a.conll, line 3: 1 columns where most lines have 2"),
    ("a.conll", "-DOCSTART- O\n", "a.conll, line 1: no tokens"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "words"), WRONG, ids=[words for _, _, words in WRONG])
def test_what_is_wrong_is_named_with_file_and_line(tmp_path: Path, name: str, content: Any, words: str):
    assert words in fault(write(tmp_path / name, content))


def test_a_folder_of_files_is_one_set(tmp_path: Path):
    for split in ("train", "test"):
        write(tmp_path / f"{split}.conll", conll(PAIRED))
    table = read_table(tmp_path, cells="spans")
    assert (label_kind(table), table["split"].to_pylist()) == (SPANS, ["test"] * 3 + ["train"] * 3)
    assert found(table) == [*GOLD, *GOLD]


def test_columns_of_spans_are_for_the_task_tagging(tmp_path: Path):
    path = write(tmp_path / "a.jsonl", rows(text=TEXTS, tags=TEXTS))
    with pytest.raises(MetaglotError, match="the column 'tags' is read by the task tagging alone"):
        read_table(path, mapping={"tags": "tags"})


def test_spans_of_pairs_are_of_the_second_texts(tmp_path: Path):
    questions = ["who", "how", "why"]
    path = write(tmp_path / "a.jsonl", rows(text=questions, text_pair=TEXTS, spans=TRIPLES))
    table = read_table(path, cells="spans")
    assert [spans_in(cell, "") for cell in table["label"].to_pylist()] == GOLD
    first = write(tmp_path / "b.jsonl", rows(text=TEXTS, text_pair=questions, spans=TRIPLES))
    with pytest.raises(MetaglotError, match=r"line 1: .* goes from 10 to 14, and the text has 3 characters"):
        read_table(first, cells="spans")
    tokens = write(tmp_path / "c.jsonl", rows(tokens=TOKENS, tags=TAGS, text_pair=questions))
    with pytest.raises(MetaglotError, match=r"line 1: of a pair of texts the second has the spans"):
        read_table(tokens, cells="spans")
