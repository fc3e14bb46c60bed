"""Which document does a sentence come from?  Classes are the documents of the whole corpus, or of one domain."""

from dataclasses import replace

import numpy as np

from metaglot.errors import MetaglotError
from metaglot.tasks.sources import Source, source_by_code
from metaglot.tasks.text import Sentences


def document_sources(sentences: Sentences, *, per_domain: bool = False, min_per_class: int = 10) -> list[Source]:
    """Return one source whose classes are all documents; with `per_domain`, which is harder, one for each domain.

    Documents with fewer than `min_per_class` sentences are left out; MetaglotError if no source is left.
    """
    count = int(sentences.document.max(initial=-1)) + 1
    names = [f"document {i}" for i in range(count)]
    name = f"{sentences.examples.name}/documents"
    if not per_domain:
        return [source_by_code(sentences.examples, sentences.document, names, name=name, min_per_class=min_per_class)]
    sources: list[Source] = []
    for number in np.flatnonzero(_count_large(sentences, min_per_class) >= 2):
        codes = np.where(sentences.domain == number, sentences.document, -1)
        source = source_by_code(sentences.examples, codes, names, name=name, min_per_class=min_per_class)
        info = replace(source.info, name=f"{name}/{sentences.domains[number]}")
        sources.append(
            replace(source, info=info)
        )  # the data set is the same: documents are numbered over the whole corpus
    if not sources:
        raise MetaglotError(
            f"{name}: no domain has 2 documents of {min_per_class} sentences; give more text, or keep domains together"
        )
    return sources


def _count_large(sentences: Sentences, least: int) -> np.ndarray:
    """Return for each domain the number of documents with at least so many sentences in it."""
    inside = sentences.domain >= 0
    pairs, sizes = np.unique(
        np.stack([sentences.domain[inside], sentences.document[inside]]), axis=1, return_counts=True
    )
    return np.bincount(pairs[0][sizes >= least], minlength=len(sentences.domains))
