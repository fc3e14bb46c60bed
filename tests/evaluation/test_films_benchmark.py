"""benchmarks/films.py: means by hand, thresholds by brute force, and a small world in which tastes can be known."""

import itertools

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from metaglot.seeds import generator

pytestmark = pytest.mark.slow  # a benchmark, no part of the package


@pytest.fixture
def films(benchmark_called):
    return benchmark_called("films")


@pytest.fixture
def known(benchmark_called):
    return benchmark_called("films_known")


def small_world(films: int = 60, users: int = 60) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return stars [U, F] of films with a level and one taste, which features of their texts do not show, and these."""
    draws = generator(0, "world")
    level, taste = draws.normal(3.5, 0.4, films), draws.normal(0, 1, films)
    user, liking = draws.normal(0, 0.3, users), draws.normal(0, 0.6, users)
    stars = level + user[:, None] + liking[:, None] * taste + draws.normal(0, 0.2, (users, films))
    return np.clip(np.round(2 * stars) / 2, 0.5, 5), level, draws.normal(size=(films, 40))


def test_levels_of_films_are_found_and_a_new_user_is_told_by_ten_ratings(known, films):
    stars, level, text = small_world()
    learn = [films.User(np.arange(60), row) for row in stars[:45]]
    found = known.known_films(films.ratings(learn), text[:, :4], tastes=1)
    assert np.corrcoef(found.level, level)[0, 1] > 0.9
    method = films.with_known(found)
    seen, asked = np.arange(10), np.arange(10, 60)
    ours = [np.abs(method(seen, row[seen], asked).stars - row[asked]).mean() for row in stars[45:]]
    means = films.plain_means(learn, 60)["user + film"]
    theirs = [np.abs(means(seen, row[seen], asked).stars - row[asked]).mean() for row in stars[45:]]
    assert np.mean(ours) < 0.7 * np.mean(theirs)
    torch.testing.assert_close(found.prior.mean, torch.zeros(2).double())


def test_a_film_that_nobody_rated_has_the_level_that_its_text_says(known, films):
    draws = generator(1, "text")
    text = draws.normal(size=(50, 2))
    stars = 3 + text[:, 0] + draws.normal(0, 0.1, (30, 50))
    learn = [films.User(np.arange(40), row[:40]) for row in stars]
    found = known.known_films(films.ratings(learn), text, tastes=1)
    assert np.corrcoef(found.level[40:], text[40:, 0])[0, 1] > 0.98


def test_thresholds_are_the_best_of_all_between_two_levels(known):
    draws = generator(0, "thresholds")
    predicted = draws.normal(2, 1, 40)
    stars = np.clip(np.round(predicted + draws.normal(0, 0.7, 40)), 1, 3)
    found = known.thresholds(predicted, stars, (1.0, 2.0, 3.0))

    def error(at: tuple[float, ...]) -> float:
        said = np.array([1.0, 2.0, 3.0])[(predicted[:, None] >= np.array(at)).sum(1)]
        return float(np.abs(said - stars).mean())

    best = min(error(pair) for pair in itertools.combinations(np.append(np.sort(predicted), np.inf), 2))
    assert error(tuple(found)) == pytest.approx(best)


def test_the_mean_of_a_film_counts_its_ratings_and_five_of_the_mean_of_all(films):
    users = [films.User(np.array([0, 1]), np.array([4.0, 2.0])), films.User(np.array([0]), np.array([5.0]))]
    mean = 11 / 3
    assert films.film_means(users, 3, apart=False) == pytest.approx(
        [mean + (4 + 5 - 2 * mean) / 7, mean + (2 - mean) / 6, mean]
    )


def test_a_small_run_judges_every_user_once_and_by_what_others_say(films, tmp_path, monkeypatch, capsys):
    stars, _, text = small_world()
    user, film = (axis.ravel() for axis in np.indices(stars.shape))
    table = {"user": user, "text": [f"film {i:02}" for i in film], "rating": stars.ravel(), "time": film}
    (tmp_path / "recommendation").mkdir()
    pq.write_table(pa.table(table), tmp_path / "recommendation" / "movielens.parquet")
    np.save(tmp_path / "features.npy", text)
    monkeypatch.setenv("METAGLOT_DATA", str(tmp_path))
    monkeypatch.setattr(films, "TEXT", 4)
    monkeypatch.setattr(films, "TITLES", 2)
    monkeypatch.setattr(films, "DRAWS", 1)
    films.main(["--folds", "2", "--features", str(tmp_path / "features.npy")])
    printed = capsys.readouterr().out
    assert "Ten drawn, 60 users" in printed
    assert "Ten first in time, 60 users" in printed
    errors = {
        cells[1].strip(): float(cells[2].split()[0])
        for cells in (line.split("|") for line in printed.splitlines())
        if len(cells) > 5 and "[" in cells[2]
    }
    assert errors["prior with known films"] < errors["user + film"] < errors["ridge on titles"]
