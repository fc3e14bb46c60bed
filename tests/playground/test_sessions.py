"""Works are their owner's alone, and bounded in number and time."""

from typing import Any, cast

import pytest

from metaglot.errors import MetaglotError
from metaglot.playground.sessions import OWN, Sessions, Work


def work(name: str) -> Work:
    return Work(cast("Any", name), ("text", "label"), 0.1)


def test_a_key_opens_the_work_of_its_owner_alone():
    sessions = Sessions()
    key = sessions.keep(work("a"), "ann")
    assert sessions.of(key, "ann").adapted == cast("Any", "a")
    for other in ((key, "bob"), ("", "ann"), (key[:-1], "ann")):
        with pytest.raises(MetaglotError, match="learn"):
            sessions.of(*other)
    stolen = sessions.keep(work("b"), "bob", key)
    assert stolen != key
    assert sessions.of(key, "ann").adapted == cast("Any", "a")
    assert sessions.keep(work("c"), "ann", key) == key
    assert sessions.of(key, "ann").adapted == cast("Any", "c")


def test_what_is_not_used_is_forgotten_and_the_oldest_makes_room():
    now = [0.0]
    sessions = Sessions(most=2, seconds=10, clock=lambda: now[0])
    first, second = (sessions.keep(work(name), "") for name in "ab")
    sessions.of(first, "")  # used again, so that the second is the oldest
    third = sessions.keep(work("c"), "")
    assert len(sessions) == 2
    with pytest.raises(MetaglotError):
        sessions.of(second, "")
    now[0] = 9.0
    sessions.of(third, "")
    now[0] = 11.0
    assert len(sessions) == 1
    with pytest.raises(MetaglotError):
        sessions.of(first, "")


def test_keys_are_not_guessed():
    keys = {Sessions().keep(work("a"), "") for _ in range(200)}
    assert len(keys) == 200
    assert min(map(len, keys)) >= 32


def test_a_tenant_does_not_push_out_another():
    sessions = Sessions(most=20)
    other = sessions.keep(work("b"), "bob")
    keys = [sessions.keep(work("a"), "ann") for _ in range(3 * OWN)]
    assert len(sessions) == OWN + 1
    assert sessions.of(other, "bob").adapted == cast("Any", "b")
    assert sessions.of(keys[-1], "ann").adapted == cast("Any", "a")
