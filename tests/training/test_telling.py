"""What ranks tell one another has any length, and who does not come is named."""

import os
import socket
import time
from datetime import timedelta

import pytest
import torch
import torch.distributed as dist
from tests.training.ranked import Found, in_ranks

from metaglot.training import joining
from metaglot.training.ranks import LostRankError, Ranks, lost_words, of_first


def test_what_ranks_tell_one_another_has_any_length(tmp_path):
    def telling(ranks: Ranks) -> Found:
        long = {"text": "ä" * (5000 * ranks.rank), "number": 0.1 + ranks.rank}
        told = ranks.exchange(long)
        assert [len(one["text"]) for one in told] == [0, 5000, 10000]
        assert [one["number"] for one in told] == [0.1, 1.1, 2.1]
        assert ranks.in_order([f"{ranks.rank}-{i}" for i in ranks.share(7)], 7)[5] == "2-5"
        assert ranks.of_first(ranks.rank) == 0
        given = {"a": torch.arange(3) + ranks.rank, "b": torch.full((2, 2), float(ranks.rank)), "c": torch.tensor(True)}
        return of_first(given if ranks.first else {}, ranks, torch.device("cpu")), {}

    for tensors, _ in in_ranks(3, telling, tmp_path):
        assert tensors["a"].tolist() == [0, 1, 2]
        assert tensors["b"].tolist() == [[0, 0], [0, 0]]
        assert tensors["c"].item() is True


@pytest.mark.slow
def test_a_rank_that_does_not_come_is_named(tmp_path, monkeypatch):
    """Of three ranks the last one does something else; the others wait until the time is over, and say for whom."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        place = {"WORLD_SIZE": "3", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    monkeypatch.setattr(joining, "TIMEOUT", timedelta(seconds=4))
    monkeypatch.setattr(joining, "GRACE", 1.0)

    def waiting(ranks: Ranks) -> Found:
        dist.destroy_process_group()
        os.environ |= {**place, "RANK": str(ranks.rank)}
        words = ""
        try:
            with joining.joined(os.environ) as joined:
                joined.exchange("here")
                joined.exchange("there") if ranks.rank < 2 else until_both_are_over()
        except LostRankError as error:
            words = lost_words(error)
        (tmp_path / f"over-{ranks.rank}").touch()
        until_both_are_over()  # rank 0 has the store
        return {}, {"words": words}

    def until_both_are_over() -> None:
        while not all((tmp_path / f"over-{rank}").is_file() for rank in (0, 1)):
            time.sleep(0.05)

    told = [facts["words"] for _, facts in in_ranks(3, waiting, tmp_path / "ranks")]
    assert told == ["waited 0 minutes for rank 2 in vain"] * 2 + [""]
