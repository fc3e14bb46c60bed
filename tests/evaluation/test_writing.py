"""Texts that are written, judged: baselines on the same draws, and a report."""

import json

import pytest
from tests.writers import SOURCES, TARGETS, decoder_folder

import metaglot as mg
from metaglot.adaptation.effort import BY_PREFIX
from metaglot.choices import BASELINES
from metaglot.data.examples import Examples, Inputs
from metaglot.errors import MetaglotError
from metaglot.evaluation.baselines import FineTune, baselines
from metaglot.evaluation.baselines.copy import Copy
from metaglot.evaluation.baselines.ours import ours
from metaglot.evaluation.baselines.prior import Prior
from metaglot.evaluation.baselines.tfidf import Tfidf
from metaglot.families.choose import family_called
from metaglot.models import Lora

FAMILY = family_called("generation")
SUPPORT = Examples.of(SOURCES, TARGETS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return decoder_folder(tmp_path_factory.mktemp("writer") / "model")


def test_baselines_without_a_model():
    asked = Inputs(("red caps", "green pen"))
    written = {
        method.name: method.fit(SUPPORT, FAMILY, shot=12, seed=0).predict(asked)
        for method in (Copy(), Tfidf(), Prior())
    }
    assert written["copy"].targets == ["red caps", "green pen"]
    assert written["tfidf"].targets == ["CAP", "PEN"]
    assert written["prior"].targets[0] == written["prior"].targets[1]
    assert written["prior"].targets[0] in TARGETS
    assert all(one.values.shape == (2, 1) and one.outputs == ("text",) for one in written.values())
    pairs = Examples.of(["a", "b"], ["x", "y"], ["c", "d"])
    assert Tfidf().fit(pairs, FAMILY, shot=2, seed=0).predict(Inputs(("q",), ("d",))).targets == ["y"]


def test_each_baseline_writes_or_says_why_not(folder):
    model = mg.load(folder)
    chosen = [name for name in BASELINES if name not in ("multitask", "setfit")]
    refused = {m.name: m.why_not(FAMILY) for m in baselines(chosen, model) if m.why_not(FAMILY)}
    assert set(refused) == {"frozen-proto", "frozen-lr", "knn"}
    assert "a task of generation writes texts" in str(refused["knn"])
    assert "writes none" in str(Copy().why_not(family_called("regression")))


@pytest.mark.parametrize("scope", ["all", "lora"])
def test_fine_tuning_lowers_the_loss_and_is_a_function_of_its_seed(folder, scope):
    start = mg.load(folder).encoder
    method = FineTune(start, scope=Lora(2), name="lora") if scope == "lora" else FineTune(start)
    steps = list(method.trajectory(SUPPORT, FAMILY, lr=3e-3, stops=[1, 12], seed=0))
    from metaglot.adaptation.writing import loss_of

    args = (FAMILY, FAMILY.writes, FAMILY.schema(TARGETS), SUPPORT, [[]] * 12)
    after, before = loss_of(start, steps[-1].params, *args), loss_of(start, {}, *args)
    assert after < before
    again = list(method.trajectory(SUPPORT, FAMILY, lr=3e-3, stops=[12], seed=0))[-1]
    assert loss_of(start, again.params, *args) == after
    assert all(name.startswith("lora." if scope == "lora" else "body.") for name in again.params)


@pytest.mark.slow
def test_the_command_judges_all_on_the_same_draws(metaglot, folder, tmp_path):
    rows = [{"source": f"{s} {i}", "target": t} for i, (s, t) in enumerate(zip(SOURCES * 2, TARGETS * 2, strict=True))]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    plan = ("--shots", 4, "--draws", 2, "--queries", 3, "--efforts", "instant", "--against", "copy,tfidf")
    out = tmp_path / "out"
    said = metaglot("evaluate", folder, tmp_path / "a.jsonl", "--task", "generation", *plan, "--out", out)
    assert said.code == 0, said.err
    results = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
    assert {row["method"] for row in results} == {"prior", "copy", "tfidf", "ours-instant"}
    assert len(results) == 8
    assert all(row["kind"] == "generation" and 0 <= row["metrics"]["chrf"] <= 1 for row in results)
    said = metaglot("report", out, "--out", out / "page.html")
    assert said.code == 0, said.err
    assert "chrF" in "".join(path.read_text() for path in out.iterdir() if path.suffix in (".md", ".html"))


def test_a_number_of_texts_that_is_wrong_is_an_error():
    found = Copy().fit(SUPPORT, FAMILY, shot=1, seed=0).predict(Inputs(("a",)))
    with pytest.raises(MetaglotError, match="must write one for each query"):
        FAMILY.score(found, ["a", "b"])


def test_settings_say_what_an_effort_does_where_texts_are_written(folder):
    fast, prefix = (one.settings for one in ours(mg.load(folder), ["fast", "prefix"]))
    assert fast["effort_where_texts_are_written"]["lora"] == 8
    assert fast["effort_where_texts_are_written"]["steps"] == 20
    assert prefix["effort"]["prefix"] == BY_PREFIX.prefix
    assert ours(mg.load(folder), ["prefix"])[0].why_not(family_called("classification")) is not None
