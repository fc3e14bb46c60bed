"""Any Hugging Face backbone as a learner; scopes, heads, low-rank updates."""

from metaglot.models.heads import Head, Prototypes, Zeros
from metaglot.models.learner import HfLearner
from metaglot.models.load import Backbone, Runtime, load_backbone
from metaglot.models.scopes import All, HeadOnly, Lora, Named, Scope

__all__ = [
    "All",
    "Backbone",
    "Head",
    "HeadOnly",
    "HfLearner",
    "Lora",
    "Named",
    "Prototypes",
    "Runtime",
    "Scope",
    "Zeros",
    "load_backbone",
]
