"""How an adaptation is made: from examples, in closed form or by gradient steps, or from names of classes alone."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from metaglot.adaptation.adapted import Adapted
from metaglot.adaptation.checks import check_names
from metaglot.adaptation.closed_form import Solver, SupportUnits, blend, fitted, solver_of
from metaglot.adaptation.effort import EFFORTS, AsTrained, Effort
from metaglot.adaptation.examples import Examples
from metaglot.adaptation.model import Model, Names
from metaglot.adaptation.storage import provenance_of
from metaglot.adaptation.support import class_names_of, evened, features_of, head_of, names_as, names_given
from metaglot.data.labels import Label, in_order, label_text
from metaglot.data.names import names_of
from metaglot.errors import MetaglotError
from metaglot.models.averaging import averaged
from metaglot.types import Batch, Params


class Support(NamedTuple):
    """Checked examples, their classes by number, and the names of classes that count as examples."""

    texts: Sequence[str]
    pairs: Sequence[str] | None
    numbers: Sequence[int]
    classes: tuple[Label, ...]
    class_names: Mapping[int, str]

    def known(self, model: Model, moved: Params) -> SupportUnits:
        """Return the features of examples and names, with the parameters that adaptation moved."""
        return features_of(model, moved, self.texts, self.pairs, self.numbers).plus(
            names_as(model, moved, self.class_names)
        )

    def batch(self, model: Model) -> Batch:
        """Return the rows for gradient steps, names among them, rare classes several times."""
        rows = evened([*self.numbers, *self.class_names])
        texts, numbers = [*self.texts, *self.class_names.values()], [*self.numbers, *self.class_names]
        pairs = None if self.pairs is None else [self.pairs[i] for i in rows]
        return model.collate([texts[i] for i in rows], pairs, [numbers[i] for i in rows])

    def fit(self, model: Model, effort: Effort | AsTrained, seed: int) -> Params:
        """Return what an effort's steps move."""
        return model.fit(self.batch(model), model.problem(self.classes), effort, seed=seed).params


class Made(NamedTuple):
    """What an effort makes of a support set."""

    params: Params  # that changed, and head.*
    known: SupportUnits | None  # what a head in closed form was made of
    solver: Solver


def adapt_model(
    model: Model,
    texts: list[str],
    labels: list[Label],
    pairs: list[str] | None,
    effort: Effort | AsTrained,
    *,
    seed: int,
    names: Names = True,
    firmness: float = 1.0,
    before: SupportUnits | None = None,
) -> Adapted:
    """Return the model adapted with an effort to checked examples; raise MetaglotError for names of no label.

    A head made after gradient steps is `firmness` times as confident as is usual after so many.  `before` holds the
    features of examples and names before any step, where they are known already.
    """
    classes = in_order(labels)
    class_names = class_names_of(classes, effort, names if pairs is None else False)
    support = Support(texts, pairs, [classes.index(label) for label in labels], classes, class_names)
    moved = {} if effort.closed_form else support.fit(model, effort, seed)
    own = isinstance(effort, AsTrained)
    made = Made(moved, None, "ridge") if own else _headed(model, support, effort, moved, firmness, before)
    provenance = provenance_of(model, texts, labels, pairs, effort=effort, seed=seed)
    if class_names or names is False:
        provenance |= {"names": words_by_label(classes, class_names) or False}
    if pairs is not None and model.reads:
        provenance |= {"reads": model.reads}
    counts = tuple(labels.count(name) for name in classes)
    examples = Examples(tuple(texts), tuple(labels), None if pairs is None else tuple(pairs))
    return Adapted(
        model,
        classes,
        made.params,
        effort,
        seed,
        made.known,
        made.solver,
        counts,
        examples,
        provenance,
        paired=pairs is not None,
    )


def words_by_label(classes: Sequence[Label], class_names: Mapping[int, str]) -> dict[str, str]:
    """Return the words of each class by its label, as JSON has it."""
    return {label_text(classes[c]): words for c, words in class_names.items()}


def from_names(model: Model, labels: Sequence[Label], names: Mapping[str, str] | Mapping[Label, str]) -> Adapted:
    """Return the model adapted to names of labels alone; raise MetaglotError where they do not tell classes apart."""
    classes, effort = in_order(check_names(labels)), EFFORTS["instant"]
    class_names = class_names_of(classes, effort, names)
    if not class_names:
        words = names_of([label_text(label) for label in classes], names_given(names))
        dumb = [label for label, own in zip(classes, words, strict=True) if not own]
        raise MetaglotError(
            f"the label {dumb[0]!r} says nothing, or the same as another; give words for it, in Python as names="
            f"{{{dumb[0]!r}: 'what it is called'}}, or an example"
        )
    provenance = provenance_of(model, [], [], None, effort=effort, seed=0)
    provenance |= {"names": words_by_label(classes, class_names)}
    known = names_as(model, {}, class_names)
    head, solver = head_of(model, effort, known, len(classes))
    counts = (0,) * len(classes)
    return Adapted(model, classes, head, effort, 0, known, solver, counts, Examples(), provenance)


def _headed(
    model: Model, support: Support, effort: Effort, moved: Params, firmness: float, before: SupportUnits | None
) -> Made:
    """Return the head that stays, on the body that steps moved if there were any."""
    classes = len(support.classes)
    if not effort.closed_form:
        moved = averaged(model.params, moved, effort.kept)
        if effort.head != "blend":
            return Made(moved, None, "ridge")
    before = support.known(model, {}) if before is None else before
    if effort.closed_form:
        head, solver = head_of(model, effort, before, classes)
        return Made(head, before, solver)
    # The steps tell the examples apart, so that the solver is found on features from before them.
    solver, _ = solver_of(before, classes, model.metric)
    known = support.known(model, moved)
    body = {name: value for name, value in moved.items() if not name.startswith("head.")}
    beta = firmness * fitted(effort.steps, classes, solver)
    return Made(body | blend(known, classes, model.metric, solver=solver, beta=beta), known, solver)
