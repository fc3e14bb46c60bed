"""The one exception type that users of metaglot catch."""


class MetaglotError(Exception):
    """Something the user can mend: the message says what was wrong, what was got, and the way out.

    The command line prints it without a traceback and ends with exit code 2.
    """


def printable(text: str) -> str:
    """Return a text that is safe on a terminal: control characters but line breaks and tabs are written out.

    Among them ESC, which begins commands to the terminal, the marks that turn the direction of writing, and half
    characters.
    """
    return "".join(char if char.isprintable() or char in " \n\t" or _joins(char) else _written(char) for char in text)


def _joins(char: str) -> bool:
    # White space of any script, and the joiners that emoji and many scripts need.
    return (char.isspace() and char > "\x9f") or char in "\u200c\u200d"


def _written(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
