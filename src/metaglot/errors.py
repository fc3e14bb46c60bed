"""The one exception type that users of metaglot catch."""


class MetaglotError(Exception):
    """Something the user can mend: the message says what was wrong, what was got, and the way out.

    The command line prints it without a traceback and ends with exit code 2.
    """
