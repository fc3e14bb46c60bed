"""What is known of films from the users to learn from: a level and tastes of each film, by variational Bayes.

    r_ui = μ + a_i + b_u + v_i·z_u + ε,   b_u ~ N(0, σ_b²),  z_u ~ N(0, I),  ε ~ N(0, σ²)
    [a_i, v_i] ~ N(Wφ_i, diag τ²)         φ_i: one, features of its text, the logarithm of its ratings

The level and the tastes of a film are drawn to what its text says, so that a film without ratings has them too.  Users
and films are found in turn, each in closed form, and all variances from the expected squares.  A new user then is a
linear regression of what is left of the ratings on v, with the prior N(0, diag(1, …, 1, σ_b²)): its posterior is the
head of metaglot.families.heads.numbers.  Probabilistic factors: Salakhutdinov and Mnih 2008; with features of films:
Agarwal and Chen 2009.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from scipy.sparse import csr_matrix

from benchmarks.films_prior import Prior
from metaglot.seeds import generator

ROUNDS, TASTES = 25, 3
START = (0.3, 0.1, 0.4, 0.85)  # standard deviations to start from: levels, tastes, users, noise


@dataclass(frozen=True)
class Ratings:
    """What users said of films."""

    user: np.ndarray  # [R], 0 … U − 1
    film: np.ndarray  # [R]
    stars: np.ndarray  # [R]


@dataclass(frozen=True)
class Known:
    """What is known of films, and of users before they rate any."""

    level: np.ndarray  # [N], μ + a
    tastes: np.ndarray  # [N, k], v
    variance: np.ndarray  # [N], of the level that is left
    prior: Prior  # of [z, b]


def known_films(ratings: Ratings, text: np.ndarray, *, tastes: int = TASTES, seed: int = 0) -> Known:  # [N, F]
    """Return what ratings say of the films with these features of their texts."""
    learning = _Learning(ratings, text, tastes, seed)
    for _ in range(ROUNDS):
        learning.users()
        learning.films()
        learning.texts()
        learning.noise()
    return learning.known()


class _Learning:
    """The state of the rounds."""

    def __init__(self, ratings: Ratings, text: np.ndarray, tastes: int, seed: int) -> None:
        film, count, width = len(text), len(ratings.stars), tastes + 1
        self.user, self.film, self.mean = ratings.user, ratings.film, ratings.stars.mean()
        self.rest = ratings.stars - self.mean
        rows = np.arange(count)
        self.by_user = csr_matrix((np.ones(count), (self.user, rows)))
        self.by_film = csr_matrix((np.ones(count), (self.film, rows)), shape=(film, count))
        seen = np.bincount(self.film, minlength=film)
        self.seen = np.flatnonzero(seen)
        self.inputs = np.column_stack([np.ones(film), text, np.log1p(seen)])
        level, taste, user, noise = START
        self.tau = np.r_[level**2, np.full(tastes, taste**2)]
        self.sigma_b, self.sigma = user**2, noise**2
        self.at = np.column_stack([np.zeros(film), generator(seed, "tastes").normal(0, taste, (film, tastes))])
        self.at_left = np.zeros((film, width, width))  # covariance of [a, v]
        self.map = np.zeros((self.inputs.shape[1], width))
        self.slack = np.ones(width)  # variance of a coefficient of the map

    def users(self) -> None:
        """Find [b, z] of all users, and scale tastes so that z has a mean square of one."""
        x = np.column_stack([np.ones(len(self.film)), self.at[self.film, 1:]])
        left = self.at_left[self.film]
        square = x[:, :, None] * x[:, None, :]
        square[:, 1:, 1:] += left[:, 1:, 1:]
        aim = (self.rest - self.at[self.film, 0])[:, None] * x
        aim[:, 1:] -= left[:, 0, 1:]
        first = np.diag(np.r_[1 / self.sigma_b, np.ones(x.shape[1] - 1)])
        self.who_left = np.linalg.inv(_sums(self.by_user, square) / self.sigma + first)
        self.who = np.einsum("uij,uj->ui", self.who_left, self.by_user @ aim / self.sigma)
        squares = (self.who**2 + np.einsum("uii->ui", self.who_left)).mean(0)
        self.sigma_b = squares[0]
        self._scale(np.sqrt(np.r_[1.0, squares[1:]]))

    def _scale(self, by: np.ndarray) -> None:
        self.who, self.who_left = self.who / by, self.who_left / by[:, None] / by
        self.at, self.at_left, self.map = self.at * by, self.at_left * by[:, None] * by, self.map * by
        self.tau = self.tau * by**2

    def films(self) -> None:
        """Find [a, v] of all films; one without ratings is what its text says."""
        p = np.column_stack([np.ones(len(self.user)), self.who[self.user, 1:]])
        left = self.who_left[self.user]
        square = p[:, :, None] * p[:, None, :]
        square[:, 1:, 1:] += left[:, 1:, 1:]
        aim = (self.rest - self.who[self.user, 0])[:, None] * p
        aim[:, 1:] -= left[:, 0, 1:]
        self.at_left = np.linalg.inv(_sums(self.by_film, square) / self.sigma + np.diag(1 / self.tau))
        wanted = self.by_film @ aim / self.sigma + self.inputs @ self.map / self.tau
        self.at = np.einsum("nij,nj->ni", self.at_left, wanted)

    def texts(self) -> None:
        """Find the map from texts, and how far films are from it."""
        x, width = self.inputs[self.seen], self.inputs.shape[1]
        for k in range(len(self.tau)):
            penalty = np.diag(np.r_[1e-6, np.full(width - 1, 1 / self.slack[k])])
            left = np.linalg.inv(x.T @ x / self.tau[k] + penalty)
            self.map[:, k] = left @ (x.T @ self.at[self.seen, k]) / self.tau[k]
            self.slack[k] = (self.map[1:, k] ** 2 + np.diag(left)[1:]).mean() + 1e-8
            off = (self.at[self.seen, k] - x @ self.map[:, k]) ** 2 + self.at_left[self.seen, k, k]
            self.tau[k] = (off + ((x @ left) * x).sum(1)).mean()
        unseen = np.setdiff1d(np.arange(len(self.at)), self.seen)
        self.at[unseen] = self.inputs[unseen] @ self.map

    def noise(self) -> None:
        """Find the variance of a rating about what is expected of it."""
        ones = np.ones(len(self.rest))
        who, at = self.who[self.user], self.at[self.film]
        who_left, at_left = self.who_left[self.user], self.at_left[self.film]
        p, x = np.column_stack([ones, who[:, 1:]]), np.column_stack([ones, at[:, 1:]])
        off = (self.rest - at[:, 0] - who[:, 0] - (at[:, 1:] * who[:, 1:]).sum(1)) ** 2
        off += np.einsum("na,nab,nb->n", p, at_left, p) + np.einsum("na,nab,nb->n", x, who_left, x)
        self.sigma = float((off + np.einsum("nab,nab->n", at_left[:, 1:, 1:], who_left[:, 1:, 1:])).mean())

    def known(self) -> Known:
        """Return what was found."""
        variances = torch.tensor([*np.ones(len(self.tau) - 1), self.sigma_b], dtype=torch.float64)
        prior = Prior(torch.zeros_like(variances), variances.diag(), self.sigma)
        return Known(self.mean + self.at[:, 0], self.at[:, 1:], self.at_left[:, 0, 0], prior)


def _sums(rows: csr_matrix, matrices: np.ndarray) -> np.ndarray:  # [R, k, k] -> [U, k, k]
    return np.asarray(rows @ matrices.reshape(len(matrices), -1)).reshape(-1, *matrices.shape[1:])


def thresholds(predicted: np.ndarray, stars: np.ndarray, levels: Sequence[float]) -> np.ndarray:  # [n], [n] -> [K − 1]
    """Return from which prediction on each level is said, so that the mean absolute error is least between neighbours.

    Where predictions are in order, this is the median of the ratings near a prediction.
    """
    order = np.argsort(predicted, kind="stable")
    at, truth = np.append(predicted[order], np.inf), stars[order]
    found = list[float]()
    for low, high in pairwise(levels):
        below = np.append(0, np.cumsum(np.abs(truth - low)))
        above = np.append(np.cumsum(np.abs(truth - high)[::-1])[::-1], 0)
        found.append(float(at[np.argmin(below + above)]))
    return np.maximum.accumulate(np.array(found))
