"""Which kinds of tasks ranks can learn together over a divided body."""

import pytest

from metaglot.assembly.sharding import check_alike
from metaglot.errors import MetaglotError
from metaglot.types import TaskInfo


def test_kinds_that_run_the_body_unequally_often_are_refused():
    answers, choices, classes, spans = (
        TaskInfo(kind, kind, ("0", "1"), (0, 1), kind)
        for kind in ("question-answering", "choice", "classification", "tagging")
    )
    for alike in ((), (answers, answers), (choices,), (classes, spans)):
        check_alike(alike)
    for unlike in ((answers, classes), (answers, choices), (spans, choices)):
        with pytest.raises(MetaglotError, match="share a head"):
            check_alike(unlike)
