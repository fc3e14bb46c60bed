"""One model in many threads, and in a forked process, gives what it gives in one thread."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from metaglot.adaptation import Adapted
from metaglot.data.examples import Inputs
from metaglot.models.turns import turn

ROUNDS = 6
FORK = """
import multiprocessing, sys
import torch
import metaglot
torch.set_num_threads(2)
model = metaglot.load(sys.argv[1])
examples = ["apple pear", "plum grape", "hammer saw", "drill wrench"]
adapted = model.adapt(examples, ["a", "a", "b", "b"], effort="instant")
texts = ["the apple and a saw"] * 64
wanted = adapted.predict(texts)
big = torch.ones(1000, 1000)
big.exp()  # in two threads

def child():
    assert torch.get_num_threads() == 1
    big.exp()
    assert adapted.predict(texts) == wanted

process = multiprocessing.get_context("fork").Process(target=child)
process.start()
process.join(40)
alive = process.is_alive()
if alive:
    process.kill()
assert torch.get_num_threads() == 2
assert adapted.predict(texts) == wanted
print("hangs" if alive else process.exitcode)
"""


def test_eight_threads_and_four_adaptations(model, sentences, tmp_path):
    texts, labels = sentences(3)
    efforts = ("fast", "thorough", "instant", "fast")
    made = [model.adapt(texts, labels, effort=effort, seed=seed) for seed, effort in enumerate(efforts)]
    wanted = [one.predict_proba(texts) for one in made]
    base, before = model.base().embed(texts), model.fingerprint()
    assert any(not np.array_equal(wanted[0], other) for other in wanted[1:])  # a mix-up would show

    def work(number: int) -> bool:
        right = [np.array_equal(made[number % 4].predict_proba(texts), wanted[number % 4]) for _ in range(ROUNDS)]
        return all(right) and model.fingerprint() == before

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))
    assert np.array_equal(model.base().embed(texts), base)
    assert not model.encoder.backbone.learner.module.training
    loaded = Adapted.load(made[0].save(tmp_path / "saved"), encoder=model.encoder)
    assert np.array_equal(loaded.predict_proba(texts), wanted[0])


def test_threads_that_adapt_make_what_one_makes(model, sentences):
    texts, labels = sentences(3)
    wanted = [model.adapt(texts, labels, effort="fast", seed=seed).predict_proba(texts) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda seed: model.adapt(texts, labels, effort="fast", seed=seed), range(4)))
    assert all(np.array_equal(one.predict_proba(texts), want) for one, want in zip(made, wanted, strict=True))


def test_dropout_in_threads_is_a_function_of_the_seed(model, sentences):
    learner, batch = model.encoder.backbone.learner, model.encoder.collate(Inputs.of(sentences(3)[0]))
    wanted = [learner.forward({}, batch, seed=seed).pooled for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: learner.forward({}, batch, seed=n % 4).pooled, range(16)))
    assert all(torch.equal(one, wanted[n % 4]) for n, one in enumerate(found))


def test_a_turn_is_one_for_an_object_and_re_entrant(model):
    module = model.encoder.backbone.learner.module
    assert turn(module) is turn(module)
    with turn(module), turn(module):
        assert len(model.embed(["apple"])) == 1


@pytest.mark.slow
def test_a_fork_after_use_does_not_hang(bert_folder):
    env = os.environ | {"OMP_NUM_THREADS": "2"}
    said = subprocess.run(
        [sys.executable, "-c", FORK, str(bert_folder)], capture_output=True, text=True, timeout=90, env=env, check=False
    )
    assert said.stdout.split() == ["0"], said.stderr
