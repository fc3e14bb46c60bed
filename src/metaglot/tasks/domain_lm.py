"""Domain language modelling: adapt to some passages of an author or domain, then predict the tokens of others."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from metaglot.errors import MetaglotError
from metaglot.seeds import generator
from metaglot.tasks.supervised import Mixture
from metaglot.tasks.text import Blocks, LanguageObjective
from metaglot.types import Episode, Record, Snapshot, TaskInfo


class Passages(NamedTuple):
    """The size of an episode."""

    support: int = 4  # blocks
    query: int = 4


@dataclass(frozen=True)
class DomainText:
    """A distribution over domains: support and query are different blocks of one domain."""

    blocks: Blocks
    objective: LanguageObjective
    shape: Passages
    domains: tuple[str, ...] = ()  # only these; all if empty
    mixture: Mixture = "sqrt"  # how often a domain is drawn: a power of its number of blocks

    @property
    def tasks(self) -> Sequence[TaskInfo]:
        """One task for each domain with enough blocks."""
        return [self._task(domain) for domain, _ in self._members]

    def __call__(self, seed: int, n: int, snapshot: Snapshot) -> Episode:
        """Return episode n; raise MetaglotError where no domain has enough blocks, and for an unknown domain."""
        del snapshot
        rng = generator(seed, "domain-lm", n)
        domain, members = self._members[rng.choice(len(self._members), p=self._weights)]
        chosen = members[rng.choice(len(members), sum(self.shape), replace=False)]
        rows = self.objective.prepare(self.blocks.rows(chosen), rng)
        return Episode(
            task=self._task(domain),
            objective=self.objective,
            support=self.objective.collate(rows[: self.shape.support]),
            query=self.objective.collate(rows[self.shape.support :]),
            rows={
                "support": tuple(chosen[: self.shape.support].tolist()),
                "query": tuple(chosen[self.shape.support :].tolist()),
            },
        )

    def update(self, snapshot: Snapshot, records: Sequence[Record]) -> Snapshot:
        """Return the snapshot: this sampler learns nothing."""
        del records
        return snapshot

    def _task(self, domain: str) -> TaskInfo:
        return TaskInfo(f"domain-lm/{domain}", "domain-lm", (), (), family=self.objective.name)

    @cached_property
    def _members(self) -> list[tuple[str, np.ndarray]]:
        unknown = sorted(set(self.domains) - set(self.blocks.domains))
        if unknown:
            names = ", ".join(self.blocks.domains[:20]) or "none at all"
            raise MetaglotError(f"domain-lm: no domain {unknown[0]!r}; the text has {names}")
        order = np.argsort(self.blocks.domain, kind="stable")
        numbers, starts = np.unique(self.blocks.domain[order], return_index=True)
        domains = [
            (self.blocks.domains[d], members)
            for d, members in zip(numbers.tolist(), np.split(order, starts[1:]), strict=True)
            if d >= 0 and (not self.domains or self.blocks.domains[d] in self.domains)
        ]
        members = [(name, m) for name, m in domains if len(m) >= sum(self.shape)]
        if not members or min(self.shape) < 1:
            raise MetaglotError(
                f"domain-lm: an episode needs {self.shape.support} support blocks and {self.shape.query} query blocks "
                f"(at least one each), and none of {len(domains)} domains has so many; ask for fewer or shorter "
                "blocks, or give texts with a domain"
            )
        return members

    @cached_property
    def _weights(self) -> np.ndarray:
        power = {"uniform": 0.0, "sqrt": 0.5, "size": 1.0}[self.mixture]
        weights = np.array([len(m) ** power for _, m in self._members])
        return weights / weights.sum()
