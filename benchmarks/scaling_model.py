"""What a step of meta-training in ranks takes, in time and memory: a model of few numbers, fitted to measurements.

    t(N) = ⌈n/N⌉ (a F + h E + b P) + c P + 2 (N−1)/N · 4P/B + 2 (N−1) λ + 4 (N−1)(λ + 4 kB/B)

with n episodes a step, F multiply-adds of matrices in an episode (forward and backward, all passes), E numbers that
other operations pass over (a width for each token and layer), P meta-parameters in float32, a ring all-reduce of them
over links of B bytes a second and a latency of λ, and four exchanges of 4 kB a rank.  a, h and b are fitted to the
time of gradients, c to the rest of a step, all on one rank; B and λ are those of a network.  Memory:
m = m₀ + d · 4P + e A, with A the numbers that an episode's largest pass keeps for its way back.

Ring all-reduce: Patarasuk and Yuan 2009, https://doi.org/10.1016/j.jpdc.2008.09.002
"""

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

import numpy as np
from scipy.optimize import nnls

HEAD_BYTES = 4104  # of an exchange, for each rank
EXCHANGES = 4  # a step
PASSES = 3  # the backward pass counts as two forward ones


class Size(NamedTuple):
    """A model, and the episodes that it meets."""

    layers: int
    width: int
    vocabulary: int
    support: int  # texts
    query: int
    tokens: int  # a text
    steps: int  # of the inner loop, first order
    episodes: int  # a step

    @property
    def matrix(self) -> int:
        """Parameters of the layers: attention 4 D², feed-forward 8 D², with biases and norms."""
        return self.layers * (12 * self.width**2 + 13 * self.width)

    @property
    def parameters(self) -> int:
        """P: layers, embeddings of tokens and of 512 positions, the pooler."""
        return self.matrix + (self.vocabulary + 512 + 2 + 2) * self.width + self.width**2 + self.width

    @property
    def read(self) -> int:
        """Tokens that an episode reads: each inner step and the prototypes read the support set, one pass the query."""
        return (self.support * (self.steps + 1) + self.query) * self.tokens

    @property
    def work(self) -> float:
        """F: multiply-adds of matrices in an episode."""
        return PASSES * self.read * self.layers * 12 * self.width**2

    @property
    def passed(self) -> float:
        """E: a number for each token, layer and column."""
        return PASSES * self.read * self.layers * self.width

    @property
    def kept(self) -> float:
        """A: numbers that the largest pass keeps: about 16 D a token and layer, and the scores of attention."""
        rows = max(self.support, self.query) * self.tokens
        return rows * self.layers * (16 * self.width + 2 * self.tokens * max(1, self.width // 32))


class Network(NamedTuple):
    """What lies between ranks."""

    bandwidth: float  # bytes a second, of a link
    latency: float  # seconds

    def step(self, parameters: int, ranks: int) -> float:
        """Return the seconds that ranks tell one another things in a step."""
        if ranks == 1:
            return 0.0
        ring = 2 * (ranks - 1) * (4 * parameters / ranks / self.bandwidth + self.latency)
        return ring + EXCHANGES * (ranks - 1) * (self.latency + HEAD_BYTES / self.bandwidth)


class Fitted(NamedTuple):
    """The numbers of the model."""

    work: float  # a: seconds a multiply-add
    passed: float  # h: seconds for each number of E
    touched: float  # b: seconds a parameter and episode
    updated: float  # c: seconds a parameter and step
    base: float  # m₀: bytes
    held: float  # d: copies of the parameters
    kept: float  # e: bytes for each number of A

    def faster(self, times: float) -> "Fitted":
        """Return the same for a processor that does everything so many times as fast."""
        slow = (self.work, self.passed, self.touched, self.updated)
        return Fitted(*(one / times for one in slow), self.base, self.held, self.kept)

    def seconds(self, size: Size, ranks: int, network: Network) -> float:
        """Return the seconds of a step, each rank on a core of its own."""
        episode = self.work * size.work + self.passed * size.passed + self.touched * size.parameters
        return (
            ceil(size.episodes / ranks) * episode
            + self.updated * size.parameters
            + network.step(size.parameters, ranks)
        )

    def bytes(self, size: Size) -> float:
        """Return the memory of a rank at its peak."""
        return self.base + self.held * 4 * size.parameters + self.kept * size.kept


class Point(NamedTuple):
    """What was measured of a size, on one rank."""

    size: Size
    compute: float  # CPU seconds of the gradients of a step
    rest: float  # CPU seconds of the rest of a step
    bytes: float  # peak of resident memory

    @property
    def seconds(self) -> float:
        """CPU seconds of a step."""
        return self.compute + self.rest


def fit(points: Sequence[Point]) -> Fitted:
    """Return the numbers, none below zero, that make the sum of squared relative errors least."""
    rows = [[p.size.episodes * each for each in (p.size.work, p.size.passed, p.size.parameters)] for p in points]
    compute = _relative(rows, [p.compute for p in points])
    rest = _relative([[float(p.size.parameters)] for p in points], [p.rest for p in points])
    memory = _relative([(1.0, 4.0 * p.size.parameters, p.size.kept) for p in points], [p.bytes for p in points])
    return Fitted(*compute, *rest, *memory)


def _relative(rows: Sequence[Sequence[float]], measured: Sequence[float]) -> list[float]:
    matrix = np.array(rows, dtype=np.float64) / np.array(measured, dtype=np.float64)[:, None]
    scales = matrix.max(0)
    found, _ = nnls(matrix / scales, np.ones(len(measured)))
    return (found / scales).tolist()
