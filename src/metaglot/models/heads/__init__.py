"""Heads: how a task's output layer begins; one file each, and one dict."""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType

from metaglot.models.heads.generated import Generated
from metaglot.models.heads.head import Head
from metaglot.models.heads.latent import Latent
from metaglot.models.heads.layer import head_size, linear_layer, resolved, scores
from metaglot.models.heads.matching import Matching
from metaglot.models.heads.own import OwnHead
from metaglot.models.heads.prototypes import LOG_SCALE, Prototypes, class_means, prototype_layer
from metaglot.models.heads.ridge import Ridge
from metaglot.models.heads.solution import least_squares
from metaglot.models.heads.svm import Svm, svm
from metaglot.models.heads.zeros import Zeros, zero_layer

HEADS: Mapping[str, Callable[..., Head]] = MappingProxyType(
    {
        "zeros": Zeros,
        "prototypes": Prototypes,
        "euclidean-prototypes": partial(Prototypes, metric="euclidean"),
        "matching": Matching,
        "generated": Generated,
        "ridge": Ridge,
        "svm": Svm,
        "latent": Latent,
    }
)
"""By the names of recipes; each takes its fields as options."""

__all__ = [
    "HEADS",
    "LOG_SCALE",
    "Generated",
    "Head",
    "Latent",
    "Matching",
    "OwnHead",
    "Prototypes",
    "Ridge",
    "Svm",
    "Zeros",
    "class_means",
    "head_size",
    "least_squares",
    "linear_layer",
    "prototype_layer",
    "resolved",
    "scores",
    "svm",
    "zero_layer",
]
