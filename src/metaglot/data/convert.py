"""From the members of built-in archives to tables of text, label, domain and split."""

from collections.abc import Mapping

import pyarrow as pa

from metaglot.errors import MetaglotError

CHARS = 4000  # a text is cut to so many
RATING = 0.5  # of -4 … 4: above is pos, below -RATING neg, else neu


def orange(contents: Mapping[str, bytes]) -> pa.Table:
    """Return the rows of Orange's .tab files, NAME-train.tab and NAME-test.tab.

    Three header lines: names, types, flags; the column flagged `class` is the label, the other the text.
    """
    rows: list[tuple[str, str, str]] = []
    for name, content in contents.items():
        split = name.removesuffix(".tab").rpartition("-")[2]
        lines = content.decode("utf-8").split("\n")
        flags = [flag.strip() for flag in lines[2].split("\t")]
        if flags.count("class") != 1 or len(flags) != 2:
            raise MetaglotError(f"{name}, line 3: expected a class column and a text column, got {flags}.")
        label = flags.index("class")
        for line in lines[3:]:
            fields = line.strip("\r").split("\t")
            if len(fields) == 2 and fields[1 - label].strip():
                rows.append((fields[1 - label].strip()[:CHARS], fields[label], split))
    return _table(rows, ("text", "label", "split"))


def vader(contents: Mapping[str, bytes]) -> pa.Table:
    """Return the rows of {domain: GroundTruth.txt}: each line is an id, the mean of 20 ratings from -4 to 4, a text.

    The label is pos above 0.5, neg below -0.5, and neu between.
    """
    rows: list[tuple[str, str, str]] = []
    for domain, content in contents.items():
        for line in content.decode("utf-8").split("\n"):
            _, _, rest = line.strip("\r").partition("\t")
            rating, _, text = rest.partition("\t")
            if text.strip():
                score = float(rating)
                label = "pos" if score > RATING else "neg" if score < -RATING else "neu"
                rows.append((text.strip()[:CHARS], label, domain))
    return _table(rows, ("text", "label", "domain"))


def _table(rows: list[tuple[str, str, str]], names: tuple[str, str, str]) -> pa.Table:
    columns = zip(*rows, strict=True)
    return pa.table({name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)})
