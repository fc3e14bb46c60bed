"""The first ten ratings of a new user: a prior that was learnt over users, beside ridge regression and plain means.

    METAGLOT_DATA=… python -m benchmarks.films        # two CPU-minutes, one of them for features
    … --fine-tune 12                 # gradient steps too, for as many users: four CPU-seconds each
    … --folds 5                      # every user is judged once, by what the other four fifths say

A user is a task, ten rated films are the support, all other films of the user the query; a film's text is its title and
genres.  Means, priors and thresholds are learnt from 70 % of the users and judged on the others, of whom nothing is
seen but the ten.  Drawn: the mean of three draws of the ten; first: the ten that the user rated first.

    film's mean                 m_i, of the users to learn from, drawn to the mean of all (five ratings)
    user + film                 mean of the ten + mean of (rating − mean of its user) of the film
    user + film, drawn to 0     m_i + Σ (y − m) / (10 + 3)
    ridge                       on features of titles, its penalty by each example left out
    prior on titles             m_i + posterior on 16 principal components, prior by expectation–maximisation over users
    prior with known films      level and tastes of films (benchmarks/films_known.py), then the posterior of a user
    …, in levels                said in half stars, with thresholds learnt from users set aside; ranked as before

MAE in stars; nDCG@5 with gains 2^stars − 1.  Data: MovieLens, Harper and Konstan 2015.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
import torch
from sklearn.metrics import ndcg_score

from benchmarks.films_known import Known, Ratings, known_films, thresholds
from benchmarks.films_prior import NumberTask, forecast, learn_prior, posterior
from benchmarks.films_steps import fine_tune
from metaglot.adaptation import Model, load_model
from metaglot.errors import MetaglotError
from metaglot.evaluation.statistics import t_interval
from metaglot.families.heads.numbers import centred, ridge
from metaglot.seeds import generator

SHOTS, DRAWS, SHARE, FOLDS = 10, 3, 0.3, 5
LEVELS = tuple((np.arange(1, 11) / 2).tolist())
OURS = "prior with known films, in levels"
TEXT, TITLES = 32, 16  # principal components: of what is known of films, and of the prior on titles


class User(NamedTuple):
    """The films that a user rated, in the order of time."""

    films: np.ndarray  # [n]
    stars: np.ndarray  # [n]


class Said(NamedTuple):
    """Predictions for films, and what they are ranked by."""

    stars: np.ndarray
    rank: np.ndarray


Method = Callable[[np.ndarray, np.ndarray, np.ndarray], Said]  # films and stars of the support, films of the query


def load() -> tuple[list[str], list[User]]:
    """Return the texts of the films, and the users in the order of their numbers."""
    table = pq.read_table(Path(os.environ["METAGLOT_DATA"]) / "recommendation" / "movielens.parquet")
    texts = table["text"].to_pylist()
    names = sorted(set(texts))
    number = {name: i for i, name in enumerate(names)}
    film = np.array([number[text] for text in texts])
    user, stars, when = (table[name].to_numpy() for name in ("user", "rating", "time"))
    order = np.lexsort((np.arange(len(user)), when, user))
    parts = np.split(order, np.flatnonzero(np.diff(user[order])) + 1)
    return names, [User(film[rows], stars[rows]) for rows in parts]


def parts(users: Sequence[User], folds: int) -> Iterator[tuple[list[User], list[User]]]:
    """Yield the users to learn from and those to judge by: of one fold, 30 % are judged; of several, all in turn."""
    order = generator(0, "split").permutation(len(users))
    groups = np.array_split(order, folds) if folds > 1 else [order[: int(SHARE * len(users))]]
    for group in groups:
        judge = set(group.tolist())
        yield [u for n, u in enumerate(users) if n not in judge], [u for n, u in enumerate(users) if n in judge]


def components(features: np.ndarray, count: int) -> np.ndarray:  # [N, D] -> [N, count]
    """Return principal components, of variance one on average."""
    centred = features - features.mean(0)
    found = centred @ np.linalg.svd(centred, full_matrices=False)[2][:count].T
    return found / found.std()


def film_means(users: Sequence[User], films: int, *, apart: bool, strength: float = 5.0) -> np.ndarray:  # [N]
    """Return the mean rating of each film, drawn to that of all; `apart`: of what a rating is above its user's mean."""
    film = np.concatenate([user.films for user in users])
    stars = np.concatenate([user.stars - (user.stars.mean() if apart else 0) for user in users])
    total, count = np.bincount(film, stars - stars.mean(), films), np.bincount(film, minlength=films)
    return stars.mean() + total / (count + strength)


def ratings(users: Sequence[User]) -> Ratings:
    """Return the ratings of all users, numbered from 0."""
    who = np.repeat(np.arange(len(users)), [len(user.films) for user in users])
    return Ratings(who, np.concatenate([u.films for u in users]), np.concatenate([u.stars for u in users]))


def with_known(known: Known) -> Method:
    """Return the posterior of a user's tastes, over what is known of the films."""
    tastes, level = torch.from_numpy(known.tastes), known.level

    def said(films: np.ndarray, stars: np.ndarray, asked: np.ndarray) -> Said:
        found = posterior(tastes[films], torch.from_numpy(stars - level[films]), known.prior)
        predicted = level[asked] + forecast(tastes[asked], found).mean.numpy()
        return Said(predicted, predicted)

    return said


def in_levels(method: Method, inner: Method, aside: Sequence[User]) -> Method:
    """Return the method in half stars, with thresholds from users whom the inner one was learnt without."""
    drawn = [(user, draw(user, 0, n)) for n, user in enumerate(aside)]
    predicted = [inner(u.films[rows], u.stars[rows], u.films[rest]).stars for u, (rows, rest) in drawn]
    at = thresholds(np.concatenate(predicted), np.concatenate([u.stars[rest] for u, (_, rest) in drawn]), LEVELS)

    def said(films: np.ndarray, stars: np.ndarray, asked: np.ndarray) -> Said:
        found = method(films, stars, asked)
        return Said(np.array(LEVELS)[(found.stars[:, None] >= at).sum(1)], found.rank)

    return said


def on_titles(users: Sequence[User], means: np.ndarray, titles: np.ndarray) -> Method:
    """Return the posterior on features of titles, of what the film's mean leaves."""
    x = torch.from_numpy(titles)
    tasks = [NumberTask(x[user.films], torch.from_numpy(user.stars - means[user.films])) for user in users]
    prior = learn_prior(tasks, rounds=15)

    def said(films: np.ndarray, stars: np.ndarray, asked: np.ndarray) -> Said:
        found = posterior(x[films], torch.from_numpy(stars - means[films]), prior)
        predicted = means[asked] + forecast(x[asked], found).mean.numpy()
        return Said(predicted, predicted)

    return said


def by_ridge(features: np.ndarray, penalty: float | None = None) -> Method:
    """Return ridge regression on features of titles, with this penalty or the one that suits examples left out."""
    x = torch.from_numpy(features)

    def said(films: np.ndarray, stars: np.ndarray, asked: np.ndarray) -> Said:
        seen, numbers = x[films], torch.from_numpy(stars)
        line = ridge(seen, numbers).line if penalty is None else centred(seen, numbers, penalty)
        predicted = (x[asked] @ line.weight + line.bias).numpy()
        return Said(predicted, predicted)

    return said


def by_steps(model: Model, texts: Sequence[str]) -> Method:
    """Return gradient steps on the titles of the ten, with the rates that fine-tuning has by default."""
    steps = fine_tune(model, texts, lr=5e-5, head_lr=1e-2, steps=20)

    def said(films: np.ndarray, stars: np.ndarray, asked: np.ndarray) -> Said:
        predicted = steps(films, stars, asked)
        return Said(predicted, predicted)

    return said


def plain_means(users: Sequence[User], films: int) -> dict[str, Method]:
    """Return what means alone say."""
    mean, apart = film_means(users, films, apart=False), film_means(users, films, apart=True)

    def by_film(seen: np.ndarray, stars: np.ndarray, asked: np.ndarray) -> Said:
        del seen, stars
        return Said(mean[asked], mean[asked])

    def by_both(seen: np.ndarray, stars: np.ndarray, asked: np.ndarray) -> Said:
        del seen
        return Said(stars.mean() + apart[asked], apart[asked])

    def drawn(seen: np.ndarray, stars: np.ndarray, asked: np.ndarray) -> Said:
        return Said(mean[asked] + (stars - mean[seen]).sum() / (len(stars) + 3), mean[asked])

    return {"film's mean": by_film, "user + film": by_both, "user + film, drawn to 0": drawn}


def methods(users: Sequence[User], features: np.ndarray) -> dict[str, Method]:  # [N, D]
    """Return all methods, learnt from the users."""
    films, text = len(features), components(features, TEXT)
    some, aside = [user for n, user in enumerate(users) if n % FOLDS], users[::FOLDS]
    found = plain_means(users, films)
    inner = plain_means(some, films)
    found |= {f"{name}, in levels": in_levels(found[name], inner[name], aside) for name in found}
    found["ridge on titles"] = by_ridge(features)
    found["ridge on titles, λ = 1"] = by_ridge(features, 1.0)
    found["prior on titles"] = on_titles(users, film_means(users, films, apart=False), text[:, :TITLES])
    known, less = (with_known(known_films(ratings(group), text)) for group in (users, some))
    found["prior with known films"] = known
    found[OURS] = in_levels(known, less, aside)
    return found


def draw(user: User, number: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of the support and of the query; number −1: the first in time."""
    count = len(user.films)
    order = np.arange(count) if number < 0 else generator(seed, "support", number).permutation(count)
    return np.sort(order[:SHOTS]), np.sort(order[SHOTS:])


def score(said: Said, truth: np.ndarray) -> tuple[float, float]:
    """Return MAE and nDCG@5; what ties shares its ranks."""
    ndcg = ndcg_score((2**truth - 1)[None], said.rank[None], k=5)
    return float(np.abs(np.clip(said.stars, LEVELS[0], LEVELS[-1]) - truth).mean()), float(ndcg)


def judged(made: Mapping[str, Method], users: Sequence[User], draws: Sequence[int]) -> dict[str, np.ndarray]:  # [U, 2]
    """Return the scores of each method by user, means over draws."""
    rows = {name: np.zeros((len(users), 2)) for name in made}
    for n, user in enumerate(users):
        for number in draws:
            seen, asked = draw(user, number, n)
            for name, method in made.items():
                said = method(user.films[seen], user.stars[seen], user.films[asked])
                rows[name][n] += np.array(score(said, user.stars[asked])) / len(draws)
    return rows


def table(title: str, rows: Mapping[str, np.ndarray]) -> None:
    """Print scores with intervals over users, and how much better ours is than each."""
    print(f"\n{title}, {len(rows[OURS])} users\n")
    print("| method | MAE | nDCG@5 | ours: MAE | ours: nDCG@5 |\n|---|---:|---:|---:|---:|")
    for name, found in rows.items():
        cells = [t_interval(found[:, k].tolist()) for k in (0, 1)]
        cells += [t_interval((rows[OURS] - found)[:, k].tolist()) for k in (0, 1)] if name != OURS else []
        signs = ("", "", "+", "+")
        shown = [f"{c.mean:{s}.3f} [{c.low:{s}.3f}, {c.high:{s}.3f}]" for c, s in zip(cells, signs, strict=False)]
        print(f"| {name} | {' | '.join(shown + [''] * (4 - len(shown)))} |", flush=True)


def features_of(texts: Sequence[str], model: str, file: Path | None) -> np.ndarray:  # [N, D]
    """Return the features of texts, from the file where there is one."""
    if file and file.exists():
        return np.load(file).astype(np.float64)
    found = np.asarray(load_model(model).embed(texts))
    if file:
        np.save(file, found)
    return found.astype(np.float64)


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="builtin:minilm")
    parser.add_argument("--features", type=Path, help="features of the films in a .npy file, kept there")
    parser.add_argument("--folds", type=int, default=1, help="1: 30 %% of the users are judged")
    parser.add_argument("--fine-tune", type=int, default=0, help="users for whom gradient steps are taken too")
    args = parser.parse_args(given)
    torch.set_num_threads(1)
    texts, users = load()
    features = features_of(texts, args.model, args.features)
    drawn, first = list[Mapping[str, np.ndarray]](), list[Mapping[str, np.ndarray]]()
    for learn, judge in parts(users, args.folds):
        made = methods(learn, features)
        drawn.append(judged(made, judge, range(DRAWS)))
        first.append(judged(made, judge, [-1]))
        if args.fine_tune:
            made["gradient steps"] = by_steps(load_model(args.model), texts)
            table("Ten drawn, once", judged(made, judge[: args.fine_tune], [0]))
    for title, found in (("Ten drawn", drawn), ("Ten first in time", first)):
        table(title, {name: np.concatenate([fold[name] for fold in found]) for name in found[0]})


if __name__ == "__main__":
    try:
        main()
    except MetaglotError as error:
        sys.exit(f"films: {error}")
