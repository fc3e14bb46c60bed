"""Models of random weights: the folder loads, is the same each time, and says what is wrong with its settings."""

from pathlib import Path

import pytest
import torch
from tests.models.test_load import PLAIN, WORDS, tokenizer
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM

from metaglot.decoding import Decoding
from metaglot.errors import MetaglotError
from metaglot.families.language import CausalLm, MaskedLm, objective_of
from metaglot.loading import load
from metaglot.models import load_backbone
from metaglot.models.scratch import is_decoder, is_seq2seq, make_backbone

LANGUAGE = PLAIN._replace(language=True)
SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
WIDE = {**SMALL, "intermediate_size": 32}
NARROW = {**WIDE, "embedding_size": 8}
ENCODERS = {
    "bert": WIDE,
    "roberta": WIDE,
    "electra": NARROW,
    "albert": NARROW,
    "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
    "modernbert": WIDE,
    "deberta-v2": WIDE,
}
DECODERS = {
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2},
    "llama": WIDE,
    "qwen2": {**WIDE, "num_key_value_heads": 2},
}
BERT = {"pad_token": "[PAD]", "mask_token": "w0", "cls_token": "w1", "sep_token": "w2"}
GPT = {"eos_token": "[EOS]", "bos_token": "[EOS]", "pad_token": "[EOS]"}


def made(kind: str, folder: Path, *, seed: int = 0, **more) -> Path:
    special = GPT if kind in DECODERS else BERT
    return make_backbone(kind, {**{**ENCODERS, **DECODERS}[kind], **more}, tokenizer(**special), folder, seed=seed)


@pytest.mark.parametrize("kind", [*ENCODERS, *DECODERS])
def test_a_model_of_each_kind_loads_with_its_head(kind, tmp_path):
    folder = made(kind, tmp_path / "a" / "model")
    assert is_decoder(kind) == (kind in DECODERS)
    backbone = load_backbone(str(folder), LANGUAGE)
    learner = backbone.learner
    assert (learner.decoder, learner.hidden_size) == (kind in DECODERS, 16)
    assert len(backbone.notes) == 1, "the head is that of the file"
    batch = {"input_ids": torch.tensor([[5, 6, 7, 8]]), "attention_mask": torch.ones(1, 4, dtype=torch.int64)}
    auto = AutoModelForCausalLM if learner.decoder else AutoModelForMaskedLM
    whole = auto.from_pretrained(folder).eval()
    scores = learner.forward({}, batch, logits=True).logits
    assert scores.shape == (1, 4, len(WORDS))
    assert torch.allclose(scores, whole(**batch).logits, atol=1e-5)
    config = AutoConfig.from_pretrained(folder)
    assert config.vocab_size == len(WORDS)
    if learner.decoder:
        assert config.eos_token_id == 2
        assert config.pad_token_id is None, "the end of a text must keep an embedding"
        assert learner.embedding.padding is None
        assert isinstance(objective_of(backbone), CausalLm)
    else:
        assert config.pad_token_id == 0
        objective = objective_of(backbone, share=0.2)
        assert isinstance(objective, MaskedLm)
        assert (objective.mask_token_id, objective.vocabulary_size, objective.share) == (3, len(WORDS), 0.2)
        assert objective.special == {0, 1, 3, 4, 5}
    plain = load_backbone(str(folder), PLAIN)
    assert torch.allclose(plain.learner.forward({}, batch).pooled, learner.forward({}, batch).pooled, atol=1e-6)
    assert sum(v.numel() for v in learner.body().values()) > 1000


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    a, b, other = (made("bert", tmp_path / n, seed=s) for n, s in (("a", 0), ("b", 0), ("c", 1)))
    names = {path.name for path in a.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= names
    assert all((a / name).read_bytes() == (b / name).read_bytes() for name in names)
    assert (a / "model.safetensors").read_bytes() != (other / "model.safetensors").read_bytes()
    torch.manual_seed(4)
    state = torch.get_rng_state()
    made("bert", tmp_path / "d")
    assert torch.equal(state, torch.get_rng_state())
    assert not list(tmp_path.glob(".*")), "nothing is left beside"


T5 = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2}
HALVES = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2}
HALVES |= {"decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "max_position_embeddings": 32}


@pytest.mark.parametrize("special", [BERT, GPT], ids=["bert", "gpt"])
@pytest.mark.parametrize(("kind", "values"), [("t5", T5), ("bart", HALVES), ("marian", HALVES)])
def test_an_encoder_with_a_decoder_learns_to_write_and_writes(kind, values, special, tmp_path):
    folder = make_backbone(kind, values, tokenizer(**special), tmp_path / "m", seed=0)
    assert (is_decoder(kind), is_seq2seq(kind)) == (False, True)
    learner = load_backbone(str(folder), LANGUAGE).learner
    assert (learner.seq2seq, learner.hidden_size) == (True, 16)
    ids = torch.tensor([[5, 6, 7], [8, 9, 2]])
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids}
    params = {n: v.clone().requires_grad_() for n, v in learner.body().items()}
    losses = []
    for _ in range(30):
        logits = learner.forward(params, batch, logits=True).logits
        loss = torch.nn.functional.cross_entropy(logits, ids.flatten())
        grads = torch.autograd.grad(loss, [*params.values()], allow_unused=True)
        losses.append(loss.item())
        with torch.no_grad():
            for value, grad in zip(params.values(), grads, strict=True):
                value.sub_(0.0 if grad is None else 0.05 * grad.sign())
    assert min(losses) < 0.5 * losses[0]
    fitted = {n: v.detach() for n, v in params.items()}
    assert all(1 <= len(row) <= 3 for row in learner.generate(fitted, batch, Decoding(max_new_tokens=3)).tokens)


def test_an_encoder_with_a_decoder_adapts_to_texts_that_are_written(tmp_path):
    sources, targets = ["w1 w2", "w3 w4", "w5 w6"] * 2, ["w2 w1", "w4 w3", "w6 w5"] * 2
    folder = make_backbone("marian", HALVES, tokenizer(**GPT), tmp_path / "m", seed=0)
    adapted = load(str(folder), precision="fp32").adapt(sources, targets, task="generation")
    written = adapted.predict(["w1 w2", "w5"])
    assert [type(text) for text in written] == [str, str]
    adapted.save(tmp_path / "adapted")
    assert load(tmp_path / "adapted").predict(["w1 w2", "w5"]) == written


def test_settings_by_another_name_and_a_larger_vocabulary(tmp_path):
    values = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 64}
    folder = make_backbone("gpt2", values, tokenizer(**GPT), tmp_path / "m", seed=0)
    learner = load_backbone(str(folder), PLAIN).learner
    assert learner.hidden_size == 16
    assert len(learner.body()[f"body.{learner.embedding.name}"]) == 64


@pytest.mark.parametrize(
    ("kind", "values", "said"),
    [
        ("bret", {}, r"'bret' \(did you mean 'bert'\?\).*gpt2"),
        ("", {}, "such as bert"),
        ("xlm", {}, "kind 'xlm'"),
        ("gemma3", {}, "kind 'gemma3'"),
        ("encoder-decoder", {}, "kind 'encoder-decoder'"),
        ("bart", {"decoder_start_token_id": 3}, "decoder_start_token_id is not yours to set"),
        ("bert", {"hiden_size": 16}, r"unknown setting 'hiden_size'; did you mean hidden_size"),
        ("bert", {"zzzz": 16}, r"unknown setting 'zzzz'; it has .*num_hidden_layers"),
        ("bert", {"pad_token_id": 3}, "pad_token_id is not yours to set"),
        ("bert", {"is_decoder": True}, "is_decoder is not yours to set"),
        ("bert", {"vocab_size": 10}, "vocab_size is below the 23 tokens"),
        ("bert", {"hidden_size": "many"}, "given: hidden_size.*expected int"),
        ("bert", {"hidden_size": 15, "num_attention_heads": 2}, "15"),
        ("bert", {"hidden_act": "magic"}, "magic"),
        ("bert", {**WIDE, "num_hidden_layers": 0}, "without layers"),
        ("bert", {**WIDE, "hidden_size": 0}, "no model can be made"),
        ("bert", {"vocab_size": "many"}, "no model can be made|vocab_size"),
    ],
)
def test_what_cannot_be_made_says_why(tmp_path, kind, values, said):
    with pytest.raises(MetaglotError, match=said):
        make_backbone(kind, values, tokenizer(**BERT), tmp_path / "m", seed=0)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_exists_is_left_alone(tmp_path):
    with pytest.raises(MetaglotError, match="exists"):
        make_backbone("bert", WIDE, tokenizer(**BERT), tmp_path, seed=0)
    assert not list(tmp_path.iterdir())


def test_an_objective_needs_a_head_and_a_mask(tmp_path):
    folder = made("bert", tmp_path / "m")
    with pytest.raises(MetaglotError, match="loaded without its language-model head"):
        objective_of(load_backbone(str(folder), PLAIN))
    backbone = load_backbone(str(folder), LANGUAGE)
    with pytest.raises(MetaglotError, match=r"above 0 and below 1, got 1\.5"):
        objective_of(backbone, share=1.5)
    bare = make_backbone("bert", WIDE, tokenizer(pad_token="[PAD]"), tmp_path / "bare", seed=0)
    with pytest.raises(MetaglotError, match="no token to mask with"):
        objective_of(load_backbone(str(bare), LANGUAGE))
