"""benchmarks/generation.py: the interval over texts and draws, what is taken over from the first draw, samples."""

from pathlib import Path

import numpy as np
import pytest
from benchmarks.generation import TABLES, file_of
from benchmarks.writing.cells import Place, Size, of_nearest, of_nearest_in, place_of, rows_of, shown_in
from benchmarks.writing.crossed import crossed_interval
from benchmarks.writing.domains import DEV_SERVICE, KEPT_SERVICES, Domain, split_services
from benchmarks.writing.samples import samples
from benchmarks.writing.tables import gain, table_of

from metaglot.decoding import Decoding
from metaglot.evaluation.statistics import t_interval

SIZE = Size(shots=2, queries=3, losses=3, written=3)


def domain(name: str = "tools", count: int = 12) -> Domain:
    return Domain(name, "kind", [f"source {n * 7}" for n in range(count)], [f"target {n}" for n in range(count)])


def test_without_an_effect_of_draws_the_interval_is_that_of_the_texts():
    texts = np.random.default_rng(0).normal(size=(12, 1))
    mean, half = crossed_interval([np.repeat(texts[:6], 3, 1), np.repeat(texts[6:], 3, 1)])
    found = t_interval(texts.ravel().tolist())
    assert (mean, half) == pytest.approx((found.mean, (found.high - found.low) / 2))
    assert crossed_interval([texts[:6], texts[6:]]) == pytest.approx((mean, half))


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_the_interval_covers_the_mean_with_and_without_an_effect_of_draws(spread: float):
    rng, trials, covered = np.random.default_rng(1), 400, 0
    for _ in range(trials):
        values = [
            rng.normal(size=(24, 1)) + spread * rng.normal(size=(1, 3)) + rng.normal(size=(24, 3)) for _ in range(3)
        ]
        mean, half = crossed_interval(values)
        covered += abs(mean) <= half
    assert 0.92 <= covered / trials <= 0.985


def test_gains_pair_texts_of_the_draws_that_both_have():
    rows = [
        {"domain": d, "draw": k, "method": m, "steps": 0, "rouge1": 0.5, "each": [0.1 * k + g + t for t in (0.0, 0.3)]}
        for d in ("a", "b")
        for k in (0, 1)
        for m, g in (("old", 0.0), ("new", 0.2))
    ]
    found = gain(rows[:-1], ("new", 0), ("old", 0), "rouge1")
    assert found == pytest.approx((0.2, 0.0))
    head, _, *lines = table_of(rows, ("rouge1",), beside=("old", 0), over=("rouge1",))
    assert head.endswith("| rouge1 | rouge1 over old |")
    assert [line.split("|")[-2].strip() for line in lines] == ["", "+20.0 ± 0.0"]


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("benchmarks.writing.cells.with_meta", lambda encoder, meta: encoder)


@pytest.mark.usefixtures("no_model")
def test_what_no_support_set_changes_is_taken_over_from_the_first_draw():
    known = [{"domain": "tools", "draw": 0, "method": "any", "steps": 0, "chrf": 0.5}]
    place = place_of(domain(), 1, SIZE)
    pool = of_nearest_in([domain("pool")])
    (same,) = rows_of(None, "pool", {}, place, pool, known)  # pyright: ignore[reportArgumentType]
    assert same == {**known[0], "draw": 1}


@pytest.mark.usefixtures("no_model")
def test_the_nearest_source_of_the_support_is_found_anew_at_each_draw():
    known = [{"domain": "tools", "draw": 0, "method": "nearest", "steps": 0, "chrf": 0.5}]
    place = place_of(domain(), 1, SIZE)
    (row,) = rows_of(None, "nearest", {}, place, of_nearest, known)  # pyright: ignore[reportArgumentType]
    assert row["draw"] == 1
    assert set(row["texts"]) <= set(place.support.targets)


def test_methods_name_how_many_examples_are_in_their_prompt():
    assert [shown_in(n) for n in ("lora", "in context", "in context, ten", "fomaml in context")] == [0, 4, 10, 4]


def test_the_service_that_settings_are_chosen_on_is_neither_trained_on_nor_judged():
    trained_on, kept = split_services([domain(name) for name in ("Buses_1", DEV_SERVICE, *KEPT_SERVICES)])
    assert [one.name for one in trained_on] == ["Buses_1"]
    assert tuple(one.name for one in kept) == KEPT_SERVICES


def test_each_training_has_a_file_of_its_own():
    files = [file_of(Path("out"), table, name) for table, made in TABLES.items() for name in made.runs]
    assert len(set(files)) == len(files)
    assert file_of(Path("out"), "replies", "fomaml, a minute") == Path("out/replies-fomaml-a-minute.safetensors")


def test_a_search_writes_after_steps_alone_and_takes_no_loss():
    made = TABLES["replies"].searched(4)
    assert (made.size.losses, made.size.written_after) == (0, (5, 20))
    assert (made.size.decoding.beams, made.size.decoding.length_penalty) == (4, 2.0)
    assert "loss" not in (*made.metrics, *made.over)
    assert TABLES["replies"].searched(1).size.decoding == Decoding(max_new_tokens=32)


def test_samples_have_source_reference_and_each_text():
    place: Place = place_of(domain(), 0, SIZE)
    rows = [
        {"domain": "tools", "draw": 0, "method": "lora", "steps": 20, "texts": ["one\ntwo", "b", "c"]},
        {"domain": "tools", "draw": 0, "method": "fomaml", "steps": 0, "texts": ["d", "", "f"]},
        {"domain": "tools", "draw": 0, "method": "no texts", "steps": 0},
        {"domain": "other", "draw": 0, "method": "lora", "steps": 20, "texts": ["not here"]},
    ]
    page = "\n".join(samples(rows, [place], 2))
    assert page.count("## tools, text") == 2
    assert f"**reference**\n\n> {place.few.targets[0]}\n" in page
    assert "**lora, 20 steps**\n\n> one\n> two\n" in page
    assert "**fomaml**\n\n>\n" in page
    assert "no texts" not in page
    assert "not here" not in page
    assert "> c" not in page
