"""How a fit is made: from examples, in closed form or by gradient steps, or from names of classes alone."""

from dataclasses import replace
from typing import Any, NamedTuple

from metaglot.adaptation.aside import decision_of
from metaglot.adaptation.effort import WORDS, AsTrained, Effort
from metaglot.adaptation.encoder import Encoder, PairChoice
from metaglot.adaptation.fit import Fit, record_of
from metaglot.adaptation.pair_choice import reader_of
from metaglot.adaptation.prefix_start import prefix_start
from metaglot.adaptation.shared_head import begun_from, solved_head
from metaglot.adaptation.support import Names, Support, class_names_of, head_of, words_by_label
from metaglot.adaptation.writing import form_of
from metaglot.data.examples import Examples
from metaglot.families.family import AnyFamily
from metaglot.families.shared_tools import SharedTools
from metaglot.families.support_units import SupportUnits
from metaglot.families.write_tools import WriteTools
from metaglot.models.averaging import averaged
from metaglot.models.lora import LEARNT
from metaglot.models.prefix import LEARNT as PREFIX_LEARNT
from metaglot.models.trainable import check_trains
from metaglot.types import Params

LAYER = ("head.weight", "head.bias")  # of a head, what steps move


def fit_examples(
    encoder: Encoder,
    family: AnyFamily,
    examples: Examples[Any],
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
    encoder = reader_of(encoder, family, examples, effort, reads=reads)
    single, schema = examples.inputs.pairs is None, family.schema(examples.targets)
    class_names = class_names_of(family, schema, effort, names if single else False)
    support = Support(family, schema, examples, class_names)
    head = _head_for(encoder, support, effort, seed, firmness, before)
    fit = Fit(
        encoder=encoder,
        family=family,
        schema=schema,
        params=head.params,
        effort=effort,
        seed=seed,
        units=head.units,
        solver=head.solver,
        class_names=words_by_label(schema.outputs, class_names) if class_names else names is not False,
        paired=not single,
        examples=examples,
    )
    return recorded(fit)


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
    solver: str


def _head_for(
    encoder: Encoder,
    support: Support,
    effort: Effort | AsTrained,
    seed: int,
    firmness: float,
    before: SupportUnits | None,
) -> Headed:
    """Return what the effort makes of the examples, in the way of their kind of task."""
    family = support.family
    if isinstance(effort, AsTrained):
        moved = _moved(encoder, support, effort, seed)
        decided = decision_of(encoder, support, seed, learn=lambda part: _moved(encoder, part, effort, seed))
        return Headed({**moved, **decided}, None, "ridge")
    if family.writes is not None:
        return _writer(encoder, support, family.writes, effort, seed)
    if (tools := family.shared) is not None:
        return _from_shared(encoder, support, tools, effort, seed, before)
    moved = {} if effort.closed_form else _moved(encoder, support, effort, seed)
    return _headed(encoder, support, effort, moved, firmness, before)


def _moved(encoder: Encoder, support: Support, effort: Effort | AsTrained, seed: int) -> Params:
    """Return what the steps of an effort change."""
    batch, problem = support.batch(encoder), encoder.problem(support.family, support.schema)
    if isinstance(effort, AsTrained):  # what was frozen in meta-training does not stand in `meta`, and stays
        return effort.strategy().adapt(problem, encoder.meta, batch, seed=seed).params
    check_trains(encoder.backbone.learner, encoder.name, dropout=False)
    body = encoder.params
    strategy = effort.strategy(body, encoder.metric)
    if effort.prefix and not any(name.startswith(PREFIX_LEARNT) for name in encoder.meta):
        body = {**body, **prefix_start(encoder, support, effort.prefix, seed=seed)}
    if (effort.lora or effort.layers) and not any(name.startswith(LEARNT) for name in encoder.meta):
        body = {**body, **strategy.scope.init(body, seed=seed)}
    if effort.contrast:
        objective = support.family.contrasted(support.schema, encoder.pad_token_id, effort.contrast)
        problem = replace(problem, objective=objective)
    return strategy.adapt(problem, {**encoder.meta, **body}, batch, seed=seed, budget=effort.budget()).params


def _writer(encoder: Encoder, support: Support, tools: WriteTools, effort: Effort, seed: int) -> Headed:
    """Return what steps change of a model whose own head writes, or that a lexicon does."""
    if effort.head == WORDS:
        return Headed({}, None, WORDS)
    form_of(encoder, tools)  # an encoder is refused
    return Headed({} if effort.closed_form else _moved(encoder, support, effort, seed), None, "written")


def _from_shared(
    encoder: Encoder, support: Support, tools: SharedTools, effort: Effort, seed: int, before: SupportUnits | None
) -> Headed:
    """Return the head that the examples make of the one that the tasks share, and what steps from there change."""
    family, schema = support.family, support.schema
    before = support.units(encoder, {}) if before is None else before
    head, solver = solved_head(encoder, family, tools, schema, before)
    if effort.closed_form:
        return Headed(head, before, solver)
    moved = _moved(begun_from(encoder, family, schema, head), support, effort, seed)
    beside = {name: value for name, value in head.items() if name not in LAYER}  # steps leave it as it is
    return Headed({**averaged({**encoder.params, **head}, moved, effort.kept), **beside}, None, solver)


def _headed(
    encoder: Encoder,
    support: Support,
    effort: Effort,
    moved: Params,
    firmness: float,
    before: SupportUnits | None,
) -> Headed:
    """Return the head that stays, on the body that steps moved if there were any."""
    family, schema = support.family, support.schema
    if not effort.closed_form:
        moved = averaged(encoder.params, moved, effort.kept)
        if effort.head != "blend":
            return Headed(moved, None, "ridge")
    before = support.units(encoder, {}) if before is None else before
    if effort.closed_form:
        head, solver = head_of(encoder, family, schema, effort, before)
        return Headed(head, before, solver)
    units = support.units(encoder, moved)
    body = {name: value for name, value in moved.items() if not name.startswith("head.")}
    head = family.solve_after(before, units, schema, encoder.metric, steps=effort.steps, firmness=firmness)
    return Headed(body | head.params, units, head.solver)
