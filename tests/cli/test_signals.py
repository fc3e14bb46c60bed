"""SIGTERM, as batch systems end a job: training saves, other commands leave nothing half-written and no traceback."""

import os
import signal

import pytest

from metaglot.cli.shared.stopping import stop_flag


@pytest.mark.parametrize("name", ["SIGTERM", "SIGUSR1"])
def test_training_is_asked_to_stop_as_often_as_one_likes(name):
    before = signal.getsignal(signal.Signals[name])
    with stop_flag() as stop:
        assert not stop()
        for _ in range(3):  # Slurm warns by one, and ends by the other
            os.kill(os.getpid(), signal.Signals[name])
        os.kill(os.getpid(), signal.SIGINT)
        assert stop()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.Signals[name]) is before


def test_a_command_that_is_terminated_leaves_nothing_half_written(metaglot, small_recipe, tmp_path, monkeypatch):
    assert metaglot("pretrain", small_recipe, "training.steps=1", "--out", tmp_path / "run", "-q").code == 0
    before = sorted(path.name for path in tmp_path.iterdir())

    def terminated(*_: object) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("metaglot.runs.shrinking.write_manifest", terminated)
    said = metaglot("shrink", tmp_path / "run", "--out", tmp_path / "small")
    assert said.code == 143
    assert "Traceback" not in said.err
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_an_interrupt_is_said(metaglot, small_recipe, monkeypatch, capfd):
    def interrupted(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr("metaglot.cli.pretrain.prepare_folder", interrupted)
    assert metaglot("pretrain", small_recipe, "-q").code == 130
    assert capfd.readouterr().err == "metaglot: interrupted\n"
