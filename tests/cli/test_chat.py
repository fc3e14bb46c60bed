"""`metaglot chat`: replies to lines, turns, and a clean end."""

import io
import json
from itertools import pairwise

import pytest
from tests.writers import SOURCES, TARGETS, decoder_folder

import metaglot as mg
from metaglot.adaptation.fit import Fit
from metaglot.data.examples import Inputs
from metaglot.errors import printable


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("writer")
    model = mg.load(decoder_folder(place / "model"), precision="fp32")
    effort = mg.Effort(150, 5e-3, 5e-3, 12)
    return model.adapt(SOURCES, TARGETS, task="generation", effort=effort).save(place / "chat")


@pytest.fixture
def talk(metaglot, folder, monkeypatch):
    def call(text: str, *options: object):
        monkeypatch.setattr("sys.stdin", io.StringIO(text))
        return metaglot("chat", folder, *options)

    return call


@pytest.mark.slow
def test_each_line_gets_its_reply_and_quit_ends_it(talk):
    said = talk("red saw\n\nold box\n/quit\nblue cap\n")
    assert (said.code, said.out, said.err) == (0, "SAW\nBOX\n", "")


@pytest.mark.slow
def test_the_end_of_the_input_ends_it_too(talk):
    assert talk("blue cap").out == "CAP\n"
    assert talk("").out == ""


@pytest.mark.slow
def test_earlier_turns_stand_before_a_line_until_it_begins_anew(talk, monkeypatch):
    sources, own = [], Fit.write

    def predict(fit: Fit, inputs: Inputs, **more):
        sources.append(inputs.texts[0])
        return own(fit, inputs, **more)

    monkeypatch.setattr(Fit, "write", predict)
    said = talk("red saw\nold box\n/new\nblue cap\n", "--turns", 1, "--max-new-tokens", 6)
    assert said.code == 0, said.err
    assert sources[:2] == ["red saw", "user: red saw\nassistant: SAW\nuser: old box"]
    assert sources[2] == "blue cap"


@pytest.mark.slow
def test_an_interrupt_breaks_a_reply_off_and_the_chat_goes_on(talk, monkeypatch):
    calls, own = [], Fit.write

    def predict(fit: Fit, inputs: Inputs, **more):
        calls.append(inputs)
        if len(calls) == 1:
            more["heard"]("SA")
            raise KeyboardInterrupt
        return own(fit, inputs, **more)

    monkeypatch.setattr(Fit, "write", predict)
    said = talk("red saw\nold box\n")
    assert (said.code, said.out) == (0, "SA …\nBOX\n")


@pytest.mark.slow
def test_an_interrupt_while_it_waits_ends_it(talk, metaglot, folder, monkeypatch):
    class Interrupted(io.StringIO):
        def readline(self, *_: object) -> str:
            raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", Interrupted(""))
    said = metaglot("chat", folder)
    assert (said.code, said.out) == (0, "")


def test_a_reply_is_what_is_predicted(metaglot, tmp_path, monkeypatch):
    model = mg.load(decoder_folder(tmp_path / "model"), precision="fp32")
    adapted = model.adapt(SOURCES, TARGETS, task="generation", effort="instant")
    monkeypatch.setattr("sys.stdin", io.StringIO("red saw\n/quit\nold box\n"))
    said = metaglot("chat", adapted.save(tmp_path / "m"), "--max-new-tokens", 3)
    assert (said.code, said.out.strip()) == (0, printable(adapted.predict("red saw", max_new_tokens=3)).strip())


def test_other_kinds_and_other_folders_are_refused(metaglot, tiny, tmp_path):
    examples = ["a b", "c d", "e f", "g h"]
    mg.load(tiny).adapt(examples, ["x", "y", "x", "y"], effort="instant").save(tmp_path / "m")
    said = metaglot("chat", tmp_path / "m")
    assert (said.code, "writes no texts; use metaglot predict" in said.err) == (2, True)
    assert metaglot("chat", tmp_path / "none").code == 2


@pytest.mark.slow
def test_what_is_heard_grows_to_the_text(folder):
    heard: list[str] = []
    fit = mg.load(folder).fit
    found = fit.write(Inputs(("red saw",)), heard=heard.append)
    assert heard[-1] == found.texts[0] == "SAW"
    assert all(later.startswith(earlier) for earlier, later in pairwise(heard))


def test_earlier_turns_without_room_are_left_out_and_the_line_stays(metaglot, tmp_path, monkeypatch):
    model = mg.load(decoder_folder(tmp_path / "model"), precision="fp32")
    chat = model.adapt(SOURCES, TARGETS, task="generation", effort="instant").save(tmp_path / "m")
    sources, own = [], Fit.write

    def write(fit: Fit, inputs: Inputs, **more):
        sources.append(inputs.texts[0])
        return own(fit, inputs, **more)

    monkeypatch.setattr(Fit, "write", write)
    monkeypatch.setattr("sys.stdin", io.StringIO("red saw\nblue cap\nold box\n" + "long " * 20 + "\n"))
    said = metaglot("chat", chat, "--turns", 9, "--max-new-tokens", 3, "--json")
    assert said.code == 0, said.err
    assert all(source.endswith(line) for source, line in zip(sources, ("red saw", "blue cap", "old box"), strict=False))
    assert sources[2].count("user:") < 3
    assert "its end is not read" in said.err
    rows = [json.loads(line) for line in said.out.splitlines()]
    assert set(rows[0]) == {"text", "label", "log_probability", "tokens", "tokens_per_second"}
    assert [row["text"] for row in rows[:3]] == ["red saw", "blue cap", "old box"]


def test_draws_differ_from_line_to_line_and_not_from_chat_to_chat(metaglot, tmp_path, monkeypatch):
    model = mg.load(decoder_folder(tmp_path / "model"), precision="fp32")
    chat = model.adapt(SOURCES, TARGETS, task="generation", effort="instant").save(tmp_path / "m")
    outs = []
    for _ in range(2):
        monkeypatch.setattr("sys.stdin", io.StringIO("red saw\nred saw\n"))
        outs.append(metaglot("chat", chat, "--sample", "--seed", 3, "--max-new-tokens", 6, "--json").out)
    first, second = ([json.loads(line)["label"] for line in out.splitlines()] for out in outs)
    assert first == second
    assert first[0] != first[1]
