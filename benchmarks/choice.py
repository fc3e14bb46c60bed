"""Choosing the right reply among twenty, on services that nothing was trained on, from ten dialogues each.

    python -m benchmarks.choice --out FOLDER [--trained RUN] [--efforts instant fast]

with METAGLOT_DATA set; `docs/results/choice.md` has the table.  All methods have the same draws: 10 dialogues of a
service are learnt from, and turns of other dialogues are judged (`benchmarks/choice_sets.py`).
"""

import argparse
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from benchmarks.choice_sets import DIALOGUES, DRAWS, QUERIES, write
from benchmarks.models import load
from benchmarks.multilabel import interval
from metaglot.adaptation import Model
from metaglot.adaptation.token_units import token_units
from metaglot.data.examples import Examples, Inputs
from metaglot.evaluation import Plan, TaskSet, evaluate_into, read_results
from metaglot.evaluation.baselines import FeatureCache, FineTune, FineTuneSettings, FrozenInstant, ours
from metaglot.evaluation.baselines.ranked import Ranked, Scores, even, lists_of, ranked, words_alike
from metaglot.evaluation.protocol import Limit
from metaglot.evaluation.result import Result
from metaglot.families.family import AnyFamily

K1, B = 1.5, 0.75  # of BM25
TUNED = {DIALOGUES: FineTuneSettings(1e-4, 20)}


@dataclass(frozen=True)
class Scored:
    """A method that scores candidates by itself."""

    name: str
    learn: Callable[[Examples[Any], AnyFamily], Scores]
    model: str = "-"

    @property
    def settings(self) -> Mapping[str, object]:
        """There are none."""
        return {}

    def why_not(self, family: AnyFamily) -> str | None:
        """Return the reason why it cannot learn other kinds of tasks."""
        return None if family.name == "choice" else "it knows candidates alone"

    def fit(self, support: Examples[Any], family: AnyFamily, *, shot: int, seed: int) -> Ranked:
        """Return what it learns from the support set."""
        del shot, seed
        return ranked(family, support, self.learn(support, family))


def random_order(support: Examples[Any], family: AnyFamily) -> Scores:
    """Return the same score for every candidate."""
    del support, family
    return even


def tfidf_cosine(support: Examples[Any], family: AnyFamily) -> Scores:
    """Return ten times the cosine of TF-IDF vectors of a text and a candidate; words are weighed on the support set."""
    del family
    return words_alike(TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w+\b"), support)


def bm25(support: Examples[Any], family: AnyFamily) -> Scores:
    """Return BM25 of the words of a text in a candidate; documents are the candidates of the support set."""
    del family
    counter = CountVectorizer(token_pattern=r"(?u)\b\w+\b", binary=False)
    known = counter.fit_transform([one for own in lists_of(support.inputs) for one in own])
    having = np.asarray((known > 0).sum(0))[0]
    weight = np.log(1 + (known.shape[0] - having + 0.5) / (having + 0.5))
    length = float(known.sum(1).mean())

    def scores(inputs: Inputs) -> list[np.ndarray]:
        found: list[np.ndarray] = []
        for text, own in zip(inputs.texts, lists_of(inputs), strict=True):
            asked = (counter.transform([text]).toarray()[0] > 0) * weight
            counts = counter.transform(own).toarray()
            sizes = counts.sum(1, keepdims=True)
            found.append((counts * (K1 + 1) / (counts + K1 * (1 - B + B * sizes / length))) @ asked)
        return found

    return scores


def features_of(model: Model, family: AnyFamily, inputs: Inputs) -> list[np.ndarray]:
    """Return the features of the candidates of each text."""
    tools, schema = family.tokens, family.schema([])
    assert tools is not None
    found = token_units(model.encoder, {}, family, tools, schema, inputs)
    edges = np.searchsorted(found.places.owner, np.arange(1, len(inputs)))
    width = model.encoder.problem(family, schema).head_spec.inputs  # texts stand behind them
    return np.split(found.units.features[:, :width].cpu().numpy(), edges)


def cosine(model: Model) -> Callable[[Examples[Any], AnyFamily], Scores]:
    """Return the sum of both cosines: with the text and with its last line."""

    def learn(support: Examples[Any], family: AnyFamily) -> Scores:
        del support
        return lambda inputs: [5 * own[:, :2].sum(1) for own in features_of(model, family, inputs)]

    return learn


def learnt(model: Model) -> Callable[[Examples[Any], AnyFamily], Scores]:
    """Return what the model ranks by without an example: the head that all tasks share."""
    fit = model.zero_shot(task="choice").fit
    weight = fit.params["head.weight"][0].double().cpu().numpy()

    def learn(support: Examples[Any], family: AnyFamily) -> Scores:
        del support
        return lambda inputs: [own @ weight for own in features_of(model, family, inputs)]

    return learn


def regression(model: Model) -> Callable[[Examples[Any], AnyFamily], Scores]:
    """Return logistic regression of right candidates and wrong ones on the same features, both kinds weighed alike."""

    def learn(support: Examples[Any], family: AnyFamily) -> Scores:
        rows = features_of(model, family, support.inputs)
        right = np.concatenate(
            [np.isin(np.arange(len(own)), one.right) for own, one in zip(rows, support.targets, strict=True)]
        )
        fitted = LogisticRegression(C=1.0, class_weight="balanced", max_iter=500).fit(np.concatenate(rows), right)
        return lambda inputs: [fitted.decision_function(own) for own in features_of(model, family, inputs)]

    return learn


def table(results: Sequence[Result], best: str) -> Iterator[str]:
    """Yield the lines of a table: accuracy of each service apart, means, and what `best` gains over each method."""
    tasks = sorted({one.task for one in results})
    cells = {(one.task, one.draw, label_of(one)): one for one in results}
    heads = [task.rpartition("/")[2] for task in tasks]
    yield f"| method | model | {' | '.join(heads)} | mean | MRR | recall at 5 | ECE | CPU-s | {best} gains |"
    yield f"|---|---|{'---:|' * (len(tasks) + 6)}"
    for label in dict.fromkeys(map(label_of, results)):
        mine = [one for one in results if label_of(one) == label]
        each = [100 * fmean(one.score for one in mine if one.task == task) for task in tasks]
        gains = [
            100 * (cells[one.task, one.draw, best].score - one.score)
            for one in mine
            if (one.task, one.draw, best) in cells
        ]
        mrr, recall, ece = (fmean(one.metrics[name] for one in mine) for name in ("mrr", "recall5", "ece"))
        numbers = [*(f"{value:.1f}" for value in (*each, fmean(each))), f"{mrr:.3f}"]
        numbers += [f"{100 * recall:.1f}", f"{100 * ece:.1f}", f"{fmean(one.cpu_seconds for one in mine):.1f}"]
        method, _, model = label.partition(" ")
        yield f"| {method} | {model} | {' | '.join(numbers)} | {'' if label == best else interval(gains)} |"


def label_of(one: Result) -> str:
    """Return what a method is called in the table."""
    return f"{one.method} {Path(one.model).name}"


def methods_of(args: argparse.Namespace) -> list[Any]:
    """Return the methods that are asked for."""
    plain = load(args.model)
    found: list[Any] = [
        Scored("random", random_order),
        Scored("tfidf-cosine", tfidf_cosine),
        Scored("bm25", bm25),
        Scored("cosine", cosine(plain), plain.name),
        Scored("frozen-lr", regression(plain), plain.name),
        FrozenInstant(plain, FeatureCache(plain.encoder)),
    ]
    found = found if args.floors else []
    found += [FineTune(plain.encoder, by_shot=TUNED)] if args.finetune else []
    if args.trained:
        model = load(args.trained)
        found += [Scored("cosine", cosine(model), model.name), Scored("no-examples", learnt(model), model.name)]
        found += ours(model, args.efforts)
        found += [FineTune(model.encoder, name="then-finetune", by_shot=TUNED)] if args.finetune else []
    return found


def main() -> None:
    """Run what is left of the evaluation, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--beside", type=Path, nargs="*", default=[], help="results of other models for the table")
    parser.add_argument("--model", default="builtin:mini", help="the model of the floors")
    parser.add_argument("--trained", help="a model that is adapted, such as a run of recipes/choice.yaml")
    parser.add_argument("--efforts", nargs="*", default=["instant", "fast"])
    parser.add_argument("--best", help='what the gains are of, such as "ours-fast choice"; the last of ours if absent')
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--queries", type=int, default=QUERIES)
    parser.add_argument("--dear-draws", type=int, default=1, help="draws of what takes gradient steps")
    parser.add_argument("--finetune", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--floors", action=argparse.BooleanOptionalAction, default=True)
    args = parser.parse_args()
    write(args.out / "sets", Path(os.environ["METAGLOT_DATA"]))
    tasks = TaskSet.load_all(args.out / "sets" / "test.parquet", task="choice", by_domain=True)
    dear = ("finetune", "then-finetune", "ours-fast", "ours-thorough")
    limits = tuple((name, Limit(draws=args.dear_draws)) for name in dear)
    plan = Plan(shots=[DIALOGUES], draws=args.draws, queries=args.queries, seed=0, limits=limits)
    for result in evaluate_into(args.out, tasks, methods_of(args), plan):
        print(json.dumps([*result.cell, round(result.score, 4), result.cpu_seconds]), flush=True)
    results = [one for folder in (*args.beside, args.out) for one in read_results(folder)]
    mine = [label_of(one) for one in results if one.method.startswith(("ours", "frozen-instant"))]
    lines = list(table(results, args.best or mine[-1]))
    (args.out / "table.md").write_text("\n".join(lines) + "\n", "utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
