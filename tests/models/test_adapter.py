"""A PEFT LoRA adapter is added to its base as peft adds it; other kinds are refused by name."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.models.test_load import PLAIN, WORDS, bert_config, saved
from transformers import BertModel, GPT2Config, GPT2LMHeadModel

from metaglot.adaptation import load_model
from metaglot.errors import MetaglotError
from metaglot.models import load_backbone
from metaglot.seeds import seeded

QUERY = "encoder.layer.0.attention.self.query"
WEIGHT = f"body.{QUERY}.weight"
LORA = {"peft_type": "LORA", "r": 2, "lora_alpha": 6, "target_modules": ["query"], "task_type": "FEATURE_EXTRACTION"}


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    with seeded(0, torch.device("cpu")):
        return saved(BertModel(bert_config()), tmp_path_factory.mktemp("base"), pad_token="[PAD]")


def adapter(folder: Path, base: object, tensors: dict[str, torch.Tensor], **config: Any) -> Path:
    folder.mkdir(exist_ok=True)
    stated = {**LORA, "base_model_name_or_path": str(base), **config}
    (folder / "adapter_config.json").write_text(json.dumps(stated))
    save_file(
        {f"base_model.model.{name}": value for name, value in tensors.items()}, folder / "adapter_model.safetensors"
    )
    return folder


def pair(at: str = QUERY, *, rank: int = 2, m: int = 8, n: int = 8) -> dict[str, torch.Tensor]:
    drawn = torch.Generator().manual_seed(3)
    a, b = torch.randn(rank, n, generator=drawn), torch.randn(m, rank, generator=drawn)
    return {f"{at}.lora_A.weight": a, f"{at}.lora_B.weight": b}


def update(tensors: dict[str, torch.Tensor], at: str = QUERY) -> torch.Tensor:
    return tensors[f"{at}.lora_B.weight"] @ tensors[f"{at}.lora_A.weight"]


def body(name: object) -> dict[str, torch.Tensor]:
    return dict(load_backbone(str(name), PLAIN).learner.body())


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        ({}, 3.0),
        ({"use_rslora": True}, 6 / 2**0.5),
        ({"alpha_pattern": {"attention.self.query": 1}}, 0.5),
        ({"alpha_pattern": {"uery": 1}}, 3.0),  # a pattern matches whole names of layers
    ],
)
def test_the_update_is_alpha_over_r_times_b_a(config, scale, base, tmp_path):
    tensors = pair()
    before, found = body(base), body(adapter(tmp_path / "a", base, tensors, **config))
    assert torch.allclose(found[WEIGHT], before[WEIGHT] + scale * update(tensors), atol=1e-6)
    assert [name for name in before if not torch.equal(before[name], found[name])] == [WEIGHT]


def test_an_adapter_beside_its_base(base, tmp_path):
    folder = Path(shutil.copytree(base, tmp_path / "m"))
    adapter(folder, "another/model", pair())
    backbone = load_backbone(str(folder), PLAIN)
    assert backbone.notes[1:] == (f"the adapter in {folder} is added to 1 weights",)
    assert torch.allclose(backbone.learner.body()[WEIGHT], body(base)[WEIGHT] + 3 * update(pair()), atol=1e-6)


def test_an_adapter_over_an_adapter_whose_path_is_relative(base, tmp_path):
    shutil.copytree(base, tmp_path / "base")
    adapter(tmp_path / "one", "../base", pair())
    two = adapter(tmp_path / "two", "../one", pair(), lora_alpha=2)
    assert torch.allclose(body(two)[WEIGHT], body(base)[WEIGHT] + 4 * update(pair()), atol=1e-5)


def test_layers_that_hold_their_matrices_turned_round(tmp_path):
    config = GPT2Config(vocab_size=len(WORDS), n_embd=8, n_layer=1, n_head=2, n_positions=32, eos_token_id=2)
    folder = saved(GPT2LMHeadModel(config), tmp_path / "m", eos_token="[EOS]")
    at = "transformer.h.0.attn.c_attn"
    tensors = pair(at, m=24)
    found = body(adapter(tmp_path / "a", folder, tensors, fan_in_fan_out=True))
    name = f"body.{at}.weight"
    assert torch.allclose(found[name], body(folder)[name] + 3 * update(tensors, at).T, atol=1e-5)


def test_embeddings_saved_weights_and_heads(base, tmp_path):
    drawn = torch.Generator().manual_seed(1)
    table = "embeddings.word_embeddings"
    a, b = torch.randn(2, len(WORDS), generator=drawn), torch.randn(8, 2, generator=drawn)
    tensors = {
        f"bert.{table}.lora_embedding_A": a,  # of a model with a head, which calls its base bert
        f"bert.{table}.lora_embedding_B": b,
        "bert.embeddings.LayerNorm.modules_to_save.weight": torch.full((8,), 2.0),
        "bert.embeddings.LayerNorm.original_module.weight": torch.full((8,), 7.0),
        "classifier.weight": torch.ones(2, 8),
    }
    folder = adapter(tmp_path / "a", base, tensors)
    backbone, before = load_backbone(str(folder), PLAIN), body(base)
    found = backbone.learner.body()
    assert torch.allclose(found[f"body.{table}.weight"], before[f"body.{table}.weight"] + 3 * (b @ a).T, atol=1e-5)
    assert torch.equal(found["body.embeddings.LayerNorm.weight"], torch.full((8,), 2.0))
    assert backbone.notes[1].endswith("; classifier.weight of a task's head is left out")


def nothing(folder: Path) -> None:
    (folder / "adapter_model.safetensors").unlink()


def config(**values: Any):
    def change(folder: Path) -> None:
        file = folder / "adapter_config.json"
        file.write_text(json.dumps({**json.loads(file.read_text()), **values}))

    return change


def tensors(made: dict[str, torch.Tensor]):
    return lambda folder: save_file(made, folder / "adapter_model.safetensors")


REFUSED = {
    "another kind": (config(peft_type="IA3"), "of the type IA3, not LORA.*merge_and_unload"),
    "DoRA": (config(use_dora=True), "use_dora is not supported.*merge_and_unload"),
    "tokens": (config(trainable_token_indices=[1]), "trainable_token_indices is not supported"),
    "an ill-typed config": (config(lora_alpha="much"), r"adapter_config\.json: the file is damaged"),
    "no weights": (nothing, r"an adapter without adapter_model\.safetensors"),
    "no base": (config(base_model_name_or_path=None), "names no base model"),
    "itself as base": (config(base_model_name_or_path="../a"), "without end"),
    "another model": (tensors(pair("layers.0.q_proj")), "has no weight matrix in the base model"),
    "another width": (tensors(pair(n=9)), "does not fit the base model"),
    "other ranks": (
        tensors({**pair(), f"{QUERY}.lora_B.weight": torch.ones(8, 3)}),
        "does not fit the base model",
    ),
    "one matrix": (tensors({f"{QUERY}.lora_A.weight": torch.ones(2, 8)}), "has no weight matrix"),
    "weights of another kind": (tensors({f"{QUERY}.lora_magnitude_vector": torch.ones(8)}), "magnitude_vector is not"),
    "damage": (lambda folder: (folder / "adapter_model.safetensors").write_bytes(b"x"), "the adapter is damaged"),
    "not a number": (
        tensors({**pair(), f"{QUERY}.lora_A.weight": torch.full((2, 8), float("inf"))}),
        "lora_A.weight holds 16 of 16 values that are no numbers",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_added_is_refused(kind, base, tmp_path):
    change, message = REFUSED[kind]
    folder = adapter(tmp_path / "a", base, pair())
    change(folder)
    with pytest.raises(MetaglotError, match=message) as refused:
        load_backbone(str(folder), PLAIN)
    assert str(folder.parent) in str(refused.value)


@pytest.mark.parametrize(
    "options",
    [
        {"lora_alpha": 8},
        {"use_rslora": True},
        {"rank_pattern": {QUERY: 3}, "alpha_pattern": {QUERY: 5}},
        {"bias": "all"},
    ],
)
def test_the_features_are_those_of_peft(options, base, tmp_path):
    peft = pytest.importorskip("peft", reason="peft is not installed; the closed forms above run anywhere")
    made = peft.get_peft_model(
        BertModel.from_pretrained(base), peft.LoraConfig(r=2, target_modules=["query", "dense"], **options)
    )
    with torch.no_grad():
        for name, value in made.named_parameters():
            if "lora_" in name:
                value.normal_(generator=torch.Generator().manual_seed(len(name)))
    made.save_pretrained(tmp_path / "a")
    model = load_model(str(tmp_path / "a"), PLAIN)
    tokens = model.encoder.backbone.tokenizer(["w1 w2 w3"], return_tensors="pt")
    with torch.no_grad():
        hidden = made.eval().base_model.model(**tokens).last_hidden_state.mean(1)
    wanted = torch.nn.functional.normalize(hidden, dim=-1).numpy()
    assert np.abs(model.embed(["w1 w2 w3"]) - wanted).max() < 1e-5


def test_an_adapter_is_part_of_the_fingerprint(base, tmp_path):
    folder = adapter(tmp_path / "a", base, pair())
    assert load_model(str(folder), PLAIN).fingerprint() != load_model(str(base), PLAIN).fingerprint()
    assert load_file(folder / "adapter_model.safetensors")
