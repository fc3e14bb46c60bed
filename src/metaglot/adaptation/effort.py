"""Efforts: how much work an adaptation does, from closed form to a thorough fine-tune."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

from metaglot.algorithms import AnyAlgorithm, GradientBased, adapting, build_algorithm
from metaglot.data.arguments import check_all, check_choice, check_number, check_switch, check_whole
from metaglot.errors import MetaglotError
from metaglot.families.family import AnyFamily
from metaglot.inner import Adam, first_order
from metaglot.models import All, HeadOnly, Lora, Named, Prefix, Prototypes, Scope
from metaglot.types import Budget, Params

HeadName = Literal["prototypes", "blend", "own", "words"]

WORDS = "words"
"""Word by word, by a lexicon of the examples (`by_words.py`): the effort, and what writes in place of a head."""

PREFIX = "prefix"
"""Steps that move keys and values before those of every text (`models/prefix.py`), which begin as those of examples."""

AUTO = "auto"
"""As far as the first steps tell, inside the support set, that it pays to adapt (`auto.py`)."""

AS_TRAINED = "as-trained"
"""What the algorithm that meta-trained the model does with a support set, with its own head, rule and steps."""


@dataclass(frozen=True)
class Effort:
    """How much work an adaptation does: gradient steps from a head of prototypes, then the head that remains.

    Parameters
    ----------
    steps : int
        How many gradient steps; 0 leaves the body as it is.
    lr, head_lr : float, default=0.0
        The rates of Adam for the body and for the head.
    batch_size : int, default=16
        How many examples a step sees.
    freeze : tuple of str, default=()
        Parts of the names of parameters of the body that no step changes.
    head : {"prototypes", "blend", "own", "words"}, default="prototypes"
        The head that remains: `blend` is solved in closed form after the steps, and calibrated; `words`, for texts that
        are written, is a lexicon of the examples and takes no step.
    names : bool, default=False
        Whether the name of each class is one more example of it, if all names are words.
    kept : float, default=0.0
        The share of the earlier body in the mean that remains, from 0 to 1.
    contrast : float, default=0.0
        The weight of the contrastive loss beside the loss of the kind of task.
    lora : int, default=0
        The rank of the LoRA updates that steps move in place of the parameters of the body; 0 moves these themselves.
    layers : tuple of str, default=()
        Shell patterns of the parameters that steps move, such as "*layers.29.*"; all where there is none.
    shown : int, default=0
        How many examples, those most like a source, stand before it while a text is written for it, at most.
    prefix : int, default=0
        How many keys and values before those of every text, in each attention, steps move in place of the body's
        parameters; 0 moves these themselves.

    Examples
    --------
    >>> import metaglot as mg
    >>> effort = mg.Effort(steps=3, lr=1e-4, head_lr=1e-4, head="blend", names=True)
    >>> effort.closed_form
    False
    """

    steps: int
    lr: float = 0.0
    head_lr: float = 0.0
    batch_size: int = 16
    freeze: tuple[str, ...] = ()
    head: HeadName = "prototypes"
    names: bool = False
    kept: float = 0.0
    contrast: float = 0.0
    lora: int = 0
    layers: tuple[str, ...] = ()
    shown: int = 0
    prefix: int = 0

    def budget(self) -> Budget:
        """Return the steps and batch size.

        Returns
        -------
        metaglot.types.Budget
            The bounds of the inner loop.

        Examples
        --------
        >>> mg.Effort(steps=3).budget().steps
        3
        """
        return Budget(steps=self.steps, batch_size=self.batch_size)

    def strategy(self, body: Params, metric: str = "cosine") -> GradientBased:
        """Return the adaptation as an algorithm.

        Parameters
        ----------
        body : Mapping of str to Tensor
            The parameters of the body, of which some are frozen.
        metric : {"cosine", "euclidean"}, default="cosine"
            How the head of prototypes compares features.

        Returns
        -------
        metaglot.algorithms.GradientBased
            The algorithm.

        Examples
        --------
        >>> mg.Effort(steps=3).strategy({}).steps
        3
        """
        rule = Adam(lr=self.lr, head_lr=self.head_lr)
        head = Prototypes(metric="euclidean" if metric == "euclidean" else "cosine")
        # Without dropout: in so few steps it brings nothing (docs/tuning.md).
        return GradientBased(self._scope(body), head, rule, steps=self.steps, estimator=first_order, dropout=False)

    @property
    def closed_form(self) -> bool:
        """Whether the features of the examples are all it needs, so that others can be added to them."""
        return self.steps == 0

    def _scope(self, body: Params) -> Scope:
        if self.steps == 0:
            return HeadOnly()
        if self.lora:
            return Lora(self.lora)
        if self.prefix:
            return Prefix(self.prefix)
        if self.layers:
            return Named(self.layers)
        moved = tuple(name for name in body if not any(part in name for part in self.freeze))
        return Named(moved) if self.freeze and moved else All()


@dataclass(frozen=True)
class AsTrained:
    """The effort as-trained of a model: its algorithm, by name and options."""

    algorithm: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def steps(self) -> int:
        """How many gradient steps it takes."""
        return adapting(self.strategy()).steps

    @property
    def closed_form(self) -> bool:
        """Whether examples can be added to what it made: they cannot, it starts again."""
        return False

    @property
    def head(self) -> HeadName:
        """Which head stays: the algorithm's own."""
        return "own"

    @property
    def names(self) -> bool:
        """Whether names of classes are examples of them: not to an algorithm, which has its own support."""
        return False

    @property
    def shown(self) -> int:
        """How many examples stand before a source while a text is written: none."""
        return 0

    def budget(self) -> Budget:
        """Return no bounds: the algorithm has its own."""
        return Budget()

    def strategy(self) -> AnyAlgorithm:
        """Return the algorithm."""
        return build_algorithm(self.algorithm, self.options)


EFFORTS: dict[str, Effort] = {
    "instant": Effort(0, head="blend", names=True),
    "fast": Effort(6, 1e-4, 1e-4, 16, freeze=("embeddings",), head="blend", names=True, contrast=1.0),
    "thorough": Effort(40, 1e-4, 1e-4, 32, freeze=("embeddings",), head="blend", names=True, kept=0.5, contrast=1.0),
}
"""By name.  The steps of `fast` are as many as fit in two CPU seconds (`benchmarks/effort_cost.py`); its rate is the
best of {1e-4, 2e-4, 4e-4} after a run of recipes/english.yaml, on seven tasks that nothing trains on (docs/tuning.md).
`thorough` is the best long one of {5e-5, 1e-4} × {8, 20, 40} by `benchmarks/tune.py`.
"""

WRITING_EFFORTS: dict[str, Effort] = {
    "instant": Effort(0, shown=16),
    "fast": Effort(20, 1e-3, 1e-3, 8, lora=8),
    "thorough": Effort(60, 1e-3, 1e-3, 8, lora=8),
}
"""By name, where texts are written: `instant` takes no step, and shows the nearest examples before each source."""

BY_WORDS = Effort(0, head=WORDS)
"""The effort `words`."""

BY_PREFIX = Effort(20, 3e-3, 3e-3, 8, prefix=64)
"""The effort `prefix`."""

WRITING_ONLY: Mapping[str, Effort] = {WORDS: BY_WORDS, PREFIX: BY_PREFIX}
"""Those that no other kind of task has."""


def efforts_of(family: AnyFamily) -> Mapping[str, Effort]:
    """Return the efforts of a kind of task, by name."""
    if family.writes is not None:
        return {**WRITING_EFFORTS, **WRITING_ONLY}
    rate = 1.0 if family.shared is None else family.shared.rate
    return {name: replace(one, lr=rate * one.lr, head_lr=rate * one.head_lr) for name, one in EFFORTS.items()}


NO_TEXTS: Mapping[str, str] = {
    WORDS: "the effort words writes texts word by word, and this task writes none; it is for --task generation",
    PREFIX: "the effort prefix is for texts that are written (--task generation), and this task writes none",
}
"""Why an effort of that name is of no use to other kinds of tasks."""


def usual_effort(family: AnyFamily) -> str:
    """Return the effort of a kind of task where none is named: without steps where few examples do not gain by them."""
    return "fast" if family.steps else "instant"


def check_effort(effort: object) -> str | Effort | AsTrained:
    """Return an effort, or the name of one; raise MetaglotError for anything else, and for values it cannot have."""
    if not isinstance(effort, str | Effort | AsTrained):
        raise MetaglotError(f"unknown effort {effort!r:.60}; choose from {', '.join((*EFFORTS, AUTO, AS_TRAINED))}")
    return _with_checked_values(effort) if isinstance(effort, Effort) else effort


def _with_checked_values(effort: Effort) -> Effort:
    check_whole("effort.steps", effort.steps, least=0)
    check_whole("effort.batch_size", effort.batch_size, least=1)
    for name, value in (("lr", effort.lr), ("head_lr", effort.head_lr), ("contrast", effort.contrast)):
        check_number(f"effort.{name}", value)
    check_number("effort.kept", effort.kept, most=1.0)
    freeze = check_all("effort.freeze", effort.freeze, str, "names, or parts of names, of parameters")
    check_switch("effort.names", effort.names)
    check_choice("effort.head", effort.head, get_args(HeadName))
    if effort.head == WORDS and effort.steps:
        raise MetaglotError(f"effort.head words asks no model, so that {effort.steps} steps teach nothing; set steps=0")
    check_whole("effort.lora", effort.lora, least=0)
    check_whole("effort.prefix", effort.prefix, least=0)
    check_whole("effort.shown", effort.shown, least=0)
    layers = check_all("effort.layers", effort.layers, str, "patterns of names of parameters")
    moved = [name for name, asked in (("lora", effort.lora), ("prefix", effort.prefix), ("layers", layers)) if asked]
    if len(moved) > 1:
        both = " and ".join(f"effort.{name}" for name in moved)
        raise MetaglotError(f"{both} are {len(moved)} answers to what moves; give one of them")
    return replace(effort, freeze=tuple(freeze), layers=tuple(layers))


def effort_record(effort: Effort | AsTrained) -> dict[str, Any]:
    """Return the settings of an effort, without those of writing that say nothing, as JSON."""
    whole, silent = asdict(effort), {"lora": 0, "layers": (), "shown": 0, "prefix": 0}
    return {name: value for name, value in whole.items() if name not in silent or value != silent[name]}


def effort_called(name: str, efforts: Mapping[str, Effort] = EFFORTS) -> Effort:
    """Return the effort of that name; raise MetaglotError for another, and for one that is chosen or learnt."""
    if name in (AUTO, AS_TRAINED):
        raise MetaglotError(f"the effort {name} has no steps of its own; name one of {', '.join(EFFORTS)}")
    if name in NO_TEXTS and name not in efforts:
        raise MetaglotError(NO_TEXTS[name])
    if name not in efforts:
        raise MetaglotError(f"unknown effort {name!r}; choose from {', '.join((*efforts, AUTO, AS_TRAINED))}")
    return efforts[name]


def check_suits(effort: "Effort | AsTrained", family: AnyFamily) -> None:
    """Raise MetaglotError for an effort that is of another kind of task."""
    if effort.head == WORDS and family.writes is None:
        raise MetaglotError(NO_TEXTS[WORDS])


def longer(effort: Effort, times: int) -> Effort:
    """Return the effort with so many times the steps."""
    return replace(effort, steps=effort.steps * times)
