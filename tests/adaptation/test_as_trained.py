"""The effort as-trained: a run's own algorithm adapts, and what it makes is saved, loaded and added to."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.classes import class_batch, class_problem

from metaglot.adaptation import AS_TRAINED, Adapted, AsTrained, Model, load_model
from metaglot.algorithms import build_algorithm
from metaglot.algorithms.build import full_options
from metaglot.assembly import assemble, write_run_files
from metaglot.choices import ALGORITHMS
from metaglot.config import dump_recipe, parse_recipe
from metaglot.data.checked import sealed
from metaglot.data.examples import Inputs
from metaglot.data.spans import Span
from metaglot.data.trained import check_trained, trained_by
from metaglot.errors import MetaglotError
from metaglot.training import run

OPTIONS = {"maml": {"steps": 2}, "reml": {"steps": 2}, "imaml": {"steps": 2, "iterations": 2}}
QUICK = ("protonet", "maml", "matchingnet", "cavia", "metanet-1")  # one of each kind of what is kept
HEAD_ONLY = {"cotrained", "protonet", "anil", "matchingnet", "r2d2", "metaoptnet", "leo", "imaml"}
MOVED = {"cavia": {"context.code"}, "reml": {"lora."}, "metanet-1": {"lora."}, "metanet-n": {"lora."}}
TEXTS = ["invoice and refund", "crash and error", "parcel and courier", "refund and payment", "bug and error"]


@pytest.fixture
def trained(small_recipe):
    """A function from an algorithm's name to its run directory on builtin:tiny, trained for two steps."""

    def make(name: str) -> Path:
        folder = small_recipe.parent / name
        if not folder.is_dir():
            recipe = parse_recipe(
                {
                    "model": {"name": "builtin:tiny", "max_length": 16, "precision": "fp32"},
                    "data": {"train": [{"path": "train.csv", "min_per_class": 4}]},
                    "episodes": {"ways": [2, 3], "shots": [1, 2], "queries": 2},
                    "algorithm": {"name": name, "options": OPTIONS.get(name, {})},
                    "training": {"steps": 2, "meta_batch": 1, "warmup": 0},
                }
            )
            made = assemble(recipe)
            write_run_files(folder, dump_recipe(recipe), made.description)
            *_, last = run(made.plan, folder)
            assert (last.reason, last.state.step) == ("done", 2)
        return folder

    return make


def examples(path: Path) -> tuple[list[str], list[str]]:
    rows = [line.rpartition(",") for line in (path / "train.csv").read_text().splitlines()[1:]]
    chosen = [*rows[:3], *rows[8:11], *rows[16:19]]
    return [text.strip('"') for text, _, _ in chosen], [label for _, _, label in chosen]


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow], id=n) for n in ALGORITHMS]
)
def test_every_algorithm_adapts_and_comes_back(trained, tmp_path, name):
    folder = trained(name)
    model = load_model(folder)
    texts, labels = examples(folder.parent)
    adapted = model.adapt(texts, labels, effort=AS_TRAINED, seed=3)
    algorithm = build_algorithm(name, OPTIONS.get(name))
    options = full_options(name, OPTIONS.get(name))
    assert adapted.effort == AsTrained(name, options)
    assert adapted.labels == ("billing", "delivery", "technical")
    assert adapted.counts == (3, 3, 3)
    assert adapted.provenance["effort"] == {"algorithm": name, "options": options}
    assert adapted.fit.head_only == (name in HEAD_ONLY)
    assert all(any(key.startswith(part) for key in adapted.fit.params) for part in MOVED.get(name, ()))
    # What the algorithm itself makes of the batch, read by the family.
    batch = class_batch(model.encoder, texts, [adapted.labels.index(label) for label in labels])
    problem = class_problem(model.encoder, adapted.labels)
    fast = algorithm.adapt(problem, model.encoder.meta, batch, seed=3)
    assert fast.params.keys() == adapted.fit.params.keys()
    assert all(torch.equal(value, adapted.fit.params[key]) for key, value in fast.params.items())
    assert len(fast.trace) == adapted.effort.steps
    with torch.no_grad():
        query = model.encoder.collate(Inputs.of(TEXTS))
        expected = problem.logits({**model.encoder.meta, **fast.params}, query).softmax(-1)
    proba = adapted.predict_proba(TEXTS)
    assert np.allclose(proba, expected.numpy(), atol=1e-5)
    # On disk: the same bits, over a model that is loaded anew.
    adapted.save(tmp_path / "out", keep_examples=True)
    loaded = Adapted.load(tmp_path / "out")
    assert loaded.fit.params.keys() == adapted.fit.params.keys()
    assert all(torch.equal(value, loaded.fit.params[key]) for key, value in adapted.fit.params.items())
    assert np.array_equal(loaded.predict_proba(TEXTS), proba)
    assert loaded.effort == adapted.effort
    assert f"as meta-trained, by {name} ({adapted.effort.steps} gradient steps)" in (
        tmp_path / "out" / "README.md"
    ).read_text("utf-8")


def test_it_learns_spans(trained, tmp_path):
    model = load_model(trained("maml"))
    spans = [[Span(0, 7, "BILL")], [Span(0, 5, "BUG")], [], [Span(0, 6, "BILL")], [Span(0, 3, "BUG")]]
    adapted = model.adapt(TEXTS, spans, effort=AS_TRAINED)
    assert adapted.labels == ("BILL", "BUG")
    assert {"head.slope", "head.offset", "head.ways"} <= adapted.fit.params.keys()  # from sentences set aside
    loaded = Adapted.load(adapted.save(tmp_path / "out"))
    assert loaded.predict(TEXTS) == adapted.predict(TEXTS)
    assert np.array_equal(loaded.predictions(TEXTS).values, adapted.predictions(TEXTS).values)


@pytest.mark.parametrize("name", ["matchingnet", pytest.param("cavia", marks=pytest.mark.slow)])
def test_examples_are_added_by_adapting_again(trained, tmp_path, name):
    folder = trained(name)
    model = load_model(folder)
    texts, labels = examples(folder.parent)
    first = model.adapt(texts, labels, effort=AS_TRAINED, seed=3)
    loaded = Adapted.load(first.save(tmp_path / "out", keep_examples=True), encoder=model.encoder)
    more = (["a sunny day", "rain and wind"], ["weather", "weather"])
    added = loaded.add_examples(*more)
    scratch = model.adapt([*texts, *more[0]], [*labels, *more[1]], effort=AS_TRAINED, seed=3)
    assert added.labels == scratch.labels == ("billing", "delivery", "technical", "weather")
    assert added.fit.params.keys() == scratch.fit.params.keys()
    assert all(torch.equal(value, added.fit.params[key]) for key, value in scratch.fit.params.items())
    without = Adapted.load(first.save(tmp_path / "no texts"), encoder=model.encoder)
    with pytest.raises(MetaglotError, match=r"were not saved with it.*keep_examples=True"):
        without.add_examples(*more)


def test_it_is_not_the_other_efforts(trained):
    """Where the algorithm begins from zeros and takes no way, every class stays as likely."""
    folder = trained("maml")
    described = json.loads((folder / "model.json").read_text("utf-8"))
    described["algorithm"]["options"] = {"lr": 0.0, "steps": 1, "head": "zeros"}
    (folder / "model.json").write_text(json.dumps(sealed(described)), "utf-8")
    model = load_model(folder)
    texts, labels = examples(folder.parent)
    assert np.allclose(model.adapt(texts, labels, effort=AS_TRAINED).predict_proba(TEXTS), 1 / 3)
    assert not np.allclose(model.adapt(texts, labels, effort="fast").predict_proba(TEXTS), 1 / 3, atol=0.01)


def test_what_was_frozen_in_meta_training_stays(trained, small_recipe):
    folder = trained("maml")
    checkpoint = folder / "checkpoints" / "step-2" / "params.safetensors"
    assert any("embeddings" in name for name in load_file(checkpoint))
    model = load_model(folder)
    frozen = {name: value for name, value in model.encoder.meta.items() if "embeddings" not in name}
    texts, labels = examples(folder.parent)
    adapted = Model(replace(model.encoder, meta=frozen)).adapt(texts, labels, effort=AS_TRAINED)
    assert not [name for name in adapted.fit.params if "embeddings" in name]


def test_a_model_that_no_algorithm_trained(model, sentences):
    with pytest.raises(MetaglotError, match=r"was not meta-trained by an algorithm.*such as fast, or name a run"):
        model.adapt(*sentences(2), effort=AS_TRAINED)
    with pytest.raises(MetaglotError, match=r"builtin:tiny was not meta-trained"):
        check_trained("builtin:tiny")
    with pytest.raises(MetaglotError, match="no such model folder"):
        check_trained("./nowhere")


@pytest.mark.parametrize("algorithm", [None, "maml", {"options": {}}, {"name": 3}, []])
def test_what_a_run_may_say_of_its_algorithm(algorithm):
    with pytest.raises(MetaglotError, match="m was not meta-trained"):
        trained_by({"algorithm": algorithm}, "m")
    assert trained_by({"algorithm": {"name": "maml", "options": None}}, "m") == ("maml", {})


def test_a_run_whose_algorithm_is_unknown(make_run, sentences):
    folder = make_run()
    described = json.loads((folder / "model.json").read_text("utf-8"))
    (folder / "model.json").write_text(json.dumps({**described, "algorithm": {"name": "mamml"}}), "utf-8")
    with pytest.raises(MetaglotError, match=r"unknown algorithm 'mamml' .did you mean 'maml'"):
        load_model(folder).adapt(*sentences(2), effort=AS_TRAINED)


def test_on_the_command_line(trained, metaglot):
    folder = trained("matchingnet")
    said = metaglot("adapt", folder, "train.csv", "--effort", "as-trained", "--out", "mine", "--json")
    assert said.code == 0
    assert json.loads(said.out)["steps"] == 0
    assert set(load_file("mine/weights.safetensors")) == {"head.keys", "head.values", "head.scale"}
    said = metaglot("predict", "mine", "--text", "invoice and refund, number 0")
    assert said.code == 0
    assert said.out.startswith("billing\t")
    judged = metaglot(
        *("evaluate", folder, "held.csv", "--shots", 2, "--draws", 1, "--queries", 6, "--out", "r"),
        *("--efforts", "as-trained,instant", "--against", "tfidf"),
    )
    assert judged.code == 0
    rows = [json.loads(line) for line in Path("r/results.jsonl").read_text().splitlines()]
    assert [row["method"] for row in rows] == ["ours-as-trained", "ours-instant", "tfidf"]
    plain = metaglot("adapt", "builtin:tiny", "train.csv", "--effort", "as-trained", "--out", "x")
    assert plain.code == 2
    assert "builtin:tiny was not meta-trained by an algorithm" in plain.err
