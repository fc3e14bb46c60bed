"""Recipes: settings (pydantic), and how they are read from YAML."""

from metaglot.config.loading import (
    dump_recipe,
    expand,
    load_recipe,
    packaged_recipes,
    parse_recipe,
    set_path,
    text_path,
)
from metaglot.config.settings import Recipe, ScratchSettings, SetSettings, TrainingSettings
from metaglot.config.tasks import EpisodeSettings
from metaglot.config.text import CorpusSettings, TextSettings

__all__ = [
    "CorpusSettings",
    "EpisodeSettings",
    "Recipe",
    "ScratchSettings",
    "SetSettings",
    "TextSettings",
    "TrainingSettings",
    "dump_recipe",
    "expand",
    "load_recipe",
    "packaged_recipes",
    "parse_recipe",
    "set_path",
    "text_path",
]
