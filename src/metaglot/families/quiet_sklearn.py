"""Fitting a classifier to few examples of many classes without a warning that they look like numbers to regress on."""

import warnings
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def quiet_sklearn() -> Generator[None]:
    """Leave out scikit-learn's warning that there are more classes than half of the examples."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The number of unique classes")
        yield
