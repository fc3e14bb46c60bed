"""The face of adaptation: a model that is loaded by name, embeds texts and adapts to examples.

It imports all of its room, and nothing in the room imports it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from metaglot.adaptation.adapted import Adapted
from metaglot.adaptation.arguments import check_seconds
from metaglot.adaptation.auto import fit_auto
from metaglot.adaptation.auto_writing import fit_auto_writing
from metaglot.adaptation.checks import check_examples, check_texts
from metaglot.adaptation.choice import SECONDS
from metaglot.adaptation.effort import AUTO, BY_WORDS, WORDS, AsTrained, Effort, check_effort, check_suits
from metaglot.adaptation.encoder import Encoder, PairChoice
from metaglot.adaptation.fitting import fit_examples
from metaglot.adaptation.from_names import fit_names, fit_nothing
from metaglot.adaptation.goal import GOAL_SECONDS, fit_until
from metaglot.adaptation.load import load_encoder, writer_of
from metaglot.adaptation.pair_choice import check_reads, reader_of, usual_reader
from metaglot.adaptation.storage import load_fit
from metaglot.adaptation.support import Names
from metaglot.data.arguments import check_is, check_name, check_number, check_text, check_whole, check_words
from metaglot.data.folders import ADAPTED, folder_of, is_file
from metaglot.data.labels import Label
from metaglot.data.texts import Texts, listed
from metaglot.errors import MetaglotError
from metaglot.families.choose import family_called, family_of
from metaglot.families.family import AnyFamily
from metaglot.models import Backbone, Runtime
from metaglot.models.devices import Precision


@dataclass(frozen=True, repr=False)
class Model:
    """A model that `metaglot.load` returns: it embeds texts and adapts to labelled ones, and never changes.

    Parameters
    ----------
    encoder : metaglot.adaptation.Encoder
        The network, its tokenizer, and the parameters that were meta-learnt.

    Examples
    --------
    The examples of the methods go on from this one.

    >>> import metaglot as mg
    >>> model = mg.load("builtin:mini")
    >>> model.name, model.max_length
    ('mini', 128)
    """

    encoder: Encoder

    def __repr__(self) -> str:
        """Return what it is, on one line: its tensors would fill pages."""
        return repr(self.encoder).replace("Encoder(", "Model(", 1)

    @property
    def name(self) -> str:
        """What it was loaded as."""
        return self.encoder.name

    @property
    def backbone(self) -> Backbone:
        """The network and its tokenizer, with what was noted when they were loaded (`backbone.notes`)."""
        return self.encoder.backbone

    @property
    def max_length(self) -> int:
        """How many tokens of a text it reads."""
        return self.encoder.max_length

    @property
    def provenance(self) -> Mapping[str, Any]:
        """What it came from: a record for people."""
        return self.encoder.provenance

    def adapt(
        self,
        texts: Texts,
        labels: Sequence[Any],
        *,
        task: str | None = None,
        pairs: Sequence[str] | None = None,
        effort: str | Effort | AsTrained | None = None,
        seed: int = 0,
        names: Names = True,
        seconds: float | None = None,
        reads: PairChoice | None = None,
    ) -> Adapted:
        """Return the model adapted to these examples; the model itself stays as it is.

        Predictions are of the kind of the labels.  A label is a string, a whole number or a truth value.  Scalars of
        numpy and torch count as Python's, the member of an enum as its value, 1.0 as 1, and strings that differ in
        white space, marks without width or the encoding of accents as one.

        Parameters
        ----------
        texts : list of str, Pairs, or Candidates
            The examples.
        labels : list
            The label of each, its set or list of labels, its number, or what else is to be predicted of it.
        task : str, optional
            The kind of task: classification, multilabel, regression, ordinal, tagging, question-answering, choice, or
            generation, for which a text is written and the model must be a decoder.
            By default the labels tell: sets and lists are several labels, fractions are numbers, `Span`, `Answer` and
            `Choice` speak for themselves, and all else, whole numbers too, are classes.  Texts with candidates are to
            be chosen for.
        pairs : list of str, optional
            The second text of each example, where it is a pair.
        effort : {"instant", "fast", "thorough", "auto", "as-trained"} or Effort, optional
            How much work it does: `instant` is a head in closed form, `fast` and `thorough` take gradient steps,
            `auto` finds out whether steps pay, `as-trained` does what the meta-trained algorithm does.  By default it
            is `fast`, and `instant` for numbers, answers, choices and pairs of which is learnt how they agree: few
            examples do not teach these by steps.
        seed : int, default=0
            The seed of the gradient steps.
        names : bool or Mapping of label to str, default=True
            Whether the name of each class is one more example of it, if all names are words (`card_arrival` is, `3` is
            not) and texts are no pairs; it helps most with one example or two.  A mapping has words for labels.
        seconds : float, optional
            What the effort `auto` may spend, about 20 by default.  It is counted in work, so that the same examples
            and seed give the same bytes.
        reads : {"both", "first", "second", "apart"}, optional
            What of pairs is read: both texts in one pass, the part that the task is about, or both apart, which shows
            how alike they are.  By default it is found on examples set aside.

        Returns
        -------
        Adapted
            The adapted model.

        Raises
        ------
        MetaglotError
            For arguments of another type, an unknown effort, as-trained where no algorithm trained the model, fewer
            than two classes, labels that are other objects, texts that are all empty, lists of unlike length, and
            `reads` without pairs.

        Examples
        --------
        >>> texts = ["Refund my order.", "I was charged twice.", "The app crashes.", "The screen stays black."]
        >>> labels = ["billing", "billing", "technical", "technical"]
        >>> model.adapt(texts, labels, effort="instant").predict("Why is there a fee on my invoice?")
        'billing'
        >>> several = model.adapt(texts, [{"money"}, {"money", "urgent"}, {"urgent"}, set()], effort="instant")
        >>> several.labels
        ('money', 'urgent')
        >>> model.adapt(texts, [0.5, 1.5, 4.0, 4.5], effort="instant").score(texts, [0.5, 1.5, 4.0, 4.5])["mae"] < 2
        True
        """
        family, labels = check_task(task, labels, texts)
        examples = check_examples(family, texts, labels, pairs)
        effort = None if effort is None else check_effort(effort)
        seed, seconds = check_whole("seed", seed), check_seconds("seconds", seconds)
        check_words("names", names, switch=True)
        if reads is not None:
            check_reads(reads)
            if examples.inputs.pairs is None:
                raise MetaglotError(
                    f"reads={reads!r} has no use without second texts; give `pairs`, or leave reads out"
                )
        encoder = self.encoder
        if effort is None:
            encoder, effort = usual_reader(encoder, family, examples, reads=reads)
        if family.writes is not None and effort not in (WORDS, BY_WORDS):
            encoder = writer_of(encoder)
        if effort == AUTO:
            budget = SECONDS if seconds is None else seconds
            if family.writes is not None:
                return Adapted(fit_auto_writing(encoder, family, family.writes, examples, seed=seed, seconds=budget))
            encoder = reader_of(encoder, family, examples, reads=reads)
            return Adapted(fit_auto(encoder, family, examples, seed=seed, names=names, seconds=budget))
        chosen = encoder.effort(effort, family) if isinstance(effort, str) else effort
        check_suits(chosen, family)
        return Adapted(fit_examples(encoder, family, examples, chosen, seed=seed, names=names, reads=reads))

    def zero_shot(
        self,
        labels: Sequence[Label] | None = None,
        *,
        names: Mapping[str, str] | Mapping[Label, str] | None = None,
        task: str | None = None,
    ) -> Adapted:
        """Return a classifier of these labels from their names alone; `add_examples` goes on from there.

        A kind of task whose outputs are the same in every task needs no labels: what the model has learnt of it is
        taken as it is.

        Parameters
        ----------
        labels : list of str, int or bool, optional
            The classes.
        names : Mapping of label to str, optional
            Words for labels that say nothing by themselves, such as {"1": "positive"}.
        task : {"question-answering", "choice"}, optional
            A kind of task, in place of labels.

        Returns
        -------
        Adapted
            The classifier, or what answers questions.

        Raises
        ------
        MetaglotError
            For fewer than two labels, for one given twice, for one without words of its own, and for a task that the
            model has learnt nothing of, or that is not known before there are examples.

        Examples
        --------
        >>> model.zero_shot(["sports", "politics"]).predict("The striker scored in the last minute.")
        'sports'
        """
        if (labels is None) == (task is None):
            raise MetaglotError(
                "give either the labels of classes, or the kind of task that the model is to do as it is"
            )
        names = {} if names is None else names
        check_words("names", names, switch=False)
        if labels is None:
            return Adapted(fit_nothing(self.encoder, family_called(check_text("task", task))))
        return Adapted(fit_names(self.encoder, labels, names))

    def embed(self, texts: Texts, pairs: Sequence[str] | None = None) -> np.ndarray:  # [n, D]
        """Return the pooled features of texts, with the meta-learnt parameters.

        Parameters
        ----------
        texts : list of str, or Pairs
            One text or more.
        pairs : list of str, optional
            The second text of each.

        Returns
        -------
        ndarray of shape (n, D), float32
            Features of length one, unless the model is a sentence-transformers folder that says otherwise: then they
            are what that library gives.

        Raises
        ------
        MetaglotError
            For anything but a list of texts, and for none.

        Examples
        --------
        >>> model.embed(["A fee?", "It does not start."]).shape
        (2, 384)
        """
        return self.encoder.embed(check_texts(texts, pairs))

    def cut(self, texts: Texts, pairs: Sequence[str] | None = None) -> int:
        """Return how many of the texts are longer than `max_length` tokens, so that their rest is unread.

        Parameters
        ----------
        texts : list of str, or Pairs
            One text or more.
        pairs : list of str, optional
            The second text of each.

        Returns
        -------
        int
            How many.

        Raises
        ------
        MetaglotError
            As `embed`.

        Examples
        --------
        >>> model.cut(["A fee?", "word " * 1000])
        1
        """
        return self.encoder.cut(check_texts(texts, pairs))

    def effort(self, name: str) -> Effort | AsTrained:
        """Return the effort of that name.

        Parameters
        ----------
        name : {"instant", "fast", "thorough", "as-trained"}
            Its name.

        Returns
        -------
        Effort or AsTrained
            The effort.

        Raises
        ------
        MetaglotError
            For another name, and for as-trained where no algorithm trained the model.

        Examples
        --------
        >>> model.effort("fast").steps
        6
        """
        return self.encoder.effort(check_text("effort", name))

    def base(self) -> "Model":
        """Return the untouched backbone; the model itself if nothing was meta-learnt.

        Returns
        -------
        Model
            The backbone alone.

        Examples
        --------
        >>> model.base().fingerprint() == model.fingerprint()
        False
        """
        return Model(self.encoder.base()) if self.encoder.meta else self

    def fingerprint(self) -> str:
        """Return a SHA-256 of the weights: those of the backbone, then what was meta-learnt.

        Returns
        -------
        str
            64 hexadecimal digits.

        Examples
        --------
        >>> len(model.fingerprint())
        64
        """
        return self.encoder.fingerprint()


def adapt_until(
    model: Model,
    texts: Texts,
    labels: Sequence[Any],
    pairs: Sequence[str] | None = None,
    *,
    goal: float,
    task: str | None = None,
    cpu_seconds: float = GOAL_SECONDS,
    seed: int = 0,
    names: Names = True,
) -> tuple[Adapted, float]:
    """Return the adaptation by the least effort whose cross-validated score meets a goal.

    The score is by the primary metric of the kind of task: accuracy for classes, macro F1 for sets of labels, mean
    absolute error for numbers, which meets a goal from above.

    Parameters
    ----------
    model : Model
        What adapts.
    texts : list of str, or Pairs
        The examples.
    labels : list
        The label of each, its set of labels, or its number.
    pairs : list of str, optional
        The second text of each example.
    goal : float
        The score to reach, accuracy as a share of one.
    task : str, optional
        The kind of task; by default the labels tell, as in `Model.adapt`.
    cpu_seconds : float, default=120
        How much time it may take.
    seed : int, default=0
        The seed of the folds and of the gradient steps.
    names : bool or Mapping of label to str, default=True
        As in `Model.adapt`.

    Returns
    -------
    adapted : Adapted
        The adaptation; where none meets the goal in the time, the best one.
    score : float
        Its cross-validated score.

    Raises
    ------
    MetaglotError
        Where a class has fewer than two different texts, since none could be set aside, and for arguments of another
        type.

    Examples
    --------
    >>> import metaglot as mg
    >>> texts = ["Refund my order.", "I was charged twice.", "The app crashes.", "The screen stays black."]
    >>> labels = ["billing", "billing", "technical", "technical"]
    >>> adapted, score = mg.adapt_until(mg.load("builtin:mini"), texts, labels, goal=0.5)
    >>> adapted.predict("Why is there a fee on my invoice?"), score >= 0.5
    ('billing', True)
    """
    check_is("model", model, Model, "a model that metaglot.load returns")
    family, labels = check_task(task, labels, texts)
    examples = check_examples(family, texts, labels, pairs)
    goal = check_number("goal", goal, most=math.inf if family.measures[0].high is None else family.measures[0].high)
    cpu_seconds = check_number("cpu_seconds", cpu_seconds)
    seed = check_whole("seed", seed)
    check_words("names", names, switch=True)
    fit, score = fit_until(model.encoder, family, examples, goal=goal, cpu_seconds=cpu_seconds, seed=seed, names=names)
    return Adapted(fit), score


def check_task(task: object, targets: object, texts: Texts) -> tuple[AnyFamily, list[Any]]:
    """Return the kind of task that is asked for, or that texts and targets look like, and the targets as a list.

    Raises MetaglotError for an unknown kind, and for targets that are no list.
    """
    if isinstance(targets, str):  # the check of examples says what to do
        return family_of([]), targets  # pyright: ignore[reportReturnType]
    targets = listed("label", targets)  # pyright: ignore[reportArgumentType]
    return family_of(targets, texts) if task is None else family_called(check_text("task", task)), targets


def load_model(name: str | Path, runtime: Runtime = Runtime()) -> Model:
    """Return the model called `name`: `builtin:mini`, another built-in one, a folder, a hub id, or a run.

    Raises MetaglotError where it is absent or damaged.
    """
    return Model(load_encoder(name, runtime))


def load_any(name: str | Path, *, device: str = "auto", precision: Precision = "auto") -> Model | Adapted:
    """Return the model called `name`, or the adaptation in the folder of that name; see `metaglot.load`."""
    name = check_name("load", name)
    check_text("precision", precision)
    runtime = Runtime(precision=precision, device=check_text("device", device))
    folder = folder_of(name)
    return Adapted(load_fit(folder, runtime=runtime)) if is_file(folder / ADAPTED) else load_model(name, runtime)
