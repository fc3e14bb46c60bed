"""A model after few-shot adaptation: what it is, with which examples, and where it is kept.

What it answers to texts stands in `text_answers.py`, which goes on from the features of `feature_answers.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from metaglot.adaptation.arguments import check_relabelled, check_rows
from metaglot.adaptation.checks import check_targeted
from metaglot.adaptation.editing import edited, with_more
from metaglot.adaptation.effort import AsTrained, Effort
from metaglot.adaptation.encoder import Encoder
from metaglot.adaptation.storage import load_fit, save_fit
from metaglot.adaptation.text_answers import TextAnswers
from metaglot.data.arguments import check_path, check_switch, shown
from metaglot.data.examples import Examples
from metaglot.data.labels import Label
from metaglot.data.texts import Texts
from metaglot.errors import MetaglotError
from metaglot.families.classes.expected import Expected

SHOWN = 5  # labels of a representation


@dataclass(frozen=True, repr=False)
class Adapted(TextAnswers):
    """A model that learnt a task from examples: it predicts, explains, takes more examples, and saves.

    `Model.adapt` returns it, and `metaglot.load` of a folder that it was saved in.  It never changes: a method that
    adds, removes or relabels examples returns a new one.

    Parameters
    ----------
    fit : metaglot.adaptation.Fit
        All that its predictions depend on.

    Examples
    --------
    The examples of the methods go on from this one.

    >>> import metaglot as mg
    >>> texts = ["Refund my order.", "I was charged twice.", "The app crashes.", "The screen stays black."]
    >>> labels = ["billing", "billing", "technical", "technical"]
    >>> adapted = mg.load("builtin:mini").adapt(texts, labels, effort="instant")
    >>> adapted.labels, adapted.counts
    (('billing', 'technical'), (2, 2))
    """

    def __repr__(self) -> str:
        """Return what it is, on one line: its tensors would fill pages."""
        named = ", ".join(repr(label) for label in self.labels[:SHOWN])
        more = f", … {len(self.labels) - SHOWN} more" if len(self.labels) > SHOWN else ""
        steps = f"{self.effort.steps} steps" if self.effort.steps else "closed form"
        return f"Adapted({self.fit.encoder!r}, labels=({named}{more}), {self.fit.count} examples, {steps})"

    @property
    def labels(self) -> tuple[Label, ...]:
        """The labels, in the order of the probabilities; a task of numbers has one name."""
        return self.fit.labels

    @property
    def counts(self) -> tuple[int, ...]:
        """How many examples each label has."""
        return self.fit.schema.counts

    @property
    def examples(self) -> Examples[Any]:
        """The examples it learnt from; none after loading, unless they were saved with it."""
        return self.fit.examples

    @property
    def effort(self) -> Effort | AsTrained:
        """How it was adapted."""
        return self.fit.effort

    @property
    def expected(self) -> Expected | None:
        """The accuracy to expect on other texts: None unless the effort was auto and classes have two examples."""
        return None if self.fit.choice is None else self.fit.choice.expected

    @property
    def provenance(self) -> Mapping[str, Any]:
        """What it came from: a record for people."""
        return self.fit.provenance

    def add_examples(self, texts: Texts, labels: Sequence[Any], *, pairs: Sequence[str] | None = None) -> "Adapted":
        """Return a new adaptation with these examples too; new labels become new classes.

        An adaptation in closed form reads only what is new.  Any other starts again from all examples.  What `auto`
        expected of the earlier examples is not kept.

        Parameters
        ----------
        texts : list of str, or Pairs
            The new texts.
        labels : list
            Their labels, sets of labels or numbers, of the kind of the others.
        pairs : list of str, optional
            The second text of each.

        Returns
        -------
        Adapted
            The new adaptation.

        Raises
        ------
        MetaglotError
            For examples of another kind, and after gradient steps where the earlier examples were not kept.

        Examples
        --------
        >>> adapted.add_examples(["Where is my parcel?"], ["delivery"]).labels
        ('billing', 'technical', 'delivery')
        """
        return Adapted(with_more(self.fit, check_targeted(self.fit.family, texts, labels, pairs)))

    def without(self, rows: Sequence[int]) -> "Adapted":
        """Return the adaptation without some examples, as if adapted anew to the others.

        It is exact in closed form, and adapts again after gradient steps.  A class without examples goes.

        Parameters
        ----------
        rows : list of int
            The numbers of the examples, from 0, as they stand in `examples`.

        Returns
        -------
        Adapted
            The new adaptation.

        Raises
        ------
        MetaglotError
            For the number of no example, where one class would be left, and where the examples were not kept.

        Examples
        --------
        >>> adapted.without([0]).counts
        (1, 2)
        """
        return Adapted(edited(self.fit, remove=check_rows("rows", rows)))

    def relabelled(self, labels: Mapping[int, Any]) -> "Adapted":
        """Return the adaptation with other labels for some examples, as if adapted anew.

        Parameters
        ----------
        labels : Mapping of int to label
            New labels by the numbers of the examples, from 0.

        Returns
        -------
        Adapted
            The new adaptation.

        Raises
        ------
        MetaglotError
            As `without`, and for labels of another kind.

        Examples
        --------
        >>> adapted.relabelled({1: "technical"}).counts
        (1, 3)
        """
        return Adapted(edited(self.fit, relabel=check_relabelled("labels", labels, self.fit.family)))

    def save(self, folder: str | Path, *, keep_examples: bool | None = None, force: bool = False) -> Path:
        """Write labels, head, changed weights, provenance and a model card.

        Parameters
        ----------
        folder : str or Path
            Where to.
        keep_examples : bool, optional
            Whether the texts are written too.  By default they are not, but texts that were kept stay kept: those of
            an adaptation that was loaded with them, and those of which the folder holds some already.
        force : bool, default=False
            Whether to replace a folder that holds something else.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        MetaglotError
            Where the folder holds something else, unless `force`.

        Examples
        --------
        >>> folder = adapted.save("my-model")
        >>> mg.load(folder).predict("Why is there a fee on my invoice?")
        'billing'
        """
        folder = check_path("folder", folder)
        check_switch("force", force)
        if keep_examples is not None:
            check_switch("keep_examples", keep_examples)
        return save_fit(self.fit, folder, keep_examples=keep_examples, force=force)

    @staticmethod
    def load(folder: str | Path, *, encoder: Encoder | None = None) -> "Adapted":
        """Return the adaptation that was saved in a folder; `metaglot.load` does so too.

        Parameters
        ----------
        folder : str or Path
            Where it is.
        encoder : metaglot.adaptation.Encoder, optional
            The encoder of its base model, where that is loaded already.

        Returns
        -------
        Adapted
            The adaptation, which predicts as it did.

        Raises
        ------
        MetaglotError
            Where the folder or its base model is absent, damaged or another.

        Examples
        --------
        >>> mg.Adapted.load("my-model").labels
        ('billing', 'technical')
        """
        if encoder is not None and not isinstance(encoder, Encoder):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise MetaglotError(f"encoder: expected the encoder of a model, as model.encoder, got {shown(encoder)}")
        return Adapted(load_fit(check_path("folder", folder), encoder=encoder))
