"""One guarded YAML: aliases and merged keys that swell are refused quickly, in recipes and in reports."""

import time

import pytest

from metaglot.data.yamltext import parse_yaml
from metaglot.errors import MetaglotError
from metaglot.report.report_data import gather

MERGED = "a0: &a0 {x: 1, y: 2}\n" + "".join(
    f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 9)
)
LISTS = "a0: &a0 [1, 2]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 9))


@pytest.mark.parametrize("text", [MERGED, LISTS], ids=["merged keys", "aliases"])
@pytest.mark.parametrize("where", ["recipe", "report"])
def test_what_swells(text, where, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "config.yaml").write_text(text)
    read = {"recipe": lambda: parse_yaml(text, "recipe.yaml"), "report": lambda: gather([tmp_path])}
    began = time.process_time()
    with pytest.raises(MetaglotError, match="stand for more than 20,000 values"):
        read[where]()
    assert time.process_time() - began < 10


def test_merged_keys_still_merge():
    assert parse_yaml("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n", "recipe")["b"] == {"x": 1, "y": 3}
