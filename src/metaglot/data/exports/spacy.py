"""spaCy: pairs of a text and its spans, ["Ann is here", {"entities": [[0, 3, "PER"]]}].

https://v2.spacy.io/usage/training#training-data
"""

from metaglot.data.exports.answers import as_list, as_object


def spacy_row(value: object) -> object:
    """Return a pair as an object with the text and its spans; any other value as it is."""
    pair = as_list(value)
    is_pair = len(pair) == 2 and isinstance(pair[0], str) and isinstance(as_object(pair[1]).get("entities"), list)
    return {"text": pair[0], "entities": as_object(pair[1])["entities"]} if is_pair else value


def spacy_rows(value: object) -> object:
    """Return a list of pairs as a list of objects; any other value as it is."""
    items = as_list(value)
    rows = [spacy_row(item) for item in items]
    return rows if rows and all(row is not item for row, item in zip(rows, items, strict=True)) else value
