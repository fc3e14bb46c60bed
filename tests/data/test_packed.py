"""The encoder of many languages out of its packed file: weights, vocabulary, table of characters, folder."""

import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file
from tests.data.packed_file import CHARACTERS, PIECES, POSITIONS, ROWS, WIDTH, Written, packed_file
from tokenizers import normalizers

from metaglot.data.archives import write_members
from metaglot.data.charsmap import charsmap
from metaglot.data.e5 import METADATA, PACKED, PROMPT, e5_files
from metaglot.data.packed import read_packed
from metaglot.errors import MetaglotError
from metaglot.models.load import Backbone, load_backbone

CHARACTER = st.characters(min_codepoint=1, exclude_categories=("Cs",))


@pytest.fixture(scope="module")
def written() -> Written:
    return packed_file()


@pytest.fixture(scope="module")
def folder(written: Written, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("e5")
    write_members(e5_files({PACKED: written.content, METADATA: b"License: MIT"}), path)
    return path


@pytest.fixture(scope="module")
def backbone(folder: Path) -> Backbone:
    return load_backbone(str(folder))


def test_weights_are_those_of_the_blocks(written: Written) -> None:
    packed = read_packed(written.content, "file")
    assert packed.shape[:7] == (WIDTH, 2, 2, 64, ROWS, POSITIONS, 2)
    assert packed.vocabulary.pieces == PIECES
    assert dict(packed.vocabulary.characters) == CHARACTERS
    assert packed.tensors.keys() == written.weights.keys()
    for name, value in packed.tensors.items():
        np.testing.assert_allclose(value, written.weights[name], rtol=2**-11 if value.dtype == np.float16 else 0)


def test_the_network_has_each_weight_in_its_place(written: Written, folder: Path, backbone: Backbone) -> None:
    found = load_file(folder / "model.safetensors")
    expected = {
        "embeddings.word_embeddings.weight": ("emb.word", (ROWS, WIDTH)),
        "encoder.layer.1.attention.self.key.weight": ("l1.k.w", (WIDTH, WIDTH)),
        "encoder.layer.0.attention.output.LayerNorm.weight": ("l0.aln.w", (WIDTH,)),
        "encoder.layer.0.intermediate.dense.weight": ("l0.fi.w", (64, WIDTH)),
        "encoder.layer.1.output.dense.weight": ("l1.fo.w", (WIDTH, 64)),
        "encoder.layer.1.output.dense.bias": ("l1.fo.b", (WIDTH,)),
        "encoder.layer.1.output.LayerNorm.bias": ("l1.oln.b", (WIDTH,)),
    }
    for name, (own, shape) in expected.items():
        assert found[name].shape == shape
        np.testing.assert_allclose(found[name].reshape(-1), written.weights[own], rtol=2**-11)
    assert len(found) == len(written.weights)
    assert backbone.prompt == PROMPT
    assert backbone.length == POSITIONS


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("the cat", ["▁the", "▁", "c", "a", "t"]),
        ("  the\t\x01cat ", ["▁the", "▁", "c", "a", "t"]),
        ("Ａﬁ", ["▁", "a", "f", "i"]),
        (unicodedata.normalize("NFD", "é"), ["▁", "é"]),
        ("aЖЖb", ["▁", "a", "<unk>", "b"]),
        ("", []),
    ],
)
def test_texts_are_cut_into_pieces(backbone: Backbone, text: str, pieces: list[str]) -> None:
    numbers = backbone.tokenizer(text)["input_ids"]
    assert [PIECES[number] for number in numbers] == ["<s>", *pieces, "</s>"]


def test_pairs_have_two_ends_between_them(backbone: Backbone) -> None:
    numbers = backbone.tokenizer("a", "b")["input_ids"]
    assert [PIECES[number] for number in numbers] == ["<s>", "▁", "a", "</s>", "</s>", "▁", "b", "</s>"]


@given(st.dictionaries(CHARACTER, st.text(CHARACTER, max_size=4), max_size=40), st.text(CHARACTER, max_size=5))
def test_each_character_is_replaced_by_the_table(table: dict[str, str], others: str) -> None:
    normalizer = normalizers.Precompiled(charsmap(table))
    for one in (*table, *others):
        assert normalizer.normalize_str(one) == table.get(one, one)


@pytest.mark.parametrize("place", [0, 41, 200, -1])
def test_damage_is_told(written: Written, place: int) -> None:
    damaged = b"E5S2" + written.content[4:] if place == 0 else written.content[:place]
    with pytest.raises(MetaglotError, match=r"q4\.bin: a damaged file .* fetch again"):
        read_packed(damaged, "q4.bin")
