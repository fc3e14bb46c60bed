"""Each gradient is used once and in time, whatever order they come in."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from metaglot.training.ledger import Ledger

STEPS = 12


@given(
    a_step=st.integers(1, 4),
    staleness=st.integers(0, 3),
    workers=st.integers(1, 9),
    stop=st.integers(0, STEPS),
    seed=st.integers(0, 10_000),
)
def test_every_number_is_used_once_and_in_time_across_losses_and_a_resume(a_step, staleness, workers, stop, seed):
    random = Random(seed)
    ledger = Ledger.at(0, (), a_step=a_step, staleness=staleness, steps=STEPS)
    used, working = [], []
    for step in range(STEPS):
        if step == stop:  # all that is at work is lost, and the ledger is made from what a checkpoint holds
            ledger = Ledger.at(step, ledger.pending(), a_step=a_step, staleness=staleness, steps=STEPS)
            working = []
        while True:
            while len(working) < workers and (number := ledger.ask(step)) is not None:
                working.append(number)
            chosen = ledger.use(step)
            if chosen is not None:
                break
            number = working.pop(random.randrange(len(working)))  # there is always one to wait for
            ledger.lost(number) if random.random() < 0.1 else ledger.came(number)
        assert all(0 <= age <= staleness for age in chosen.values())
        assert list(chosen) == sorted(chosen)
        used += chosen
    assert sorted(used) == list(range(a_step * STEPS))
    assert ledger.pending() == ()


def test_without_staleness_it_is_synchronous():
    ledger = Ledger.at(3, (), a_step=2, staleness=0, steps=9)
    assert [ledger.ask(3), ledger.ask(3), ledger.ask(3)] == [6, 7, None]
    ledger.came(7)
    assert ledger.use(3) is None
    ledger.came(6)
    assert ledger.use(3) == {6: 0, 7: 0}
    assert ledger.ask(4) == 8


def test_a_slow_worker_is_waited_for_when_its_gradient_would_be_too_old():
    ledger = Ledger.at(0, (), a_step=1, staleness=1, steps=9)
    slow, first = ledger.ask(0), ledger.ask(0)
    ledger.came(first)
    assert ledger.use(0) == {first: 0}
    second = ledger.ask(1)
    ledger.came(second)
    assert ledger.use(1) is None  # else the slow one would be two steps old
    ledger.came(slow)
    assert ledger.use(1) == {slow: 1}
    assert ledger.use(2) == {second: 1}
