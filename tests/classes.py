"""Tasks of classes over an encoder, as tests need them: batches by class number, and problems by class name."""

from collections.abc import Sequence

from metaglot.adaptation import Encoder
from metaglot.data.examples import Inputs
from metaglot.families.classification import Classification, ClassificationFamily
from metaglot.families.records import Schema
from metaglot.types import Batch, Problem

FAMILY = ClassificationFamily()


def class_schema(labels: Sequence[str], count: int = 0) -> Schema:
    """Classes of these names, with `count` examples each."""
    return Schema(tuple(labels), (count,) * len(labels))


def class_problem(encoder: Encoder, labels: Sequence[str]) -> Problem:
    """The task of telling classes of these names apart."""
    return encoder.problem(FAMILY, class_schema(labels))


def class_batch(encoder: Encoder, texts: Sequence[str], numbers: Sequence[int]) -> Batch:
    """Texts with the numbers of their classes."""
    objective = Classification(encoder.pad_token_id)
    return encoder.batch(objective, Inputs.of(texts), [{"label": number} for number in numbers])
