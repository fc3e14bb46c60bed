"""Examples of an adaptation are taken out, get another label, or are added: the result is as if adapted to these anew.

In closed form that is exact, and the backbone reads only what is new, since the features of all examples are kept.
After gradient steps the model is adapted again, from all examples.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from metaglot.adaptation.checks import check_targeted, check_targets, numbered, with_places
from metaglot.adaptation.fit import Fit
from metaglot.adaptation.fitting import fit_examples, recorded
from metaglot.adaptation.support import class_names_of, head_of, units_of, with_names, words_by_label
from metaglot.data.examples import Examples
from metaglot.data.labels import Label, label_text
from metaglot.data.names import names_of
from metaglot.data.texts import check_not_all_empty
from metaglot.errors import MetaglotError
from metaglot.families.support_units import SupportUnits

NOTHING: Examples[Any] = Examples()


def edited(
    fit: Fit,
    *,
    remove: Sequence[int] = (),
    relabel: Mapping[int, Any] | None = None,
    add: Examples[Any] = NOTHING,
) -> Fit:
    """Return the fit without some examples, with other labels for some, and with more of them at the end.

    Examples go by their number from 0, as they stand in `fit.examples`.  Classes without examples go, new labels
    become new classes.  Raises MetaglotError for the number of no example, for one that is both removed and given a
    label, where fewer than two classes would be left, and where the examples were not kept.
    """
    family = fit.family
    given = family.like(check_targets(family, list((relabel or {}).values())), fit.schema, numbered)
    relabel = dict(zip(relabel or {}, given, strict=True))
    add = check_targeted(family, add.inputs.texts, add.targets, add.inputs.pairs) if len(add) else NOTHING
    if not remove and not relabel:
        return with_more(fit, add) if len(add) else fit
    _check(fit.examples, remove, relabel)
    old = fit.examples
    relabel = with_places(family, old.inputs, relabel)
    left = [row for row in range(len(old)) if row not in set(remove)]
    kept = Examples(old.inputs.at(left), tuple(relabel.get(row, old.targets[row]) for row in left))
    _check_kind(fit, add)
    examples = kept.plus(_of_kind(add, fit))
    if not len(examples):
        least = "two of different classes" if family.exclusive else "one"
        raise MetaglotError(f"no example would be left; leave {least} at least")
    check_not_all_empty(examples.inputs.texts, examples.inputs.pairs)
    family.check(examples.targets)
    return _solved(fit, examples, left) if _adds_up(fit) else _again(fit, examples)


def _adds_up(fit: Fit) -> bool:
    """Whether the features of the examples are all that the fit is made of."""
    return fit.effort.closed_form and fit.family.writes is None


def with_more(fit: Fit, more: Examples[Any]) -> Fit:
    """Return the fit with more checked examples; new labels become new classes, of the kind of the others.

    Raises MetaglotError where gradient steps need the earlier examples and they are not there.
    """
    _check_kind(fit, more)
    more = _of_kind(more, fit)
    if _adds_up(fit):
        history = [*fit.provenance.get("added", []), more.sha256()]  # the record goes on
        # What was to be expected, and why, was found on the earlier examples.
        record = {name: value for name, value in fit.provenance.items() if name != "choice"}
        return replace(_added(fit, more), choice=None, provenance={**record, "added": history})
    if not len(fit.examples):
        raise MetaglotError(
            "the examples of this adaptation were not saved with it, and it needs them all; "
            "adapt again from all examples, with --keep-examples (in Python: save with keep_examples=True)"
        )
    return _again(fit, fit.examples.plus(more))


def _again(fit: Fit, examples: Examples[Any]) -> Fit:
    """Return the fit to these examples by the same effort, from the start."""
    names = _names(fit, fit.family.schema(examples.targets).outputs)
    again = fit_examples(fit.encoder, fit.family, examples, fit.effort, seed=fit.seed, names=names)
    return replace(again, kept=fit.kept)


def _added(fit: Fit, more: Examples[Any]) -> Fit:
    """Return a fit in closed form with more examples; new labels come after the old ones."""
    assert fit.units is not None
    family, old = fit.family, fit.schema
    schema = family.extended(old, more.targets)
    earlier = fit.units._replace(targets=family.moved(fit.units.targets, old, schema))
    units = earlier.plus(units_of(fit.encoder, {}, family, schema, more))
    if earlier.is_class_name.any():
        given = fit.class_names if isinstance(fit.class_names, Mapping) else None
        words = names_of([label_text(label) for label in schema.outputs], given)
        class_names = {c: words[c] for c in range(len(old.outputs), len(schema.outputs)) if words[c]}
        units = with_names(units, fit.encoder, {}, family, schema, class_names)
    remembered = len(fit.examples) or not sum(old.counts)
    return _with_head(
        replace(
            fit,
            schema=schema,
            examples=fit.examples.plus(more) if remembered else NOTHING,
            paired=more.inputs.pairs is not None if fit.paired is None else fit.paired,
        ),
        units,
    )


def _solved(fit: Fit, examples: Examples[Any], left: list[int]) -> Fit:
    """Return the fit in closed form to these examples, of which the first are the earlier ones in `left`."""
    assert fit.units is not None
    family, schema = fit.family, fit.family.reduced(fit.schema, examples.targets)
    if family.tokens is None:
        targets = family.tensor(examples.targets[: len(left)], schema)
        units = fit.units.of(left)
        units = units._replace(targets=targets.to(units.features.device))
        if len(left) < len(examples):
            units = units.plus(units_of(fit.encoder, {}, family, schema, examples.at(range(len(left), len(examples)))))
    else:  # which tokens are units may depend on the targets
        units = units_of(fit.encoder, {}, family, schema, examples)
    names = _names(fit, schema.outputs)
    named = names if examples.inputs.pairs is None else False
    class_names = class_names_of(family, schema, fit.effort, named)
    units = with_names(units, fit.encoder, {}, family, schema, class_names)
    solved = replace(
        fit,
        schema=schema,
        examples=examples,
        class_names=words_by_label(schema.outputs, class_names) if class_names else names is not False,
        choice=None,
    )
    return recorded(_with_head(solved, units))


def _with_head(fit: Fit, units: SupportUnits) -> Fit:
    head, solver = head_of(fit.encoder, fit.family, fit.schema, fit.effort, units)
    return replace(fit, params=head, units=units, solver=solver)


def _names(fit: Fit, outputs: Sequence[Label]) -> bool | dict[str, str]:
    """Return what the names of outputs were given as, for those that are left."""
    if isinstance(fit.class_names, bool):
        return fit.class_names
    there = set(map(label_text, outputs))
    return {label: words for label, words in fit.class_names.items() if label in there}


def _of_kind(examples: Examples[Any], fit: Fit) -> Examples[Any]:
    """Return the examples with targets written as the others are."""
    return replace(examples, targets=tuple(fit.family.like(examples.targets, fit.schema, numbered)))


def _check_kind(fit: Fit, more: Examples[Any]) -> None:
    old = fit.examples.inputs
    if len(old) and len(more) and (old.pairs is None) != (more.inputs.pairs is None):
        raise MetaglotError("the earlier examples and the new ones must either all be pairs or none")


def _check(examples: Examples[Any], remove: Sequence[int], relabel: Mapping[int, Label]) -> None:
    if not len(examples):
        raise MetaglotError(
            "the examples of this adaptation were not kept with it, so that none can be removed or get another label; "
            "adapt again from your file, with --keep-examples (in Python: save with keep_examples=True)"
        )
    count = len(examples)
    if wrong := [row for row in (*remove, *relabel) if not 0 <= row < count]:
        raise MetaglotError(f"there is no example number {wrong[0] + 1}: there are {count}, counted from 1")
    if both := sorted(set(remove) & set(relabel)):
        raise MetaglotError(f"example number {both[0] + 1} is removed and gets another label too; choose one")
