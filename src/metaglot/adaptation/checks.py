"""Examples given by a user, checked before anything expensive happens."""

from collections.abc import Sequence

from metaglot.errors import MetaglotError


def check_texts(texts: Sequence[str], pairs: Sequence[str] | None) -> None:
    """Raise MetaglotError unless `texts` is a non-empty list of strings and `pairs`, if given, one as long."""
    if isinstance(texts, str):
        raise MetaglotError("texts must be a list of strings, got one string; write [text]")
    if len(texts) == 0:
        raise MetaglotError("no texts were given")
    for i, text in enumerate(texts):
        if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise MetaglotError(f"text number {i + 1} is not a string but {type(text).__name__}: {text!r}")
    if pairs is not None and len(pairs) != len(texts):
        raise MetaglotError(f"{len(texts)} texts but {len(pairs)} second texts; give one for each")


def check_examples(
    texts: Sequence[str], labels: Sequence[str], pairs: Sequence[str] | None
) -> tuple[list[str], list[str], list[str] | None]:
    """Return the examples as lists; raise MetaglotError for unlike lengths or fewer than two classes."""
    check_texts(texts, pairs)
    if isinstance(labels, str) or len(labels) != len(texts):
        raise MetaglotError(f"{len(texts)} texts but {len(labels)} labels; give one label for each text")
    names = [str(label) for label in labels]
    if len(set(names)) < 2:
        raise MetaglotError(f"all examples have the label {names[0]!r}; give examples of at least two classes")
    return list(texts), names, None if pairs is None else list(pairs)
