"""A model that is loaded by name, embeds texts and adapts to examples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from metaglot.adaptation.adapted import Adapted
from metaglot.adaptation.adapting import Asked, fit_asked
from metaglot.adaptation.checks import check_texts
from metaglot.adaptation.effort import AsTrained, Effort
from metaglot.adaptation.encoder import Encoder, PairChoice
from metaglot.adaptation.from_names import fit_without_examples
from metaglot.adaptation.load import load_encoder
from metaglot.adaptation.support import Names
from metaglot.data.arguments import check_text
from metaglot.data.labels import Label
from metaglot.data.texts import Texts
from metaglot.models import Backbone, Runtime


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
        return Adapted(fit_asked(self.encoder, texts, labels, pairs, task, Asked(effort, seed, names, seconds, reads)))

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
        return Adapted(fit_without_examples(self.encoder, labels, names, task))

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


def load_model(name: str | Path, runtime: Runtime = Runtime()) -> Model:
    """Return the model called `name`: `builtin:mini`, another built-in one, a folder, a hub id, or a run.

    Raises MetaglotError where it is absent or damaged.
    """
    return Model(load_encoder(name, runtime))
