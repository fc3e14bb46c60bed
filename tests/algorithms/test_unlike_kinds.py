"""What an algorithm learns in the width of a head cannot serve kinds of tasks whose heads have unlike widths."""

import pytest
from tests.contract.tagging import TAGS

from metaglot.algorithms import build_algorithm
from metaglot.errors import MetaglotError
from metaglot.types import TaskInfo

TEXTS = TaskInfo("topics", "topics", ("sport", "news"), (0, 1))


@pytest.mark.parametrize("name", ["leo", "leopard", "meta-curvature"])
def test_kinds_with_heads_of_unlike_widths_are_refused(bert, name):
    algorithm = build_algorithm(name)
    for alone in (TEXTS, TAGS):
        assert algorithm.init(bert, [alone, alone], seed=0)
    with pytest.raises(
        MetaglotError, match=r"tasks of classification, tagging have heads of unlike widths; train .*apart"
    ):
        algorithm.init(bert, [TEXTS, TAGS], seed=0)


@pytest.mark.parametrize("name", ["protonet", "fomaml"])
def test_the_algorithms_that_the_error_names_learn_both(bert, name):
    assert build_algorithm(name).init(bert, [TEXTS, TAGS], seed=0)
