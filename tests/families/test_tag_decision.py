"""Spans by scores of an algorithm's own head: how confident they are is found on sentences that are set aside."""

import numpy as np
import pytest
import torch

from metaglot.data.examples import Inputs
from metaglot.data.spans import Span
from metaglot.families.heads.tags import CONFIDENCE, TagUnits, followed, link_of
from metaglot.families.records import Aside, Places, Schema
from metaglot.families.support_units import SupportUnits
from metaglot.families.tagging_family import OFFSET, SLOPE, WAYS, TaggingFamily
from metaglot.seeds import torch_generator

FAMILY, SCHEMA = TaggingFamily(), Schema(("LOC", "PER"), (6, 6))
WORDS = 6


def case(seed: int, sentences: int, size: float) -> tuple[torch.Tensor, torch.Tensor, list[tuple[Span, ...]]]:
    """Return scores [M, K] of words that have one letter, their tags, and the spans; each sentence has a span."""
    rng = torch_generator(seed, "decision")
    tags = torch.zeros(sentences, WORDS, dtype=torch.long)
    spans: list[tuple[Span, ...]] = []
    for row in range(sentences):
        first, kind = int(torch.randint(0, 4, (), generator=rng)), row % 2
        tags[row, first], tags[row, first + 1] = 1 + 2 * kind, 2 + 2 * kind
        spans.append((Span(2 * first, 2 * first + 3, ("LOC", "PER")[kind]),))
    truth = torch.nn.functional.one_hot(tags.flatten(), 5).float()
    return size * (truth + 0.35 * torch.randn(truth.shape, generator=rng)), tags.flatten(), spans


def aside(seed: int, sentences: int, size: float) -> Aside:
    scores, tags, spans = case(seed, sentences, size)
    owner = torch.arange(sentences).repeat_interleave(WORDS)
    targets = torch.nn.functional.one_hot(tags, 5).float()
    units = SupportUnits(scores, targets, torch.zeros(len(tags), dtype=torch.bool), owner)
    return Aside([(Span(0, 1, "LOC"), Span(2, 3, "PER"))], spans, scores, units)


def f1(params: dict[str, torch.Tensor], scores: torch.Tensor, spans: list[tuple[Span, ...]]) -> tuple[float, float]:
    """Return F1 and the calibration error of what is decided of the scores."""
    values = FAMILY.link(scores.double(), SCHEMA, params).numpy()
    owner, place = np.repeat(np.arange(len(spans)), WORDS), np.tile(2 * np.arange(WORDS), len(spans))
    places = Places(Inputs.of(["a b c d e f"] * len(spans)), owner, owner, place, place + 1)
    decided = FAMILY.decode(values, SCHEMA, params, places)
    both, given = sum(map(len, spans)), sum(map(len, decided))
    right = [one.probability or 0.0 for own, true in zip(decided, spans, strict=True) for one in own if one in true]
    sure = sum(one.probability or 0.0 for own in decided for one in own)
    return 2 * len(right) / (both + given), abs(sure - len(right)) / max(1, given)


@pytest.mark.parametrize("size", [0.3, 30.0])
def test_scores_of_any_size_become_good_probabilities(size: float) -> None:
    found = dict(FAMILY.decision([aside(0, 12, size), aside(1, 12, size)], SCHEMA))
    scores, _, spans = case(2, 60, size)
    (ours, gap), (plain, plain_gap) = f1(found, scores, spans), f1({}, scores, spans)
    assert ours > plain + 0.1
    assert gap < 0.1 < plain_gap
    assert FAMILY.fits(found, SCHEMA)
    assert not FAMILY.fits({**found, OFFSET: torch.zeros(3)}, SCHEMA)
    assert not FAMILY.fits({SLOPE: found[SLOPE]}, SCHEMA)


def test_it_is_what_calibrates_the_closed_form_and_leaves_out_labels_that_are_new() -> None:
    first, second = aside(0, 8, 1.0), aside(1, 8, 1.0)
    alone = [(Span(0, 1, "LOC"),)]  # made without any PER
    found = FAMILY.decision([first, second._replace(inside=alone)], SCHEMA)
    assert first.units is not None
    assert second.units is not None
    known = second.units.at(second.units.owner % 2 == 0)  # those that have LOC
    units = first.units.plus(known)
    held = TagUnits(units.features.double() / CONFIDENCE, units.targets.argmax(1), units.owner)
    link = link_of(held, 2, followed(held))
    assert float(found[SLOPE]) == pytest.approx(float(link.slope) / CONFIDENCE, rel=1e-5)
    assert found[OFFSET].numpy() == pytest.approx(link.offset.numpy(), rel=1e-4, abs=1e-5)
    assert found[WAYS].numpy() == pytest.approx(link.ways.numpy(), rel=1e-4, abs=1e-5)


def test_where_nothing_could_be_set_aside_scores_stay() -> None:
    assert FAMILY.decision([], SCHEMA) == {}
    assert FAMILY.decision([aside(0, 4, 1.0)._replace(inside=[])], SCHEMA) == {}
