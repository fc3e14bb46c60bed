"""The interval of a mean over texts and draws of the support set, where every draw is judged by the same texts.

A value of text i and draw k of domain f is taken as  y_fik = μ + t_fi + d_fk + e_fik,  all random.  The mean over N
texts in all and K draws of each of F domains has the variance

    V = (MS_t + max(0, MS_d − MS_e)) / (N·K)

of the mean squares of texts, draws and the rest (draws and the rest within domains), and by Satterthwaite

    degrees of freedom = (V·N·K)² / (MS_t²/(N−1) + MS_d²/(F(K−1)) + MS_e²/(N−F)(K−1)).

Where draws do no more than noise, it is the t interval of the means of the texts.  Searle, Casella & McCulloch,
"Variance Components", 1992, chapter 4; Satterthwaite 1946, https://doi.org/10.2307/3002019.
"""

from collections.abc import Sequence

import numpy as np
from scipy import stats


def crossed_interval(domains: Sequence[np.ndarray]) -> tuple[float, float]:
    """Return the mean of values [texts, draws] of domains, and half of its 95 % interval over texts and draws."""
    draws = domains[0].shape[1]
    means = np.concatenate([values.mean(axis=1) for values in domains])
    texts = len(means)
    of_texts = draws * float(means.var(ddof=1))
    if draws < 2:
        return _half(means, of_texts / texts, texts - 1)
    free = [len(domains) * (draws - 1), (texts - len(domains)) * (draws - 1)]
    of_draws = sum(len(one) * float(np.square(one.mean(axis=0) - one.mean()).sum()) for one in domains) / free[0]
    of_rest = sum(float(np.square(_rest(one)).sum()) for one in domains) / free[1]
    if of_draws <= of_rest:
        return _half(means, of_texts / (texts * draws), texts - 1)
    squares = of_texts + of_draws - of_rest
    freedom = squares**2 / (of_texts**2 / (texts - 1) + of_draws**2 / free[0] + of_rest**2 / free[1])
    return _half(means, squares / (texts * draws), freedom)


def _rest(values: np.ndarray) -> np.ndarray:  # [texts, draws]
    return values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()


def _half(means: np.ndarray, variance: float, freedom: float) -> tuple[float, float]:
    return float(means.mean()), float(stats.t.ppf(0.975, freedom) * np.sqrt(variance))
