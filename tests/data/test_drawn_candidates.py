"""Candidates that are drawn from the replies of a domain: none reads like the right one, and none stands twice."""

import pyarrow as pa
import pytest

from metaglot.data.candidates import candidates_in
from metaglot.data.drawn_candidates import with_candidates
from metaglot.data.folding import folded
from metaglot.data.task_kind import task_of
from metaglot.errors import MetaglotError

REPLIES = ["Yes.", "yes!", "No", "Which one?", "No", "At noon", None, "Here", "There"]


def table() -> pa.Table:
    return pa.table(
        {
            "text": [f"text {i}" for i in range(9)],
            "label": REPLIES,
            "domain": ["a"] * 7 + ["b"] * 2,
            "row": pa.array(range(9), pa.int64()),
        }
    )


def test_right_replies_stand_among_others_of_their_domain():
    found = with_candidates(table(), 3, source="set")
    assert found["row"].to_pylist() == [0, 1, 2, 3, 4, 5, 7, 8]
    assert task_of(found) == "choice"
    lists = [candidates_in(cell, "row") for cell in found["text_pair"].to_pylist()]
    assert [len(own) for own in lists] == [3] * 6 + [2] * 2
    for row, own, number in zip(found["row"].to_pylist(), lists, found["label"].to_pylist(), strict=True):
        assert own[int(number)] == REPLIES[row]
        assert len({folded(one) for one in own}) == len(own)
        assert set(own) <= set(REPLIES[:6] if row < 7 else REPLIES[7:])
    assert with_candidates(table(), 3).equals(found)
    numbers = {with_candidates(table(), 4, seed=seed)["label"].to_pylist()[0] for seed in range(20)}
    assert numbers == {"0", "1", "2", "3"}


def test_what_has_no_wrong_reply_is_refused():
    same = pa.table({"text": ["a", "b"], "label": ["Yes", "yes."]})
    with pytest.raises(MetaglotError, match="set: all replies of the domain None are the same"):
        with_candidates(same, 3, source="set")
    with pytest.raises(MetaglotError, match="no column has the right replies"):
        with_candidates(same.select(["text"]), 3, source="set")
