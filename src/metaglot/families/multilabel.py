"""Several labels a text, or none: a linear layer on the pooled features, a binary cross-entropy a label, F1."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.special import expit
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from metaglot.data.label_lists import absent_notes, as_cell, labels_in, read_values
from metaglot.data.labels import Label, label_text, scalar_of
from metaglot.errors import MetaglotError
from metaglot.families.batches import pad_rows
from metaglot.families.contrast import WithContrast
from metaglot.families.family import Decision
from metaglot.families.heads.labels import LabelHead, label_head, one_vs_rest, threshold_of
from metaglot.families.label_scores import LABEL_MEASURES, LABELS, MICRO_F1, scored_labels
from metaglot.families.other_kind import check_no_numbers
from metaglot.families.records import Aside, Described, Linear, Name, Places, Predictions, Read, Schema, Solved
from metaglot.families.scoring import Scored
from metaglot.families.support_units import SupportUnits
from metaglot.metric import MACRO_F1, Measures, error_metric
from metaglot.models.heads import scores
from metaglot.types import Batch, HeadSpec, Outputs, Params, Row, TaskInfo, Units

MEASURES: Measures = (MACRO_F1, MICRO_F1, error_metric("loss", unit="nats a label"))
UNJUDGED = -1.0  # of a label of which is not known whether a text has it


@dataclass(frozen=True)
class MultiLabel:
    """Tasks with any number of labels a text: each label is a question of its own."""

    pad_token_id: int = 0
    name: str = "multilabel"

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return input_ids, attention_mask [B, T] and targets [B, C]: 1 for a label that a text has, 0 for the rest."""
        targets = torch.tensor([[float(value) for value in row["targets"]] for row in rows])
        return {**pad_rows(rows, pad_token_id=self.pad_token_id), "targets": targets}

    def head_spec(self, task: TaskInfo, hidden_size: int) -> HeadSpec:
        """Return one score a label, on pooled features."""
        return HeadSpec(hidden_size, len(task.labels), "pooled", "labels")

    def units(self, outputs: Outputs, batch: Batch, spec: HeadSpec) -> Units:
        """Return the pooled features of each text, and its labels as a row of zeros and ones."""
        del spec
        targets = batch["targets"].clamp(min=0).to(outputs.pooled.dtype)
        return Units(outputs.pooled, targets, torch.arange(len(targets), device=targets.device))

    def logits(self, params: Params, outputs: Outputs, batch: Batch) -> Tensor:  # [B, C]
        """Return the log odds of each label."""
        del batch
        return scores(params, outputs.pooled)

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:  # nats, mean over B and the labels that are judged
        """Return the binary cross-entropy of the labels that are judged."""
        judged, targets = self._judged(logits, batch)
        every = binary_cross_entropy_with_logits(judged, targets.clamp(min=0).to(judged.dtype), reduction="none")
        mask = targets != UNJUDGED
        return (every * mask).sum() / mask.sum().clamp(min=1)

    def judged(self, batch: Batch) -> int:
        """Return the number of labels that are judged, over all examples."""
        return int((batch["targets"] != UNJUDGED).sum())

    def alike(self, batch: Batch) -> Tensor:  # [B, B] bool
        """Return which examples have a label in common."""
        targets = batch["targets"].clamp(min=0)
        return targets @ targets.T > 0

    def of_data_set(self, batch: Batch, task: TaskInfo) -> Batch:
        """Return the batch with a target for each label of the data set up to the last that the task has.

        Labels of the data set that the task leaves out are not judged.
        """
        targets = batch["targets"]
        whole = targets.new_full((len(targets), max(task.classes) + 1), UNJUDGED)
        whole[:, list(task.classes)] = targets
        return {**batch, "targets": whole}

    def predict(self, logits: Tensor) -> Tensor:  # [B, C] bool
        """Return the labels that are likelier than not."""
        return logits > 0

    def metrics(self, logits: Tensor, batch: Batch) -> Mapping[str, float]:
        """Return loss (nats a label), F1 over all decisions, and its mean over the labels that occur or are given."""
        judged, targets = self._judged(logits, batch)
        given, true = self.predict(judged) & (targets != UNJUDGED), targets == 1
        hits, both = (given & true).sum(0).double(), (given.sum(0) + true.sum(0)).double()
        there = both > 0
        macro = float((2 * hits / both.clamp(min=1))[there].mean()) if bool(there.any()) else 1.0
        micro = float(2 * hits.sum() / both.sum()) if bool(there.any()) else 1.0
        return {"loss": float(self.loss(logits, batch)), "macro_f1": macro, "micro_f1": micro}

    @property
    def measures(self) -> Measures:
        """Macro F1, the primary one, micro F1, and the loss."""
        return MEASURES

    @staticmethod
    def _judged(logits: Tensor, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return scores and targets of the labels that the batch speaks of; a head of a data set may have more."""
        targets = batch["targets"]
        return logits[:, : targets.shape[1]], targets


THRESHOLD = "head.threshold"  # [K]: the probability from which on a label is given


@dataclass(frozen=True)
class MultiLabelFamily:
    """The kind of task in which a text has any number of labels, or none."""

    name: str = "multilabel"
    exclusive: None = None
    tokens: None = None
    shared: None = None
    writes: None = None
    probable: bool = True
    steps: int = 20  # docs/tuning.md
    measures: Measures = LABEL_MEASURES
    each: str = "a label"

    @property
    def decision(self) -> Decision:
        """The threshold is half way to the score at which examples set aside get as many labels as they have."""
        return _decision

    def read(self, values: Sequence[object], name: Name) -> Read:
        """Return each list, tuple or set of names as a set; a name is one label, and what is absent none.

        Raises MetaglotError for other objects, and for rows of zeros and ones.
        """
        plain = [value.tolist() if isinstance(value, np.ndarray) else scalar_of(value) for value in values]
        found, notes = read_values(plain, name)
        return Read(found, tuple(notes))

    def parse(self, cells: Sequence[Label | None], name: Name) -> Read:
        """Return the labels of each cell: a JSON list of strings, or labels joined by "|"; an empty cell has none."""
        notes = absent_notes(sum(cell is None for cell in cells), len(cells))
        return Read([labels_in(cell, name(row)) for row, cell in enumerate(cells)], tuple(notes))

    def check(self, targets: Sequence[LABELS]) -> None:
        """Raise MetaglotError where no label tells texts apart."""
        labels = frozenset[str]().union(*targets)
        if not any(0 < sum(label in own for own in targets) < len(targets) for label in labels):
            raise MetaglotError(
                "every label stands at all examples, or none does; give examples with it and without it"
                if labels
                else "no example has a label; give examples with labels and without them"
            )

    def schema(self, targets: Sequence[LABELS]) -> Schema:
        """Return the labels in order, and how many examples have each."""
        labels = sorted(frozenset[str]().union(*targets))
        return Schema(tuple(labels), tuple(sum(label in own for own in targets) for label in labels))

    def extended(self, schema: Schema, more: Sequence[LABELS]) -> Schema:
        """Return the schema with more examples; new labels follow, in order."""
        labels = (*schema.outputs, *sorted(frozenset[str]().union(*more).difference(map(label_text, schema.outputs))))
        before = dict(zip(schema.outputs, schema.counts, strict=True))
        return Schema(labels, tuple(before.get(label, 0) + sum(label in own for own in more) for label in labels))

    def reduced(self, schema: Schema, targets: Sequence[LABELS]) -> Schema:
        """Return the schema of these examples; new labels follow, in order."""
        there = frozenset[str]().union(*targets)
        left = [label for label in schema.outputs if label in there]
        labels = (*left, *sorted(there.difference(map(label_text, left))))
        return Schema(labels, tuple(sum(label in own for own in targets) for label in labels))

    def like(self, targets: Sequence[LABELS], schema: Schema, name: Name) -> list[LABELS]:
        """Return the sets as they are, since labels are strings; raise MetaglotError for numbers among words."""
        check_no_numbers([sorted(own) for own in targets], list(map(label_text, schema.outputs)), name)
        return list(targets)

    def strata(self, targets: Sequence[LABELS]) -> list[str]:
        """Return the rarest label of each; the empty string where there is none."""
        schema = self.schema(targets)
        count = dict(zip(map(label_text, schema.outputs), schema.counts, strict=True))
        return [min(own, key=lambda label: (count[label], label), default="") for own in targets]

    def counted(self, targets: Sequence[LABELS]) -> list[tuple[str, ...]]:
        """Return the labels of each."""
        return [tuple(sorted(own)) for own in targets]

    def shown(self, target: LABELS) -> str:
        """Return the labels in order, joined by "|"; in JSON where one of them has a "|" in it."""
        return as_cell(sorted(target))

    def plain(self, target: LABELS) -> Any:
        """Return the labels in order."""
        return sorted(target)

    def described(self, schema: Schema) -> Described:
        """Return what a card says: the labels and their examples."""
        rows = tuple((label_text(label), str(n)) for label, n in zip(schema.outputs, schema.counts, strict=True))
        return Described(
            f"A tagger of texts with {len(rows)} labels, any number of them a text",
            "text-classification",
            ("label", "examples"),
            rows,
            "It knows only the labels above, gives a text any number of them, and may give none.",
        )

    def columns(self, schema: Schema) -> tuple[str, ...]:
        """Return the names of the outputs."""
        return tuple(map(label_text, schema.outputs))

    def tensor(self, targets: Sequence[LABELS], schema: Schema) -> Tensor:  # [n, K] of 0 and 1
        """Return which labels each text has."""
        return torch.tensor([[float(label in own) for label in schema.outputs] for own in targets]).reshape(
            len(targets), len(schema.outputs)
        )

    def moved(self, tensor: Tensor, old: Schema, new: Schema) -> Tensor:
        """Return the columns in the places of the new schema; texts have no label that is new."""
        moved = tensor.new_zeros(len(tensor), len(new.outputs))
        moved[:, [new.outputs.index(label) for label in old.outputs]] = tensor
        return moved

    def row(self, target: LABELS, schema: Schema) -> Row:
        """Return 1 for a label that the text has, 0 for the rest."""
        return {"targets": [float(label in target) for label in schema.outputs]}

    def objective(self, schema: Schema, pad_token_id: int) -> MultiLabel:
        """Return the objective of labels."""
        del schema
        return MultiLabel(pad_token_id)

    def contrasted(self, schema: Schema, pad_token_id: int, weight: float) -> WithContrast:
        """Return the objective with a contrastive loss beside its own."""
        return WithContrast(self.objective(schema, pad_token_id), weight)

    def alone(self, output: Label) -> LABELS:
        """Return the set of this label."""
        return frozenset({label_text(output)})

    def solve(self, units: SupportUnits, schema: Schema, metric: str) -> Solved:
        """Return ridge regression of each label and the difference of its means, calibrated on examples set aside."""
        del metric
        return _solved(label_head(units), schema)

    def solve_after(
        self, before: SupportUnits, units: SupportUnits, schema: Schema, metric: str, *, steps: int, firmness: float
    ) -> Solved:
        """Return the head on features after gradient steps, calibrated on those from before them."""
        del metric, steps, firmness
        return _solved(label_head(units, before=before), schema)

    def linear(self, features: Any, targets: Sequence[LABELS], schema: Schema, *, c: float) -> Linear:
        """Return one-vs-rest logistic regression, balanced: unbalanced it hardly gives a label at so few examples."""
        weight, bias = one_vs_rest(features, self.tensor(targets, schema).numpy(), c=c)
        return Linear(weight, bias, lambda rows: expit(np.asarray(rows @ weight.T) + bias))

    def floor(self, targets: Sequence[LABELS], schema: Schema) -> Params:
        """Return the share of each label, which is its threshold too: all labels are the constant of best macro F1.

        A label of share p has F1 = 2p/(1 + p) where it is given to every text, and 0 where it never is.
        """
        share = torch.tensor(schema.counts, dtype=torch.float64) / len(targets)
        return {"head.bias": share.logit(eps=1e-6), THRESHOLD: share - 1e-6}

    def link(self, scores: Tensor, schema: Schema, params: Params) -> Tensor:
        """Return the probability of each label."""
        del schema, params
        return scores.sigmoid()

    def decode(self, values: np.ndarray, schema: Schema, params: Params, places: Places | None = None) -> list[LABELS]:
        """Return the labels whose probability reaches the threshold."""
        del places
        least = params[THRESHOLD].cpu().numpy() if THRESHOLD in params else np.full(len(schema.outputs), 0.5)
        names = [label_text(label) for label in schema.outputs]
        return [frozenset(names[i] for i in np.flatnonzero(row >= least)) for row in values]

    def fits(self, params: Params, schema: Schema) -> bool:
        """Return whether there is a threshold for each label, where a head has thresholds."""
        return THRESHOLD not in params or tuple(params[THRESHOLD].shape) == (len(schema.outputs),)

    def score(self, predicted: Predictions, truth: Sequence[LABELS]) -> Scored:
        """Return macro F1 over the labels that are given or occur, micro F1, and the calibration error."""
        return scored_labels(predicted, truth)


def _solved(head: LabelHead, schema: Schema) -> Solved:
    layer = {"head.weight": head.layer.weight.float(), "head.bias": head.layer.bias.float()}
    return Solved({**layer, THRESHOLD: torch.full((len(schema.outputs),), head.threshold)}, "ridge")


def _decision(aside: Sequence[Aside], schema: Schema) -> Params:
    """Return the threshold; none where no label could be judged."""
    matrix = MultiLabelFamily().tensor
    least = threshold_of([(matrix(one.inside, schema), matrix(one.outside, schema), one.scores) for one in aside])
    return {} if least is None else {THRESHOLD: torch.full((len(schema.outputs),), least)}
