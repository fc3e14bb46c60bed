"""Options of ranks, and what a rank makes of a call, without starting one."""

import contextlib
import errno
import io
import os
import signal
import time
from contextlib import nullcontext

import pytest
import torch
from tests.training.ranked import Found, in_ranks

from metaglot.cli.pretrain import _say_what_is_there
from metaglot.cli.shared.call import Call
from metaglot.cli.shared.printing import LAUNCHER, speaks
from metaglot.cli.shared.ranks import OUTCOME, PLACE, Place, _waiting, as_rank, is_rank
from metaglot.errors import MetaglotError
from metaglot.training import State, joining
from metaglot.training.checkpoint import save
from metaglot.training.ranks import Ranks

CALL = Call("smoke", (), None, False, True, ("trackio",), False, False, None, None)


@pytest.mark.parametrize("arguments", [["--ranks", "0"], ["--ranks", "two"], ["--restarts", "-1"]])
def test_numbers_that_are_none(metaglot, small_recipe, arguments):
    said = metaglot("pretrain", small_recipe, *arguments)
    assert said.code == 2
    assert arguments[0] in said.err


def test_mistakes_are_told_before_a_rank_is_started(metaglot, small_recipe, tmp_path):
    said = metaglot("pretrain", small_recipe, "training.stepps=3", "--ranks", "2")
    assert (said.code, said.err.count("metaglot:")) == (2, 1)
    assert "stepps" in said.err
    said = metaglot("pretrain", small_recipe, "algorithm.name=nothing", "--ranks", "2", "--out", tmp_path / "run")
    assert (said.code, said.err.count("metaglot:")) == (2, 1)
    assert not (tmp_path / "run").exists()
    said = metaglot("pretrain", small_recipe, "--ranks", "2", "--on", "ray")
    assert (said.code, "give one of them" in said.err) == (2, True)


def test_a_rank_that_was_started_again_goes_on_and_deletes_no_run_twice(tmp_path, monkeypatch):
    monkeypatch.setenv(OUTCOME, str(tmp_path / "outcome"))
    again = Place(True, True, Ranks(0, 2))
    assert CALL.of(Place(True, False, Ranks(0, 2))) == CALL
    assert CALL.of(again)[3:5] == (False, True)  # the run that was there is not deleted yet: it begins anew
    again.begin()
    assert CALL.of(again)[3:5] == (True, False)
    assert CALL.of(Place(False, False, Ranks(1, 2)))._asdict() == {**CALL._asdict(), "quiet": True, "track": ()}
    monkeypatch.delenv(OUTCOME)
    assert CALL.of(again)[3:5] == (False, True)  # under torchrun nobody notes it


def test_a_rank_ends_with_0_and_tells_the_code_of_the_command(tmp_path, monkeypatch):
    monkeypatch.setenv(OUTCOME, str(tmp_path / "outcome"))
    assert Place().end(3) == 3
    assert Place(False, False, Ranks(1, 2)).end(3) == 0
    assert not (tmp_path / "outcome").exists()
    assert Place(True, False, Ranks(0, 2)).end(3) == 0
    assert (tmp_path / "outcome").read_text() == "3"


def test_some_variables_of_a_job_make_no_rank(monkeypatch):
    for name in PLACE[:2]:
        monkeypatch.setenv(name, "2")
    assert not is_rank()
    with as_rank() as place:
        assert place == Place()


@pytest.mark.parametrize(
    ("name", "value"),
    [("RANK", "two"), ("RANK", "2"), ("WORLD_SIZE", "0"), ("LOCAL_RANK", "-1"), ("MASTER_PORT", "99999")],
)
def test_variables_that_name_no_rank_are_told(monkeypatch, name, value):
    place = {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
    for variable, text in {**place, name: value}.items():
        monkeypatch.setenv(variable, text)
    with pytest.raises(MetaglotError, match=f"{name}={value}: expected"), as_rank():
        pass


def test_a_rank_that_waits_says_so_and_ends_by_a_signal(monkeypatch, capsys):
    for variable, text in zip(PLACE, ("1", "2", "127.0.0.1", "1"), strict=True):
        monkeypatch.setenv(variable, text)
    monkeypatch.setattr("metaglot.cli.shared.ranks.SILENCE", 0.01)
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        with _waiting():
            assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
            time.sleep(0.2)
        assert signal.getsignal(signal.SIGTERM) not in {signal.SIG_DFL, None}
    finally:
        signal.signal(signal.SIGTERM, before)
    assert "rank 1 of 2 waits for the others, at 127.0.0.1:1" in capsys.readouterr().err


def test_a_rank_sees_that_its_launcher_is_gone(monkeypatch):
    assert not Place(True, False, Ranks(0, 2)).left()
    monkeypatch.setenv(LAUNCHER, "1")
    assert Place(True, False, Ranks(0, 2)).left()
    assert not Place().left()


def test_an_error_at_the_very_end_of_rank_0_reaches_the_others_and_starts_nothing_again(tmp_path, monkeypatch):
    """Rank 1 has nothing more to do by then, and waits; both end with 0, so that `launch` starts nothing again."""
    monkeypatch.setenv(OUTCOME, str(tmp_path / "outcome"))
    for name in PLACE:
        monkeypatch.setenv(name, "2")

    def as_a_rank() -> None:
        with as_rank() as place:
            if place.first:
                place.end(0)
                raise OSError(errno.ENOSPC, "No space left on device")

    def ending(ranks: Ranks) -> Found:
        os.environ["RANK"] = str(ranks.rank)
        joining.joined = lambda _: nullcontext(ranks)  # in this process, which ends with the test
        with pytest.raises(SystemExit) as ended:
            as_a_rank()
        return {}, {"code": ended.value.code}

    assert [facts["code"] for _, facts in in_ranks(2, ending, tmp_path / "ranks")] == [0, 0]
    assert (tmp_path / "outcome").read_text() == "2"


def test_an_error_of_the_program_in_one_rank_ends_all_and_is_said_once(tmp_path, monkeypatch):
    """Rank 0 waits for something that rank 1 never tells; none is started again, and if one is, it ends at once."""
    monkeypatch.setenv(OUTCOME, str(tmp_path / "outcome"))
    for name in PLACE:
        monkeypatch.setenv(name, "2")

    def as_a_rank(words: io.StringIO) -> None:
        with contextlib.redirect_stderr(words), as_rank() as place:
            assert place.ranks is not None
            if not place.first:
                raise ValueError("a mistake of ours")
            place.ranks.exchange("something")

    def failing(ranks: Ranks) -> Found:
        os.environ["RANK"], words = str(ranks.rank), io.StringIO()
        joining.joined = lambda _: nullcontext(ranks)  # in this process, which ends with the test
        with pytest.raises(SystemExit) as ended:
            as_a_rank(words)
        return {}, {"code": ended.value.code, "words": words.getvalue()}

    (_, first), (_, second) = in_ranks(2, failing, tmp_path / "ranks")
    assert (first["code"], first["words"]) == (0, "")
    assert second["code"] == 1
    assert second["words"].count("ValueError: a mistake of ours") == 1
    assert "rank 1 met this error" in second["words"].splitlines()[-1]
    assert (tmp_path / "outcome").read_text() == "1"
    with pytest.raises(SystemExit) as ended, as_rank():
        pass
    assert ended.value.code == 0


def test_whether_a_process_speaks_for_itself(monkeypatch):
    assert speaks()
    monkeypatch.setenv(LAUNCHER, str(os.getpid()))
    assert speaks()
    monkeypatch.setenv(LAUNCHER, "1")
    assert not speaks()


def test_the_step_that_a_run_goes_on_from_is_that_of_a_whole_checkpoint(tmp_path, capsys):
    for step in (3, 6):
        save(State(step=step, params={"body.x": torch.ones(3)}, seed=0), tmp_path)
    (tmp_path / "checkpoints" / "step-6" / "params.safetensors").write_bytes(b"short")
    _say_what_is_there(tmp_path, Place(True, True, Ranks(0, 2)), print)
    assert "all go on from step 3" in capsys.readouterr().err
