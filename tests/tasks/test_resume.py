"""A run whose samplers learn (a curriculum that reads the model, a bound on a loss) goes on as if never stopped."""

import pytest
import torch
from tests.tasks.synthetic import MASK, made_up_text

from metaglot.algorithms import build_algorithm
from metaglot.families.classification import Classification
from metaglot.tasks import (
    Bound,
    Curriculum,
    MaskedWords,
    MixtureOf,
    Shape,
    SupervisedTasks,
    WordClustering,
    document_sources,
)
from metaglot.tasks.mixture import MEAN, SHIFT
from metaglot.training.checkpoint import load, save
from metaglot.training.loop import Optimisation, train
from metaglot.training.state import initial_state

TEXT, INDEX = made_up_text()


@pytest.mark.parametrize("stop", [3, 4])
def test_a_run_goes_on_bit_for_bit(make_bert, tmp_path, stop):
    objective, shape = Classification(), Shape((2, 2), (1, 2), 2)
    words = Curriculum(WordClustering(3, 12, 2), every=2, seed=1)
    tasks = MixtureOf(
        (
            MaskedWords(TEXT, INDEX, objective, shape, words, MASK),
            SupervisedTasks(tuple(document_sources(TEXT)), objective, shape),
        ),
        (1.0, 1.0),
        bound=Bound(1, 0.1, rate=0.5),
    )
    learner, algorithm = make_bert(dtype=torch.float32), build_algorithm("protonet", {})
    optimisation = Optimisation(steps=7, meta_batch=2, warmup=0, lr=1e-2)

    def snapshots(begin, end):
        state, found = begin, []
        for state, _ in train(begin, tasks, algorithm, learner, optimisation):
            found.append({name: value.clone() for name, value in state.snapshot.items()})
            if state.step == end:
                break
        return state, found

    start = initial_state(algorithm, learner, tasks.tasks, seed=5)
    whole, seen = snapshots(start, 7)
    assert seen[-1].keys() == {"0.assignment", MEAN, SHIFT}
    assert float(seen[-1][SHIFT]) > 0
    assert len({tuple(s["0.assignment"].tolist()) for s in seen}) > 1, "the curriculum moved with the model"
    again = initial_state(algorithm, learner, tasks.tasks, seed=5)
    half, first = snapshots(again, stop)
    half = load(save(half, tmp_path), device=torch.device("cpu"))
    ended, rest = snapshots(half, 7)
    for a, b in zip(seen, first + rest, strict=True):
        assert a.keys() == b.keys()
        assert all(torch.equal(a[name], b[name]) for name in a)
    assert all(torch.equal(whole.params[name], ended.params[name]) for name in whole.params)
