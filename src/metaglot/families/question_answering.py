"""The kind of task in which the answer to a question is a part of a passage: from the cells of a file to scores."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metaglot.data.answers import Answer, answer_in, as_cell, checked, plain_answer
from metaglot.data.labels import Label, label_text, scalar_of
from metaglot.errors import MetaglotError
from metaglot.families.answer_choice import Part, best_answer
from metaglot.families.answer_scores import ANSWER_MEASURES, scored_answers
from metaglot.families.answer_windows import AnswerTools
from metaglot.families.answering import NAME, Answering
from metaglot.families.heads.answers import AnswerHead, answer_head
from metaglot.families.of_parts import OfParts
from metaglot.families.records import Described, Name, Places, Predictions, Read, Schema, Solved
from metaglot.families.scoring import Scored
from metaglot.families.support_units import SupportUnits
from metaglot.metric import Measures
from metaglot.types import Params

ANSWER = "answer"
COLUMNS = ("first token", "last token")
SURE = 30.0  # the score by which "no answer" is certain
SHARP = "head.sharp"  # []: how much surer examples made the head, which does not change the part that it would give


@dataclass(frozen=True)
class SharedAnswers:
    """What examples make of the head that all tasks of answers share."""

    outputs: tuple[str, ...] = (ANSWER,)
    unlearnt: str = (
        "the model has learnt no head of answers, so that the examples alone say what an answer is, and it takes "
        "hundreds of them; adapt a run that was meta-trained on answers, such as one of recipes/answers.yaml"
    )
    rate: float = 0.1  # at the usual one a body unlearns how to read (docs/results/answers.md)

    def solve(self, units: SupportUnits, schema: Schema, learnt: Params) -> Solved:
        """Return the learnt head as far as the examples change it; without one, a head made of them alone."""
        del schema
        start = AnswerHead(learnt["head.weight"].float(), learnt["head.bias"].float()) if learnt else None
        head = answer_head(units, start)
        layer = {"head.weight": head.weight.contiguous(), "head.bias": head.bias}
        sharp = {} if head.sharp == 1 else {SHARP: torch.tensor(head.sharp)}
        return Solved({**layer, **sharp}, "shared" if learnt else "alone")


@dataclass(frozen=True)
class AnswerFamily(OfParts[Answer]):
    """The kind of task in which a question and a passage have one answer, a part of the passage, or none."""

    parts = "answers are of the tokens of a passage"
    name: str = NAME
    exclusive: None = None
    tokens: AnswerTools = field(default_factory=AnswerTools)
    shared: SharedAnswers = field(default_factory=SharedAnswers)
    writes: None = None
    decision: None = None
    probable: bool = True
    steps: int = 0  # 20 and 6 steps on 16 questions lost to none (docs/howto/answers.md)
    measures: Measures = ANSWER_MEASURES
    each: str = ""

    def read(self, values: Sequence[object], name: Name) -> Read:
        """Return the answers in their one form, "" as no answer; raise MetaglotError for what is none."""
        plain = [value if isinstance(value, Answer) else scalar_of(value) for value in values]
        return Read([None if value is None else checked(value, None, name(row)) for row, value in enumerate(plain)])

    def parse(self, cells: Sequence[Label | None], name: Name) -> Read:
        """Return the answer in each cell, in JSON; an empty cell is not known."""
        texts = [None if cell is None else label_text(cell) for cell in cells]
        return Read([answer_in(text, name(row)) for row, text in enumerate(texts)])

    def check(self, targets: Sequence[Answer]) -> None:
        """Do nothing: questions without an answer teach too."""
        del targets

    def schema(self, targets: Sequence[Answer]) -> Schema:
        """Return the one output, and how many examples there are."""
        return Schema((ANSWER,), (len(targets),))

    def extended(self, schema: Schema, more: Sequence[Answer]) -> Schema:
        """Return the schema with more examples."""
        return schema._replace(counts=(schema.counts[0] + len(more),))

    def reduced(self, schema: Schema, targets: Sequence[Answer]) -> Schema:
        """Return the schema of these examples."""
        del schema
        return self.schema(targets)

    def like(self, targets: Sequence[Answer], schema: Schema, name: Name) -> list[Answer]:
        """Return the answers as they are."""
        del schema, name
        return list(targets)

    def strata(self, targets: Sequence[Answer]) -> list[str]:
        """Return one group: how many questions have no answer is what a task tells, and none is shown more often."""
        return [""] * len(targets)

    def counted(self, targets: Sequence[Answer]) -> list[tuple[str, ...]]:
        """Return that each is a question: shots are the questions in all."""
        return [(ANSWER,)] * len(targets)

    def shown(self, target: Answer) -> str:
        """Return the answer in JSON."""
        return as_cell(target)

    def plain(self, target: Answer) -> Any:
        """Return the answer as JSON."""
        return plain_answer(target)

    def described(self, schema: Schema) -> Described:
        """Return what a card says."""
        return Described(
            "A reader that answers questions from passages",
            "question-answering",
            ("of the questions", ""),
            (("examples", str(schema.counts[0])),),
            "An answer is one part of the passage, word by word, of 30 tokens at most; or it says that there is none.",
        )

    def columns(self, schema: Schema) -> tuple[str, ...]:
        """Return what the two scores of a token are of."""
        del schema
        return COLUMNS

    def moved(self, tensor: Tensor, old: Schema, new: Schema) -> Tensor:
        """Return the places as they are."""
        del old, new
        return tensor

    def objective(self, schema: Schema, pad_token_id: int) -> Answering:
        """Return the objective of first and last tokens."""
        del schema
        return Answering(pad_token_id)

    def solve(self, units: SupportUnits, schema: Schema, metric: str) -> Solved:
        """Return a head made of the examples alone."""
        del metric
        return self.shared.solve(units, schema, {})

    def solve_after(
        self, before: SupportUnits, units: SupportUnits, schema: Schema, metric: str, *, steps: int, firmness: float
    ) -> Solved:
        """Return a head made of the examples alone, on features after gradient steps."""
        del before, steps, firmness
        return self.solve(units, schema, metric)

    def floor(self, targets: Sequence[Answer], schema: Schema) -> Params:
        """Return the head by which no question has an answer: the only answer that does not depend on the passage."""
        del targets, schema
        return {"head.bias": torch.tensor([-SURE, -SURE], dtype=torch.float64)}

    def link(self, scores: Tensor, schema: Schema, params: Params) -> Tensor:  # [M, 2]
        """Return the scores as they are: a part is decided by all places of its passage."""
        del schema, params
        return scores

    def decode(
        self, values: np.ndarray, schema: Schema, params: Params, places: Places | None = None
    ) -> list[Answer]:  # [M, 2]
        """Return the answer to each question, with its probability."""
        del schema
        sharp = float(params[SHARP]) if SHARP in params else 1.0
        if places is None:
            return [Answer(probability=1.0)] * len(values)
        passages = places.inputs.texts if places.inputs.pairs is None else places.inputs.pairs
        parts: list[list[Part]] = [[] for _ in passages]
        edges = np.flatnonzero(np.diff(places.window)) + 1
        for rows in np.split(np.arange(len(places.window)), edges) if len(places.window) else ():
            parts[places.owner[rows[0]]].append(Part(values[rows], places.start[rows], places.end[rows]))
        return [best_answer(passage, own, sharp) for passage, own in zip(passages, parts, strict=True)]

    def fits(self, params: Params, schema: Schema) -> bool:
        """Return whether the one output is that of answers, and the sharpness a number above zero."""
        sharp = params[SHARP] if SHARP in params else torch.ones(())
        return schema.outputs == (ANSWER,) and sharp.shape == () and bool(sharp > 0)

    def score(self, predicted: Predictions, truth: Sequence[Answer]) -> Scored:
        """Return F1, exact match, and both kinds of questions apart; raise MetaglotError for odd values."""
        if len(predicted.targets) != len(truth) or not np.isfinite(predicted.values).all():
            raise MetaglotError(
                f"Predictions of {len(predicted.targets)} questions came for {len(truth)} queries, or values that are "
                "no numbers. A method must give the answer to each query."
            )
        return scored_answers(predicted.targets, truth)
