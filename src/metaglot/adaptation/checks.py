"""Examples given by a user, checked before anything expensive happens."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from metaglot.choices import FAMILIES
from metaglot.data.arguments import check_text
from metaglot.data.candidates import Candidates
from metaglot.data.examples import Examples, Inputs
from metaglot.data.texts import Texts, check_not_all_empty, inputs_of, listed
from metaglot.errors import MetaglotError
from metaglot.families.choose import family_called, family_of
from metaglot.families.family import AnyFamily


def check_texts(texts: Iterable[str] | Texts, pairs: Iterable[str] | None = None) -> Inputs:
    """Return the texts, each with its second text if there are any; raise MetaglotError as `inputs_of`, or for none."""
    inputs = inputs_of(texts, pairs)
    if not len(inputs):
        raise MetaglotError("no texts were given")
    return inputs


def check_targeted(
    family: AnyFamily, texts: Iterable[str] | Texts, targets: Iterable[object], pairs: Iterable[str] | None
) -> Examples[Any]:
    """Return the examples, the targets in their one form (`Family.read`).

    Raises MetaglotError for unlike lengths, for gaps, for objects that are no targets, and where all texts are empty.
    """
    check_candidates(family, texts)
    inputs = check_texts(texts, pairs)
    check_not_all_empty(inputs.texts, inputs.pairs)
    if isinstance(targets, str):
        raise MetaglotError(f"{len(inputs)} texts but one string; give a list with one label for each text")
    targets = listed("label", targets)
    if len(targets) != len(inputs):
        raise MetaglotError(f"{len(inputs)} texts but {len(targets)} labels; give a list with one label for each text")
    read = check_targets(family, targets)
    return Examples(inputs, tuple(with_places(family, inputs, dict(enumerate(read))).values()))


def chooses(family: AnyFamily) -> bool:
    """Whether texts of a kind of task come with candidates."""
    return family.name in FAMILIES and FAMILIES.kinds[family.name].cells == "candidates"


def check_candidates(family: AnyFamily, texts: object) -> None:
    """Raise MetaglotError for texts with candidates where a kind of task chooses among none."""
    if isinstance(texts, Candidates) and not chooses(family):
        raise MetaglotError(
            f"texts came with candidates, and a task of {family.name} has none to choose from; give texts, or pairs of "
            "texts, or adapt with task='choice'"
        )


def with_places(family: AnyFamily, inputs: Inputs, targets: Mapping[int, Any]) -> dict[int, Any]:
    """Return the targets of rows, those that stand in a text with their places.

    The text is the second one of a pair.  Raises MetaglotError for a target that does not lie in its text.
    """
    if family.tokens is None:
        return dict(targets)
    texts = inputs.texts if inputs.pairs is None else inputs.pairs
    return {row: family.tokens.check(texts[row], target, numbered(row)) for row, target in targets.items()}


def check_targets(family: AnyFamily, targets: Sequence[object]) -> list[Any]:
    """Return the targets in their one form; warn where two labels become one, and raise MetaglotError for a gap."""
    read, notes = family.read(targets, numbered)
    for i, target in enumerate(read):
        if target is None:
            raise MetaglotError(f"{numbered(i)} is missing ({targets[i]!r:.60}); fill it in, or leave the text out")
    for note in notes:
        warnings.warn(note, stacklevel=4)
    return read


def numbered(row: int) -> str:
    """Return what an error calls the label of a row."""
    return f"label number {row + 1}"


def check_task(task: object, targets: object, texts: Texts) -> tuple[AnyFamily, list[Any]]:
    """Return the kind of task that is asked for, or that texts and targets look like, and the targets as a list.

    Raises MetaglotError for an unknown kind, and for targets that are no list.
    """
    if isinstance(targets, str):  # the check of examples says what to do
        return family_of([]), targets  # pyright: ignore[reportReturnType]
    targets = listed("label", targets)  # pyright: ignore[reportArgumentType]
    return family_of(targets, texts) if task is None else family_called(check_text("task", task)), targets


def check_examples(
    family: AnyFamily, texts: Iterable[str] | Texts, targets: Iterable[object], pairs: Iterable[str] | None
) -> Examples[Any]:
    """Return `check_targeted`; raise MetaglotError where there is nothing to learn too, such as one class alone."""
    examples = check_targeted(family, texts, targets, pairs)
    family.check(examples.targets)
    return examples


def one_second(pair: str | Sequence[str] | None) -> Sequence[str] | None:
    """Return the second text that goes with one text as a list of one; raise MetaglotError for a list of them."""
    if pair is None or isinstance(pair, str):
        return None if pair is None else [pair]
    raise MetaglotError("one text was given, and a list of second texts; give one second text, or a list of texts too")


def many_seconds(pairs: str | Sequence[str] | None) -> Sequence[str] | None:
    """Return the second texts that go with a list of texts; raise MetaglotError for one alone."""
    if isinstance(pairs, str):
        raise MetaglotError("a list of texts was given, and one second text; give a list with one for each text")
    return pairs
