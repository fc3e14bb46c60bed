"""Where the parts of a model lie: its network, its tokenizer, its adapter, and what its folder says of pooling."""

from pathlib import Path
from typing import NamedTuple

from metaglot.data.adapter import CONFIG, Adapter, base_of, read_adapter
from metaglot.data.builtin import near_builtins
from metaglot.data.folders import is_dir, locate
from metaglot.data.hub import hub_folder, near_folders
from metaglot.data.sentence import MODULES, Stated, network_of, stated_by
from metaglot.data.weightfiles import check_entries, check_weights
from metaglot.errors import MetaglotError

LONGEST = 3  # adapters that stand over adapters


class Place(NamedTuple):
    """The folders of a model."""

    name: str  # as the user wrote it
    folder: Path  # with modules.json, if any
    network: Path  # with config.json and weights
    tokenizer: Path
    stated: Stated
    adapters: tuple[tuple[Path, Adapter], ...] = ()  # to be added to the weights, in this order


def place_of(name: str, *, depth: int = 0) -> Place:
    """Return where the model called `name` lies; one of the hub is downloaded if need be.

    Raises MetaglotError where it is absent, damaged, or has a part that is not supported.
    """
    folder = local_folder(name)
    check_entries(folder)
    stated = stated_by(folder)
    own = folder / stated.network
    adapter_in = own if (own / CONFIG).is_file() else folder
    adapter = read_adapter(adapter_in)
    check_entries(own)
    if adapter is None or (own / "config.json").is_file():
        check_weights(own)
        tokenizer = own if any(own.glob("*token*")) else folder
        return Place(name, folder, own, tokenizer, stated, ((adapter_in, adapter),) if adapter else ())
    if depth >= LONGEST:
        raise MetaglotError(f"{folder / CONFIG}: adapters over adapters without end; name the model at their base")
    under = place_of(base_of(adapter, adapter_in), depth=depth + 1)
    alone = not (folder / MODULES).is_file()
    return under._replace(
        name=name,
        folder=under.folder if alone else folder,
        tokenizer=own if (own / "tokenizer.json").is_file() else under.tokenizer,
        stated=under.stated if alone else stated,
        adapters=(*under.adapters, (adapter_in, adapter)),
    )


def local_folder(name: str) -> Path:
    """Return the folder of the model called `name`; one of the hub is downloaded if need be."""
    place = locate(name)
    if is_dir(Path(place)) or name.startswith("builtin:"):
        return Path(place)
    return hub_folder(place, near=[*near_builtins(place), *near_folders(place)])


def tokenizer_folder(name: str) -> Path:
    """Return the folder of a model's tokenizer."""
    folder = local_folder(name)
    network = network_of(folder)
    for one in (folder, network):
        check_entries(one)
    return network if any(network.glob("*token*")) else folder
