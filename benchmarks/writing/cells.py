"""Rows of a domain: each method with its loss a token, and what it writes for a part of the queries."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from benchmarks.writing.domains import FEW, Domain, drawn
from benchmarks.writing.learning import (
    AS_PREFIX,
    SHOWN,
    Clock,
    Manner,
    after_steps,
    begun_prefix,
    in_one_pass,
    loss_on,
    scores,
    texts_for,
    with_meta,
)
from metaglot.adaptation.alike import nearest
from metaglot.adaptation.encoder import Encoder
from metaglot.data.examples import Examples
from metaglot.decoding import Decoding
from metaglot.families.write_tools import source_texts
from metaglot.types import Params

Row = Mapping[str, Any]
BY_SUPPORT = ("nearest", "prefix")  # what they say before any step is of their support set
LONG = 2.0  # power of the length in a search, chosen on Hotels_1
ALL_SHOWN = ", ten"  # how a method ends that has all examples of ten in its prompt
Copies = Callable[[Examples[str], Examples[str]], Sequence[str]]  # of support and queries


class Size(NamedTuple):
    """What is measured of a domain."""

    shots: int = FEW
    queries: int = 24
    losses: int = 16  # of them the loss is taken of; none if 0
    written: int = 10  # of them a text is written for
    most: int = 28  # tokens of a text
    stops: tuple[int, ...] = (5, 20)  # steps of plain LoRA after which the loss is taken
    meta_stops: tuple[int, ...] = (5,)  # those of updates that were meta-trained
    shown_losses: int = 1  # draws in which the loss behind examples is taken, which costs much where they are long
    written_after: tuple[int, ...] = (0, 5, 20)  # steps after which texts are written; none if empty
    beams: int = 1  # of a search; with one, texts are written greedily

    @property
    def decoding(self) -> Decoding:
        """How texts are written: a search likes long ones, since greedy replies are too short."""
        return Decoding(max_new_tokens=self.most, beams=self.beams, length_penalty=LONG if self.beams > 1 else 1.0)


class Place(NamedTuple):
    """A draw of a domain; all its draws have the same queries."""

    domain: str
    draw: int
    support: Examples[str]
    queries: Examples[str]
    size: Size

    @property
    def few(self) -> Examples[str]:
        """The queries that texts are written for."""
        return self.queries.at(range(self.size.written))

    @property
    def judged(self) -> Examples[str]:
        """The queries that the loss is of."""
        return self.queries.at(range(min(self.size.losses, len(self.queries))))

    def row(self, method: str, steps: int, **numbers: Any) -> dict[str, Any]:
        """Return a row of the results."""
        return {"domain": self.domain, "draw": self.draw, "method": method, "steps": steps, **numbers}

    def scores_of(self, encoder: Encoder, params: Params, *, shown: int = 0) -> Row:
        """Return how good the texts are that a model writes; `shown` examples, the first, stand before all sources.

        They are the same for all sources, so that they are read once.
        """
        support = self.support.at(range(shown)) if shown else self.support
        return self.judged_texts(
            texts_for(encoder, params, self.few, support, shown=shown, decoding=self.size.decoding)
        )

    def judged_texts(self, texts: Sequence[str]) -> dict[str, Any]:
        """Return scores of texts for the first queries, and the ROUGE-1 of each."""
        each = [scores([one], [target])["rouge1"] for one, target in zip(texts, self.few.targets, strict=True)]
        return {**scores(texts, self.few.targets), "each": each, "texts": list(texts)}


def place_of(domain: Domain, draw: int, size: Size) -> Place:
    """Return a draw of a domain."""
    support, queries = drawn(domain, size.shots, size.queries, draw)
    return Place(domain.name, draw, support, queries, size)


def rows_of(
    plain: Encoder, name: str, meta: Params, place: Place, copied: Copies | None = None, known: Sequence[Row] = ()
) -> Iterator[Row]:
    """Yield the rows of a method: texts that are copied, the plain model, or LoRA updates from where they start.

    "… in context" has examples in the prompt, and takes no step.  Rows of the first draw that no support set changes
    stand for the other draws too.
    """
    encoder = with_meta(plain, meta)
    same = [] if by_support(name) else [{**row, "draw": place.draw} for row in known if not row["steps"]]
    yield from same
    if same and (copied is not None or name == "zero-shot"):
        return
    if copied is not None:
        yield place.row(name, 0, **place.judged_texts(copied(place.support, place.few)))
    elif name == "zero-shot" or shown_in(name):
        yield _unmoved(encoder, name, place)
    else:
        yield from _moved(encoder, name, place, before=not same)


def shown_in(name: str) -> int:
    """Return how many examples a method has in its prompt."""
    return 0 if "in context" not in name else 10 if name.endswith(ALL_SHOWN) else SHOWN


def by_support(name: str) -> bool:
    """Return whether a method says something else for another support set before any step."""
    return name in BY_SUPPORT or bool(shown_in(name))


def _unmoved(encoder: Encoder, name: str, place: Place) -> Row:
    """Return the row of a model that takes no step, with or without examples in its prompt."""
    shown, clock = shown_in(name), Clock()
    numbers: dict[str, Any] = {}
    if place.size.losses and (not shown or place.draw < place.size.shown_losses):
        numbers["loss"] = loss_on(encoder, {}, place.judged, place.support, shown=shown)
        numbers["cpu"] = clock.seconds()
    writes = bool(place.size.written_after)
    return place.row(name, 0, **numbers, **(place.scores_of(encoder, {}, shown=shown) if writes else {}))


def _moved(encoder: Encoder, name: str, place: Place, *, before: bool) -> Iterator[Row]:
    """Yield rows of one start: after each of the stops and, with `before`, before any step."""
    clock, size = Clock(), place.size
    one_pass, as_prefix = name.startswith("metanet"), name == "prefix"
    encoder = with_meta(encoder, begun_prefix(encoder, place.support)) if as_prefix else encoder
    manner = AS_PREFIX if as_prefix else Manner()
    stops = size.stops if name in ("lora", "prefix") else size.meta_stops
    after = (
        {1: in_one_pass(encoder, place.support)} if one_pass else after_steps(encoder, place.support, stops, 0, manner)
    )
    spent = clock.seconds()
    found: dict[int, Params] = after if name == "lora" or not before else {0: {}, **after}
    for steps, params in found.items():
        numbers: dict[str, Any] = {"cpu": spent * steps / max(after)}
        if size.losses:
            numbers["loss"] = loss_on(encoder, params, place.judged, place.support)
        writes = bool(size.written_after) and (one_pass or steps in size.written_after)
        if writes or size.losses:
            yield place.row(name, steps, **numbers, **(place.scores_of(encoder, params) if writes else {}))


def of_nearest(support: Examples[str], queries: Examples[str]) -> list[str]:
    """Return the target of the nearest source of the support set for each query."""
    known = source_texts(support.inputs)
    return [support.targets[one] for (one,) in nearest(source_texts(queries.inputs), known, 1)]


def of_nearest_in(pool: Sequence[Domain]) -> Copies:
    """Return what copies the target of the nearest source of other domains."""

    def copied(support: Examples[str], queries: Examples[str]) -> list[str]:
        del support
        sources = [source for domain in pool for source in domain.sources]
        targets = [target for domain in pool for target in domain.targets]
        return of_nearest(Examples.of(sources, targets), queries)

    return copied


def lead(support: Examples[str], queries: Examples[str]) -> list[str]:
    """Return the first sentence of each source."""
    del support
    return [sentences(source)[0] for source in source_texts(queries.inputs)]


def best_sentence(support: Examples[str], queries: Examples[str]) -> list[str]:
    """Return the sentence of each source with the most ROUGE-1, by the reference: no copy of a sentence has more."""
    del support
    return [
        max(sentences(source), key=lambda one: scores([one], [target])["rouge1"])
        for source, target in zip(source_texts(queries.inputs), queries.targets, strict=True)
    ]


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, which end with a point and a space."""
    parts = text.replace("? ", "?. ").split(". ")
    return [part.strip() for part in parts if part.strip()] or [text]
