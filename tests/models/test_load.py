"""A name becomes a backbone; what cannot be loaded is a MetaglotError with a way out."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertModel,
    GPT2Config,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    XLNetConfig,
    XLNetModel,
)

from metaglot.decoding import Decoding
from metaglot.errors import MetaglotError
from metaglot.models import Runtime, load_backbone
from metaglot.models.devices import has_fast_bf16, pick_device
from metaglot.seeds import seeded

WORDS = ("[PAD]", "[UNK]", "[EOS]", *(f"w{i}" for i in range(20)))
PLAIN = Runtime(precision="fp32", device="cpu")


def tokenizer(**special: str) -> PreTrainedTokenizerFast:
    raw = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="[UNK]", **special)


def bert_config() -> BertConfig:
    return BertConfig(
        vocab_size=len(WORDS), hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )


def saved(module, folder: Path, **special: str) -> Path:
    module.save_pretrained(folder)
    tokenizer(**special).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    with seeded(0, torch.device("cpu")):
        return saved(BertModel(bert_config()), tmp_path_factory.mktemp("bert"), pad_token="[PAD]")


@pytest.fixture
def copy(folder, tmp_path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "model"))


def encoded(backbone, *texts: str) -> dict[str, torch.Tensor]:
    found = backbone.tokenizer(list(texts), padding=True, return_tensors="pt")
    return {name: found[name] for name in ("input_ids", "attention_mask")}


def test_a_saved_folder(folder):
    backbone = load_backbone(str(folder), PLAIN)
    module = BertModel.from_pretrained(folder)
    assert backbone.name == str(folder)
    assert backbone.notes == ("fp32, sdpa attention, cpu",)
    learner = backbone.learner
    assert (learner.hidden_size, learner.decoder, learner.bf16, learner.pooling) == (8, False, False, "mean")
    own = {f"body.{name}": value for name, value in module.named_parameters()}
    body = learner.body()
    assert set(body) == set(own)
    assert all(torch.equal(body[name], own[name]) for name in own)
    assert not learner.module.training
    assert not any(value.requires_grad for value in learner.module.parameters())
    batch = encoded(backbone, "w1 w2 w3", "w4")
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    expected, real = module.eval()(**batch).last_hidden_state, batch["attention_mask"].bool()
    assert torch.allclose(learner.forward({}, batch).hidden[real], expected[real], atol=1e-6)


def test_loading_twice_gives_the_same_and_leaves_the_generator(tmp_path, folder):
    """A checkpoint without a pooler gets a random one: the same each time."""
    bare = saved(BertForMaskedLM(bert_config()), tmp_path / "mlm", pad_token="[PAD]")
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = load_backbone(str(bare), PLAIN).learner.body()
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    second = load_backbone(str(bare), PLAIN).learner.body()
    assert "body.pooler.dense.weight" in first
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize(("attention", "second_order", "used"), [("auto", True, "eager"), ("eager", False, "eager")])
def test_attention(folder, attention, second_order, used):
    backbone = load_backbone(str(folder), PLAIN._replace(attention=attention, second_order=second_order))
    assert backbone.notes == (f"fp32, {used} attention, cpu",)
    assert backbone.learner.module.config._attn_implementation == used


def test_fused_attention_is_refused_for_second_order(folder):
    with pytest.raises(MetaglotError, match="attention=eager"):
        load_backbone(str(folder), PLAIN._replace(attention="sdpa", second_order=True))


def test_bf16(folder):
    backbone = load_backbone(str(folder), PLAIN._replace(precision="bf16"))
    assert backbone.notes == ("bf16 autocast, eager attention, cpu",)
    plain = load_backbone(str(folder), PLAIN)
    batch = encoded(backbone, "w1 w2 w3", "w4")
    a, b = (one.learner.forward({}, batch).pooled for one in (backbone, plain))
    assert a.dtype == torch.float32
    assert torch.nn.functional.cosine_similarity(a, b).min() > 0.999
    auto = load_backbone(str(folder), Runtime(device="cpu"))
    assert auto.learner.bf16 == has_fast_bf16(torch.device("cpu"))


def test_a_decoder(tmp_path):
    config = GPT2Config(vocab_size=len(WORDS), n_embd=8, n_layer=1, n_head=2, n_positions=32, eos_token_id=2)
    backbone = load_backbone(str(saved(GPT2LMHeadModel(config), tmp_path, eos_token="[EOS]")), PLAIN)
    assert backbone.learner.decoder
    assert backbone.tokenizer.padding_side == "left"
    assert backbone.tokenizer.pad_token == "[EOS]"
    batch = encoded(backbone, "w1 w2", "w3 w4 w5 w6")
    assert batch["attention_mask"].tolist() == [[0, 0, 1, 1], [1, 1, 1, 1]]
    assert all(1 <= len(row) <= 2 for row in backbone.learner.generate({}, batch, Decoding(max_new_tokens=2)).tokens)
    assert backbone.learner.forward({}, batch, logits=True).logits.shape == (2, 4, len(WORDS))


def test_xlnet_which_knows_no_fused_attention(tmp_path):
    config = XLNetConfig(vocab_size=len(WORDS), d_model=8, n_layer=1, n_head=2, d_inner=16)
    path = str(saved(XLNetModel(config), tmp_path, pad_token="[PAD]"))
    backbone = load_backbone(path, PLAIN)
    assert backbone.notes == ("fp32, eager attention, cpu",)
    assert backbone.learner.forward({}, encoded(backbone, "w1 w2 w3", "w4")).pooled.shape == (2, 8)
    with pytest.raises(MetaglotError, match="attention"):
        load_backbone(path, PLAIN._replace(attention="sdpa"))


@pytest.mark.parametrize(
    ("stated", "pooling"),
    [
        ({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}, "cls"),
        ({"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}, "mean"),
        ({"pooling_mode_lasttoken": True}, "last"),
    ],
)
def test_pooling_is_read_from_a_sentence_transformers_folder(copy, stated, pooling):
    (copy / "1_Pooling").mkdir()
    (copy / "1_Pooling" / "config.json").write_text(json.dumps(stated))
    assert load_backbone(str(copy), PLAIN).learner.pooling == pooling


def truncate(path: Path) -> None:
    weights = path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])


def header(path: Path) -> None:
    weights = path / "model.safetensors"
    weights.write_bytes(b"\xff" * 64 + weights.read_bytes()[64:])


def empty(path: Path) -> None:
    (path / "model.safetensors").write_bytes(b"")


def foreign(path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"some.weight": torch.zeros(2, 2)}, path / "model.safetensors", metadata={"format": "pt"})


def other_width(path: Path) -> None:
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps({**config, "hidden_size": 16}))


def pickled(path: Path) -> None:
    torch.save({}, path / "pytorch_model.bin")
    (path / "model.safetensors").unlink()


def no_tokenizer(path: Path) -> None:
    for file in path.glob("*token*"):
        file.unlink()


def broken_tokenizer(path: Path) -> None:
    (path / "tokenizer.json").write_text("{")


def unpaddable(path: Path) -> None:
    raw = Tokenizer(models.WordLevel({"a": 0}))
    PreTrainedTokenizerFast(tokenizer_object=raw).save_pretrained(path)


DAMAGE = {
    "truncated weights": (truncate, "weights are damaged"),
    "weights without a header": (header, "weights are damaged"),
    "empty weights": (empty, "weights are damaged"),
    "weights of another model": (foreign, r"lacks .*weight"),
    "weights of another width": (other_width, "cannot be loaded"),
    "pickled weights": (pickled, r"only pickled weights \(pytorch_model.bin\).*save_pretrained"),
    "no weights": (lambda p: (p / "model.safetensors").unlink(), r"no \*\.safetensors"),
    "no config": (lambda p: (p / "config.json").unlink(), "no config.json"),
    "broken config": (lambda p: (p / "config.json").write_text("{"), "cannot be loaded"),
    "a config of no known kind": (
        lambda p: (p / "config.json").write_text('{"model_type": "abacus"}'),
        "cannot be loaded",
    ),
    "an ill-typed config": (
        lambda p: (p / "config.json").write_text('{"model_type": "bert", "hidden_size": "x"}'),
        "cannot be loaded",
    ),
    "no tokenizer": (no_tokenizer, "no usable tokenizer"),
    "a broken tokenizer": (broken_tokenizer, "no usable tokenizer"),
    "a tokenizer that cannot pad": (unpaddable, "no token to pad with"),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_damage_is_told_with_the_folder(copy, kind):
    damage, message = DAMAGE[kind]
    damage(copy)
    with pytest.raises(MetaglotError, match=message) as told:
        load_backbone(str(copy), PLAIN)
    assert str(copy) in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("/nowhere/model", "no such model folder; use builtin:mini"),
        ("./model", "no such model folder"),
        ("~/no/such/model", "no such model folder"),
        ("a/b/c", "no such model folder"),
        ("builtin:maxilm", "maxilm"),
        ("", "no such model folder"),
        ("nobody/no-such-model-v1.5", "neither .* folder"),
        ("no-such-model", "neither .* folder"),
    ],
)
def test_names_that_lead_nowhere(name, message):
    with pytest.raises(MetaglotError, match=message):
        load_backbone(name, PLAIN)


def test_a_file_is_not_a_folder(folder):
    with pytest.raises(MetaglotError, match="is a file"):
        load_backbone(str(folder / "model.safetensors"), PLAIN)


@pytest.mark.parametrize("name", ["gpu", "", "cpu:x", "meta", "cuda:99", "cuda:999", "cuda:256", "cpu:256", "xpu"])
def test_an_unknown_or_absent_device(name, folder):
    with pytest.raises(MetaglotError, match="use auto, cpu"):
        load_backbone(str(folder), PLAIN._replace(device=name))


def test_devices():
    assert pick_device("cpu") == torch.device("cpu")
    assert pick_device("auto").type in ("cpu", "cuda", "mps")
