"""Loading with the language-model head, and loading what a run has learnt."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.models.test_load import PLAIN, WORDS, bert_config, saved
from transformers import BertForMaskedLM, BertModel, Gemma2Config, Gemma2ForCausalLM, GPT2Config, GPT2LMHeadModel

from metaglot.adaptation import load_model
from metaglot.data.folders import check_model, locate, root_of
from metaglot.errors import MetaglotError
from metaglot.models import Backbone, load_backbone
from metaglot.seeds import seeded

CPU = torch.device("cpu")
LANGUAGE = PLAIN._replace(language=True)
BATCH = {"input_ids": torch.tensor([[3, 4, 5], [6, 7, 0]]), "attention_mask": torch.tensor([[1, 1, 1], [1, 1, 0]])}


def random_bert(kind=BertForMaskedLM):
    with seeded(0, CPU):
        return kind(bert_config()).eval()


@pytest.fixture(scope="module")
def masked(tmp_path_factory) -> Path:
    return saved(random_bert(), tmp_path_factory.mktemp("masked"), pad_token="[PAD]")


@pytest.fixture(scope="module")
def headless(tmp_path_factory) -> Path:
    return saved(random_bert(BertModel), tmp_path_factory.mktemp("headless"), pad_token="[PAD]")


def test_the_head_of_the_file(masked):
    backbone = load_backbone(str(masked), LANGUAGE)
    assert backbone.notes == ("fp32, sdpa attention, cpu",)
    found = backbone.learner.forward({}, BATCH, logits=True).logits
    assert torch.allclose(found, random_bert()(**BATCH).logits, atol=1e-6)
    assert len(backbone.learner.language_head()) == 5
    plain = load_backbone(str(masked), PLAIN).learner
    assert plain.language is None
    assert plain.language_head() == {}
    unread = {"body.pooler.dense.weight", "body.pooler.dense.bias"}
    assert set(plain.body()) == {*backbone.learner.body(), *unread}
    assert torch.equal(plain.forward({}, BATCH).pooled, backbone.learner.forward({}, BATCH).pooled)
    assert not any(v.requires_grad for v in (backbone.learner.language or plain.module).parameters())


def test_a_head_that_the_file_lacks_is_made_anew_and_the_same(headless):
    torch.manual_seed(1)
    a, b = (load_backbone(str(headless), LANGUAGE) for _ in range(2))
    assert a.notes[1:] == (f"the language-model head is new: {headless} has none",)
    heads = [one.learner.language_head() for one in (a, b)]
    assert len(heads[0]) == 5
    assert all(torch.equal(heads[0][n], heads[1][n]) for n in heads[0])
    assert bool(heads[0]["lm.cls.predictions.transform.dense.weight"].any())
    plain = load_backbone(str(headless), PLAIN)
    assert len(plain.notes) == 1
    assert torch.equal(plain.learner.forward({}, BATCH).pooled, a.learner.forward({}, BATCH).pooled)


def test_a_part_of_a_head_that_the_file_lacks_is_told(masked, tmp_path):
    folder = Path(shutil.copytree(masked, tmp_path / "m"))
    tensors = load_file(folder / "model.safetensors")
    del tensors["cls.predictions.transform.LayerNorm.weight"]
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    (note,) = load_backbone(str(folder), LANGUAGE).notes[1:]
    assert note.endswith("has no cls.predictions.transform.LayerNorm.weight")


def test_the_small_built_in_model_has_one(tiny):
    backbone = load_backbone(tiny, LANGUAGE)
    assert len(backbone.notes) == 1
    text = dict(backbone.tokenizer("the capital of france is [MASK] .", return_tensors="pt"))
    whole = BertForMaskedLM.from_pretrained(locate(tiny)).eval()
    scores = backbone.learner.forward({}, text, logits=True).logits
    assert scores.shape[-1] == 30_522
    assert torch.allclose(scores, whole(**text).logits, atol=1e-4)


def test_a_body_that_does_not_fit_is_refused_with_the_head_too(headless, tmp_path):
    folder = Path(shutil.copytree(headless, tmp_path / "m"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 2}))
    with pytest.raises(MetaglotError, match=r"lacks 16 weights of the model, such as bert\.encoder\.layer\.1"):
        load_backbone(str(folder), LANGUAGE)


def test_a_decoder_whose_logits_are_bounded_is_refused(tmp_path):
    shape = {
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "head_dim": 4,
    }
    config = Gemma2Config(vocab_size=len(WORDS), intermediate_size=16, pad_token_id=0, bos_token_id=1, **shape)
    folder = saved(Gemma2ForCausalLM(config), tmp_path / "m", pad_token="[PAD]")
    assert load_backbone(str(folder), PLAIN).learner.decoder
    with pytest.raises(MetaglotError, match=r"m: the language-model head of Gemma2ForCausalLM cannot be run apart"):
        load_backbone(str(folder), LANGUAGE)
    config = GPT2Config(vocab_size=len(WORDS), n_embd=8, n_layer=1, n_head=2, bos_token_id=2, eos_token_id=2)
    folder = saved(GPT2LMHeadModel(config), tmp_path / "g", pad_token="[PAD]")
    assert load_backbone(str(folder), LANGUAGE).learner.language is None


def run_of(folder: Path, base: str, params: dict[str, torch.Tensor], **described) -> Path:
    """A run directory with one checkpoint."""
    step = folder / "checkpoints" / "step-7"
    step.mkdir(parents=True)
    save_file({n: v.contiguous() for n, v in params.items()}, step / "params.safetensors")
    (folder / "model.json").write_text(json.dumps({"base": base, "max_length": 8, **described}))
    return folder


def learnt(backbone: Backbone, seed: int = 0) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    own = {**backbone.learner.body(), **backbone.learner.language_head()}
    found = {n: v + torch.randn(v.shape, generator=rng) for n, v in own.items()}
    return {**found, "algorithm.head.log_scale": torch.zeros(()), "heads.x.weight": torch.zeros(2, 8)}


def test_a_run_is_its_base_with_what_was_learnt(masked, tmp_path):
    before = load_backbone(str(masked), LANGUAGE)
    params = learnt(before)
    name = str(run_of(tmp_path / "run", str(masked), params))
    found = load_backbone(name, LANGUAGE)
    assert (found.name, found.notes) == (name, before.notes)
    a, b = (one.forward(p, BATCH, logits=True).logits for one, p in ((found.learner, {}), (before.learner, params)))
    assert torch.equal(a, b)
    plain = load_backbone(name, PLAIN).learner
    assert torch.equal(plain.forward({}, BATCH).pooled, before.learner.forward(params, BATCH).pooled)
    some = {n: v for n, v in params.items() if n.startswith("lm.") or ".layer.0." in n}
    partial = load_backbone(str(run_of(tmp_path / "partial", str(masked), some)), LANGUAGE).learner
    expected = before.learner.forward(some, BATCH, logits=True).logits
    assert torch.equal(partial.forward({}, BATCH, logits=True).logits, expected)
    again = load_backbone(str(run_of(tmp_path / "again", name, {})), LANGUAGE).learner
    assert torch.equal(again.forward({}, BATCH, logits=True).logits, a)


def test_a_head_that_the_run_learnt_is_not_new(headless, tmp_path):
    before = load_backbone(str(headless), LANGUAGE)
    with_head = run_of(tmp_path / "a", str(headless), learnt(before))
    body = {n: v for n, v in learnt(before).items() if n.startswith("body.")}
    without = run_of(tmp_path / "b", str(headless), body)
    assert len(load_backbone(str(with_head), LANGUAGE).notes) == 1
    assert "is new" in load_backbone(str(without), LANGUAGE).notes[1]
    pooler = {"body.pooler.dense.bias": torch.ones(8)}
    of_plain = run_of(tmp_path / "c", str(headless), pooler)
    assert load_backbone(str(of_plain), LANGUAGE).learner.language is not None
    assert bool((load_backbone(str(of_plain), PLAIN).learner.body()["body.pooler.dense.bias"] == 1).all())


def test_a_run_goes_where_it_likes_with_its_own_base(masked, tmp_path, monkeypatch):
    params = learnt(load_backbone(str(masked), LANGUAGE))
    run = run_of(tmp_path / "run", "base", params)
    shutil.copytree(masked, run / "base")
    monkeypatch.chdir(tmp_path)
    expected = load_backbone("run", PLAIN).learner.forward({}, BATCH).pooled
    moved = run.rename(tmp_path / "elsewhere")
    assert root_of(str(moved)) == str(moved / "base")
    check_model(str(moved))
    assert torch.equal(load_backbone(str(moved), PLAIN).learner.forward({}, BATCH).pooled, expected)
    model = load_model(str(moved), PLAIN)
    assert torch.allclose(model.encoder.backbone.learner.forward(model.encoder.meta, BATCH).pooled, expected, atol=1e-6)


def test_runs_that_cannot_be_loaded_say_why(masked, tmp_path):
    params = learnt(load_backbone(str(masked), LANGUAGE))
    name = "body.encoder.layer.0.output.dense.weight"
    wrong = run_of(tmp_path / "wrong", str(masked), {name: torch.zeros(2, 2)})
    other = run_of(tmp_path / "other", str(masked), {**params, "lm.nowhere": torch.zeros(2)})
    for folder, what in ((wrong, name), (other, "lm.nowhere")):
        with pytest.raises(MetaglotError, match=f"its {what} does not fit the base model"):
            load_backbone(str(folder), LANGUAGE)
    assert load_backbone(str(other), PLAIN).learner.language is None
    (wrong / "checkpoints" / "step-7" / "params.safetensors").write_bytes(b"short")
    with pytest.raises(MetaglotError, match="step-7: the checkpoint is damaged"):
        load_backbone(str(wrong), PLAIN)
    itself = run_of(tmp_path / "itself", str(tmp_path / "itself"), params)
    for call in (lambda: load_backbone(str(itself), PLAIN), lambda: check_model(str(itself))):
        with pytest.raises(MetaglotError, match="its base is the run itself"):
            call()
