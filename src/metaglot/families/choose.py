"""Which kind of task it is: by its name, or by the look of its targets."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from metaglot.choices import FAMILIES
from metaglot.data.task_kind import kind_called
from metaglot.families.family import AnyFamily


def family_called(name: str) -> AnyFamily:
    """Return the family of that name; raise MetaglotError for another."""
    kind_called(name)
    return FAMILIES[name]()


def family_of(targets: Sequence[object]) -> AnyFamily:
    """Return the family that targets look like: sets or lists are labels, fractions numbers, all else classes.

    Whole numbers are classes, since most data sets number their classes so.
    """
    if any(isinstance(target, list | tuple | AbstractSet) for target in targets):
        return family_called("multilabel")
    fractions = [isinstance(target, float) and target == target and not target.is_integer() for target in targets]
    return family_called("regression" if any(fractions) else "classification")
