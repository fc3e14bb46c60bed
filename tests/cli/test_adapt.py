"""`metaglot adapt` and `predict`: names, pairs, splits, texts of none of the classes, lines from standard input."""

import io
import json

import pytest


def test_unknown_and_why(metaglot, tiny, examples, tmp_path):
    out = tmp_path / "mine"
    metaglot("adapt", tiny, examples, "--out", out, "--effort", "instant", "--keep-examples", "--quiet")
    asked = ("--text", "refund the invoice", "--text", "a giraffe sang in the moonlight")
    said = metaglot("predict", out, *asked, "--unknown", "none", "--explain", "--json")
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert rows[0]["in_scope"] > rows[1]["in_scope"]
    for row in rows:
        best = max(row["probabilities"], key=row["probabilities"].__getitem__)
        assert row["label"] == (best if row["in_scope"] >= 0.5 else "none")
        assert [set(one) for one in row["why"]] == [{"text", "label", "number", "weight"}] * 3
    lines = [line.split("\t") for line in metaglot("predict", out, *asked, "--unknown", "none").out.splitlines()]
    for row, (label, chance, _) in zip(rows, lines, strict=True):
        within = row["in_scope"] >= 0.5
        assert label == row["label"]
        assert float(chance) == pytest.approx(
            max(row["probabilities"].values()) if within else 1 - row["in_scope"], abs=1e-3
        )
    lines = metaglot("predict", out, *asked, "--explain").out.splitlines()
    assert [line.startswith("\t") for line in lines] == [False, True, True, True] * 2
    assert any("(example " in line and ": " in line for line in lines)


def test_lines_from_standard_input(metaglot, tiny, examples, tmp_path, monkeypatch):
    out = tmp_path / "mine"
    metaglot("adapt", tiny, examples, "--out", out, "--effort", "instant", "--quiet")
    for given, code, says in (
        (b"refund the invoice\r\n\ncourier and shipping\n", 0, ""),
        (b"\n", 2, "no texts"),
        (b"caf\xe9", 2, "not UTF-8"),
    ):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(given)))
        said = metaglot("predict", out, "-")
        assert (said.code, says in said.err) == (code, True)
        assert [line.split("\t")[-1] for line in said.out.splitlines()] == (
            ["refund the invoice", "", "courier and shipping"] if code == 0 else [""] if given == b"\n" else []
        )


def test_standard_input_has_no_columns(metaglot, tmp_path):
    said = metaglot("predict", tmp_path, "-", "--columns", "text=body")
    assert said.code == 2
    assert "--columns has no use beside -" in said.err


def test_only_the_split_train_is_learnt_from(metaglot, tiny, tmp_path):
    rows = [("a dog", "beast"), ("a cat", "beast"), ("a saw", "tool"), ("an axe", "tool")]
    lines = [f"{text} {split},{label},{split}" for split in ("train", "test") for text, label in rows]
    (tmp_path / "split.csv").write_text("text,label,split\n" + "\n".join(lines) + "\n")
    said = metaglot("adapt", tiny, tmp_path / "split.csv", "--out", tmp_path / "m", "--effort", "instant")
    assert said.code == 0
    assert "4 examples of 2 classes" in said.out
    assert "note: 4 rows are left out, since their split is not train" in said.err


def test_repeats_and_case_are_told(metaglot, tiny, tmp_path):
    lines = ["a dog,Beast", "A dog!,Beast", "a cat,beast", "a saw,tool", "a saw,beast", "a saw,beast"]
    (tmp_path / "odd.csv").write_text("text,label\n" + "\n".join(lines) + "\n")
    said = metaglot("adapt", tiny, tmp_path / "odd.csv", "--out", tmp_path / "m", "--effort", "instant")
    assert "3 examples repeat an earlier text" in said.err
    assert "the labels 'Beast' and 'beast' differ in case only" in said.err
    assert "1 texts appear under several labels, such as examples 4 ('tool') and 5 ('beast')" in said.err
    told = metaglot("data", "inspect", tmp_path / "odd.csv").out
    assert "row 2 as 1, row 5 as 4, row 6 as 4" in " ".join(told.replace("│", " ").split())


def test_names_may_be_left_out(metaglot, tiny, examples, tmp_path):
    for flag, names in (("--names", ["billing", "delivery", "technical"]), ("--no-names", [])):
        said = metaglot("adapt", tiny, examples, "--out", tmp_path / flag, "--effort", "instant", "--json", flag)
        assert list(json.loads(said.out)["names"]) == names


def test_columns_of_ones_own(metaglot, tiny, tmp_path, write_csv):
    file = write_csv(tmp_path / "tickets.csv", 3, header=("body", "team"))
    columns = ("--columns", "text=body,label=team")
    assert metaglot("adapt", tiny, file, *columns, "--out", tmp_path / "m", "--effort", "instant", "-q").code == 0
    said = metaglot("predict", tmp_path / "m", file, "--columns", "text=body")
    assert len(said.out.splitlines()) == 9


def test_the_part_of_pairs_to_read(metaglot, tiny, examples, tmp_path):
    beasts, tools = ("dog", "cat", "horse", "cow", "sheep"), ("hammer", "saw", "drill", "axe", "wrench")
    lines = [f"here it is,a {name},{kind}" for kind, names in (("beast", beasts), ("tool", tools)) for name in names]
    (tmp_path / "pairs.csv").write_text("text,text_pair,label\n" + "\n".join(lines) + "\n")
    adapt, instant = ("adapt", tiny, tmp_path / "pairs.csv", "--json"), ("--effort", "instant")
    for asked, part in (((), "second"), *((("--reads", part), part) for part in ("both", "first", "second", "apart"))):
        said = metaglot(*adapt, *instant, "--out", tmp_path / f"m{len(asked)}{part}", *asked)
        assert (said.code, json.loads(said.out)["reads"]) == (0, part)
    goal = metaglot(*adapt, "--out", tmp_path / "goal", "--reads", "first", "--goal", "0.1")
    assert (goal.code, json.loads(goal.out)["reads"]) == (0, "first")
    assert metaglot(*adapt, "--out", tmp_path / "m", "--reads", "third").code == 2
    alone = metaglot("adapt", tiny, examples, "--out", tmp_path / "m", "--effort", "instant", "--reads", "first")
    assert alone.code == 2
    assert f"--reads has no use: {examples} has no second texts" in alone.err
    named = metaglot("adapt", tiny, "--labels", "dog,saw", "--out", tmp_path / "m", "--reads", "first")
    assert (named.code, "names of classes are no pairs" in named.err) == (2, True)


def test_pairs(metaglot, tiny, tmp_path):
    lines = ["a dog,an animal,yes", "a dog,a stone,no", "a cat,an animal,yes", "a cat,a cup,no"]
    (tmp_path / "pairs.csv").write_text("text,text_pair,label\n" + "\n".join(lines) + "\n")
    out = tmp_path / "m"
    assert metaglot("adapt", tiny, tmp_path / "pairs.csv", "--out", out, "--effort", "instant", "-q").out == ""
    assert len(metaglot("predict", out, tmp_path / "pairs.csv").out.splitlines()) == 4


def test_labels_keep_their_type_and_what_is_odd_is_noted(metaglot, tiny, tmp_path):
    file, out = tmp_path / "a.jsonl", tmp_path / "mine"
    rows = [("pay the invoice", 0.5), ("a refund", 1.0), ("the app crashes", 2.0), ("an error", 3.0)]
    file.write_text("".join(json.dumps({"text": text, "label": label}) + "\n" for text, label in rows))
    said = metaglot("adapt", tiny, file, "--task", "classification", "--out", out, "--effort", "instant", "--json")
    assert json.loads(said.out)["labels"] == [0.5, 1.0, 2.0, 3.0]
    (note,) = json.loads(said.out)["notes"]
    assert "look like numbers" in note
    assert note in said.err
    assert note in " ".join(
        json.loads(metaglot("data", "inspect", file, "--task", "classification", "--json").out)["notes"]
    )
    row = json.loads(metaglot("predict", out, "--text", "a refund", "--json").out)
    assert row["label"] in [0.5, 1.0, 2.0, 3.0]
    assert list(row["probabilities"]) == ["0.5", "1.0", "2.0", "3.0"]


def test_a_file_of_empty_texts_is_refused(metaglot, tiny, tmp_path):
    (tmp_path / "a.csv").write_text('text,label\n"",x\n" ",y\n')
    said = metaglot("adapt", tiny, tmp_path / "a.csv", "--out", tmp_path / "out")
    assert said.code == 2
    assert "a.csv: all 2 texts are empty" in said.err
    assert not (tmp_path / "out").exists()


def test_a_label_forges_no_row(metaglot, tiny, examples, tmp_path):
    out = tmp_path / "mine"
    metaglot("adapt", tiny, examples, "--out", out, "--effort", "instant", "--quiet")
    plain = json.loads((out / "adapted.json").read_text())
    del plain["seal"]
    plain["labels"][0] = "x\t1.000\ttrusted\nbilling"  # as a folder from elsewhere may have it
    (out / "adapted.json").write_text(json.dumps(plain))
    said = metaglot("predict", out, "--text", "refund", "--text", "a\nb", "--unknown", "none\nother\t1")
    assert [line.count("\t") for line in said.out.splitlines()] == [2, 2]


def test_answers_that_are_no_examples_are_left_out_and_counted(metaglot, tiny, tmp_path):
    answers = {"accept": ("house", "travel", "house", "travel"), "reject": ("house",), "ignore": ("travel",)}
    rows = [
        {"text": f"line {n} of {label}", "label": label, "_view_id": "classification", "answer": answer}
        for answer, labels in answers.items()
        for n, label in enumerate(labels)
    ]
    file = tmp_path / "a.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    outcome = json.loads(metaglot("adapt", tiny, file, "--out", tmp_path / "x", "--effort", "instant", "--json").out)
    assert (outcome["examples"], outcome["labels"]) == (4, ["house", "travel"])
    assert "2 of 6 rows have no label and are not learnt from: 1 rejected, 1 ignored" in outcome["notes"][0]
    assert len(metaglot("predict", tmp_path / "x", file, "--json").out.splitlines()) == 6
    looked = json.loads(metaglot("data", "inspect", file, "--json").out)
    assert (looked["form"], looked["classes"], looked["unlabelled"]) == ("Prodigy", {"house": 2, "travel": 2}, 2)
    shown = metaglot("data", "inspect", file).out
    assert "format" in shown
    assert "Prodigy" in shown


def test_files_in_another_encoding(metaglot, tiny, tmp_path):
    file = tmp_path / "a.csv"
    file.write_bytes("text,label\nCafé,à\nThé,à\nBœuf,ç\nPorc,ç\n".encode("cp1252"))
    refused = metaglot("adapt", tiny, file, "--out", tmp_path / "x", "--effort", "instant")
    assert refused.code == 2
    assert "--encoding cp1252" in refused.err
    manner = ("--encoding", "cp1252")
    outcome = metaglot("adapt", tiny, file, "--out", tmp_path / "x", "--effort", "instant", "--json", *manner)
    assert json.loads(outcome.out)["labels"] == ["à", "ç"]
    predicted = metaglot("predict", tmp_path / "x", file, "--json", *manner).out.splitlines()
    assert [json.loads(line)["text"] for line in predicted] == ["Café", "Thé", "Bœuf", "Porc"]
    assert json.loads(metaglot("data", "inspect", file, "--json", *manner).out)["classes"] == {"à": 2, "ç": 2}
    judged = metaglot("evaluate", tiny, file, "--out", tmp_path / "r", "--shots", "1", "--draws", "1", "--efforts",
                      "instant", "--against", "", *manner)  # fmt: skip
    assert (judged.code, "Traceback" in judged.err) == (0, False)


def test_the_columns_of_a_file_without_labels_are_named(metaglot, tiny, tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("text,Label,topic\na,x,y\n", encoding="utf-8")
    refused = metaglot("adapt", tiny, file, "--out", tmp_path / "x")
    assert refused.code == 2
    assert "no column called label (did you mean 'Label'?); it has 'text', 'Label', 'topic'" in refused.err
