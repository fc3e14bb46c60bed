"""SetFit takes the locks of its model in the order that all take them; the library itself is not needed for that."""

import random
import threading

import numpy as np
import pytest
import torch

from metaglot.adaptation import Model, load_model
from metaglot.evaluation.baselines.setfit import (
    _seeded,  # pyright: ignore[reportPrivateUsage]  # what holds the locks
)
from metaglot.models.turns import turn
from metaglot.seeds import DRAWS, seeded


@pytest.fixture(name="model", scope="module")
def _model(tiny: str) -> Model:
    return load_model(tiny)


def test_two_threads_do_not_wait_for_each_other(model: Model):
    """One holds the module and asks for the generators, as dropout does; the other is SetFit, which reads the model."""
    module, held, done = model.encoder.backbone.learner.module, threading.Event(), list[str]()

    def dropout() -> None:
        with turn(module):
            held.set()
            threading.Event().wait(0.2)  # time enough for the other to take what it takes first
            with seeded(1, torch.device("cpu")):
                done.append("dropout")

    def setfit() -> None:
        held.wait(5)
        with _seeded(2, model.encoder), turn(module):
            done.append("setfit")

    threads = [threading.Thread(target=of, daemon=True) for of in (dropout, setfit)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert done == ["dropout", "setfit"]


def test_the_generators_are_afterwards_what_they_were(model: Model):
    """Another thread's training is over before these are read, so that its seeds are not put back for good."""
    random.seed(5)
    np.random.seed(5)
    begun, wait = threading.Event(), threading.Event()

    def other() -> None:
        with _seeded(1, model.encoder):
            random.seed(0)
            np.random.seed(0)
            begun.set()
            wait.wait(0.2)

    thread = threading.Thread(target=other, daemon=True)
    before = random.getstate(), np.random.get_state(legacy=False)
    thread.start()
    assert begun.wait(5)
    with _seeded(2, model.encoder):
        random.seed(1)
        np.random.seed(1)
    thread.join(5)
    assert random.getstate() == before[0]
    np.testing.assert_equal(np.random.get_state(legacy=False), before[1])
    assert DRAWS.acquire(timeout=1)
    DRAWS.release()
