"""Options of writing beside a task that writes no texts."""

from pathlib import Path

import pytest

from metaglot.cli.shared.decoding import check_writes, parse_decoding
from metaglot.errors import MetaglotError


@pytest.mark.parametrize(
    ("given", "option"),
    [({"beams": 1}, "--beams"), ({"beams": 4}, "--beams"), ({"sample": True}, "--sample")],
)
def test_an_option_is_named_even_if_it_asks_for_what_is_usual(given, option):
    with pytest.raises(MetaglotError, match=f"^{option} has no use: run is a task of classification"):
        check_writes(Path("run"), "classification", parse_decoding(**given))
