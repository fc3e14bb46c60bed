"""Usage errors say what was typed, and nothing of it reaches the terminal as a command or turns its direction."""

import pytest

ODD = "x\x1b[31m\x9b2J\u202eevil\u2066\x07"
CALLS = {
    "an option": ["evaluate", f"--{ODD}"],
    "an option with a value": ["adapt", "m", "f.csv", "--out", "o", f"--{ODD}=1"],
    "a command": [ODD],
    "a command of data": ["data", ODD],
    "a choice": ["adapt", "m", "f.csv", "--out", "o", "--reads", ODD],
    "an argument too many": ["predict", "m", "f.csv", ODD],
    "an option before the command": [f"--{ODD}", "demo"],
    "line breaks": ["data", "evil\n\n\nb"],
}


@pytest.mark.parametrize("kind", CALLS)
def test_what_was_typed_is_written_out(kind, metaglot):
    said = metaglot(*CALLS[kind])
    assert said.code == 2
    assert not [char for char in said.out + said.err if not char.isprintable() and char != "\n"], said
    words = "".join(said.err.replace("│", "").split())
    assert "evil" in words
    assert "Usage:metaglot" in words
