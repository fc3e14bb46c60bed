"""Classification of one text or a pair: a linear layer on the pooled features, cross-entropy, accuracy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from torch import Tensor
from torch.nn.functional import cross_entropy, one_hot

from metaglot.data.labels import Label, in_order, label_text, labels_of, of_kind
from metaglot.errors import MetaglotError
from metaglot.families.batches import pad_rows
from metaglot.families.classes.tools import ClassTools
from metaglot.families.contrast import WithContrast
from metaglot.families.heads.classes import blend, fitted, solver_of
from metaglot.families.other_kind import check_no_numbers, check_one_each
from metaglot.families.quiet_sklearn import quiet_sklearn
from metaglot.families.records import Described, Linear, Name, Places, Predictions, Read, Schema, Solved
from metaglot.families.scoring import Scored, calibration_bins, calibration_error, check_values
from metaglot.families.support_units import SupportUnits
from metaglot.metric import ACCURACY, ACCURACY_AND_LOSS, CLASSIFICATION, ECE, MACRO_F1, Measures
from metaglot.models.heads import scores
from metaglot.types import Batch, HeadSpec, Outputs, Params, Row, TaskInfo, Units


@dataclass(frozen=True)
class Classification:
    """Tasks with one label a text (or pair of texts)."""

    pad_token_id: int = 0
    name: str = "classification"

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return input_ids, attention_mask [B, T] and labels [B]."""
        labels = torch.tensor([int(row["label"]) for row in rows])
        return {**pad_rows(rows, pad_token_id=self.pad_token_id), "labels": labels}

    def head_spec(self, task: TaskInfo, hidden_size: int) -> HeadSpec:
        """Return one score a label, on pooled features."""
        return HeadSpec(inputs=hidden_size, outputs=len(task.labels), level="pooled")

    def units(self, outputs: Outputs, batch: Batch, spec: HeadSpec) -> Units:
        """Return the pooled features of each text, and its label as a one-hot row."""
        labels = batch["labels"]
        targets = one_hot(labels, spec.outputs).to(outputs.pooled.dtype)
        return Units(outputs.pooled, targets, torch.arange(len(labels), device=labels.device))

    def logits(self, params: Params, outputs: Outputs, batch: Batch) -> Tensor:  # [B, C]
        """Return pooled · head.weightᵀ + head.bias, or its counterpart in a head of another form."""
        del batch
        return scores(params, outputs.pooled)

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:  # nats, mean over B
        """Return the cross-entropy."""
        return cross_entropy(logits, batch["labels"])

    def judged(self, batch: Batch) -> int:
        """Return the number of examples, B."""
        return len(batch["labels"])

    def alike(self, batch: Batch) -> Tensor:  # [B, B] bool
        """Return which examples have the same label."""
        labels = batch["labels"]
        return labels[:, None] == labels

    def of_data_set(self, batch: Batch, task: TaskInfo) -> Batch:
        """Return the batch with the numbers of its classes in the data set for labels."""
        labels = batch["labels"]
        return {**batch, "labels": torch.tensor(task.classes, device=labels.device)[labels]}

    def predict(self, logits: Tensor) -> Tensor:  # [B]
        """Return the label with the highest score."""
        return logits.argmax(-1)

    def metrics(self, logits: Tensor, batch: Batch) -> Mapping[str, float]:
        """Return loss (nats) and accuracy."""
        right = (self.predict(logits) == batch["labels"]).float().mean()
        return {"loss": float(self.loss(logits, batch)), "accuracy": float(right)}

    @property
    def measures(self) -> Measures:
        """Accuracy, the primary one, and loss."""
        return ACCURACY_AND_LOSS


@dataclass(frozen=True)
class ClassificationFamily:
    """The kind of task in which a text is of one class of several."""

    name: str = "classification"
    exclusive: ClassTools = field(default_factory=ClassTools)
    tokens: None = None
    shared: None = None
    writes: None = None
    decision: None = None
    probable: bool = True
    steps: int = 20
    measures: Measures = CLASSIFICATION
    each: str = "a class"

    def read(self, values: Sequence[object], name: Name) -> Read:
        """Return labels in their one form (`metaglot.data.labels`); raise MetaglotError for other objects."""
        return Read(*labels_of(values, name))

    def parse(self, cells: Sequence[Label | None], name: Name) -> Read:
        """Return the cells: a table has labels in their one form already."""
        del name
        return Read(list(cells))

    def check(self, targets: Sequence[Label]) -> None:
        """Raise MetaglotError for fewer than two classes."""
        if len(set(targets)) < 2:
            raise MetaglotError(f"all examples have the label {targets[0]!r}; give examples of at least two classes")

    def schema(self, targets: Sequence[Label]) -> Schema:
        """Return the classes in order, and how many examples each has."""
        classes = in_order(targets)
        return Schema(classes, tuple(targets.count(label) for label in classes))

    def extended(self, schema: Schema, more: Sequence[Label]) -> Schema:
        """Return the schema with more examples; new classes follow, in order."""
        labels = (*schema.outputs, *in_order(set(more) - set(schema.outputs)))
        before = dict(zip(schema.outputs, schema.counts, strict=True))
        return Schema(labels, tuple(before.get(label, 0) + more.count(label) for label in labels))

    def reduced(self, schema: Schema, targets: Sequence[Label]) -> Schema:
        """Return the schema of these examples; new classes follow, in order."""
        there = set(targets)
        labels = (*(label for label in schema.outputs if label in there), *in_order(there - set(schema.outputs)))
        return Schema(labels, tuple(targets.count(label) for label in labels))

    def like(self, targets: Sequence[Label], schema: Schema, name: Name) -> list[Label]:
        """Return each label as the known label that reads the same, with its type.

        Raises MetaglotError for labels of another type, for numbers among words, and for several labels in one.
        """
        known, given = list(map(label_text, schema.outputs)), list(map(label_text, targets))
        check_one_each(given, known, name)
        check_no_numbers([[label] for label in given], known, name)
        return of_kind(targets, schema.outputs, name)

    def strata(self, targets: Sequence[Label]) -> list[str]:
        """Return the class of each."""
        return [label_text(label) for label in targets]

    def counted(self, targets: Sequence[Label]) -> list[tuple[str, ...]]:
        """Return the class of each."""
        return [(label_text(label),) for label in targets]

    def shown(self, target: Label) -> str:
        """Return the label."""
        return label_text(target)

    def plain(self, target: Label) -> Any:
        """Return the label."""
        return target

    def described(self, schema: Schema) -> Described:
        """Return what a card says: the classes and their examples."""
        rows = tuple((label_text(label), str(n)) for label, n in zip(schema.outputs, schema.counts, strict=True))
        return Described(
            f"A text classifier with {len(rows)} classes",
            "text-classification",
            ("class", "examples"),
            rows,
            "It knows only the classes above and gives every text one of them.",
        )

    def columns(self, schema: Schema) -> tuple[str, ...]:
        """Return the names of the outputs."""
        return tuple(map(label_text, schema.outputs))

    def tensor(self, targets: Sequence[Label], schema: Schema) -> Tensor:  # [n], long
        """Return the number of the class of each."""
        number = {label: i for i, label in enumerate(schema.outputs)}
        return torch.tensor([number[label] for label in targets], dtype=torch.long)

    def moved(self, tensor: Tensor, old: Schema, new: Schema) -> Tensor:
        """Return the numbers that the classes have in the new schema."""
        number = {label: i for i, label in enumerate(new.outputs)}
        return torch.tensor([number[label] for label in old.outputs], device=tensor.device)[tensor]

    def row(self, target: Label, schema: Schema) -> Row:
        """Return the number of the class as the label."""
        return {"label": schema.outputs.index(target)}

    def objective(self, schema: Schema, pad_token_id: int) -> Classification:
        """Return the objective of classes."""
        del schema
        return Classification(pad_token_id)

    def contrasted(self, schema: Schema, pad_token_id: int, weight: float) -> WithContrast:
        """Return the objective with a contrastive loss beside its own."""
        return WithContrast(self.objective(schema, pad_token_id), weight)

    def alone(self, output: Label) -> Label:
        """Return the class itself."""
        return output

    def solve(self, units: SupportUnits, schema: Schema, metric: str) -> Solved:
        """Return the head of `heads/classes.py`, calibrated."""
        solver, beta = solver_of(units, len(schema.outputs), metric)
        return Solved(blend(units, len(schema.outputs), metric, solver=solver, beta=beta), solver)

    def solve_after(
        self, before: SupportUnits, units: SupportUnits, schema: Schema, metric: str, *, steps: int, firmness: float
    ) -> Solved:
        """Return the head on features after gradient steps, by the solver that is best before them."""
        classes = len(schema.outputs)
        solver, _ = solver_of(before, classes, metric)
        beta = firmness * fitted(steps, classes, solver)
        return Solved(blend(units, classes, metric, solver=solver, beta=beta), solver)

    def linear(self, features: Any, targets: Sequence[Label], schema: Schema, *, c: float) -> Linear:
        """Return logistic regression, softmax over the classes."""
        with quiet_sklearn():
            model = LogisticRegression(C=c, max_iter=1000).fit(features, self.tensor(targets, schema).numpy())
        weight, bias = np.asarray(model.coef_), np.asarray(model.intercept_)
        if len(weight) == 1:  # one logit of the second class over the first
            weight, bias = np.concatenate([np.zeros_like(weight), weight]), np.concatenate([np.zeros_like(bias), bias])
        return Linear(weight, bias, lambda rows: np.asarray(model.predict_proba(rows)))

    def floor(self, targets: Sequence[Label], schema: Schema) -> Params:
        """Return the share of each class: every text gets the most frequent one."""
        return {"head.bias": (torch.tensor(schema.counts, dtype=torch.float64) / len(targets)).log()}

    def link(self, scores: Tensor, schema: Schema, params: Params) -> Tensor:
        """Return softmax(scores)."""
        del schema, params
        return scores.softmax(-1)

    def decode(self, values: np.ndarray, schema: Schema, params: Params, places: Places | None = None) -> list[Label]:
        """Return the likeliest class of each."""
        del params, places
        return [schema.outputs[i] for i in values.argmax(-1)]

    def fits(self, params: Params, schema: Schema) -> bool:
        """Return whether there are two classes or more."""
        del params
        return len(schema.outputs) > 1

    def score(self, predicted: Predictions, truth: Sequence[Label]) -> Scored:
        """Return accuracy, macro F1 and calibration error."""
        return judge(predicted.outputs, predicted.values, [label_text(label) for label in truth])


def judge(labels: Sequence[str], probabilities: np.ndarray, truth: Sequence[str]) -> Scored:
    """Return the metrics of `probabilities` [n, C], whose columns are `labels`, against the true names [n].

    The prediction is the likeliest label, its probability the confidence.  A true label that is not among
    `labels` counts as missed.  Raises MetaglotError when the shapes disagree or nothing was predicted.
    """
    check_values(probabilities, (len(truth), len(labels)))
    predicted = [labels[int(number)] for number in probabilities.argmax(axis=1)]
    right = np.array([p == t for p, t in zip(predicted, truth, strict=True)])
    confidence = probabilities.max(axis=1)
    bins = calibration_bins(confidence, right)
    metrics = {
        ACCURACY.name: float(right.mean()),
        MACRO_F1.name: macro_f1(truth, predicted),
        ECE.name: calibration_error(confidence, right),
    }
    return Scored(metrics, CLASSIFICATION, bins)


def macro_f1(truth: Sequence[str], predicted: Sequence[str]) -> float:
    """Return the mean over classes of F1 = 2PR / (P + R), over the classes that occur in either list."""
    score = cast("Callable[..., float]", f1_score)  # its annotations are wrong about zero_division
    return float(score(list(truth), list(predicted), average="macro", zero_division=0.0))
