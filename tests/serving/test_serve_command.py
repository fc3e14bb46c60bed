"""`metaglot serve`: its limits, its tokens, and what it says where it cannot begin."""

import json
from pathlib import Path

import pytest

from metaglot.errors import MetaglotError
from metaglot.serving.limits import Limits, limits_of


def test_limits_that_are_none_are_refused():
    assert limits_of(["texts=7"]) == Limits(texts=7)
    for change in ("text=7", "texts", "texts=0", "texts=-1", "texts=١", "texts=" + "9" * 30):
        with pytest.raises(MetaglotError, match="--limit"):
            limits_of([change])


@pytest.mark.parametrize("arguments", [("serve", "builtin:tiny"), ("serve", "run", "builtin:tiny")])
def test_the_command_says_what_is_wrong(metaglot, tmp_path: Path, arguments: tuple[str, ...]):
    said = metaglot(*arguments, "--limit", "x=1", "--store", tmp_path / "store")
    assert (said.code, said.err.splitlines()[0][:24]) == (2, "metaglot: --limit 'x=1':")
    said = metaglot(*arguments, "--worker", "x")
    assert (said.code, "use process or thread" in said.err) == (2, True)


def test_tokens_are_made_listed_and_revoked(metaglot, tmp_path: Path):
    store = ("--store", tmp_path / "store")
    secret = metaglot("serve", "token", "add", "acme", "--name", "shop", *store).out.strip()
    assert secret.startswith("mg_")
    (row,) = json.loads(metaglot("serve", "token", "list", "--json", *store).out)
    assert (row["tenant"], row["name"], row["revoked"]) == ("acme", "shop", None)
    assert secret not in metaglot("serve", "token", "list", *store).out
    assert metaglot("serve", "token", "revoke", row["id"], *store).code == 0
    assert "revoked" in metaglot("serve", "token", "list", *store).out
    assert metaglot("serve", "token", "revoke", "x", *store).code == 2
    assert metaglot("serve", "token", "add", "../x", *store).code == 2
