"""What stands in a config or in weights does no harm: no code is fetched, and no network fails late."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from tests.models.test_load import PLAIN, WORDS, bert_config, saved
from transformers import (
    BertModel,
    DebertaConfig,
    DebertaModel,
    OPTConfig,
    OPTForCausalLM,
    T5Config,
    T5EncoderModel,
    T5ForConditionalGeneration,
    XmodConfig,
    XmodModel,
)

from metaglot.adaptation import load_model
from metaglot.data.folders import latest
from metaglot.data.manifest import write_manifest
from metaglot.errors import MetaglotError
from metaglot.models import load_backbone
from metaglot.seeds import seeded

TEXTS, LABELS = ["w1 w2", "w1 w3 w4", "w10 w11 w12 w13", "w10 w14"], ["a", "a", "b", "b"]
SMALL: dict[str, Any] = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "vocab_size": len(WORDS),
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
T5: dict[str, Any] = {
    "vocab_size": len(WORDS),
    "d_model": 16,
    "d_kv": 8,
    "d_ff": 32,
    "num_layers": 2,
    "num_decoder_layers": 2,
    "num_heads": 2,
    "pad_token_id": 0,
    "eos_token_id": 2,
    "decoder_start_token_id": 0,
}
OPT: dict[str, Any] = {
    **{name: value for name, value in SMALL.items() if name != "intermediate_size"},
    "ffn_dim": 32,
    "word_embed_proj_dim": 8,
    "bos_token_id": 2,
    "eos_token_id": 2,
}


def deberta() -> Any:
    config = DebertaConfig(**SMALL, relative_attention=True, pos_att_type=["p2c", "c2p"], position_biased_input=False)
    return DebertaModel(config)


def xmod() -> Any:
    return XmodModel(XmodConfig(**SMALL, languages=("en_XX",), default_language="en_XX"))


NETWORKS = {
    "deberta": (deberta, 16, "runs in fp32"),
    "xmod": (xmod, 16, "runs in fp32"),
    "opt with projections": (lambda: OPTForCausalLM(OPTConfig(**OPT)), 8, None),
    "the encoder of t5": (lambda: T5EncoderModel(T5Config(**T5)), 16, None),
    "t5": (lambda: T5ForConditionalGeneration(T5Config(**T5)), 16, "the encoder alone is used"),
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_networks_of_other_forms_adapt_in_bf16_or_say_why_not(kind, tmp_path):
    make, width, note = NETWORKS[kind]
    with seeded(0, torch.device("cpu")):
        folder = saved(make(), tmp_path / "m", pad_token="[PAD]")
    model = load_model(str(folder), PLAIN._replace(precision="bf16"))
    assert [one for one in model.encoder.backbone.notes[1:] if note and note in one] == list(
        model.encoder.backbone.notes[1:]
    )
    assert bool(note) == bool(model.encoder.backbone.notes[1:])
    assert model.encoder.precision == ("fp32" if note == "runs in fp32" else "bf16")
    assert model.embed(TEXTS).shape == (4, width)
    adapted = model.adapt(TEXTS, LABELS, effort="fast", seed=0)
    assert torch.isfinite(torch.as_tensor(adapted.predict_proba(TEXTS))).all()


def test_the_encoder_of_t5_is_that_of_the_whole(tmp_path):
    with seeded(0, torch.device("cpu")):
        whole = T5ForConditionalGeneration(T5Config(**T5)).eval()
    model = load_model(str(saved(whole, tmp_path / "m", pad_token="[PAD]")), PLAIN)
    tokens = model.encoder.backbone.tokenizer(TEXTS[:1], return_tensors="pt")["input_ids"]
    hidden = whole.encoder(input_ids=tokens).last_hidden_state.mean(1)
    assert torch.allclose(
        torch.as_tensor(model.embed(TEXTS[:1])), torch.nn.functional.normalize(hidden, dim=-1).detach(), atol=1e-5
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    with seeded(0, torch.device("cpu")):
        return saved(BertModel(bert_config()), tmp_path_factory.mktemp("bert"), pad_token="[PAD]")


@pytest.fixture
def copy(folder, tmp_path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "m"))


def spoil(file: Path, name: str, value: float) -> None:
    weights = load_file(file)
    weights[name].view(-1)[3] = value
    save_file(weights, file, {"format": "pt"})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_no_numbers_are_named(value, copy):
    name = "encoder.layer.0.output.dense.weight"
    spoil(copy / "model.safetensors", name, value)
    with pytest.raises(MetaglotError, match=rf"{copy}: the weight {name} holds 1 of 128 .* {value} at \[0, 3\]"):
        load_backbone(str(copy), PLAIN)


def test_an_adaptation_that_holds_no_numbers(copy, tmp_path):
    from metaglot.adaptation import Adapted

    load_model(str(copy), PLAIN).adapt(TEXTS, LABELS, effort="instant").save(str(tmp_path / "a"))
    spoil(tmp_path / "a" / "weights.safetensors", "head.weight", float("nan"))
    stated = json.loads((tmp_path / "a" / "adapted.json").read_text("utf-8"))
    del stated["seal"], stated["weights_sha256"]  # as earlier versions wrote it
    (tmp_path / "a" / "adapted.json").write_text(json.dumps(stated), "utf-8")
    with pytest.raises(MetaglotError, match=r"the weight head\.weight holds 1 of"):
        Adapted.load(str(tmp_path / "a"))


def test_a_run_that_holds_no_numbers(small_recipe, metaglot):
    assert metaglot("pretrain", small_recipe, "--out", "run", "--quiet").code == 0
    checkpoint = latest(Path("run"))
    assert checkpoint is not None
    file = checkpoint / "params.safetensors"
    name = next(name for name in load_file(file) if name.endswith("query.weight"))
    spoil(file, name, float("inf"))
    write_manifest(checkpoint)
    with pytest.raises(MetaglotError, match=rf"{checkpoint}: the weight {name} holds 1 of"):
        load_model("run", PLAIN)
    with pytest.raises(MetaglotError, match=rf"the weight {name} holds"):
        load_backbone("run", PLAIN)


@pytest.mark.parametrize("key", ["_attn_implementation", "attn_implementation", "_attn_implementation_internal"])
def test_a_config_fetches_no_attention_code(key, copy, monkeypatch):
    asked: list[Any] = []
    monkeypatch.setattr("transformers.modeling_utils.lazy_import_flash_attention", lambda *a, **k: asked.append(a))
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, key: "somebody/kernel"}))
    for runtime in (PLAIN, PLAIN._replace(second_order=True)):
        used = load_backbone(str(copy), runtime).learner.module.config._attn_implementation
        assert used == ("eager" if runtime.second_order else "sdpa")
    assert asked == []


def test_transformers_is_silent_and_keeps_its_settings(folder, copy, capfd):
    before = transformers.logging.get_verbosity(), transformers.logging.is_progress_bar_enabled()
    try:
        transformers.logging.set_verbosity(logging.INFO)
        transformers.logging.enable_progress_bar()
        weights = {**load_file(copy / "model.safetensors"), "unexpected.weight": torch.zeros(2)}
        save_file(weights, copy / "model.safetensors", {"format": "pt"})
        capfd.readouterr()
        load_model(str(copy))
        said = capfd.readouterr()
        assert said.out + said.err == ""
        assert transformers.logging.get_verbosity() == logging.INFO
        assert transformers.logging.is_progress_bar_enabled()
        BertModel.from_pretrained(folder)  # its own user still sees what was asked for
        assert "Loading weights" in capfd.readouterr().err
    finally:
        transformers.logging.set_verbosity(before[0])
        (transformers.logging.enable_progress_bar if before[1] else transformers.logging.disable_progress_bar)()


def test_a_network_that_cannot_be_run_is_refused_when_it_is_loaded(copy, monkeypatch):
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no such operation")

    monkeypatch.setattr(BertModel, "forward", broken)
    with pytest.raises(MetaglotError, match=r"cannot be run on texts \(no such operation\)"):
        load_backbone(str(copy), PLAIN._replace(precision="bf16"))


def test_an_unknown_precision(folder):
    with pytest.raises(MetaglotError, match="unknown precision 'fp16'; use auto, bf16 or fp32"):
        load_backbone(str(folder), PLAIN._replace(precision="fp16"))  # type: ignore[arg-type]
