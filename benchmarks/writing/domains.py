"""Domains of texts that are written, and episodes of them: a service, a field, a set of labels is a domain.

Sources are cut to so many tokens here, so that a step costs the same for all: dialogues keep their last turns, all
other texts their beginning.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow.parquet as pq
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from metaglot.adaptation.encoder import Encoder
from metaglot.adaptation.writing import form_of
from metaglot.data.examples import Examples
from metaglot.families.generation import GenerationFamily
from metaglot.families.writing import Writing
from metaglot.seeds import fold, generator
from metaglot.types import Episode, Record, Snapshot, TaskInfo

FAMILY = GenerationFamily()
KEPT_SERVICES = ("Banks_1", "Calendar_1", "Movies_1", "Movies_2", "Movies_3", "RideSharing_1", "RideSharing_2")
FIELDS, TOPICS = 12, 50  # clusters of abstracts, and numbers that the words of each become
DEV_SERVICE = "Hotels_1"  # settings are chosen on it: the table of replies neither trains on it nor judges it
FEW = 10  # examples that most tables learn from
DIALOGUE, ABSTRACT, SHORT = 48, 144, 48  # tokens of a source
WHOLE = 96  # those of nine dialogues of ten


class Domain(NamedTuple):
    """Sources and targets of one task."""

    name: str
    kind: str
    sources: Sequence[str]
    targets: Sequence[str]


class Shape(NamedTuple):
    """Examples of an episode."""

    support: int = 8
    query: int = 8


HALVES = Shape()


@dataclass(frozen=True)
class WrittenTasks:
    """Episodes of domains: a kind is drawn evenly, then one of its domains, then examples."""

    domains: tuple[Domain, ...]
    encoder: Encoder
    shape: Shape = HALVES

    @property
    def tasks(self) -> Sequence[TaskInfo]:
        """Each domain as a task."""
        return [info_of(domain) for domain in self.domains]

    def __call__(self, seed: int, n: int, snapshot: Snapshot) -> Episode:
        """Return episode n."""
        del snapshot
        rng = generator(seed, "episode", n)
        kinds = sorted({domain.kind for domain in self.domains})
        kind = kinds[int(rng.integers(len(kinds)))]
        among = [domain for domain in self.domains if domain.kind == kind]
        domain = among[int(rng.integers(len(among)))]
        size = sum(self.shape)
        chosen = [int(i) for i in rng.choice(len(domain.sources), size, replace=False)]
        objective = Writing(self.encoder.pad_token_id)
        form = form_of(self.encoder, FAMILY.writes)
        rows = [FAMILY.writes.row(form, domain.sources[i], domain.targets[i]) for i in chosen]
        support, query = rows[: self.shape.support], rows[self.shape.support :]
        return Episode(info_of(domain), objective, objective.collate(support), objective.collate(query))

    def update(self, snapshot: Snapshot, records: Sequence[Record]) -> Snapshot:
        """Return the snapshot: this sampler learns nothing."""
        del records
        return snapshot


def info_of(domain: Domain) -> TaskInfo:
    """Return a domain as a task of the kind `generation`."""
    return TaskInfo(domain.name, domain.kind, ("text",), (0,), FAMILY.name)


def drawn(domain: Domain, shots: int, queries: int, draw: int) -> tuple[Examples[str], Examples[str]]:
    """Return support and queries of one draw; no source is in both, and all draws and sizes have the same queries."""
    order = _shuffled(domain, list(range(len(domain.sources))), 0)
    before = min(shots, FEW)
    judged, others = order[before : before + queries], order[:before] + order[before + queries :]
    support = others if draw == 0 else _shuffled(domain, others, draw)
    return examples_at(domain, support[:shots]), examples_at(domain, judged)


def _shuffled(domain: Domain, rows: Sequence[int], draw: int) -> list[int]:
    """Return rows in an order of their own for each draw; of those with one source, the first."""
    order = generator(fold(0, domain.name, draw), "draw").permutation(len(rows))
    unlike: dict[str, int] = {}
    for i in order:
        unlike.setdefault(domain.sources[rows[int(i)]], rows[int(i)])
    return list(unlike.values())


def examples_at(domain: Domain, rows: Sequence[int]) -> Examples[str]:
    """Return the examples of these rows."""
    return Examples.of([domain.sources[i] for i in rows], [domain.targets[i] for i in rows])


def table(name: str) -> list[dict[str, Any]]:
    """Return the rows of a data set."""
    return pq.read_table(Path(os.environ["METAGLOT_DATA"]) / f"{name}.parquet").to_pylist()


def cut(tokenizer: Any, text: str, most: int, *, last: bool = False) -> str:
    """Return the text of the first tokens, or of the last ones."""
    tokens = list(tokenizer(text, add_special_tokens=False)["input_ids"])
    if len(tokens) <= most:
        return text
    return str(tokenizer.decode(tokens[-most:] if last else tokens[:most])).strip()


def services(tokenizer: Any, most: int = DIALOGUE) -> list[Domain]:
    """Return the services of Schema-Guided Dialogue: the reply that comes after the last turns."""
    found: dict[str, list[tuple[str, str]]] = {}
    for row in table("dialogue/sgd"):
        source = cut(tokenizer, row["source"], most, last=True)
        found.setdefault(row["domain"], []).append((source, row["target"]))
    return [domain_of(name, "replies", pairs) for name, pairs in sorted(found.items())]


def fields(tokenizer: Any) -> list[Domain]:
    """Return the fields of SciTLDR: clusters of abstracts by their words, numbered by size."""
    rows = table("summarisation/scitldr")
    words: Any = TfidfVectorizer(sublinear_tf=True, stop_words="english", min_df=3)
    features: Any = make_pipeline(words, TruncatedSVD(TOPICS, random_state=0), Normalizer())
    clusters: Any = KMeans(FIELDS, n_init=10, random_state=0)  # pyright: ignore[reportArgumentType]  # its stub says str
    codes = clusters.fit_predict(features.fit_transform([row["source"] for row in rows]))
    by_size = np.argsort(-np.bincount(codes), kind="stable")
    pairs = [(cut(tokenizer, row["source"], ABSTRACT), row["target"]) for row in rows]
    return [
        domain_of(f"field {n}", "summaries", [pairs[int(i)] for i in np.flatnonzero(codes == code)])
        for n, code in enumerate(by_size)
    ]


def split_fields(domains: Sequence[Domain]) -> tuple[list[Domain], list[Domain]]:
    """Return the fields that are trained on and those kept aside: every fourth by size."""
    kept = {domain.name for domain in domains[1::4]}
    return [one for one in domains if one.name not in kept], [one for one in domains if one.name in kept]


def split_services(domains: Sequence[Domain]) -> tuple[list[Domain], list[Domain]]:
    """Return services that are trained on, and those kept aside, which are those of recipes/replies.yaml."""
    return (
        [one for one in domains if one.name not in (*KEPT_SERVICES, DEV_SERVICE)],
        [one for one in domains if one.name in KEPT_SERVICES],
    )


def domain_of(name: str, kind: str, pairs: Sequence[tuple[str, str]]) -> Domain:
    """Return a domain of pairs of source and target."""
    return Domain(name, kind, [source for source, _ in pairs], [target for _, target in pairs])
