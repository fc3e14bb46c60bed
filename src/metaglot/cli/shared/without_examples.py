"""An adaptation to no example: of names of classes, or of the head that tasks of a kind share."""

from pathlib import Path
from typing import TYPE_CHECKING

from metaglot.cli.shared.printing import tell, tell_json

if TYPE_CHECKING:
    from metaglot.models.devices import Precision


def without_examples(
    model: str,
    labels: str | None,
    task: str | None,
    out: Path,
    runtime: "tuple[Precision, str]",
    *,
    force: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Save a classifier that is made only of the names of classes, or what a model does of a kind by itself."""
    from metaglot.data.folders import check_model

    labels_in_order = None
    if labels is not None:
        from metaglot.adaptation.from_names import check_names

        labels_in_order = [label.strip() for label in labels.split(",") if label.strip()]
        check_names(labels_in_order)
    check_model(model)
    from metaglot.adaptation import load_model
    from metaglot.models import Runtime

    loaded = load_model(model, Runtime(runtime[0], device=runtime[1]))
    adapted = loaded.zero_shot(labels_in_order, task=task if labels_in_order is None else None)
    adapted.save(out, force=force)
    names = adapted.fit.class_names
    if as_json:
        kind = {} if labels_in_order is not None else {"task": adapted.fit.family.name}
        tell_json({"out": str(out), **kind, "labels": list(adapted.labels), "examples": 0, "names": names})
    elif not quiet:
        by_name = labels_in_order is not None
        classes = f", {len(adapted.labels)} classes by name" if by_name else ""
        read = "--text 'a new text'" if by_name else "FILE  (with the columns text and text_pair)"
        tell(f"no examples{classes} → {out}")
        tell(f"try: metaglot predict {out} {read}")
