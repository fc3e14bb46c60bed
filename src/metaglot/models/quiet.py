"""Transformers loads in silence: no bars and no reports; what it says afterwards is as its user has set it."""

import threading
from collections.abc import Generator
from contextlib import contextmanager

_LOADING = threading.RLock()  # the settings are those of the process: one load at a time changes and restores them


@contextmanager
def quiet() -> Generator[None]:
    """Within the block, transformers and the hub's client draw no bars and log errors only."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
    from transformers.utils import logging

    with _LOADING:
        verbosity, bar, hub = logging.get_verbosity(), logging.is_progress_bar_enabled(), are_progress_bars_disabled()
        logging.set_verbosity_error()
        logging.disable_progress_bar()
        try:
            yield
        finally:
            logging.set_verbosity(verbosity)
            if bar:
                logging.enable_progress_bar()
            (disable_progress_bars if hub else enable_progress_bars)()


def short(error: BaseException) -> str:
    """Return the error's message on one line of at most 300 characters."""
    words = " ".join(str(error).split()) or type(error).__name__
    return words if len(words) <= 300 else words[:299] + "…"
