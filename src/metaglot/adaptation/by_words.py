"""Texts that are written word by word, by a lexicon of the examples: no model is asked, so that it may be any.

The value of a text is the mean chance of its words, that each is what stands in the place of the word of the source.
"""

import numpy as np

from metaglot.data.examples import Examples, Inputs
from metaglot.families.heads.lexicon import lexicon_of
from metaglot.families.records import Predictions, Schema
from metaglot.families.write_tools import source_texts


def written_by_words(examples: Examples[str], schema: Schema, inputs: Inputs) -> Predictions:
    """Return what the lexicon of the examples writes for inputs, each with the mean chance of its words."""
    lexicon = lexicon_of(source_texts(examples.inputs), examples.targets)
    found = [lexicon.write(source) for source in source_texts(inputs)]
    chances = np.array([one.chance for one in found]).reshape(-1, 1)
    return Predictions(tuple(map(str, schema.outputs)), chances, [one.text for one in found])
