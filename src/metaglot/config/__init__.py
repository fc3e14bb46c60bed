"""Recipes: settings (pydantic) and how YAML becomes them."""

from metaglot.config.loading import (
    dump_recipe,
    expand,
    load_recipe,
    packaged_recipes,
    parse_recipe,
    set_path,
)
from metaglot.config.settings import Recipe, SetSettings, TrainingSettings

__all__ = [
    "Recipe",
    "SetSettings",
    "TrainingSettings",
    "dump_recipe",
    "expand",
    "load_recipe",
    "packaged_recipes",
    "parse_recipe",
    "set_path",
]
