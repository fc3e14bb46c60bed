"""How a fit is made: from examples, in closed form or by gradient steps, or from names of classes alone."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from metaglot.adaptation.checks import check_names
from metaglot.adaptation.effort import EFFORTS, AsTrained, Effort
from metaglot.adaptation.encoder import Encoder, PairChoice
from metaglot.adaptation.fit import Classes, Fit, record_of
from metaglot.adaptation.pair_choice import reader_of
from metaglot.adaptation.support import Names, Support, class_names_of, head_of, names_as, names_given, words_by_label
from metaglot.data.examples import Examples
from metaglot.data.labels import Label, in_order, label_text
from metaglot.data.names import names_of
from metaglot.errors import MetaglotError
from metaglot.families.class_heads import Solver, blend, fitted, solver_of
from metaglot.families.contrast import WithContrast
from metaglot.families.support_units import SupportUnits
from metaglot.models.averaging import averaged
from metaglot.models.trainable import check_trains
from metaglot.types import Params


def fit_examples(
    encoder: Encoder,
    examples: Examples[Label],
    effort: Effort | AsTrained,
    *,
    seed: int,
    names: Names = True,
    reads: PairChoice | None = None,
    firmness: float = 1.0,
    before: SupportUnits | None = None,
) -> Fit:
    """Return the fit of an effort to checked examples; raise MetaglotError for names of no label.

    Of pairs it reads the part `reads`, or what the encoder reads, or what suits the examples.  A head made after
    gradient steps is `firmness` times as confident as is usual after so many.  `before` holds the features of examples
    and names before any step, where they are known already.
    """
    encoder, single = reader_of(encoder, examples, effort, reads=reads), examples.inputs.pairs is None
    classes = in_order(examples.targets)
    class_names = class_names_of(classes, effort, names if single else False)
    support = Support(examples.inputs, [classes.index(label) for label in examples.targets], class_names)
    moved = {} if effort.closed_form else _moved(encoder, support, classes, effort, seed)
    own = isinstance(effort, AsTrained)
    head = Headed(moved, None, "ridge") if own else _headed(encoder, support, classes, effort, moved, firmness, before)
    given = words_by_label(classes, class_names) if class_names else names is not False
    fit = Fit(
        encoder=encoder,
        schema=Classes(classes, tuple(examples.targets.count(label) for label in classes)),
        params=head.params,
        effort=effort,
        seed=seed,
        units=head.units,
        solver=head.solver,
        class_names=given,
        paired=not single,
        examples=examples,
    )
    return recorded(fit)


def fit_names(encoder: Encoder, labels: Sequence[Label], names: Names) -> Fit:
    """Return the fit to names of labels alone; raise MetaglotError where they do not tell classes apart."""
    classes, effort = in_order(check_names(labels)), EFFORTS["instant"]
    class_names = class_names_of(classes, effort, names)
    if not class_names:
        words = names_of([label_text(label) for label in classes], names_given(names))
        dumb = [label for label, own in zip(classes, words, strict=True) if not own]
        raise MetaglotError(
            f"the label {dumb[0]!r} says nothing, or the same as another; give words for it, in Python as names="
            f"{{{dumb[0]!r}: 'what it is called'}}, or an example"
        )
    units = names_as(encoder, {}, class_names)
    head, solver = head_of(encoder, effort, units, len(classes))
    schema, given = Classes(classes, (0,) * len(classes)), words_by_label(classes, class_names)
    return recorded(Fit(encoder, schema, head, effort, 0, units, solver, given))


def recorded(fit: Fit) -> Fit:
    """Return the fit with a record of what it came from."""
    record = record_of(fit.encoder, fit.examples, effort=fit.effort, seed=fit.seed)
    if fit.class_names is not True:
        record["names"] = fit.class_names
    if fit.pair_choice is not None:
        record["reads"] = fit.pair_choice
    if fit.choice is not None:
        record["choice"] = fit.choice.record()
    return replace(fit, provenance=record)


class Headed(NamedTuple):
    """What an effort makes of a support set."""

    params: Params  # that changed, and head.*
    units: SupportUnits | None  # what a head in closed form was made of
    solver: Solver


def _moved(
    encoder: Encoder, support: Support, classes: Sequence[Label], effort: Effort | AsTrained, seed: int
) -> Params:
    """Return what the steps of an effort change."""
    batch, problem = support.batch(encoder), encoder.problem(classes)
    if isinstance(effort, AsTrained):  # what was frozen in meta-training does not stand in `meta`, and stays
        return effort.strategy().adapt(problem, encoder.meta, batch, seed=seed).params
    check_trains(encoder.backbone.learner, encoder.name, dropout=False)
    body = encoder.params
    strategy = effort.strategy(body, encoder.metric)
    if effort.contrast:
        problem = replace(problem, objective=WithContrast(encoder.family, effort.contrast))
    return strategy.adapt(problem, {**encoder.meta, **body}, batch, seed=seed, budget=effort.budget()).params


def _headed(
    encoder: Encoder,
    support: Support,
    labels: Sequence[Label],
    effort: Effort,
    moved: Params,
    firmness: float,
    before: SupportUnits | None,
) -> Headed:
    """Return the head that stays, on the body that steps moved if there were any."""
    classes = len(labels)
    if not effort.closed_form:
        moved = averaged(encoder.params, moved, effort.kept)
        if effort.head != "blend":
            return Headed(moved, None, "ridge")
    before = support.units(encoder, {}) if before is None else before
    if effort.closed_form:
        head, solver = head_of(encoder, effort, before, classes)
        return Headed(head, before, solver)
    # The steps tell the examples apart, so that the solver is found on features from before them.
    solver, _ = solver_of(before, classes, encoder.metric)
    units = support.units(encoder, moved)
    body = {name: value for name, value in moved.items() if not name.startswith("head.")}
    beta = firmness * fitted(effort.steps, classes, solver)
    return Headed(body | blend(units, classes, encoder.metric, solver=solver, beta=beta), units, solver)
