"""What is seen of meta-training: a view on a terminal, lines where there is none or `--plain` asks for them."""

import re

import pytest

from metaglot.cli.shared import live
from metaglot.metric import ACCURACY
from metaglot.training import Event, State

STEP = {"loss": 0.5, "tokens": 400, "seconds": 0.5, "waited_seconds": 0.0}


def events(steps: int):
    yield Event("start", State(step=0, params={}, seed=0), {"step": 0})
    for step in range(1, steps + 1):
        state = State(step=step, params={}, seed=0)
        yield Event("step", state, {**STEP, "step": step})
        if step % 2 == 0:
            yield Event("validation", state, {"step": step, "accuracy": step / 10})
            yield Event("saved", state, {"step": step})


def test_what_is_told():
    seen = live.Seen(10, 4, [ACCURACY])
    for event in events(6):
        seen.take(event)
    rows = dict(seen.rows())
    assert rows["step"] == "6 of 10"
    assert rows["learning"] == "loss 0.500"
    assert rows["held out"] == "accuracy 60.0 % (step 6)"
    assert rows["speed"] == "8.0 tasks/s, 800 tokens/s"
    assert rows["saved"] == "step 6"
    assert rows["time"].endswith(" left")
    assert re.fullmatch(r"[\d,]+ MB at most", rows["memory"])
    assert seen.share == 0.6


def test_lines_come_at_times_and_at_validations(monkeypatch):
    seen, clock = live.Seen(10, 4, [ACCURACY]), [0.0]
    monkeypatch.setattr(live.time, "monotonic", lambda: clock[0])
    seen._said = 0.0
    lines = []
    for event in events(6):
        clock[0] += 9.0
        seen.take(event)
        lines.append(seen.line(event))
    told = [line for line in lines if line]
    assert [line for line in told if "held-out" in line] == [f"step {n}: held-out accuracy {n}0.0 %" for n in (2, 4, 6)]
    steps = [line for line in told if "tokens/s" in line]
    assert 2 <= len(steps) <= 5
    assert steps[0].startswith("step ")
    assert " of 10: loss 0.500 · 8.0 tasks/s, 800 tokens/s · " in steps[0]


@pytest.mark.parametrize(("plain", "quiet"), [(False, False), (True, False), (False, True)])
def test_a_terminal(monkeypatch, capsys, plain, quiet):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    optimisation = type("Steps", (), {"steps": 6, "meta_batch": 4})()
    last = live.watch(events(6), optimisation, metrics=[ACCURACY], quiet=quiet, plain=plain)
    assert last.state.step == 6
    err = capsys.readouterr().err
    assert ("6 of 6" in err) is not (plain or quiet)
    assert ("step 4: held-out accuracy 40.0 %" in err) is plain
    if quiet:
        assert err == ""


def test_hours_and_minutes():
    assert [live._clock(s) for s in (5, 65, 3600 * 2 + 180)] == ["5 s", "1 min", "2 h 03 min"]


def test_a_step_may_end_while_the_view_is_drawn():
    """The view is drawn by another thread, which must not stumble over what is noted meanwhile."""

    class During(dict[str, float]):
        def __contains__(self, name: object) -> bool:
            seen.take(Event("step", State(step=2, params={}, seed=0), STEP))
            return super().__contains__(name)

    seen = live.Seen(10, 4, [ACCURACY])
    seen.take(Event("step", State(step=1, params={}, seed=0), During(STEP)))
    assert dict(seen.rows())["learning"] == "loss 0.500"
