"""Examples of an adaptation are taken out, get another label, or are added: the result is as if adapted to these anew.

In closed form that is exact, and the backbone reads only what is new, since the features of all examples are kept.
After gradient steps the model is adapted again, from all examples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from metaglot.adaptation.adapted import Adapted
from metaglot.adaptation.checks import check_examples, check_labelled, numbered
from metaglot.adaptation.examples import Examples, data_hash
from metaglot.adaptation.storage import provenance_of
from metaglot.adaptation.support import class_names_of, features_of, head_of, names_as
from metaglot.data.labels import Label, in_order, label_text, of_kind
from metaglot.data.names import names_of
from metaglot.errors import MetaglotError


def edited(
    adapted: Adapted,
    *,
    remove: Sequence[int] = (),
    relabel: Mapping[int, Label] | None = None,
    add: Examples = Examples(),
) -> Adapted:
    """Return the adaptation without some examples, with other labels for some, and with more of them at the end.

    Examples go by their number from 0, as they stand in `adapted.examples`.  Classes without examples go, new labels
    become new classes.  Raises MetaglotError for an example that there is not, for one that is both removed and given a
    label, where fewer than two classes would be left, and where the examples were not kept.
    """
    given = of_kind(list((relabel or {}).values()), adapted.labels, numbered)
    relabel = dict(zip(relabel or {}, given, strict=True))
    add = replace(add, labels=tuple(of_kind(list(add.labels), adapted.labels, numbered)))
    if not remove and not relabel:
        return adapted.add_examples(add.texts, add.labels, pairs=add.pairs) if add.texts else adapted
    old = adapted.examples
    _check(old, remove, relabel)
    left = [row for row in range(len(old.texts)) if row not in set(remove)]
    texts = [*(old.texts[row] for row in left), *add.texts]
    labels = [*(relabel.get(row, old.labels[row]) for row in left), *add.labels]
    if add.texts and (old.pairs is None) != (add.pairs is None):
        raise MetaglotError("the earlier examples and the new ones must either all be pairs or none")
    pairs = None if old.pairs is None else [*(old.pairs[row] for row in left), *(add.pairs or ())]
    if not texts:
        raise MetaglotError("no example would be left; leave two of different classes at least")
    texts, labels, pairs = check_examples(texts, labels, pairs)
    examples = Examples(tuple(texts), tuple(labels), None if pairs is None else tuple(pairs))
    if adapted.effort.closed_form:
        return _solved(adapted, examples, left)
    names = _names(adapted, set(labels))
    again = adapted.model.adapt(texts, labels, pairs=pairs, effort=adapted.effort, seed=adapted.seed, names=names)
    return replace(again, kept=adapted.kept)


def with_more(adapted: Adapted, texts: Sequence[str], labels: Sequence[Label], pairs: Sequence[str] | None) -> Adapted:
    """Return the adaptation with more examples; see `Adapted.add_examples`."""
    old = adapted.examples
    if old.texts and (old.pairs is None) != (pairs is None):
        raise MetaglotError("the earlier examples and the new ones must either all be pairs or none")
    texts, labels, pairs = check_labelled(texts, labels, pairs)
    labels = of_kind(labels, adapted.labels, numbered)
    if adapted.effort.closed_form:
        added = _added(adapted, texts, labels, pairs)
        history = [*adapted.provenance.get("added", []), data_hash(texts, labels, pairs)]
        # What was to be expected, and why, was told of the earlier examples.
        told = {name: value for name, value in adapted.provenance.items() if name != "choice"}
        return replace(added, provenance={**told, "added": history})
    if not old.texts:
        raise MetaglotError(
            "the examples of this adaptation were not saved with it, and gradient steps need them all; "
            "adapt again from all examples, or save with keep_examples=True"
        )
    merged = None if pairs is None or old.pairs is None else [*old.pairs, *pairs]
    given = adapted.provenance.get("names", True)
    again = adapted.model.adapt(
        [*old.texts, *texts],
        [*old.labels, *labels],
        pairs=merged,
        effort=adapted.effort,
        seed=adapted.seed,
        names=given,
    )
    return replace(again, kept=adapted.kept)


def _added(adapted: Adapted, texts: list[str], labels: list[Label], pairs: list[str] | None) -> Adapted:
    """Return a closed-form adaptation with more checked examples; new labels come after the old ones."""
    assert adapted.known is not None
    new = in_order(set(labels) - set(adapted.labels))
    names = (*adapted.labels, *new)
    numbers = [names.index(label) for label in labels]
    known = adapted.known.plus(features_of(adapted.model, {}, texts, pairs, numbers))
    if adapted.known.is_class_name.any():
        words = names_of([label_text(name) for name in names], adapted.provenance.get("names"))
        class_names = {c: words[c] for c in range(len(adapted.labels), len(names)) if words[c]}
        known = known.plus(names_as(adapted.model, {}, class_names))
    counts = [*adapted.counts, *[0] * len(new)]
    for number in numbers:
        counts[number] += 1
    old = adapted.examples
    remembered = old.texts or not sum(adapted.counts)
    examples = Examples(
        (*old.texts, *texts) if remembered else (),
        (*old.labels, *labels) if remembered else (),
        (*(old.pairs or ()), *pairs) if remembered and pairs is not None else None,
    )
    head, solver = head_of(adapted.model, adapted.effort, known, len(names))
    made = {"params": head, "known": known, "solver": solver}
    paired = pairs is not None if adapted.paired is None else adapted.paired
    return replace(adapted, labels=names, counts=tuple(counts), examples=examples, paired=paired, **made)


def _solved(adapted: Adapted, examples: Examples, left: list[int]) -> Adapted:
    """Return the adaptation in closed form to these examples, of which the first are the earlier ones in `left`."""
    assert adapted.known is not None
    model, effort, there = adapted.model, adapted.effort, set(examples.labels)
    classes = (*(label for label in adapted.labels if label in there), *sorted(there - set(adapted.labels)))
    numbers = [classes.index(label) for label in examples.labels]
    known = adapted.known.at(torch.nonzero(~adapted.known.is_class_name)[:, 0][left])
    known = known._replace(numbers=torch.tensor(numbers[: len(left)], device=known.numbers.device))
    if new := examples.texts[len(left) :]:
        pairs = None if examples.pairs is None else examples.pairs[len(left) :]
        known = known.plus(features_of(model, {}, new, pairs, numbers[len(left) :]))
    names = _names(adapted, there)
    class_names = class_names_of(classes, effort, names if examples.pairs is None else False)
    known = known.plus(names_as(model, {}, class_names))
    head, solver = head_of(model, effort, known, len(classes))
    told = examples.texts, examples.labels, examples.pairs
    facts: dict[str, Any] = provenance_of(model, *told, effort=effort, seed=adapted.seed)
    if class_names or names is False:
        facts["names"] = {classes[c]: words for c, words in class_names.items()} or False
    if "reads" in adapted.provenance:
        facts["reads"] = adapted.provenance["reads"]
    counts = tuple(examples.labels.count(label) for label in classes)
    made = {"params": head, "known": known, "solver": solver}
    return replace(adapted, labels=classes, counts=counts, examples=examples, provenance=facts, **made)


def _names(adapted: Adapted, classes: set[Label]) -> bool | dict[str, str]:
    """Return what the names of classes were given as, for those that are left."""
    given = adapted.provenance.get("names", True)
    if not isinstance(given, Mapping):
        return bool(given)
    return {str(label): str(words) for label, words in given.items() if label in classes}


def _check(examples: Examples, remove: Sequence[int], relabel: Mapping[int, Label]) -> None:
    if not examples.texts:
        raise MetaglotError(
            "the examples of this adaptation were not kept with it, so that none can be removed or get another label; "
            "adapt again from your file, with --keep-examples (in Python: save with keep_examples=True)"
        )
    count = len(examples.texts)
    if wrong := [row for row in (*remove, *relabel) if not 0 <= row < count]:
        raise MetaglotError(f"there is no example number {wrong[0] + 1}: there are {count}, counted from 1")
    if both := sorted(set(remove) & set(relabel)):
        raise MetaglotError(f"example number {both[0] + 1} is removed and gets another label too; choose one")
    if relabel:
        check_labelled([examples.texts[row] for row in relabel], list(relabel.values()), None)
