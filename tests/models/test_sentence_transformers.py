"""Folders that sentence-transformers wrote itself give its own embeddings; what is not supported is refused by name."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sentence_transformers import SentenceTransformer
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Dropout, LayerNorm, Pooling
from tests.models.test_load import PLAIN, WORDS, bert_config, saved
from torch import nn
from transformers import BertModel

from metaglot.adaptation import load_model
from metaglot.data.examples import Inputs
from metaglot.errors import MetaglotError
from metaglot.seeds import seeded

TEXTS = ["w1 w2 w3", "w4", "W5 w6 w7 w8 w9 w10 w11 w12 w13 w14 w15 w16", "w1 w2 w1 w2 w1", "w17 w18 w19 w2 w3 w4 " * 3]
D = 8


@pytest.fixture(scope="module")
def network(tmp_path_factory) -> Path:
    """A small encoder whose weights are large enough for every token to matter."""
    folder = tmp_path_factory.mktemp("network")
    with seeded(0, torch.device("cpu")):
        module = BertModel(bert_config())
        for value in module.parameters():
            value.data.mul_(8 if value.ndim > 1 else 1)
    return saved(module, folder, pad_token="[PAD]")


def pooled(*modes: str) -> Pooling:
    return Pooling(D, pooling_mode=modes[0] if len(modes) == 1 else modes)


def dense(inputs: int = D, outputs: int = 5, **options: Any) -> Dense:
    return Dense(inputs, outputs, **options)


CASES: dict[str, tuple[list[nn.Module], dict[str, Any]]] = {
    "mean": ([pooled("mean")], {}),
    "mean and unit length": ([pooled("mean"), Normalize()], {}),
    "cls": ([pooled("cls"), Normalize()], {}),
    "max": ([pooled("max")], {}),
    "last token": ([pooled("lasttoken"), Normalize()], {}),
    "weighted mean": ([pooled("weightedmean")], {}),
    "mean over the root of the length": ([pooled("mean_sqrt_len_tokens")], {}),
    "two poolings": ([pooled("cls", "mean"), Normalize()], {}),
    "dense": ([pooled("mean"), dense(), Normalize()], {}),
    "dense without bias, GELU": ([pooled("cls"), dense(bias=False, activation_function=nn.GELU())], {}),
    "two dense, unit length between": (
        [pooled("mean"), dense(outputs=12, activation_function=nn.Identity()), Normalize(), dense(12, 6), Normalize()],
        {},
    ),
    "dense with a residual": ([pooled("mean"), dense(use_residual=True)], {}),
    "dense of three poolings": ([pooled("max", "mean", "cls"), dense(3 * D, 4)], {}),
    "layer norm, dropout": ([pooled("mean"), Dropout(0.5), LayerNorm(D)], {}),
    "default prompt": (
        [pooled("mean"), Normalize()],
        {"prompts": {"query": "w9 w8: ", "other": "w1 "}, "default_prompt_name": "query"},
    ),
    "short": ([pooled("mean"), Normalize()], {"max_seq_length": 4}),
    "small letters": ([pooled("mean")], {"do_lower_case": True}),
}


def made(network: Path, folder: Path, case: str) -> tuple[SentenceTransformer, Path]:
    """A model as sentence-transformers has it, and the folder that it wrote."""
    layers, options = CASES[case]
    first = Transformer(str(network), **{k: options[k] for k in ("max_seq_length", "do_lower_case") if k in options})
    kept = {name: options[name] for name in ("prompts", "default_prompt_name") if name in options}
    model = SentenceTransformer(modules=[first, *layers], device="cpu", **kept)
    model.save_pretrained(str(folder), create_model_card=False)
    return model.eval(), folder


@pytest.mark.parametrize("case", CASES)
def test_embeddings_are_those_of_sentence_transformers(case, network, tmp_path):
    theirs, folder = made(network, tmp_path / "m", case)
    wanted = theirs.encode(TEXTS, convert_to_numpy=True)
    model = load_model(str(folder), PLAIN)
    found = model.embed(TEXTS)
    assert found.shape == wanted.shape
    assert np.abs(found - wanted).max() < 1e-5
    unit = wanted / np.linalg.norm(wanted, axis=1, keepdims=True)
    assert np.abs(model.encoder.features({}, Inputs.of(TEXTS)).numpy() - unit).max() < 1e-5
    assert model.encoder.backbone.learner.hidden_size == wanted.shape[1]
    again = SentenceTransformer(str(folder), device="cpu").encode(TEXTS)
    assert np.abs(again - wanted).max() < 1e-6


def test_each_case_says_something_of_its_own(network, tmp_path):
    """The variants differ from one another, so that none passes for another."""
    found = [
        load_model(str(made(network, tmp_path / str(i), case)[1]), PLAIN).embed(TEXTS) for i, case in enumerate(CASES)
    ]
    same = [
        (i, j) for i, a in enumerate(found) for j, b in enumerate(found[:i]) if a.shape == b.shape and np.allclose(a, b)
    ]
    assert same == []
    assert len(found) >= 12


OLD = {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "mean_sqrt_len_tokens": "pooling_mode_mean_sqrt_len_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
    "lasttoken": "pooling_mode_lasttoken",
}


def written(network: Path, folder: Path, *, transformer: str = "", pooling: dict[str, Any] | None = None) -> Path:
    """A folder as earlier versions wrote it."""
    shutil.copytree(network, folder / transformer, dirs_exist_ok=True)
    (folder / "1_Pooling").mkdir()
    stated = pooling or {"word_embedding_dimension": D, "pooling_mode_mean_tokens": True}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(stated))
    modules(folder, ("Transformer", transformer), ("Pooling", "1_Pooling"))
    return folder


def modules(folder: Path, *listed: tuple[str, str], where: str = "sentence_transformers.models.") -> None:
    entries = [{"idx": i, "name": str(i), "path": p, "type": where + kind} for i, (kind, p) in enumerate(listed)]
    (folder / "modules.json").write_text(json.dumps(entries))


@pytest.mark.parametrize("mode", OLD)
def test_the_keys_of_earlier_versions(mode, network, tmp_path):
    stated = {"word_embedding_dimension": D, **{key: one == mode for one, key in OLD.items()}}
    folder = written(network, tmp_path / "m", pooling=stated)
    wanted = SentenceTransformer(str(folder), device="cpu").encode(TEXTS)
    assert np.abs(load_model(str(folder), PLAIN).embed(TEXTS) - wanted).max() < 1e-5


def test_a_network_in_a_folder_of_its_own(network, tmp_path):
    folder = written(network, tmp_path / "m", transformer="0_Transformer")
    (folder / "0_Transformer" / "sentence_bert_config.json").write_text('{"max_seq_length": 6, "do_lower_case": false}')
    wanted = SentenceTransformer(str(folder), device="cpu").encode(TEXTS)
    model = load_model(str(folder), PLAIN)
    assert model.max_length == 6
    assert np.abs(model.embed(TEXTS) - wanted).max() < 1e-5


@pytest.fixture
def hub(network, tmp_path, monkeypatch) -> Path:
    """The cache of the hub with one model in it, which states cls and a Dense."""
    _, folder = made(network, tmp_path / "m", "dense without bias, GELU")
    cache = tmp_path / "hub"
    repository = cache / "models--tiny--cls"
    shutil.copytree(folder, repository / "snapshots" / "abc123")
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("abc123")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    return folder


def test_a_hub_id_gives_what_its_files_give(hub):
    by_id, by_folder = load_model("tiny/cls", PLAIN), load_model(str(hub), PLAIN)
    assert by_id.encoder.backbone.learner.pooling == "cls"
    assert by_id.name == "tiny/cls"
    assert np.array_equal(by_id.embed(TEXTS), by_folder.embed(TEXTS))


def test_gradients_reach_through_a_dense(network, tmp_path):
    _, folder = made(network, tmp_path / "m", "two dense, unit length between")
    learner = load_model(str(folder), PLAIN).encoder.backbone.learner
    own = {name: value.clone().requires_grad_() for name, value in learner.body().items()}
    names = [name for name in own if name.startswith("body.sentence.")]
    assert names == [
        f"body.sentence.{layer}.linear.{part}" for layer in ("1_Dense", "3_Dense") for part in ("weight", "bias")
    ]
    batch = {"input_ids": torch.tensor([[3, 4, 5]]), "attention_mask": torch.ones(1, 3, dtype=torch.int64)}
    chosen = [*names, "body.encoder.layer.0.attention.self.query.weight"]
    grads = torch.autograd.grad(learner.forward(own, batch).pooled[:, 0].sum(), [own[name] for name in chosen])
    assert all(bool(grad.abs().max() > 1e-7) for grad in grads)
    step = {**own, names[0]: 2 * own[names[0]].detach()}
    assert not torch.allclose(learner.forward(step, batch).pooled, learner.forward(own, batch).pooled)
    assert torch.equal(learner.forward(learner.body(), batch).pooled, learner.forward({}, batch).pooled)


def custom(folder: Path) -> None:
    modules(folder, ("Transformer", ""), ("Pooling", "1_Pooling"), ("Cnn", "2"), where="my_code.")


def unknown(folder: Path) -> None:
    modules(folder, ("Transformer", ""), ("WeightedLayerPooling", "2"), ("Pooling", "1_Pooling"))


def outside(folder: Path) -> None:
    modules(folder, ("Transformer", "../elsewhere"), ("Pooling", "1_Pooling"))


def state(file: str, **values: Any):
    def change(folder: Path) -> None:
        path = folder / file
        before = json.loads(path.read_text()) if path.is_file() else {}
        path.write_text(json.dumps({**before, **values}))

    return change


PROMPT = {"prompts": {"a": "w1 "}, "default_prompt_name": "a"}


def instructor(folder: Path) -> None:
    state("config_sentence_transformers.json", **PROMPT)(folder)
    state("1_Pooling/config.json", include_prompt=False)(folder)


REFUSED = {
    "code of its own": (custom, r"the module my_code\.\w+ is not supported"),
    "a module that is not supported": (unknown, "WeightedLayerPooling is not supported"),
    "a path out of the folder": (outside, "leaves the folder"),
    "an unknown pooling": (state("1_Pooling/config.json", pooling_mode="attention"), "the pooling attention"),
    "an unknown key of pooling": (state("1_Pooling/config.json", pooling_mode_new_tokens=True), "pooling_mode_new"),
    "a prompt that is not pooled": (instructor, "include_prompt"),
    "a prompt that there is not": (
        state("config_sentence_transformers.json", default_prompt_name="a"),
        "no prompt called 'a'",
    ),
    "another kind of model": (state("config_sentence_transformers.json", model_type="SparseEncoder"), "SparseEncoder"),
    "other arguments": (
        state("sentence_bert_config.json", model_args={"add_pooling_layer": False}),
        "add_pooling_layer",
    ),
    "another task": (state("sentence_bert_config.json", transformer_task="fill-mask"), "the task fill-mask"),
    "a damaged list": (lambda folder: (folder / "modules.json").write_text("{"), "modules.json: the file is damaged"),
    "an empty list": (lambda folder: (folder / "modules.json").write_text("[]"), "lists no module"),
    "a pooling that is not there": (lambda folder: (folder / "1_Pooling" / "config.json").unlink(), "damaged"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_not_supported_is_refused_by_name(kind, network, tmp_path):
    change, message = REFUSED[kind]
    folder = written(network, tmp_path / "m")
    load_model(str(folder), PLAIN)
    change(folder)
    with pytest.raises(MetaglotError, match=message) as refused:
        load_model(str(folder), PLAIN)
    assert str(folder) in str(refused.value)


def test_a_dense_that_is_damaged(network, tmp_path):
    _, folder = made(network, tmp_path / "m", "dense")
    weights = folder / "2_Dense" / "model.safetensors"
    config = json.loads((folder / "2_Dense" / "config.json").read_text())
    (folder / "2_Dense" / "config.json").write_text(json.dumps({**config, "out_features": 6}))
    with pytest.raises(MetaglotError, match="do not fit"):
        load_model(str(folder), PLAIN)
    (folder / "2_Dense" / "config.json").write_text(json.dumps({**config, "activation_function": "my.Act"}))
    with pytest.raises(MetaglotError, match=r"the activation my\.Act is not supported"):
        load_model(str(folder), PLAIN)
    weights.unlink()
    (folder / "2_Dense" / "config.json").write_text(json.dumps(config))
    with pytest.raises(MetaglotError, match="no such file"):
        load_model(str(folder), PLAIN)


def test_words_are_those_of_the_small_tokenizer():
    assert {word.lower() for text in TEXTS for word in text.split()} <= set(WORDS)
