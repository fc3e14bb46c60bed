"""The settings of a recipe: frozen, and strict about types and names."""

import math
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from metaglot.choices import FAMILIES, Cells
from metaglot.config.goal import GoalSettings
from metaglot.config.strict import MOST, Range, Strict, check_range
from metaglot.config.tasks import EpisodeSettings, TaskSettings
from metaglot.config.text import TextSettings
from metaglot.data.columns import near_name
from metaglot.data.task_kind import cells_of
from metaglot.data.yamltext import shown


class ScratchSettings(Strict):
    """A model of random weights, from a Hugging Face config."""

    type: str = "bert"  # bert, roberta, gpt2, llama, …
    config: dict[str, Any] = Field(default={})  # of that type: hidden_size, num_hidden_layers, …
    tokenizer: str = ""  # the checkpoint or run that has it; if empty, one is trained on the text
    vocabulary: int = Field(default=8192, ge=64, le=MOST)  # tokens of a tokenizer that is trained
    lowercase: bool = True  # for an encoder's tokenizer that is trained


class ModelSettings(Strict):
    """The backbone: a checkpoint, or one with random weights."""

    name: str = "builtin:minilm"
    scratch: ScratchSettings | None = None  # in place of a name
    max_length: int = Field(default=96, ge=4, le=8192)  # tokens
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    attention: Literal["auto", "eager", "sdpa"] = "auto"
    checkpointing: bool = False  # recompute layers in the backward pass: less memory, more time
    device: str = "auto"

    @model_validator(mode="after")
    def _one_source(self) -> "ModelSettings":
        if self.scratch is not None and self.name != ModelSettings.model_fields["name"].default:
            raise ValueError("either a name or scratch, not both")
        return self


Part = tuple[float, float]


class SetSettings(Strict):
    """A labelled set, and which part of it becomes tasks."""

    path: str  # a file, a folder, hub:ID or builtin:NAME; relative to data.root
    name: str = ""  # the file's name if empty
    task: str = ""  # its kind: classification, multilabel, regression, ordinal; the column `label` decides if empty
    columns: dict[str, str] = Field(default={})
    encoding: str | None = None  # of a text file that is not UTF-8, such as cp1252
    names: dict[str, str] = Field(default={})  # words for labels that are no words: {"1": positive, "0": negative}
    group_by: tuple[str, ...] = Field(default=(), strict=False)
    hashed: Part = Field(default=(0.0, 1.0), strict=False)  # keep the groups whose names hash into this part of 0 to 1
    languages: tuple[str, ...] = Field(default=(), strict=False)
    splits: tuple[str, ...] = Field(default=(), strict=False)
    domains: tuple[str, ...] = Field(default=(), strict=False)
    classes: tuple[str, ...] = Field(default=(), strict=False)
    without: tuple[str, ...] = Field(default=(), strict=False)
    min_per_class: int = Field(default=10, ge=2, le=MOST)  # examples of a class or label, or of a task of numbers
    weight: float = Field(default=1.0, gt=0, le=MOST)  # how often the set is drawn, times what `mixture` gives it
    candidates: int = Field(default=0, ge=0, le=1000)  # drawn for each text, where labels are right replies (choice)

    @property
    def cells(self) -> Cells:
        """What a cell of the label is read as: one reply, where candidates are drawn, or what the kind of task says."""
        return "one" if self.candidates else cells_of(self.task or None)

    @field_validator("task")
    @classmethod
    def _known_kind(cls, task: str) -> str:
        if task and task not in FAMILIES:
            raise ValueError(f"there is no such kind of task{near_name(task, [*FAMILIES])}; use {', '.join(FAMILIES)}")
        return task

    @model_validator(mode="after")
    def _part_of_groups(self) -> "SetSettings":
        low, high = self.hashed
        if not 0 <= low < high <= 1:
            raise ValueError(f"hashed: expected [low, high] with 0 <= low < high <= 1, got [{low:g}, {high:g}]")
        if self.hashed != (0.0, 1.0) and not self.group_by:
            raise ValueError("hashed: it chooses groups by their names; name their column too (group_by)")
        return self

    @model_validator(mode="after")
    def _candidates_to_choose_from(self) -> "SetSettings":
        if self.candidates == 1 or (self.candidates and self.task != "choice"):
            raise ValueError(
                "candidates: expected two or more, and task: choice; the others of a right reply are wrong"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _path_alone(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value


class DataSettings(Strict):
    """Sets to meta-train on, and sets kept aside."""

    root: str = ""  # may hold $METAGLOT_DATA
    train: tuple[SetSettings, ...] = Field(default=(), strict=False)
    validation: tuple[SetSettings, ...] = Field(default=(), strict=False)
    mixture: Literal["uniform", "size", "sqrt"] = "sqrt"

    @model_validator(mode="after")
    def _weights_in_training(self) -> "DataSettings":
        for number, one in enumerate(self.validation):
            if one.weight != 1.0:
                raise ValueError(
                    f"validation.{number}.weight: all tasks of validation count alike; weights are for data.train"
                )
        return self


class AlgorithmSettings(Strict):
    """The meta-learner, by name, and its options."""

    name: str = "protonet"
    options: dict[str, Any] = Field(default={})

    @model_validator(mode="after")
    def _finite_options(self) -> "AlgorithmSettings":
        for key, value in self.options.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"options.{key}: expected a finite number, got {value}")
            if isinstance(value, int) and abs(value) > MOST:
                raise ValueError(f"options.{key}: expected at most {MOST:,}, got {shown(value)}")
        return self


class TrainingSettings(Strict):
    """The outer loop."""

    steps: int = Field(default=1000, ge=1, le=MOST)
    meta_batch: int = Field(default=4, ge=1, le=MOST)
    lr: float = Field(default=5e-5, gt=0)
    head_lr: float = Field(default=1e-3, gt=0)
    algorithm_lr: float = Field(default=1e-2, gt=0)  # of the algorithm's own parameters; LoRA and warps use lr
    warmup: int = Field(default=50, ge=0, le=MOST)
    schedule: Literal["cosine", "constant"] = "cosine"
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float | None = Field(default=1.0, gt=0)
    freeze: tuple[str, ...] = Field(default=(), strict=False)
    shard: bool = False  # each of several ranks keeps its part of the body, and gathers a layer for its pass (FSDP2)
    average_with_base: float = Field(default=0.0, ge=0, lt=1)  # share of the base model in the weights for validation
    combine: Literal["mean", "pcgrad", "gradvac"] = "mean"  # how the gradients of a meta-batch become one
    balance: Literal["none", "kinds"] = "none"  # kinds: the loss of each kind of task in units of its first values
    staleness: int = Field(default=4, ge=0, le=1000)  # with --on ray: steps that a gradient may be old
    save_every: int = Field(default=200, ge=1, le=MOST)
    keep: int = Field(default=2, ge=1, le=MOST)
    trackers: tuple[Literal["tensorboard", "trackio", "wandb"], ...] = Field(default=(), strict=False)


class ValidationSettings(Strict):
    """How often the run is tested, and on which episodes."""

    every: int = Field(default=200, ge=1, le=MOST)
    episodes: int = Field(default=40, ge=1, le=MOST)
    ways: Range = Field(default=(2, 8), strict=False)
    shots: int = Field(default=5, ge=1, le=MOST)
    queries: int = Field(default=8, ge=1, le=MOST)
    batches: int = Field(default=8, ge=1, le=MOST)  # of held-out text, for perplexity

    @model_validator(mode="after")
    def _range_in_order(self) -> "ValidationSettings":
        check_range("ways", self.ways, least=2)
        return self


class BudgetSettings(Strict):
    """Training ends here at the latest, whatever `training.steps` is.

    CPU minutes of the whole process: loading, tokenising, validation and the minutes of earlier calls count too.
    """

    cpu_minutes: float | None = Field(default=None, gt=0)


class Recipe(Strict):
    """A whole meta-training run."""

    name: str = "run"
    description: str = ""
    seed: int = Field(default=0, ge=0, lt=2**63)
    threads: int | None = Field(default=None, ge=1, le=1024)  # of torch; its own choice if absent
    model: ModelSettings = ModelSettings()
    data: DataSettings = DataSettings()
    text: TextSettings | None = None
    tasks: tuple[TaskSettings, ...] = Field(default=(), strict=False)  # the sources of episodes; `data` alone if absent
    episodes: EpisodeSettings = EpisodeSettings()
    algorithm: AlgorithmSettings = AlgorithmSettings()
    training: TrainingSettings = TrainingSettings()
    validation: ValidationSettings = ValidationSettings()
    goal: GoalSettings | None = None
    budget: BudgetSettings = BudgetSettings()

    @field_validator("name")
    @classmethod
    def _name_of_folder(cls, name: str) -> str:
        if not name.strip() or name in {".", ".."} or len(name) > 100 or not name.isprintable() or {*"/\\"} & {*name}:
            raise ValueError("expected a name that a folder can have: no slash, no line break, at most 100 letters")
        return name

    @model_validator(mode="after")
    def _tasks_have_data(self) -> "Recipe":
        kinds = [task.kind for task in self.tasks] or ["supervised"]
        if "supervised" in kinds and not self.data.train:
            raise ValueError("data.train: it must name at least one set (or list `tasks` that are made from text)")
        if self.tasks and "supervised" not in kinds and self.data.train:
            raise ValueError("data.train: no task uses it; add `supervised` to tasks")
        from_text = [kind for kind in kinds if kind != "supervised"]
        if from_text and self.text is None:
            raise ValueError(f"tasks: {from_text[0]} is made from raw text, and `text` names none")
        if self.text is not None and not from_text:
            raise ValueError("text: no task uses it; list some under `tasks`, such as smlmt or plain")
        if self.tasks and not any(task.weight for task in self.tasks):
            raise ValueError("tasks: at least one needs a weight above zero")
        return self

    @model_validator(mode="after")
    def _divided_body(self) -> "Recipe":
        if self.training.shard and self.tasks:
            raise ValueError(
                "training.shard: ranks run a divided body equally often, which parts of text do not; leave out `tasks` "
                "and `text`, or shard"
            )
        return self

    @model_validator(mode="after")
    def _base_to_average_with(self) -> "Recipe":
        if self.training.average_with_base and self.model.scratch is not None:
            raise ValueError("training.average_with_base: the base has random weights (model.scratch); leave it out")
        return self

    @model_validator(mode="after")
    def _goal_needs_validation(self) -> "Recipe":
        if self.goal is not None and not self.data.validation:
            raise ValueError("goal: it is judged on held-out tasks, so data.validation must name at least one set")
        return self
