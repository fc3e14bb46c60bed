"""From a recipe over raw text to a plan: what is kept aside, and what is refused early."""

import json
import shutil

import pytest

from metaglot.algorithms.hybrid import Hybrid
from metaglot.assembly import assemble
from metaglot.config import parse_recipe
from metaglot.data.vocabulary import train_tokenizer
from metaglot.errors import MetaglotError
from metaglot.inner import Auto
from metaglot.models.scratch import make_backbone
from metaglot.training import initial_state

WORDS = (
    "fox",
    "jumps",
    "over",
    "lazy",
    "dogs",
    "while",
    "rivers",
    "carry",
    "boats",
    "past",
    "old",
    "towns",
    "at",
    "night",
)
SHAPE = {"hidden_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1, "intermediate_size": 16}
SMALL = {"ways": [2, 2], "shots": [1, 1], "queries": 1}


@pytest.fixture
def assembled(tmp_path):
    """Return a function (documents, **sections) -> what a recipe over 300 lines makes, and what it says."""

    def make(documents: int = 20, *, domains: int = 1, length: int = 16, **sections):
        lines = [" ".join(WORDS[(i * 7 + j * (1 + i % 5)) % len(WORDS)] for j in range(12)) for i in range(300)]
        rows = "\n".join(f"{line} {i},{i % documents},{i % domains}" for i, line in enumerate(lines))
        (tmp_path / "notes.csv").write_text(f"text,document,domain\n{rows}\n", "utf-8")
        said: list[str] = []
        recipe = parse_recipe(
            {
                "model": {"name": "builtin:tiny", "max_length": 16},
                "text": {"root": str(tmp_path), "corpora": ["notes.csv"], "length": length, "min_chars": 10},
                "episodes": SMALL,
                "training": {"steps": 2, "meta_batch": 1, "warmup": 0},
                "validation": {"batches": 1},
                **sections,
            }
        )
        return assemble(recipe, said.append), said

    return make


@pytest.mark.parametrize("name", ["joint", "cotrained"])
@pytest.mark.parametrize("dropout", [True, False])
def test_the_plain_objective_has_the_dropout_of_the_algorithm_beside_it(assembled, name, dropout):
    made, _ = assembled(tasks=["plain"], algorithm={"name": name, "options": {"dropout": dropout}})
    assert isinstance(made.plan.algorithm, Hybrid)
    assert made.plan.algorithm.dropout == dropout


def test_documents_are_kept_aside_only_to_measure_perplexity(assembled):
    made, said = assembled(documents=2, tasks=[{"kind": "smlmt", "min_count": 2}])
    assert sum(len(part.rows) for part in made.texts) == 300
    assert made.plan.text is None
    assert not any("kept aside" in line for line in said)
    made, said = assembled(documents=2, tasks=["plain"])
    assert sum(len(part.rows) for part in made.texts) == 150
    assert made.plan.text is not None
    assert "kept aside to be judged on: 150 of 300 texts (text.held_out)" in said


def test_a_text_of_one_document(assembled):
    made, _ = assembled(documents=1, tasks=[{"kind": "smlmt", "min_count": 2}])
    assert sum(len(part.rows) for part in made.texts) == 300
    with pytest.raises(MetaglotError, match=r"all of it is one document.*text\.held_out: 0"):
        assembled(documents=1, tasks=["plain"])


def test_too_little_kept_aside_costs_the_measurement_and_not_the_run(assembled):
    made, said = assembled(documents=300, domains=100, length=24, tasks=["plain"])
    assert made.plan.text is None
    assert any(line.startswith("nothing is measured on the held-out documents") for line in said)


def test_a_kind_that_begins_with_no_weight_is_counted_among_the_episodes(assembled):
    plain = {"kind": "plain", "weight": 1.0, "until": 0.5}
    later = {"kind": "domain-lm", "weight": 0.0, "until": 0.5, "support": 1, "query": 1}
    made, _ = assembled(tasks=[plain, later], algorithm={"name": "maml", "options": {"steps": 1}})
    assert not isinstance(made.plan.algorithm.tasks.estimator, Auto), "chosen by measurement, as for any other"


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([{"kind": "plain", "bound": 3.0, "until": 0.0}, "documents"], "tasks: .*bound"),
        ([{"kind": "plain", "until": 0.0}, {"kind": "documents", "until": 0.0}], "tasks: a mixture of 2 needs"),
        ([{"kind": "plain", "bound": 3.0}, {"kind": "plain", "bound": 4.0}], r"tasks\.1\.bound: one task can"),
    ],
    ids=["bound that ends", "no weight", "two bounds"],
)
def test_what_cannot_be_is_told_before_anything_is_written(assembled, tasks, message):
    with pytest.raises(MetaglotError, match=message):
        assembled(tasks=tasks, algorithm={"name": "joint"})


def test_words_that_stand_in_too_few_sentences_are_told_of_as_such(assembled):
    episodes = {**SMALL, "shots": [1, 400], "max_support": 900}
    made, _ = assembled(tasks=[{"kind": "smlmt", "min_count": 2, "episodes": episodes}], algorithm={"name": "joint"})
    with pytest.raises(MetaglotError, match="words have 401 sentences"):
        initial_state(made.plan.algorithm, made.plan.learner, made.plan.train.tasks, seed=0)


def test_a_scratch_model_goes_by_what_its_tokenizer_is_and_not_by_its_path(assembled, tmp_path):
    scratch = {"type": "bert", "tokenizer": str(tmp_path / "words"), "config": SHAPE}
    found = []
    for size in (100, 70):
        words = train_tokenizer([" ".join(WORDS)] * 9, kind="wordpiece", size=size)
        shutil.rmtree(tmp_path / "words", ignore_errors=True)
        make_backbone("bert", SHAPE, words, tmp_path / "words", seed=0)
        for _ in range(2):
            made, _ = assembled(tasks=["plain"], model={"scratch": scratch, "max_length": 16})
            found.append((made.base, made.backbone.tokenizer.vocab_size))
    assert found[0] == found[1]
    assert found[2] == found[3]
    assert found[0][0] != found[2][0]
    assert found[0][1] > found[2][1]


def test_a_tokenizer_may_be_that_of_a_run(assembled, tmp_path):
    words = train_tokenizer([" ".join(WORDS)] * 9, kind="wordpiece", size=70)
    make_backbone("bert", SHAPE, words, tmp_path / "words", seed=0)
    run = tmp_path / "run"
    (run / "checkpoints" / "step-1").mkdir(parents=True)
    (run / "model.json").write_text(json.dumps({"base": str(tmp_path / "words"), "max_length": 16}), "utf-8")
    of_run, of_model = (
        assembled(tasks=["plain"], model={"scratch": {"type": "bert", "tokenizer": str(at), "config": SHAPE}})[0]
        for at in (run, tmp_path / "words")
    )
    assert of_run.backbone.tokenizer.get_vocab() == of_model.backbone.tokenizer.get_vocab() == words.get_vocab()
