"""Spans of texts: slots of commands and names, in domains that no training had, ours beside baselines on equal draws.

    METAGLOT_DATA=… python -m benchmarks.tagging --out results/tagging [--model RUN] [--pooled RUN]

Tasks are two domains of snips-slots and two of crossner; recipes/tags.yaml trains on other ones.  A shot is a sentence
that has a span of the type.  `dictionary` gives what stands in the support set its label there, whatever stands around
it.  `frozen-middle` is logistic regression of words on the mean of the layers 3 to 5 of the untouched MiniLM, with the
look of the word; with --pooled, `pooled-lr` is the same on the last layer of a run that was trained on the other
domains with one head a set, `pooled-instant` and `pooled-fast` are our efforts on it.  `plain-finetune` is what is
usual: a head that begins at zeros, all weights moved.
OUT has results.jsonl and table.md; killed, the same command goes on where it stopped.
"""

import argparse
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn.functional import normalize

from benchmarks.models import load
from benchmarks.multilabel import interval
from benchmarks.running import evaluated, write_table
from benchmarks.tag_heads import HeadedFineTune, Rates, zeros
from metaglot.adaptation import Model
from metaglot.adaptation.token_units import window_batch, windows_of
from metaglot.data.examples import Examples, Inputs
from metaglot.data.spans import Span, Spans
from metaglot.evaluation import Plan, TaskSet, read_results
from metaglot.evaluation.baselines import FeatureCache, FineTune, FineTuneSettings, FrozenInstant, ours
from metaglot.evaluation.baselines.ours import Ours
from metaglot.evaluation.protocol import Limit
from metaglot.evaluation.result import Result
from metaglot.families.family import AnyFamily
from metaglot.families.heads.tags import TagUnits, followed
from metaglot.families.records import Places, Predictions, Schema
from metaglot.families.tag_words import words_in
from metaglot.families.tagging import LOOK
from metaglot.families.tagging_family import WAYS
from metaglot.models.turns import turn

SETS: Mapping[str, Sequence[str]] = {
    "snips-slots": ("BookRestaurant", "SearchScreeningEvent"),
    "crossner": ("literature", "ai"),
}
MIDDLE = (3, 4, 5)  # layers
FREEDOM = (
    30.0  # C of the logistic regression, of 10, 30, 100, 300 the best on AddToPlaylist, PlayMusic, politics, wnut17
)
TUNED = {
    5: FineTuneSettings(1e-4, 20)
}  # of 20, 40 and 80 steps the quickest, and as good as the others on PlayMusic and politics
PLAIN = Rates(steps=40, lr=3e-4, head_lr=3e-2)  # of those in docs/results/tagging.md the best on PlayMusic


@dataclass(frozen=True)
class Dictionary:
    """What stands in the support set as a span is one wherever it stands; the longest first."""

    name: str = "dictionary"
    model: str = "-"

    @property
    def settings(self) -> Mapping[str, object]:
        """There are none."""
        return {}

    def why_not(self, family: AnyFamily) -> str | None:
        """Return the reason why it cannot learn other kinds of tasks."""
        return None if family.name == "tagging" else "it knows spans alone"

    def fit(self, support: Examples[Any], family: AnyFamily, *, shot: int, seed: int) -> "Known":
        """Return the spans of the support set, in small letters."""
        del shot, seed
        found: defaultdict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
        for (text, _), spans in zip(support.inputs.rows(), cast("Sequence[Spans]", support.targets), strict=True):
            for span in spans:
                found[tuple(_words(text[span.start : span.end]))][span.label] += 1
        best = {words: count.most_common(1)[0][0] for words, count in found.items()}
        return Known(family, family.schema(support.targets), best)


@dataclass(frozen=True)
class Known:
    """A dictionary of spans."""

    family: AnyFamily
    schema: Schema
    labels: Mapping[tuple[str, ...], str]

    def predict(self, inputs: Inputs) -> Predictions:
        """Return the spans that are known."""
        columns = self.family.columns(self.schema)
        return Predictions(columns, np.zeros((0, len(columns))), [self._spans(text) for text, _ in inputs.rows()])

    def _spans(self, text: str) -> Spans:
        words, places, at, found = _words(text), words_in(text), 0, list[Span]()
        longest = max(map(len, self.labels), default=0)
        while at < len(words):
            sizes = range(min(longest, len(words) - at), 0, -1)
            size = next((n for n in sizes if tuple(words[at : at + n]) in self.labels), 0)
            if size:
                label = self.labels[tuple(words[at : at + size])]
                found.append(Span(int(places[at, 0]), int(places[at + size - 1, 1]), label))
            at += max(1, size)
        return tuple(found)


@dataclass(frozen=True)
class WordLR:
    """Balanced logistic regression of the tags of words, on frozen features and their look."""

    start: Model
    name: str
    layers: Sequence[int] | None = None  # None: the last

    @property
    def model(self) -> str:
        """The name of the model."""
        return self.start.name

    @property
    def settings(self) -> Mapping[str, object]:
        """What is fixed."""
        return {"C": FREEDOM, "layers": list(self.layers or ()), "weights": self.start.encoder.fingerprint()}

    def why_not(self, family: AnyFamily) -> str | None:
        """Return the reason why it cannot learn other kinds of tasks."""
        return None if family.name == "tagging" else "it knows words alone"

    def fit(self, support: Examples[Any], family: AnyFamily, *, shot: int, seed: int) -> "TaggedWords":
        """Return the regression, and how often kinds of tags follow each other."""
        del shot, seed
        schema = family.schema(support.targets)
        units, _ = self.units(family, schema, support.inputs, support.targets)
        fitted = LogisticRegression(C=FREEDOM, max_iter=300, tol=1e-3, class_weight="balanced").fit(
            units.features.numpy(), units.tags.numpy()
        )
        return TaggedWords(self, family, schema, fitted, followed(units).float())

    def units(
        self, family: AnyFamily, schema: Schema, inputs: Inputs, targets: Sequence[Any] | None
    ) -> tuple[TagUnits, Places]:
        """Return the words of inputs with their features."""
        encoder, tools = self.start.encoder, family.tokens
        assert tools is not None
        cut, parts = windows_of(encoder, tools, inputs), list[TagUnits]()
        order = sorted(range(len(cut)), key=lambda i: len(cut[i].part))
        for rows in (order[at : at + 32] for at in range(0, len(order), 32)):
            batch = window_batch(encoder, family, tools, schema, [cut[i] for i in rows], targets)
            judged = batch["tags"] != -100
            features = self._features(batch)[judged]
            parts.append(TagUnits(features, batch["tags"][judged], torch.tensor(rows)[judged.nonzero()[:, 0]]))
        whole = TagUnits(*(torch.cat(part) for part in zip(*parts, strict=True)))
        whole = whole.at(whole.owner.argsort(stable=True))
        places = np.concatenate([tools.places(window) for window in cut])
        return whole._replace(owner=torch.tensor([one.owner for one in cut])[whole.owner]), Places(
            inputs, np.array([one.owner for one in cut])[whole.owner.numpy()], whole.owner.numpy(), *places.T
        )

    def _features(self, batch: Mapping[str, Tensor]) -> Tensor:  # [B, W, D + 12]
        learner, own = self.start.encoder.backbone.learner, ("input_ids", "attention_mask")
        with torch.no_grad():
            if self.layers is None:
                hidden = learner.forward(self.start.encoder.meta, batch).hidden
            else:
                with turn(learner.module):
                    module = cast("Any", learner.module).base_model
                    every = module(**{name: batch[name] for name in own}, output_hidden_states=True).hidden_states
                hidden = sum(normalize(every[layer].float(), dim=-1) for layer in self.layers)
        first, last = batch["words"].unsqueeze(-1).unbind(2)
        place = torch.arange(batch["input_ids"].shape[1])
        among = ((place >= first) & (place < last)).float()
        mask = batch["attention_mask"][..., None] > 0
        word = normalize(among @ torch.where(mask, cast("Tensor", hidden), 0), dim=-1)
        return torch.cat([word, LOOK * batch["looks"]], dim=-1)


class TaggedWords(NamedTuple):
    """A regression of words."""

    method: WordLR
    family: AnyFamily
    schema: Schema
    fitted: Any
    ways: Tensor

    def predict(self, inputs: Inputs) -> Predictions:
        """Return the spans."""
        units, places = self.method.units(self.family, self.schema, inputs, None)
        columns = self.family.columns(self.schema)
        values = np.full((len(units.tags), len(columns)), 1e-9)
        if len(values):
            values[:, self.fitted.classes_] = self.fitted.predict_proba(units.features.numpy())
        decided = self.family.decode(values, self.schema, {WAYS: self.ways}, places)
        return Predictions(columns, values, decided)


def _words(text: str) -> list[str]:
    return [text[start:end].lower() for start, end in words_in(text).tolist()]


def task_sets(root: Path) -> list[TaskSet]:
    """Return the domains."""
    return [
        task
        for file, domains in SETS.items()
        for task in TaskSet.load_all(root / "tagging" / f"{file}.parquet", task="tagging", by_domain=True)
        if task.name.rpartition("/")[2] in domains
    ]


def table(results: Sequence[Result], best: str) -> Iterator[str]:
    """Yield the lines of a table: span F1 of each domain apart, means, and what `best` gains over each method."""
    tasks = sorted({one.task for one in results})
    cells = {(one.task, one.draw, label_of(one)): one for one in results}
    heads = [task.rpartition("/")[2] for task in tasks]
    yield f"| method | model | {' | '.join(heads)} | mean | macro by type | ECE | CPU-s | {best} gains |"
    yield f"|---|---|{'---:|' * (len(tasks) + 5)}"
    for label in dict.fromkeys(map(label_of, results)):
        mine = [one for one in results if label_of(one) == label]
        each = [100 * fmean(one.metrics["span_f1"] for one in mine if one.task == task) for task in tasks]
        kinds, ece = (100 * fmean(one.metrics[name] for one in mine) for name in ("type_f1", "span_ece"))
        pairs = [
            [
                100 * (cells[task, one.draw, best].score - one.score)
                for one in mine
                if one.task == task and (task, one.draw, best) in cells
            ]
            for task in tasks
        ]
        gain = "" if label == best else interval([value for own in pairs for value in own])
        numbers = " | ".join(f"{value:.1f}" for value in (*each, fmean(each), kinds, ece))
        seconds = fmean(one.cpu_seconds for one in mine)
        yield f"| {label.partition(' ')[0]} | {label.partition(' ')[2]} | {numbers} | {seconds:.1f} | {gain} |"


def label_of(one: Result) -> str:
    """Return what a method is called in the table."""
    return f"{one.method} {Path(one.model).name}"


def main() -> None:
    """Run what is left of the evaluation, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--beside", type=Path, nargs="*", default=[], help="results of other models for the table")
    parser.add_argument("--model", default="builtin:mini")
    parser.add_argument("--pooled", help="a run of the algorithm joint on the other domains, in place of --model")
    parser.add_argument("--best", help='what the gains are of, such as "ours-fast mini"; the last of ours if absent')
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--shots", type=int, default=5)
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument(
        "--finetune-draws", type=int, help="draws of the fine-tune, which is dear: all if absent, none if 0"
    )
    parser.add_argument("--plain-draws", type=int, help="draws of the plain fine-tune, as above")
    parser.add_argument("--efforts", nargs="*", default=["instant", "fast", "auto"])
    parser.add_argument("--floors", action=argparse.BooleanOptionalAction, default=True)
    args = parser.parse_args()
    model, plain = load(args.model), load("builtin:minilm")
    floors: list[Any] = [
        Dictionary(),
        WordLR(plain, "frozen-middle", MIDDLE),
        FrozenInstant(plain, FeatureCache(plain.encoder)),
    ]
    methods = floors if args.floors else []
    methods += [FineTune(plain.encoder, by_shot=TUNED)] if args.finetune_draws != 0 else []
    methods += [HeadedFineTune(plain.encoder, "plain-finetune", zeros, {5: PLAIN})] if args.plain_draws != 0 else []
    methods += pooled(load(args.pooled), args.efforts) if args.pooled else ours(model, args.efforts)
    dear = (("finetune", args.finetune_draws), ("plain-finetune", args.plain_draws))
    limits = tuple((name, Limit(draws=draws)) for name, draws in dear if draws)
    plan = Plan(shots=[args.shots], draws=args.draws, queries=args.queries, seed=0, limits=limits)
    mine = evaluated(args.out, task_sets(Path(os.environ["METAGLOT_DATA"])), methods, plan)
    results = [*(one for folder in args.beside for one in read_results(folder)), *mine]
    best = args.best or [label_of(one) for one in results if one.method.startswith(("ours", "pooled"))][-1]
    write_table(args.out, table(results, best))


def pooled(model: Model, efforts: Sequence[str]) -> list[Any]:
    """Return logistic regression and our efforts on a model that was trained on all other domains at once."""
    queries = FeatureCache(model.encoder)
    return [
        WordLR(model, "pooled-lr"),
        *(Ours(model, effort, queries, label=f"pooled-{effort}") for effort in efforts),
    ]


if __name__ == "__main__":
    main()
