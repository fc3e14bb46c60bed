"""Which author, domain or source does a sentence come from?  Classes are the domains named in the metadata."""

from metaglot.errors import MetaglotError
from metaglot.tasks.sources import Source, source_by_code
from metaglot.tasks.text import Sentences


def domain_source(sentences: Sentences, *, min_per_class: int = 10) -> Source:
    """Return the domains as classes; sentences without one are left out.

    Raises MetaglotError unless two domains have `min_per_class` sentences.
    """
    name = f"{sentences.examples.name}/domains"
    if len(sentences.domains) < 2:
        raise MetaglotError(
            f"{name}: the texts name {len(sentences.domains)} domains, and a task needs two; give texts with a column "
            "domain, or map one to it (columns)"
        )
    names = sentences.domains
    return source_by_code(sentences.examples, sentences.domain, names, name=name, min_per_class=min_per_class)
