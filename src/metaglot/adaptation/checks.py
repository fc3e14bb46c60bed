"""Examples given by a user, checked before anything expensive happens."""

from collections.abc import Sequence

from metaglot.errors import MetaglotError


def check_texts(texts: Sequence[str], pairs: Sequence[str] | None) -> None:
    """Raise MetaglotError unless `texts` is a non-empty list of strings and `pairs`, if given, one as long."""
    _check_strings("text", texts)
    if len(texts) == 0:
        raise MetaglotError("no texts were given")
    if pairs is None:
        return
    _check_strings("second text", pairs)
    if len(pairs) != len(texts):
        raise MetaglotError(f"{len(texts)} texts but {len(pairs)} second texts; give one for each")


def check_labelled(
    texts: Sequence[str], labels: Sequence[str], pairs: Sequence[str] | None
) -> tuple[list[str], list[str], list[str] | None]:
    """Return the examples as lists, the labels as strings; raise MetaglotError for unlike lengths or gaps."""
    check_texts(texts, pairs)
    if isinstance(labels, str) or len(labels) != len(texts):
        got = "one string" if isinstance(labels, str) else f"{len(labels)} labels"
        raise MetaglotError(f"{len(texts)} texts but {got}; give a list with one label for each text")
    for i, label in enumerate(labels):
        if label is None or label != label:  # pyright: ignore[reportUnnecessaryComparison]  # NaN, as pandas has it
            raise MetaglotError(f"label number {i + 1} is missing; fill it in, or leave the text out")
    return list(texts), [str(label) for label in labels], None if pairs is None else list(pairs)


def check_examples(
    texts: Sequence[str], labels: Sequence[str], pairs: Sequence[str] | None
) -> tuple[list[str], list[str], list[str] | None]:
    """Return `check_labelled`; raise MetaglotError for fewer than two classes too."""
    texts, labels, pairs = check_labelled(texts, labels, pairs)
    if len(set(labels)) < 2:
        raise MetaglotError(f"all examples have the label {labels[0]!r}; give examples of at least two classes")
    return texts, labels, pairs


def check_names(labels: Sequence[str]) -> None:
    """Raise MetaglotError unless these are two distinct labels or more."""
    _check_strings("label", labels)
    if len(set(labels)) < 2:
        raise MetaglotError(f"{len(set(labels))} label given; a classifier needs at least two")
    if twice := sorted({label for label in labels if list(labels).count(label) > 1}):
        raise MetaglotError(f"the label {twice[0]!r} is given twice")


def _check_strings(what: str, texts: Sequence[str]) -> None:
    if isinstance(texts, str):
        raise MetaglotError(f"{what}s must be a list of strings, got one string; write [text]")
    for i, text in enumerate(texts):
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise MetaglotError(f"{what} number {i + 1} is not a string but {type(text).__name__}: {text!r}")
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise MetaglotError(f"{what} number {i + 1} holds half a character: {error}") from error
