"""What `adapted.json` holds, checked.

Format 3 has a field for all that a prediction depends on.  Format 2, of the first version 0.1.0, kept the words of the
classes and what the effort auto chose in `provenance` alone, and its earliest files the part of pairs that is read:
they are put into their fields here, once (`_translated`).
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from metaglot.adaptation.choice import Choice, Trial
from metaglot.adaptation.effort import AsTrained, Effort, HeadName
from metaglot.adaptation.encoder import PairChoice
from metaglot.data.checked import Stored, read_plain, read_stored
from metaglot.errors import MetaglotError
from metaglot.families.classes.expected import Expected
from metaglot.families.records import Schema

FORMAT, EARLIER = 3, 2
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
    lora: int = Field(default=0, ge=0, le=MOST)  # of writing, as the next three; absent where they say nothing
    layers: list[str] = Field(default=[])
    shown: int = Field(default=0, ge=0, le=MOST)
    prefix: int = Field(default=0, ge=0, le=MOST)

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
            lora=self.lora,
            layers=tuple(self.layers),
            shown=self.shown,
            prefix=self.prefix,
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


class StoredTrial(Stored):
    """What a few steps brought on examples set aside."""

    measured: float
    error: float = Field(gt=0)
    firmness: float
    usual: float


class StoredChoice(Stored):
    """What the effort auto chose, and why."""

    reason: str
    expected: StoredExpected | None = None
    trial: StoredTrial | None = None

    def choice(self, effort: Effort | AsTrained) -> Choice:
        """Return the choice of this effort."""
        trial = self.trial and Trial(*(getattr(self.trial, name) for name in Trial._fields))
        expected = self.expected and Expected(*(getattr(self.expected, name) for name in Expected._fields))
        return Choice(effort, trial, expected, self.reason)


class StoredTraining(Stored):
    """The meta-training of the model."""

    data: list[str] = Field(default=[])


class Provenance(Stored):
    """What an adaptation came from: a record for people."""

    model: str | None = None
    base: str | None = None
    meta_training: StoredTraining = StoredTraining()
    data_sha256: str | None = None  # absent where the examples are unknown
    versions: dict[str, str] = Field(default={})
    added: list[str] | None = None


class Written(Stored):
    """The number of the format."""

    format: int


class StoredAdaptation(Written):
    """An adaptation without its weights."""

    family: str = "classification"  # the kind of the task; format 2 knew one alone
    labels: list[str | bool | int | float] = Field(min_length=1, max_length=MOST)
    counts: list[Annotated[int, Field(ge=0)]]
    mean: float = Field(default=0.0, allow_inf_nan=False)  # of numbers, as the next two; absent for other kinds
    spread: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    levels: list[float] = Field(default=[])
    effort: AnyEffort
    seed: int = Field(ge=-LARGEST, lt=LARGEST)
    precision: Literal["auto", "bf16", "fp32"] = "auto"  # absent in earlier versions, as the next five
    reads: PairChoice | None = None
    paired: bool | None = None
    class_names: bool | dict[str, str] = True
    choice: StoredChoice | None = None
    solver: str = "ridge"
    longest: int = Field(default=0, ge=0, le=MOST)  # tokens of a target, where texts are written
    model_source: str = Field(min_length=1)
    model_source_relative: str | None = None
    model_sha256: str
    examples_sha256: str | None = None
    tensors: list[str] = Field(default=[])  # the names that weights.safetensors has; absent in earlier versions
    weights_sha256: str = ""  # of weights.safetensors; absent in earlier versions
    provenance: Provenance

    def as_schema(self) -> Schema:
        """Return what the rows of the head stand for."""
        return Schema(tuple(self.labels), tuple(self.counts), self.mean, self.spread, tuple(self.levels))

    def hash(self) -> str | None:
        """Return the hash of the kept examples, "" where none were kept; earlier versions noted that of the first."""
        if self.examples_sha256 is not None:
            return self.examples_sha256
        return None if self.provenance.added is not None else self.provenance.data_sha256


class EarlierProvenance(Stored):
    """What format 2 kept in `provenance` alone."""

    choice: StoredChoice | None = None
    names: bool | dict[str, str] | None = None
    reads: PairChoice | None = None


class EarlierAdaptation(StoredAdaptation):
    """An adaptation in format 2."""

    provenance: EarlierProvenance  # pyright: ignore[reportIncompatibleVariableOverride]  # the rest is checked as now


def scale_of(schema: Schema) -> dict[str, Any]:
    """Return what a schema says of numbers, as JSON; nothing for other kinds."""
    plain = Schema(schema.outputs, schema.counts)
    if schema == plain:
        return {}
    return {"mean": schema.mean, "spread": schema.spread, "levels": list(schema.levels)}


def read_adaptation(file: Path) -> tuple[StoredAdaptation, dict[str, Any]]:
    """Return what an `adapted.json` says, and its names and values as they stand there.

    Raises MetaglotError that names the file and the key where it is damaged, and for another format.
    """
    version = read_stored(file, Written, WAY_OUT).format
    if version not in (FORMAT, EARLIER):
        raise MetaglotError(f"{file.parent}: written in format {version}, this version reads {EARLIER} and {FORMAT}")
    stated, plain = read_plain(file, StoredAdaptation, WAY_OUT)
    if version == FORMAT:
        return stated, plain
    return _translated(stated, read_stored(file, EarlierAdaptation, WAY_OUT).provenance), plain


def _translated(stated: StoredAdaptation, provenance: EarlierProvenance) -> StoredAdaptation:
    """Return an adaptation of format 2 with each field in its place."""
    return stated.model_copy(
        update={
            "class_names": True if provenance.names is None else provenance.names,
            "choice": provenance.choice,
            # A part of pairs is noted where the examples were pairs.
            "reads": provenance.reads if stated.reads is None else stated.reads,
            "paired": True if stated.paired is None and provenance.reads is not None else stated.paired,
        }
    )
