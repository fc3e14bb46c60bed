"""Answers from features: one pass of the body of an adapted model serves several of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from metaglot.adaptation.arguments import check_features
from metaglot.adaptation.checks import check_candidates
from metaglot.adaptation.evidence import explanations, shares_of, units_of
from metaglot.adaptation.fit import Fit
from metaglot.data.arguments import check_whole
from metaglot.data.texts import Texts, inputs_of
from metaglot.errors import MetaglotError
from metaglot.families.classes.explanation import Explanation, Shares
from metaglot.families.classes.scope import Scope
from metaglot.families.records import Predictions


@dataclass(frozen=True, repr=False)
class FeatureAnswers:
    """The first part of `Adapted`: texts become features, and features become predictions and explanations."""

    fit: Fit

    def embed(self, texts: Texts, pairs: Sequence[str] | None = None) -> np.ndarray:  # [n, D]
        """Return the pooled features of the adapted body.

        The methods that end in `_features` go on from them, so that several answers need one pass of the body.

        Parameters
        ----------
        texts : list of str, or Pairs
            The texts; none give an empty array.
        pairs : list of str, optional
            The second text of each.

        Returns
        -------
        ndarray of shape (n, D), float32
            Features.

        Raises
        ------
        MetaglotError
            For anything but a list of texts, and for texts alone where it reads their second texts.

        Examples
        --------
        >>> adapted.embed(["A fee?"]).shape
        (1, 384)
        """
        check_candidates(self.fit.family, texts)
        inputs = inputs_of(texts, pairs)
        if not len(inputs):
            return np.zeros((0, self.fit.encoder.width), np.float32)
        return self.fit.features(inputs).cpu().numpy()

    def proba_of_features(self, features: np.ndarray) -> np.ndarray:  # [n, D] -> [n, C]
        """Return the probabilities of the labels, or the numbers of a task of numbers, for features of `embed`.

        Parameters
        ----------
        features : ndarray of shape (n, D)
            Features.

        Returns
        -------
        ndarray of shape (n, C), float64
            Probabilities or numbers.

        Raises
        ------
        MetaglotError
            For anything but finite features of this width.

        Examples
        --------
        >>> adapted.proba_of_features(adapted.embed(["A fee?"])).shape
        (1, 2)
        """
        return self.fit.values(self._checked(features))

    def predictions_of_features(self, features: np.ndarray) -> Predictions:  # [n, D]
        """Return `predictions` for features of `embed`.

        Parameters
        ----------
        features : ndarray of shape (n, D)
            Features.

        Returns
        -------
        Predictions
            Probabilities or numbers, and the targets.

        Raises
        ------
        MetaglotError
            For anything but finite features of this width.

        Examples
        --------
        >>> adapted.predictions_of_features(adapted.embed(["A fee?"])).targets
        ['billing']
        """
        return self.fit.predictions(self._checked(features))

    def in_scope_of_features(self, features: np.ndarray) -> np.ndarray:  # [n, D] -> [n]
        """Return `in_scope` for features of `embed`.

        Parameters
        ----------
        features : ndarray of shape (n, D)
            Features.

        Returns
        -------
        ndarray of shape (n,), float64
            Probabilities.

        Raises
        ------
        MetaglotError
            As `in_scope`, and for anything but finite features of this width.

        Examples
        --------
        >>> adapted.in_scope_of_features(adapted.embed(["A fee?"])).shape
        (1,)
        """
        features = check_features(features, self.fit.encoder.backbone.learner.hidden_size)
        return self._scope.chances(_unit(features)) if len(features) else np.zeros(0)

    def explain_features(self, features: np.ndarray, *, count: int = 3) -> list[Explanation]:  # [n, D] -> [n]
        """Return `explain` for features of `embed`.

        Parameters
        ----------
        features : ndarray of shape (n, D)
            Features.
        count : int, default=3
            How many examples to name at most for each text.

        Returns
        -------
        list of Explanation
            One for each row.

        Raises
        ------
        MetaglotError
            As `explain`, and for anything but finite features of this width.

        Examples
        --------
        >>> adapted.explain_features(adapted.embed(["A fee?"]), count=1)[0].label
        'billing'
        """
        count = check_whole("count", count, least=1)
        features = check_features(features, self.fit.encoder.backbone.learner.hidden_size)
        return list(explanations(self.fit, self._shares, _unit(features), count))

    def _checked(self, features: np.ndarray) -> np.ndarray:
        if self.fit.family.writes is not None:
            raise MetaglotError(f"a task of {self.fit.family.name} writes texts, and no features decide; use predict")
        if self.fit.family.tokens is not None:
            raise MetaglotError(
                f"a task of {self.fit.family.name} decides on the tokens of a text, and these are features of whole "
                "texts; use predict"
            )
        return check_features(features, self.fit.width)

    @cached_property
    def _scope(self) -> Scope:
        tools, units = units_of(self.fit, "the scope of the classes")
        return tools.scope(units, len(self.fit.labels))

    @cached_property
    def _shares(self) -> Shares:
        return shares_of(self.fit)


def _unit(features: np.ndarray) -> Tensor:  # [n, D] -> [n, D], on the CPU
    return normalize(torch.as_tensor(features).float(), dim=-1)
