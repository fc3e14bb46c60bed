"""Which heads cannot be made for which targets."""

from metaglot.models.heads import generated, latent
from metaglot.models.heads.generated import Generated
from metaglot.models.heads.head import Head, unable
from metaglot.models.heads.latent import Latent
from metaglot.models.heads.svm import ABLE, CALLED, Svm
from metaglot.types import Targets


def cannot_make(head: Head, targets: Targets) -> str | None:
    """Return the reason why a head cannot be made for such targets, or None."""
    if isinstance(head, Svm):
        return unable(CALLED, ABLE, targets)
    if isinstance(head, Generated):
        return unable(generated.CALLED, generated.ABLE, targets)
    return unable(latent.CALLED, latent.ABLE, targets) if isinstance(head, Latent) else None
