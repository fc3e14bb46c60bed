"""Tasks of all kinds in one run, on one encoder."""

import pytest
from tests.adaptation.test_kinds_from_recipes import trained, write
from tests.targets import READ

from metaglot.config import parse_recipe


@pytest.mark.slow
@pytest.mark.parametrize("combine", ["pcgrad", pytest.param("mean", marks=pytest.mark.slow)])
def test_all_kinds_are_trained_in_one_run(tiny, tmp_path, combine):
    """Each episode is of one kind, and each kind that was met has a scale of its own."""
    files = [{"path": write(tmp_path / f"{kind}.csv", kind).name, "task": kind, "min_per_class": 4} for kind in READ]
    recipe = parse_recipe(
        {
            "model": {"name": "builtin:tiny", "max_length": 24, "precision": "fp32"},
            "data": {"root": str(tmp_path), "train": files, "mixture": "uniform"},
            "episodes": {"ways": [2, 3], "shots": [2, 3], "queries": 2},
            "algorithm": {"name": "fomaml", "options": {"steps": 1}},
            "training": {"steps": 6, "meta_batch": 4, "warmup": 0, "balance": "kinds", "combine": combine},
        }
    )
    state = trained(recipe, tmp_path / "run").state
    met = {name.removeprefix("scale.") for name in state.combine if name.startswith("scale.")}
    assert met <= set(READ)
    assert len(met) >= len(READ) - 1  # 24 episodes, drawn
    assert all(float(state.combine[f"scale.{kind}"][1]) >= 1 for kind in met)
