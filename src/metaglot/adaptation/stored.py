"""What `adapted.json` holds, checked."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from metaglot.adaptation.effort import AsTrained, Effort, HeadName
from metaglot.data.checked import Stored, read_plain, read_stored
from metaglot.errors import MetaglotError

FORMAT = 2
WAY_OUT = "adapt again"
MOST = 1_000_000  # steps, and examples of a batch
LARGEST = 1 << 63  # of a seed
Rate = Annotated[float, Field(ge=0, le=1e6)]


class StoredEffort(Stored):
    """Gradient steps and the head that stays."""

    steps: int = Field(ge=0, le=MOST)
    lr: Rate
    head_lr: Rate
    batch_size: int = Field(ge=1, le=MOST)
    freeze: list[str]
    head: HeadName
    names: bool
    kept: float = Field(default=0.0, ge=0, le=1)  # absent in earlier versions, as the next
    contrast: Rate = 0.0

    def effort(self) -> Effort:
        """Return the effort."""
        return Effort(
            steps=self.steps,
            lr=self.lr,
            head_lr=self.head_lr,
            batch_size=self.batch_size,
            freeze=tuple(self.freeze),
            head=self.head,
            names=self.names,
            kept=self.kept,
            contrast=self.contrast,
        )


class StoredAlgorithm(Stored):
    """The effort as-trained."""

    algorithm: str
    options: dict[str, Any]

    def effort(self) -> AsTrained:
        """Return the effort."""
        return AsTrained(self.algorithm, dict(self.options))


def _kind(value: object) -> str:
    return "algorithm" if isinstance(value, dict) and "algorithm" in value else "steps"


AnyEffort = Annotated[
    Annotated[StoredAlgorithm, Tag("algorithm")] | Annotated[StoredEffort, Tag("steps")], Discriminator(_kind)
]


class StoredExpected(Stored):
    """The accuracy to expect."""

    accuracy: float
    low: float
    high: float
    per_class: float = Field(ge=0)
    doubled: float


class StoredChoice(Stored):
    """What the effort auto chose, and why."""

    reason: str
    expected: StoredExpected | None = None


class StoredTraining(Stored):
    """The meta-training of the model."""

    data: list[str] = Field(default=[])


class Provenance(Stored):
    """What an adaptation came from."""

    model: str | None = None
    base: str | None = None
    meta_training: StoredTraining = StoredTraining()
    data_sha256: str | None = None  # absent where the examples are unknown
    versions: dict[str, str] = Field(default={})
    choice: StoredChoice | None = None
    names: bool | dict[str, str] | None = None
    reads: Literal["both", "first", "second"] = "both"
    added: list[str] | None = None


class Written(Stored):
    """The number of the format."""

    format: int


class StoredAdaptation(Written):
    """An adaptation without its weights."""

    labels: list[str | bool | int | float] = Field(min_length=2, max_length=MOST)
    counts: list[Annotated[int, Field(ge=0)]]
    effort: AnyEffort
    seed: int = Field(ge=-LARGEST, lt=LARGEST)
    precision: Literal["auto", "bf16", "fp32"] = "auto"  # absent in earlier versions, as the next three
    reads: Literal["both", "first", "second"] | None = None
    paired: bool | None = None
    solver: Literal["ridge", "logistic"] = "ridge"
    model_source: str = Field(min_length=1)
    model_source_relative: str | None = None
    model_sha256: str
    examples_sha256: str | None = None
    provenance: Provenance

    def hash(self) -> str | None:
        """Return the hash of the kept examples, "" where none were kept; earlier versions noted that of the first."""
        if self.examples_sha256 is not None:
            return self.examples_sha256
        return None if self.provenance.added is not None else self.provenance.data_sha256


def read_adaptation(file: Path) -> tuple[StoredAdaptation, dict[str, Any]]:
    """Return what an `adapted.json` says, and its names and values as they stand there.

    Raises MetaglotError that names the file and the key where it is damaged, and for another format.
    """
    version = read_stored(file, Written, WAY_OUT).format
    if version != FORMAT:
        raise MetaglotError(f"{file.parent}: written in format {version}, this version reads {FORMAT}")
    return read_plain(file, StoredAdaptation, WAY_OUT)
