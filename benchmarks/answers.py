"""Answers in passages: titles of an encyclopedia and kinds of reviews that no training had, on equal draws.

    METAGLOT_DATA=… python -m benchmarks.answers --out results/answers [--model RUN] [--multitask RUN] [--choosing]

`xquad-en` has the articles of xquad in English that recipes/answers.yaml keeps aside: half of the titles give the
examples, the other half the questions that are judged.  The reviews of subjqa are apart by domain.  RUN was trained on
other ones (recipes/answers.yaml), and the run of --multitask on the same sets by plain multi-task training, which is
fine-tuned, too, at the rates and for the steps of --finetune.  With --choosing, settings are compared on the halves
that give examples, and nothing that is judged is looked at.  A shot is a question.
Reviews often have no answer, so that "no answer" everywhere is a method of its own, and questions with an answer are
shown apart: as they are answered, and `forced`, where the most likely part is given even if none was thought likely.
OUT has results.jsonl and table.md; killed, the same command goes on where it stopped.
"""

import argparse
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple, cast

import numpy as np

from benchmarks.answer_tasks import FORCED, task_sets
from benchmarks.models import load
from benchmarks.multilabel import interval
from benchmarks.running import evaluated, write_table
from metaglot.adaptation import Model
from metaglot.adaptation.effort import Effort
from metaglot.adaptation.fit import Fit
from metaglot.adaptation.shared_head import learnt_head
from metaglot.adaptation.token_units import token_units
from metaglot.data.answers import Answer
from metaglot.data.examples import Examples, Inputs
from metaglot.data.splitting import split_sentences
from metaglot.data.words import words
from metaglot.evaluation import Plan
from metaglot.evaluation.baselines import FineTune, FineTuneSettings, ours
from metaglot.evaluation.baselines.method import Method
from metaglot.evaluation.baselines.ours import TextPredictor
from metaglot.evaluation.protocol import Limit
from metaglot.evaluation.result import Result
from metaglot.families.family import AnyFamily
from metaglot.families.records import Predictions

NEVER = -1e6  # the score of "no answer" where an answer is forced
TUNED = {1: FineTuneSettings(1e-4, 20), 64: FineTuneSettings(1e-4, 40)}
WINDOWS = 8  # of passages in a step of fine-tuning
COLUMNS = {
    "F1": "answer_f1",
    "exact": "exact_match",
    "answerable": "answerable_f1",
    "forced": FORCED.name,
    "unanswerable": "unanswerable",
    "characters": "character_f1",
    "ECE": "answer_ece",
}


@dataclass(frozen=True)
class NoAnswer:
    """No question has an answer."""

    name: str = "no answer"
    model: str = "-"

    @property
    def settings(self) -> Mapping[str, object]:
        """There are none."""
        return {}

    def why_not(self, family: AnyFamily) -> None:
        """Return None."""
        del family

    def fit(self, support: Examples[Any], family: AnyFamily, *, shot: int, seed: int) -> "NoAnswer":
        """Return itself."""
        del support, family, shot, seed
        return self

    def predict(self, inputs: Inputs) -> Predictions:
        """Return no answer to each question."""
        return _predictions([Answer(also=("",)) for _ in inputs.texts])


@dataclass(frozen=True)
class Sentence(NoAnswer):
    """The answer is the sentence that shares most words with the question; of equal ones the first."""

    name: str = "sentence"

    def predict(self, inputs: Inputs) -> Predictions:
        """Return a sentence for each question."""
        found = [_sentence(question, passage or "") for question, passage in inputs.rows()]
        return _predictions([Answer(text, also=(text,)) for text in found])


def _sentence(question: str, passage: str) -> str:
    asked = _words(question)
    return max(split_sentences(passage), key=lambda sentence: len(asked & _words(sentence)), default="")


def _words(text: str) -> set[str]:
    return {text[start:end].lower() for start, end in words(text)}


def _predictions(answers: Sequence[Answer]) -> Predictions:
    return Predictions((), np.zeros((0, 0)), answers)


@dataclass(frozen=True)
class ZeroShot:
    """The head that the model has learnt, without any example."""

    trained: Model
    name: str = "zero-shot"

    @property
    def model(self) -> str:
        """The name of the model."""
        return self.trained.name

    @property
    def settings(self) -> Mapping[str, object]:
        """What is fixed."""
        return {"weights": self.trained.fingerprint()}

    def why_not(self, family: AnyFamily) -> None:
        """Return None."""
        del family

    def fit(self, support: Examples[Any], family: AnyFamily, *, shot: int, seed: int) -> Fit:
        """Return the head as it is."""
        del shot
        encoder, schema = self.trained.encoder, family.schema(support.targets)
        head = learnt_head(encoder, family, schema)
        return Fit(encoder, family, schema, head, Effort(steps=0), seed, paired=True)


@dataclass(frozen=True)
class Forced:
    """A method that says of each question, too, what it would answer if it had to (`Answer.also`)."""

    method: Method

    @property
    def name(self) -> str:
        """The name of the method."""
        return self.method.name

    @property
    def model(self) -> str:
        """The name of its model."""
        return self.method.model

    @property
    def settings(self) -> Mapping[str, object]:
        """The settings of the method."""
        return self.method.settings

    def why_not(self, family: AnyFamily) -> str | None:
        """Return the reason of the method."""
        return self.method.why_not(family)

    def fit(self, support: Examples[Any], family: AnyFamily, *, shot: int, seed: int) -> "ForcedFit":
        """Return the fitted method."""
        fitted = self.method.fit(support, family, shot=shot, seed=seed)
        return ForcedFit(fitted.adapted.fit if isinstance(fitted, TextPredictor) else cast("Fit", fitted))


class ForcedFit(NamedTuple):
    """A fit, and its forced answers."""

    fit: Fit

    def predict(self, inputs: Inputs) -> Predictions:
        """Return the answers; each has the forced one beside it."""
        fit = self.fit
        assert fit.family.tokens is not None
        units = token_units(fit.encoder, fit.params, fit.family, fit.family.tokens, fit.schema, inputs)
        plain = fit.predictions(units.units.features.cpu().numpy(), units.places)
        lowered = np.where((units.places.start < 0)[:, None], NEVER, plain.values)
        forced = fit.family.decode(lowered, fit.schema, fit.params, units.places)
        both = zip(plain.targets, forced, strict=True)
        return plain._replace(targets=[replace(one, also=(other.text,)) for one, other in both])


def tuned(settings: str) -> tuple[str, FineTuneSettings]:
    """Return the name and the settings of fine-tuning that `RATE:STEPS` asks for."""
    rate, steps = settings.split(":")
    found = FineTuneSettings(float(rate), int(steps))
    return f"multitask, {found.steps} steps at {found.lr:g}", found


def of_multitask(model: Model, finetune: Sequence[str], efforts: Sequence[str]) -> Iterator[Forced]:
    """Yield the methods of a run of multi-task training: without examples, fine-tuned, and its efforts."""
    yield Forced(ZeroShot(model, "multitask, zero-shot"))
    by_name = {name: {1: one} for name, one in map(tuned, finetune)} or {"multitask": TUNED}
    for name, by_shot in by_name.items():
        yield Forced(FineTune(model.encoder, name=name, by_shot=by_shot, batch_size=WINDOWS))
    yield from (Forced(replace(one, label=f"multitask, {one.effort}")) for one in ours(model, efforts))


def tables(results: Sequence[Result], best: str) -> Iterator[str]:
    """Yield a table for each task and number of shots: the metrics, and what `best` gains on the answerable."""
    cells = {(one.task, one.shot, one.draw, one.method): one for one in results}
    for task in dict.fromkeys(one.task for one in results):
        for shot in sorted({one.shot for one in results if one.task == task}):
            mine = [one for one in results if (one.task, one.shot) == (task, shot)]
            yield f"\n**{task}, {shot} questions**\n"
            columns = {head: name for head, name in COLUMNS.items() if any(name in one.metrics for one in mine)}
            yield f"| method | model | {' | '.join(columns)} | CPU-s | `{best}` gains in F1 | on the answerable |"
            yield f"|---|---|{'---:|' * (len(columns) + 3)}"
            for method in dict.fromkeys(one.method for one in mine):
                own = [one for one in mine if one.method == method]
                beside = [(cells[at], one) for one in own if (at := (task, shot, one.draw, best)) in cells]
                gains = [_gain(beside, name) if method != best else "" for name in ("answer_f1", "answerable_f1")]
                numbers = [_mean(own, name) for name in columns.values()]
                numbers.append(f"{fmean(one.cpu_seconds for one in own):.1f}")
                yield f"| {method} | {Path(own[0].model).name} | {' | '.join([*numbers, *gains])} |"


def _mean(results: Sequence[Result], name: str) -> str:
    scores = [one.metrics[name] for one in results if name in one.metrics]
    return f"{100 * fmean(scores):.1f}" if scores else "–"


def _gain(beside: Sequence[tuple[Result, Result]], name: str) -> str:
    gains = [100 * (a.metrics[name] - b.metrics[name]) for a, b in beside if name in a.metrics and name in b.metrics]
    return interval(gains) if len(gains) > 1 else f"{gains[0]:+.1f}" if gains else ""


def main() -> None:
    """Run what is left of the evaluation, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", help="a run that was trained on other questions; without it, the floors alone")
    parser.add_argument("--multitask", help="a run of plain multi-task training on the same questions")
    parser.add_argument("--tasks", nargs="*", default=["xquad-en", "books", "movies", "tripadvisor"])
    parser.add_argument("--shots", type=int, nargs="*", default=[16])
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--finetune-draws", type=int, default=0, help="draws of the plain fine-tune; none if 0")
    parser.add_argument("--efforts", nargs="*", default=["instant", "fast"])
    parser.add_argument("--finetune", nargs="*", default=[], metavar="RATE:STEPS", help="of the run of --multitask")
    parser.add_argument("--multitask-efforts", nargs="*", default=[], help="of the run of --multitask")
    parser.add_argument("--choosing", action="store_true", help="on the halves that give examples, to choose settings")
    parser.add_argument("--best", default="ours-fast", help="what the gains are of")
    args = parser.parse_args()
    methods: list[Any] = [NoAnswer(), Sentence()]
    if args.finetune_draws:
        methods.append(Forced(FineTune(load("builtin:minilm").encoder, by_shot=TUNED, batch_size=WINDOWS)))
    if args.multitask:
        methods += of_multitask(load(args.multitask), args.finetune, args.multitask_efforts)
    if args.model:
        model = load(args.model)
        methods += [Forced(ZeroShot(model)), *(Forced(one) for one in ours(model, args.efforts))]
    limits = (("finetune", Limit(draws=args.finetune_draws)),)
    plan = Plan(shots=args.shots, draws=args.draws, queries=args.queries, seed=0, limits=limits)
    tasks = task_sets(Path(os.environ["METAGLOT_DATA"]), args.tasks, choosing=args.choosing)
    write_table(args.out, tables(evaluated(args.out, tasks, methods, plan), args.best))


if __name__ == "__main__":
    main()
