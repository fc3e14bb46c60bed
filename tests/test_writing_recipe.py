"""A decoder is meta-trained to write from a recipe: it is saved, resumed bit for bit, and adapts better."""

import csv
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from tests.writers import byte_tokenizer

import metaglot as mg
from metaglot.adaptation import load_model
from metaglot.adaptation.writing import loss_of
from metaglot.assembly import assemble, write_run_files
from metaglot.config import dump_recipe, parse_recipe
from metaglot.data.examples import Examples
from metaglot.data.folders import read_run
from metaglot.errors import MetaglotError
from metaglot.families.choose import family_called
from metaglot.models import load_backbone
from metaglot.models.scratch import make_backbone
from metaglot.runs.shrinking import shrink
from metaglot.training import run
from metaglot.training.checkpoint import load_params

WORDS = ["saw", "cap", "box", "pen", "map", "jar", "cup", "net"]
WAYS = {"upper": str.upper, "twice": lambda word: f"{word} {word}", "back": lambda word: word[::-1]}


def write(path: Path, ways: list[str]) -> Path:
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["source", "target", "domain"])
        for way in ways:
            rows.writerows([f"{a} {b}", WAYS[way](f"{a} {b}"), way] for a in WORDS for b in WORDS if a < b)
    return path


@pytest.fixture
def recipe(tmp_path):
    """Return a function from an algorithm to a recipe over two tasks, validated on a third."""
    shape = {"n_embd": 32, "n_layer": 1, "n_head": 2, "n_positions": 64}
    make_backbone("gpt2", shape, byte_tokenizer(), tmp_path / "base", seed=0)
    write(tmp_path / "train.csv", ["upper", "twice"])
    write(tmp_path / "held.csv", ["back"])

    def make(name: str, options: dict, **training):
        own = {"task": "generation", "group_by": ["domain"], "min_per_class": 4}
        return parse_recipe(
            {
                "model": {"name": str(tmp_path / "base"), "max_length": 40, "precision": "fp32"},
                "data": {
                    "root": str(tmp_path),
                    "train": [{"path": "train.csv", **own}],
                    "validation": [{"path": "held.csv", **own}],
                },
                "episodes": {"shots": [4, 4], "queries": 4, "max_support": 4, "max_query": 4},
                "algorithm": {"name": name, "options": options},
                "training": {
                    "meta_batch": 1,
                    "warmup": 0,
                    "lr": 5e-3,
                    "algorithm_lr": 5e-3,
                    "save_every": 2 if training["steps"] < 9 else 30,
                    **training,
                },
                "validation": {"every": 30, "episodes": 1, "shots": 4, "queries": 4},
            }
        )

    return make


def trained(recipe, folder: Path, *, stop=lambda: False):
    made = assemble(recipe)
    write_run_files(folder, dump_recipe(recipe), made.description)
    *records, last = run(made.plan, folder, stop=stop)
    return [*records, last]


LORA = {"scope": {"lora": {"rank": 4}}, "steps": 2}


@pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param("joint", {}, marks=pytest.mark.slow),
        pytest.param("fomaml", LORA, marks=pytest.mark.slow),
        pytest.param("reptile", LORA, marks=pytest.mark.slow),
    ],
)
def test_the_loss_falls_and_examples_teach_the_trained_model_more(recipe, tmp_path, name, options):
    trained(recipe(name, options, steps=30), tmp_path / "run")
    family, encoder = family_called("generation"), load_model(str(tmp_path / "run")).encoder
    assert encoder.max_length == 40
    sources = [f"{a} {b}" for a in WORDS[:4] for b in WORDS[4:]]
    examples = Examples.of(sources, [source.upper() for source in sources])
    args = (family, family.writes, family.schema(examples.targets), examples, [[]] * len(examples))
    base = encoder.base()
    assert loss_of(encoder, {}, *args) < loss_of(base, {}, *args)
    adapted = load_model(str(tmp_path / "run")).adapt(sources, examples.targets, task="generation", effort="fast")
    assert loss_of(encoder, adapted.fit.params, *args) < loss_of(encoder, {}, *args)
    if options:
        assert any(name.startswith("algorithm.lora.") for name in encoder.meta)
        as_trained = load_model(str(tmp_path / "run")).adapt(
            sources, examples.targets, task="generation", effort="as-trained"
        )
        assert all(name.startswith("lora.") for name in as_trained.fit.params)


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_bit_for_bit(recipe, tmp_path):
    chosen = recipe("reptile", LORA, steps=4)
    trained(chosen, tmp_path / "whole")
    calls = iter([False, False, True])
    trained(chosen, tmp_path / "parts", stop=lambda: next(calls, True))
    trained(chosen, tmp_path / "parts")
    from safetensors.torch import load_file

    whole, parts = (load_file(tmp_path / run / "checkpoints/step-4/params.safetensors") for run in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(value, parts[name]) for name, value in whole.items())


def test_an_encoder_is_refused(recipe, tiny):
    chosen = recipe("joint", {}, steps=2)
    chosen = chosen.model_copy(update={"model": chosen.model.model_copy(update={"name": tiny})})
    with pytest.raises(MetaglotError, match="is an encoder, which writes no texts"):
        assemble(chosen)


def test_an_encoder_with_a_decoder_learns_to_write(recipe, tmp_path):
    shape = {"d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2}
    make_backbone("t5", shape, load_backbone("builtin:tiny").tokenizer, tmp_path / "t5", seed=0)
    chosen = recipe("joint", {}, steps=20)
    model = chosen.model.model_copy(update={"name": str(tmp_path / "t5"), "scratch": None})
    records = trained(chosen.model_copy(update={"model": model}), tmp_path / "run")
    losses = [float(one.record["loss"]) for one in records if one.kind == "step"]
    assert losses[-1] < losses[0]
    loaded = load_model(tmp_path / "run")  # which has learnt weights of the decoder, and is loaded with it
    learner = loaded.encoder.backbone.learner
    assert learner.seq2seq
    learnt = load_params(read_run(tmp_path / "run").checkpoint, device=learner.device)
    name = next(name for name in learnt if "decoder." in name)
    assert torch.equal(loaded.encoder.params[name], learnt[name])
    sources = [f"{a} {b}" for a, b in pairwise(WORDS)]
    adapted = loaded.adapt(sources, [one.upper() for one in sources], task="generation", effort="fast")
    back = mg.load(adapted.save(tmp_path / "out"))
    found = adapted.predictions(sources[:2], max_new_tokens=4)
    assert back.predictions(sources[:2], max_new_tokens=4).targets == found.targets
    shrink(tmp_path / "run", tmp_path / "small")
    assert load_model(tmp_path / "small").encoder.backbone.learner.seq2seq
