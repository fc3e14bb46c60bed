"""Any Hugging Face backbone as a learner; scopes, heads, low-rank updates."""

from metaglot.models.devices import Runtime
from metaglot.models.heads import Generated, Head, Latent, Matching, Prototypes, Ridge, Svm, Zeros
from metaglot.models.learner import HfLearner
from metaglot.models.load import Backbone, load_backbone
from metaglot.models.scopes import All, AllBut, BiasNorm, Context, HeadOnly, Lora, Named, Prefix, Scope, Warp

__all__ = [
    "All",
    "AllBut",
    "Backbone",
    "BiasNorm",
    "Context",
    "Generated",
    "Head",
    "HeadOnly",
    "HfLearner",
    "Latent",
    "Lora",
    "Matching",
    "Named",
    "Prefix",
    "Prototypes",
    "Ridge",
    "Runtime",
    "Scope",
    "Svm",
    "Warp",
    "Zeros",
    "load_backbone",
]
