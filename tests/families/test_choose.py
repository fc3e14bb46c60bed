"""Which kind of task targets are by their look, whatever library they come from."""

from typing import Any

import numpy as np
import pytest
import torch

from metaglot.families.choose import family_called, family_of

FRACTIONS = [1.5, 2.0, 3.0]
SETS = [["a"], ["a", "b"], []]


@pytest.mark.parametrize(
    ("targets", "kind"),
    [
        (FRACTIONS, "regression"),
        (list(np.array(FRACTIONS, np.float32)), "regression"),
        (list(np.array(FRACTIONS, np.float64)), "regression"),
        (list(torch.tensor(FRACTIONS)), "regression"),
        ([1.5, None, float("nan")], "regression"),
        (list(np.array([1, 2], np.float32)), "classification"),
        (list(torch.tensor([1, 2])), "classification"),
        ([1.0, float("nan")], "classification"),
        (["1.5", "2"], "classification"),
        (SETS, "multilabel"),
        ([np.array(labels, object) for labels in SETS], "multilabel"),
        ([[(0, 3, "PER")], []], "tagging"),
        ([[(np.int64(0), np.int64(3), "PER")], []], "tagging"),
        ([[(0.0, 3.0, "PER")], []], "tagging"),
        ([[(0.5, 3.0, "PER")], []], "multilabel"),
        ([], "classification"),
    ],
)
def test_the_look_of_targets(targets: list[Any], kind: str) -> None:
    assert family_of(targets).name == kind


def test_an_array_of_labels_is_read_as_a_list() -> None:
    read = family_called("multilabel").read([np.array(["a", "b"]), np.array("a"), np.array([], object)], str)
    assert read.targets == [{"a", "b"}, {"a"}, set()]
