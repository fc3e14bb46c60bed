"""A scikit-learn classifier of texts that learns from a handful of examples of each class.

    from metaglot.sklearn import FewShotClassifier
    FewShotClassifier().fit(texts, labels).predict(more_texts)

It takes part in pipelines, `cross_val_score` and searches like any other classifier.
"""

from collections.abc import Generator, Iterable, Mapping, Sequence, Set
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import Tags, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from metaglot.data.arguments import check_name, check_words
from metaglot.data.labels import is_absent, normal, scalar_of
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    from metaglot.adaptation import Model
    from metaglot.adaptation.encoder import PairChoice

TEXTS = "a list, an array or a column of texts; or two columns, for pairs of texts"
NO_TEXTS = f"X has 0 sample(s); it must be {TEXTS}, with one text or more"


class FewShotClassifier(ClassifierMixin, BaseEstimator):
    """A meta-pretrained language model as a scikit-learn classifier.

    Parameters
    ----------
    model : str, default="builtin:mini"
        What `metaglot.load` takes: a built-in model, a run directory, a Hugging Face folder or a hub id.  It is loaded
        once for each process, however many classifiers are cloned from this one.
    effort : {"instant", "fast", "thorough", "auto", "as-trained"}, default="fast"
        How much work goes into a fit: `instant` is a head in closed form, the others take gradient steps.
    names : bool or dict, default=True
        Whether the names of the classes help to learn them; a dict gives words for classes that are no words, such as
        {1: "positive"}.
    reads : {"both", "first", "second", "apart"} or None, default=None
        What of a pair is read: both texts in one pass, one alone, or both apart; None chooses it by a trial on the
        examples.  Single texts do not use it.
    random_state : int, RandomState instance or None, default=0
        Seed of the gradient steps.  The same seed gives the same weights.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted, of the type that `y` has.
    n_features_in_ : int
        1 for texts, 2 for pairs of texts.
    adapted_ : metaglot.Adapted
        The adapted model: it explains predictions, finds texts outside the classes, takes more examples and saves.  Its
        labels are the texts of `classes_`.

    Examples
    --------
    >>> from metaglot.sklearn import FewShotClassifier
    >>> texts = ["Refund my order.", "I was charged twice.", "The app crashes.", "The screen stays black."]
    >>> model = FewShotClassifier(effort="instant").fit(texts, ["billing", "billing", "technical", "technical"])
    >>> model.predict(["Why is there a fee on my invoice?"]).tolist()
    ['billing']
    """

    def __init__(
        self,
        model: str = "builtin:mini",
        *,
        effort: str = "fast",
        names: bool | Mapping[Any, str] = True,
        reads: "PairChoice | None" = None,
        random_state: int | np.random.RandomState | None = 0,
    ) -> None:
        self.model = model
        self.effort = effort
        self.names = names
        self.reads: PairChoice | None = reads
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:
        """Adapt the model to examples.

        Parameters
        ----------
        X : list, array or column of str, Pairs, or two columns of str
            Texts, or pairs of texts: of shape (n,), (n, 1) or, for pairs, (n, 2).
        y : array-like of shape (n,)
            Labels.

        Returns
        -------
        FewShotClassifier
            The classifier itself.

        Raises
        ------
        InputError
            A MetaglotError and a ValueError, for anything but texts.
        ValueError
            For labels that are no classes.

        Examples
        --------
        >>> FewShotClassifier(effort="instant").fit(["A fee?", "It crashed."], ["billing", "technical"]).n_features_in_
        1
        """
        texts, pairs = _texts_and_pairs(X)
        if not texts:
            raise InputError(NO_TEXTS)
        if y is None:
            raise ValueError("FewShotClassifier requires y to be passed, but the target y is None.")
        y = column_or_1d(_one_each(y), warn=True)
        check_classification_targets(y)
        self.classes_, numbers = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise InputError(f"all examples have the label {self.classes_[0]!r}; give examples of two classes or more")
        keys = _keys(self.classes_)
        self.n_features_in_ = 1 if pairs is None else 2
        labels = [keys[number] for number in numbers]
        with _invalid_input():
            names, seed = self._names(keys), self._seed()
            model = _load(check_name("model", self.model))
            reads = self._reads(pairs)
            self.adapted_ = model.adapt(
                texts, labels, pairs=pairs, effort=self.effort, seed=seed, names=names, reads=reads
            )
        self._order = [self.adapted_.labels.index(key) for key in keys]
        return self

    def predict(self, X: Any) -> np.ndarray:  # [n]
        """Return the most probable class of each text.

        Parameters
        ----------
        X : list, array or column of str, Pairs, or two columns of str
            Texts, or pairs of texts.

        Returns
        -------
        ndarray of shape (n,)
            Labels, of the type that `y` had.

        Raises
        ------
        InputError
            For anything but texts, and for pairs where single texts were learnt or the other way round.

        Examples
        --------
        >>> model.predict(["A fee?", "It does not start."]).tolist()
        ['billing', 'technical']
        """
        numbers = self.predict_proba(X).argmax(axis=1)
        return self.classes_[numbers]

    def predict_proba(self, X: Any) -> np.ndarray:  # [n, C]
        """Return the probability of each class.

        Parameters
        ----------
        X : list, array or column of str, Pairs, or two columns of str
            Texts, or pairs of texts.

        Returns
        -------
        ndarray of shape (n, n_classes)
            The columns are in the order of `classes_`.

        Raises
        ------
        InputError
            As `predict`.

        Examples
        --------
        >>> model.predict_proba(["A fee?", "It does not start."]).shape
        (2, 2)
        """
        check_is_fitted(self)
        texts, pairs = _texts_and_pairs(X)
        width = 1 if pairs is None else 2
        if width != self.n_features_in_:
            raise InputError(f"X has {width} columns of texts, and the classifier was fitted to {self.n_features_in_}")
        if not texts:
            raise InputError(NO_TEXTS)
        with _invalid_input():
            return self.adapted_.predict_proba(texts, pairs)[:, self._order]

    def __sklearn_tags__(self) -> Tags:
        """Return what scikit-learn may expect: texts in one column, no numbers."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.no_validation = True
        return tags

    def _seed(self) -> int:
        if isinstance(self.random_state, int | np.integer):
            return int(self.random_state)
        return int(check_random_state(self.random_state).randint(2**31))

    def _reads(self, pairs: Sequence[str] | None) -> "PairChoice | None":
        """Return which part of a pair is read, None for single texts; a wrong value is refused for both."""
        from metaglot.adaptation.pair_choice import check_reads  # torch takes seconds to import

        if self.reads is not None:
            check_reads(self.reads)
        return None if pairs is None else self.reads

    def _names(self, keys: Sequence[str]) -> bool | dict[str, str]:
        check_words("names", self.names, switch=True)
        if isinstance(self.names, bool):
            return self.names
        known = dict(zip(self.classes_.tolist(), keys, strict=True))
        if unknown := [label for label in self.names if label not in known]:
            raise InputError(f"names: {unknown[0]!r} is none of the classes {list(known)}")
        return {known[label]: words for label, words in self.names.items()}


class InputError(MetaglotError, ValueError):
    """A MetaglotError that is also a ValueError, which scikit-learn's own tools expect."""


@contextmanager
def _invalid_input() -> Generator[None]:
    try:
        yield
    except (MetaglotError, ValueError) as error:  # of ours, or of scikit-learn's random_state
        raise InputError(str(error)) from error


@lru_cache(maxsize=4)
def _load(model: str) -> "Model":
    from metaglot.adaptation import load_model  # torch takes seconds to import

    return load_model(model)


def _keys(classes: np.ndarray) -> list[str]:
    """Return the classes as texts in their one form, the labels of the adapted model."""
    keys = [normal(str(label)) or str(label) for label in classes.tolist()]
    if twice := sorted({key for key in keys if keys.count(key) > 1}):
        raise InputError(f"y: two classes are both written {twice[0]!r}; give them other names")
    return keys


def _one_each(y: Any) -> Any:
    """Return labels; raise InputError for a gap, and for sets, lists and fractions, which are other kinds of tasks."""
    if isinstance(y, np.ndarray) and y.ndim > 1:
        return y  # one column is taken, and scikit-learn says what is wrong with several
    for row, label in enumerate(y if isinstance(y, Iterable) else ()):
        if isinstance(label, list | tuple | Set | np.ndarray):
            raise _of_another_kind(row, label, "several labels", "multilabel", "learns several labels a text")
        if is_absent(scalar_of(label)):
            raise InputError(f"y: row {row} has no label ({label!r}); fill it in, or leave the row out")
        if isinstance(label, float | np.floating) and np.isfinite(label) and not float(label).is_integer():
            way = "learns numbers; write numbers that name classes as strings"
            raise _of_another_kind(row, label, "a number with a fraction", "regression", way)
    return y


def _of_another_kind(row: int, label: object, what: str, task: str, way: str) -> InputError:
    return InputError(
        f"Unknown label type: row {row} of y is {label!r:.60}, {what}, and FewShotClassifier learns one class a text; "
        f"metaglot.load(model).adapt(texts, y, task={task!r}) {way}"
    )


def _texts_and_pairs(X: Any) -> tuple[list[str], list[str] | None]:
    """Return the texts, and the second texts of pairs."""
    if isinstance(X, str) or np.ndim(X) == 0:
        raise InputError(f"X must be {TEXTS}; got {type(X).__name__}")
    table = np.asarray(X, dtype=object)
    if table.ndim == 1:
        table = table[:, None]
    if table.ndim != 2 or table.shape[1] not in (1, 2):
        raise InputError(f"X must be {TEXTS}; got an array of shape {table.shape}")
    for row, column in zip(*np.nonzero(np.vectorize(_is_no_text, otypes=[bool])(table)), strict=True):
        cell = table[row, column]
        raise InputError(f"X must be {TEXTS}; row {row} holds {cell!r} of type {type(cell).__name__}")
    columns = [table[:, number].tolist() for number in range(table.shape[1])]
    return columns[0], columns[1] if len(columns) == 2 else None


def _is_no_text(value: object) -> bool:
    return not isinstance(value, str)
