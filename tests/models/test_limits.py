"""How long and how short a text may be, for networks of every kind: right features, or an error with the way out."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.models import architectures
from tests.models.architectures import ARCHITECTURES, BART, PAD, POSITIONS, network_learner, saved_network
from tests.models.architectures import word_tokenizer as tokenizer_of_words
from tests.models.test_probe import apart, batch_of, learner_of, texts_of
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from metaglot.adaptation import Model, load_model
from metaglot.errors import MetaglotError
from metaglot.models.limits import check_length, longest
from metaglot.models.load import Backbone
from metaglot.models.probe import SAFE

UNBOUNDED = {"bloom", "funnel", "mamba", "mt5", "t5", "umt5", "xlnet"}
"""Networks without positions, or with relative ones."""
LIES = {"data2vec-text", "led", "mpt", "xmod"}
"""Networks whose config names more positions than there are, or none by the usual key."""
TEXTS, LABELS = ["w1 w2 w3", "w4 w5", "", "w6", "w7 w8 w9", "w10"], ["a", "b", "a", "b", "a", "b"]
TYPED = {"model_input_names": ["input_ids", "token_type_ids", "attention_mask"]}
REFORMER: dict[str, Any] = {
    "hidden_size": 32,
    "num_attention_heads": 4,
    "attention_head_size": 8,
    "feed_forward_size": 64,
    "max_position_embeddings": 64,
    "axial_pos_shape": [8, 8],
    "axial_pos_embds_dim": [16, 16],
    "is_decoder": False,
    "lsh_attn_chunk_length": 4,
    "local_attn_chunk_length": 4,
    "num_hashes": 1,
    "num_buckets": 4,
}
ODD: dict[str, dict[str, Any]] = {
    "bigbird_pegasus": {**BART, "block_size": 2},
    "canine": {**architectures.PLAIN, "downsampling_rate": 2, "num_hash_buckets": 8, "local_transformer_stride": 4},
    "reformer": REFORMER,
    "rwkv": {"hidden_size": 32, "num_hidden_layers": 2, "attention_hidden_size": 32, "context_length": POSITIONS},
}


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> None:
    """Networks that are no good for most things."""
    monkeypatch.setattr(architectures, "ARCHITECTURES", {**ARCHITECTURES, **ODD})


def backbone_of(kind: str, **settings: Any) -> Backbone:
    return Backbone(network_learner(kind, **settings), tokenizer_of_words(), kind, ())


@pytest.mark.slow
def test_every_network_reads_texts_up_to_its_limit_and_no_longer():
    found = {kind: longest(backbone_of(kind), 100) for kind in ARCHITECTURES}
    expected = {kind: 100 if kind in UNBOUNDED else POSITIONS for kind in ARCHITECTURES}
    assert found == {**expected, "esm": POSITIONS + PAD + 1}  # rotary: its config is believed
    assert len(found) > 60
    for kind in sorted(SAFE | LIES):
        learner = learner_of(kind)
        texts = texts_of([found[kind], 7, found[kind]], seed=1)
        hidden = learner.forward({}, batch_of(texts)).hidden
        assert bool(hidden.isfinite().all()), kind
        if kind in LIES:
            with pytest.raises((IndexError, RuntimeError)):
                learner.forward({}, batch_of([[5] * (found[kind] + 1), [6]]))


def test_an_esm_with_a_table_of_positions_counts_them_from_after_padding():
    assert longest(backbone_of("esm", position_embedding_type="absolute"), 100) == POSITIONS


def test_more_tokens_than_there_are_positions_are_refused_by_the_number_there_are():
    backbone = backbone_of("led")
    check_length(backbone, POSITIONS, "model")
    with pytest.raises(MetaglotError, match=rf"model: max_length is {POSITIONS + 1} tokens, but led takes at most 40"):
        check_length(backbone, POSITIONS + 1, "model")


@pytest.mark.parametrize("length", [-1, 0, 1, 3])
def test_too_few_tokens_for_any_text_are_refused(length):
    with pytest.raises(MetaglotError, match=f"where: max_length is {length} tokens, but a text needs at least 4"):
        check_length(backbone_of("bert"), length, "where")


def test_a_prompt_that_leaves_no_room_is_refused():
    backbone = backbone_of("bert")._replace(prompt="w1 w2 w3 ")
    check_length(backbone, 6, "where")
    with pytest.raises(MetaglotError, match="special tokens and the prompt take 5 of them"):
        check_length(backbone, 5, "where")


@pytest.mark.parametrize("kind", ["bert", "ernie", "roberta", "data2vec-text"])
@pytest.mark.parametrize("positions", [4, 5, 9, 13])
def test_a_network_of_few_positions_reads_the_start_of_a_text(tmp_path, kind, positions):
    rows = positions + (PAD + 1 if kind in ("roberta", "data2vec-text") else 0)
    model = load_model(saved_network(tmp_path, kind, max_position_embeddings=rows))
    assert model.max_length == positions
    exact = " ".join(f"w{i}" for i in range(positions - 2))
    longer = [exact, f"{exact} w50", f"{exact} w51 w52 w53"]
    assert model.cut(longer) == 2
    assert np.allclose(model.embed(longer), model.embed([exact]), atol=1e-5)
    adapted = model.adapt([*TEXTS, *longer], [*LABELS, "a", "b", "a"], effort="instant")
    assert len(adapted.predict(longer)) == 3


@pytest.mark.parametrize("kind", ["bert", "ernie", "llama"])
@pytest.mark.parametrize("positions", [1, 3])
def test_a_network_with_no_room_for_a_text_is_refused(tmp_path, kind, positions):
    folder = saved_network(tmp_path, kind, max_position_embeddings=positions)
    with pytest.raises(MetaglotError, match=f"allows {positions} tokens, but a text needs at least 4; correct"):
        load_model(folder)


def test_a_config_of_other_positions_than_the_table_is_refused(tmp_path):
    folder = saved_network(tmp_path, "ernie")
    config = json.loads((folder / "config.json").read_text())
    for positions in (20, 80):
        (folder / "config.json").write_text(json.dumps({**config, "max_position_embeddings": positions}))
        with pytest.raises(MetaglotError, match="cannot be loaded"):
            load_model(folder)


def test_pairs_need_room_for_both_texts(tmp_path):
    model = load_model(saved_network(tmp_path, "bert", max_position_embeddings=5))
    assert model.adapt(TEXTS, LABELS, pairs=TEXTS[::-1], effort="instant", reads="both").predict(TEXTS, TEXTS)
    with pytest.raises(MetaglotError, match="special tokens take 3 of them, so that nothing of a pair"):
        Model(replace(model.encoder, max_length=4)).adapt(TEXTS, LABELS, pairs=TEXTS[::-1], effort="instant")


@pytest.mark.parametrize("blocks", [[1, 1], [1, 1, 1]])
def test_a_funnel_gives_short_texts_the_same_features_anywhere(blocks):
    settings = {"block_sizes": blocks, "block_repeats": [1] * len(blocks)}
    learner = learner_of("funnel", **settings)
    assert learner.least > 1
    texts = [[5], [6, 7], [8], [9, 10, 11, 12, 13, 14], [15, 16, 17]]
    alone = [learner.forward({}, batch_of([text])).pooled[0] for text in texts]
    together = learner.forward({}, batch_of(texts)).pooled
    assert all(apart(found, expected) < 1e-4 for found, expected in zip(together, alone, strict=True))
    assert apart(alone[0], alone[2]) > 0.01


@pytest.mark.parametrize("kind", ["bert", "roberta", "ernie", "deberta", "albert"])
def test_a_network_of_one_type_of_tokens_reads_pairs_without_types(tmp_path, kind):
    model = load_model(saved_network(tmp_path, kind, type_vocab_size=1, tokenizer=TYPED))
    assert any(
        "types of tokens are left out: the tokenizer gives 2, the network has 1" in n
        for n in model.encoder.backbone.notes
    )
    adapted = model.adapt(TEXTS, LABELS, pairs=TEXTS[::-1], effort="instant", reads="both")
    plain = load_model(saved_network(tmp_path / "plain", kind, type_vocab_size=1))
    assert np.array_equal(plain.embed(TEXTS, pairs=TEXTS), model.embed(TEXTS, pairs=TEXTS))
    assert len(adapted.predict(TEXTS, TEXTS)) == len(TEXTS)


@pytest.mark.usefixtures("odd")
class TestNetworksThatCannot:
    """Each is refused when it is loaded, or when a gradient of it is asked for, and never by a traceback."""

    def test_a_reformer_that_draws_at_random(self, tmp_path):
        folder = saved_network(tmp_path, "reformer", attn_layers=["local", "lsh"])
        with pytest.raises(MetaglotError, match="a reformer gives a text other features each time"):
            load_model(folder)

    @pytest.mark.parametrize(("kind", "settings"), [("reformer", {"attn_layers": ["local", "local"]}), ("rwkv", {})])
    def test_networks_without_a_gradient(self, tmp_path, kind, settings):
        model = load_model(saved_network(tmp_path, kind, **settings))
        assert len(model.adapt(TEXTS, LABELS, effort="instant").predict(["", "w1", " ".join(["w2"] * 200)])) == 3
        with pytest.raises(MetaglotError, match=r"no gradient of its network can be taken .* effort instant"):
            model.adapt(TEXTS, LABELS, effort="fast")

    def test_block_sparse_attention_that_cannot_be_switched_off(self, tmp_path):
        folder = saved_network(tmp_path, "bigbird_pegasus")
        with pytest.raises(MetaglotError, match="block-sparse attention of a bigbird_pegasus is not supported"):
            load_model(folder)
        assert load_model(saved_network(tmp_path / "full", "bigbird_pegasus", attention_type="original_full"))

    def test_a_network_that_looks_no_tokens_up(self, tmp_path):
        folder = saved_network(tmp_path, "canine")
        with pytest.raises(MetaglotError, match="looks tokens up in no table of its own"):
            load_model(folder)


def test_texts_of_many_tokens_a_letter_are_counted_as_cut(tmp_path):
    """A byte-level tokenizer makes four tokens of one hieroglyph."""
    folder = saved_network(tmp_path, "bert", vocab_size=300)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE({letter: i for i, letter in enumerate(alphabet)} | {"[PAD]": 256}, []))
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="[PAD]").save_pretrained(folder)
    model = load_model(folder)
    assert model.max_length == POSITIONS
    assert model.cut(["\U00013000" * 10, "\U00013000" * 11, "a" * 40, "a" * 41]) == 2
