"""fastText: a text a line, and before it `__label__NAME`, once or more.

https://fasttext.cc/docs/en/supervised-tutorial.html
"""

from collections.abc import Sequence

from metaglot.data.exports.answers import Answer, Export, agreed

PREFIX = "__label__"


def fasttext(lines: Sequence[str]) -> Export | None:
    """Return the rows of lines of fastText; None where fewer than half of them begin with a label."""
    labelled = sum(line.startswith(PREFIX) for line in lines)
    if not labelled or 2 * labelled < sum(bool(line.strip()) for line in lines):
        return None
    rows: list[dict[str, object]] = []
    answers: list[Answer] = []
    for line in lines:
        words = line.split()
        labels = [word.removeprefix(PREFIX) for word in words if word.startswith(PREFIX)]
        rows.append({"text": " ".join(word for word in words if not word.startswith(PREFIX))})
        answers.append(agreed([labels]) if words else Answer(None, "blank"))
    return Export("fastText", rows, {"label": answers})
