"""Heads: how a task's output layer begins; one file each."""

from metaglot.models.heads.generated import Generated
from metaglot.models.heads.head import Head
from metaglot.models.heads.latent import Latent
from metaglot.models.heads.layer import head_size, linear_layer, resolved, scores
from metaglot.models.heads.matching import Matching
from metaglot.models.heads.own import OwnHead
from metaglot.models.heads.prototypes import LOG_SCALE, Prototypes, class_means, prototype_layer
from metaglot.models.heads.ridge import Ridge
from metaglot.models.heads.shared import SharedHead, shared_layer, shared_layers
from metaglot.models.heads.solution import least_squares
from metaglot.models.heads.svm import Svm, svm
from metaglot.models.heads.zeros import Zeros, zero_layer

__all__ = [
    "LOG_SCALE",
    "Generated",
    "Head",
    "Latent",
    "Matching",
    "OwnHead",
    "Prototypes",
    "Ridge",
    "SharedHead",
    "Svm",
    "Zeros",
    "class_means",
    "head_size",
    "least_squares",
    "linear_layer",
    "prototype_layer",
    "resolved",
    "scores",
    "shared_layer",
    "shared_layers",
    "svm",
    "zero_layer",
]
