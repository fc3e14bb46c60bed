"""As-trained with several labels a text: the threshold comes from examples that are set aside, on a real run."""

import csv

import numpy as np
import pytest
import torch

from metaglot.adaptation import AS_TRAINED, Adapted, load_model
from metaglot.adaptation.aside import FOLDS, decision_of
from metaglot.adaptation.folds import folds_of
from metaglot.adaptation.support import Support
from metaglot.algorithms import build_algorithm
from metaglot.assembly import assemble, write_run_files
from metaglot.config import dump_recipe, parse_recipe
from metaglot.data.examples import Examples
from metaglot.families.choose import family_called
from metaglot.families.heads.labels import DRAWN, HeldOut, even_score, threshold_of
from metaglot.families.multilabel import THRESHOLD
from metaglot.seeds import generator
from metaglot.training import run

LABELS = {"red": "lamp", "loud": "drill", "wet": "kettle", "old": "shed"}
"""Labels, each with a word that stands in texts that have it."""


def rows(count: int, start: int = 0) -> tuple[list[str], list[set[str]]]:
    """Texts that have one label or two of four."""
    names = list(LABELS)
    own = [{names[i % 4], *([names[(i * 7 + 1) % 4]] if i % 3 == 0 else [])} for i in range(start, start + count)]
    return [f"number {i}: {' and '.join(LABELS[one] for one in sorted(had))}" for i, had in enumerate(own)], own


def vague(count: int, start: int = 0) -> tuple[list[str], list[set[str]]]:
    """The same with a word in four of another label, among others that say nothing."""
    texts, own = rows(count, start)
    draws, words = generator(0, "vague", start), list(LABELS.values())
    odd = [" ".join(draws.choice(words) if draws.random() < 0.25 else word for word in text.split()) for text in texts]
    return [f"{text} {' '.join(draws.choice(['a', 'the', 'of', 'to'], 6))}" for text in odd], own


@pytest.fixture(scope="module")
def model(tiny, tmp_path_factory):
    """A run of r2d2 over labels, of a few real steps."""
    folder = tmp_path_factory.mktemp("labels")
    with (folder / "train.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["text", "label"])
        table.writerows((text, "|".join(sorted(had))) for text, had in zip(*rows(60), strict=True))
    recipe = parse_recipe(
        {
            "model": {"name": tiny.name, "max_length": 16, "precision": "fp32"},
            "data": {"root": str(folder), "train": [{"path": "train.csv", "task": "multilabel", "min_per_class": 4}]},
            "episodes": {"ways": [2, 4], "shots": [2, 4], "queries": 3},
            "algorithm": {"name": "r2d2"},
            "training": {"steps": 3, "meta_batch": 1, "warmup": 0},
        }
    )
    made = assemble(recipe)
    write_run_files(folder / "run", dump_recipe(recipe), made.description)
    *_, last = run(made.plan, folder / "run")
    assert last.reason == "done"
    return load_model(folder / "run")


def test_the_threshold_is_that_of_heads_that_the_algorithm_makes_without_the_examples(model, tmp_path):
    texts, labels = rows(16)
    adapted = model.adapt(texts, labels, effort=AS_TRAINED, seed=5)
    threshold = adapted.fit.params[THRESHOLD]
    assert threshold.shape == (4,)
    family, encoder = family_called("multilabel"), model.encoder
    examples = Examples.of(texts, [frozenset(own) for own in labels])
    schema = family.schema(examples.targets)
    scores, truth = list[torch.Tensor](), list[torch.Tensor]()
    for inside, outside in folds_of(family, examples, FOLDS, 5, "decision"):
        assert {label for row in inside for label in labels[row]} == set(LABELS)
        part = Support(family, schema, examples.at(inside), {})
        problem = encoder.problem(family, schema)
        fast = build_algorithm("r2d2").adapt(problem, encoder.meta, part.batch(encoder), seed=5).params
        features = encoder.features({**encoder.meta, **fast}, examples.at(outside).inputs)
        scores.append((features @ fast["head.weight"].T + fast["head.bias"]).double().reshape(-1))
        truth.append(family.tensor(examples.at(outside).targets, schema).double().reshape(-1))
    held = HeldOut(torch.cat(scores), torch.cat(truth), torch.ones(64).double())
    assert float(threshold[0]) == pytest.approx(float(torch.tensor(DRAWN * even_score(held)).sigmoid()), abs=1e-6)
    values = adapted.predict_proba(texts)
    names = np.array(adapted.labels)
    given = [frozenset(names[row >= float(threshold[0])]) for row in values]
    assert adapted.predict(texts) == given
    again = Adapted.load(adapted.save(tmp_path / "out"))
    assert again.predict(texts) == given


def test_rare_labels_are_given_where_a_half_gives_none(model):
    """Without it a label is given where it is likelier than not, which with one text in four it hardly ever is."""
    (texts, labels), (fresh, truth) = vague(32), vague(80, start=32)
    adapted = model.adapt(texts, labels, effort=AS_TRAINED)
    ours = adapted.score(fresh, truth)["macro_f1"]
    plain = {name: value for name, value in adapted.fit.params.items() if name != THRESHOLD}
    decided = adapted.fit.family.decode(adapted.predict_proba(fresh), adapted.fit.schema, plain)
    theirs = adapted.fit.family.score(adapted.predictions(fresh)._replace(targets=decided), list(map(frozenset, truth)))
    assert float(adapted.fit.params[THRESHOLD][0]) < 0.5
    assert ours > theirs.metrics["macro_f1"] + 0.05


def test_where_nothing_can_be_judged_a_half_decides(model):
    adapted = model.adapt(["a lamp", "a drill"], [{"red"}, {"loud"}], effort=AS_TRAINED)
    assert THRESHOLD not in adapted.fit.params
    assert threshold_of([]) is None


def test_other_kinds_learn_once(model):
    for kind, targets in (("classification", ["a", "b"] * 4), ("regression", [0.5, 1.5] * 4)):
        family = family_called(kind)
        examples = Examples.of([f"text {i}" for i in range(8)], targets)
        support = Support(family, family.schema(targets), examples, {})
        assert decision_of(model.encoder, support, 0, learn=lambda _: pytest.fail("it learnt again")) == {}
