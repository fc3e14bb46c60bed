"""An adaptation on disk: a small folder beside a base model.

`adapted.json` (labels, effort, provenance), `weights.safetensors` (head and changed parameters), `README.md` (the
model card) and, only if asked, `examples.jsonl`.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from metaglot.adaptation.adapted import Adapted
from metaglot.adaptation.card import model_card
from metaglot.adaptation.closed_form import Known, Solver
from metaglot.adaptation.effort import AsTrained, Effort
from metaglot.adaptation.examples import Examples, check_kept, data_hash, read_examples, to_keep, write_examples
from metaglot.adaptation.model import Model, load_model
from metaglot.adaptation.reading import READS, Reads
from metaglot.data.folders import ADAPTED, check_adapted, check_target, is_dir
from metaglot.data.labels import KINDS, Label
from metaglot.data.locks import writing
from metaglot.data.modes import usual_mode
from metaglot.data.naming import found_name, kept_name
from metaglot.data.replacing import replace_folder
from metaglot.errors import MetaglotError
from metaglot.models import Runtime
from metaglot.models.devices import Precision
from metaglot.models.finite import check_finite
from metaglot.models.heads import head_size
from metaglot.version import __version__

FORMAT = 2
KNOWN = "known."  # features of the examples
PRECISIONS: Mapping[object, Precision] = {"auto": "auto", "bf16": "bf16", "fp32": "fp32"}
SOLVERS: Mapping[object, Solver] = {"ridge": "ridge", "logistic": "logistic"}
PARTS: Mapping[object, Reads | None] = {None: None, **{part: part for part in READS}}
DAMAGE = (OSError, SafetensorError, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError)


def provenance_of(
    model: Model,
    texts: Sequence[str],
    labels: Sequence[Label],
    pairs: Sequence[str] | None,
    *,
    effort: Effort | AsTrained,
    seed: int,
) -> dict[str, Any]:
    """Return what an adaptation came from."""
    import transformers

    return {
        "model": model.name,
        "base": model.backbone.name,
        "meta_training": dict(model.provenance),
        "data_sha256": data_hash(texts, labels, pairs),
        "examples": len(texts),
        "max_length": model.max_length,
        "precision": model.precision,
        "effort": asdict(effort),
        "seed": seed,
        "versions": {"metaglot": __version__, "torch": torch.__version__, "transformers": transformers.__version__},
    }


def save_adapted(adapted: Adapted, folder: Path, *, keep_examples: bool | None, force: bool) -> Path:
    """Write the folder under another name and rename it, so that it is never half-written."""
    check_target(folder, force=force)
    keep_examples = to_keep(adapted.examples, folder, asked=keep_examples, kept=adapted.kept)
    folder = folder.resolve()  # "." has no name of its own
    with writing(folder):
        check_target(folder, force=force)
        _put(adapted, folder, keep_examples=keep_examples)
    return folder


def _put(adapted: Adapted, folder: Path, *, keep_examples: bool) -> None:
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        _write(adapted, part, keep_examples=keep_examples)
        replace_folder(part, folder)
    except (OSError, SafetensorError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise MetaglotError(f"{folder}: cannot be written: {reason}; what was there before is untouched") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def load_adapted(folder: Path, *, model: Model | None = None, runtime: Runtime = Runtime()) -> Adapted:
    """Return the adaptation in `folder`, in the precision that it was made in unless `runtime` names one.

    Raises MetaglotError where it is absent, damaged or does not fit its base.
    """
    check_adapted(folder)
    try:
        saved = _read(folder)
    except DAMAGE as error:
        raise MetaglotError(f"{folder}: damaged ({error!r:.200}); adapt again") from error
    check_finite(saved.weights, str(folder))
    precision = saved.precision if runtime.precision == "auto" else runtime.precision
    over = model or load_model(saved.source, runtime._replace(precision=precision))
    _check(folder, saved, over)
    over = replace(over, reads=saved.reads)
    device = over.backbone.learner.device
    # A copy is aligned as a fresh tensor is, which a view into the file is not: sums may depend on it.
    weights = {name: value.clone().to(device) for name, value in saved.weights.items()}
    params = {name: value for name, value in weights.items() if not name.startswith(KNOWN)}
    known = Known(*(weights[KNOWN + part] for part in Known._fields)) if len(params) < len(weights) else None
    return Adapted(
        model=over,
        labels=saved.labels,
        params=params,
        effort=saved.effort,
        seed=saved.seed,
        known=known,
        solver=saved.solver,
        counts=saved.counts,
        examples=saved.examples,
        kept=bool(saved.examples.texts),
        paired=saved.paired,
        provenance=saved.provenance,
    )


class _Saved(NamedTuple):
    """What a folder holds."""

    version: int
    source: str  # of the model
    fingerprint: str  # of the model
    labels: tuple[Label, ...]
    counts: tuple[int, ...]
    effort: Effort | AsTrained
    seed: int
    precision: Precision  # auto where an earlier version did not note it
    reads: Reads | None  # absent in earlier versions
    paired: bool | None  # absent in earlier versions
    solver: Solver  # ridge in earlier versions
    provenance: dict[str, Any]
    weights: dict[str, torch.Tensor]
    examples: Examples
    hash: str | None  # of the examples that are kept; absent in earlier versions


def _read(folder: Path) -> _Saved:
    plain = json.loads((folder / ADAPTED).read_text("utf-8"))
    weights = load_file(folder / "weights.safetensors")
    labels = tuple(plain["labels"])
    if {type(label) for label in labels} not in [{kind} for kind in KINDS] or len(set(labels)) < len(labels):
        raise ValueError("labels that are not distinct and of one kind")
    if head_size(weights)[0] != len(labels):
        raise ValueError(f"{len(labels)} labels, but a head of {head_size(weights)[0]}")
    _check_known(weights)
    return _Saved(
        version=plain["format"],
        source=found_name("model_source", plain, folder),
        fingerprint=str(plain["model_sha256"]),
        labels=labels,
        counts=tuple(int(count) for count, _ in zip(plain["counts"], labels, strict=True)),
        effort=_effort(plain["effort"]),
        seed=int(plain["seed"]),
        precision=PRECISIONS[plain.get("precision", "auto")],
        reads=PARTS[plain.get("reads")],
        paired={None: None, True: True, False: False}[plain.get("paired")],
        solver=SOLVERS[plain.get("solver", "ridge")],
        provenance=dict(plain["provenance"]),
        weights=weights,
        examples=read_examples(folder),
        hash=_hash(plain),
    )


def _hash(plain: Mapping[str, Any]) -> str | None:
    """Return the hash of the kept examples, "" where none were kept; earlier versions noted that of the first ones."""
    if "examples_sha256" in plain:
        return str(plain["examples_sha256"])
    provenance = plain["provenance"]
    return None if "added" in provenance else str(provenance["data_sha256"])


def _check_known(weights: Mapping[str, torch.Tensor]) -> None:
    shapes = [weights[KNOWN + part].shape for part in Known._fields if KNOWN + part in weights]
    if shapes and not (len(shapes) == 3 and len(shapes[0]) == 2 and shapes[1] == shapes[2] == shapes[0][:1]):
        raise ValueError(f"features of examples that do not fit: {[tuple(shape) for shape in shapes]}")


def _write(adapted: Adapted, part: Path, *, keep_examples: bool) -> None:
    weights = {name: value.detach().cpu().contiguous() for name, value in sorted(adapted.params.items())}
    if adapted.known is not None:
        parts = adapted.known._asdict().items()
        weights |= {KNOWN + name: part.cpu().contiguous() for name, part in parts}
    with usual_mode(part / "weights.safetensors") as file:
        save_file(weights, file)
    plain = {
        "format": FORMAT,
        "labels": list(adapted.labels),
        "counts": list(adapted.counts),
        "effort": asdict(adapted.effort),
        "seed": adapted.seed,
        "precision": adapted.model.precision,
        "reads": adapted.model.reads,
        "paired": adapted.paired,
        "solver": adapted.solver,
        **kept_name("model_source", _source(adapted.model), part),
        "model_sha256": adapted.model.fingerprint(),
        "provenance": dict(adapted.provenance),
        "examples_sha256": adapted.examples.sha256() if keep_examples else "",
    }
    (part / ADAPTED).write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (part / "README.md").write_text(model_card(adapted), "utf-8")
    if keep_examples:
        write_examples(adapted.examples, part)


def _check(folder: Path, saved: _Saved, model: Model) -> None:
    if saved.version != FORMAT:
        raise MetaglotError(f"{folder}: written in format {saved.version}, this version reads {FORMAT}")
    check_kept(folder, saved.examples, saved.hash)
    if head_size(saved.weights)[1] != model.backbone.learner.hidden_size:
        raise MetaglotError(f"{folder}: its head does not fit the model {model.name}")
    if saved.fingerprint != model.fingerprint():
        raise MetaglotError(
            f"{folder}: it was made over other weights of {saved.source} than are there now "
            "(was the run trained further?); adapt again"
        )


def _source(model: Model) -> str:
    """Return what `load_model` needs to find the model from anywhere."""
    if model.meta or not is_dir(Path(model.backbone.name)):
        return model.source if model.meta else model.backbone.name
    return str(Path(model.backbone.name).resolve())


def _effort(saved: dict[str, Any]) -> Effort | AsTrained:
    if "algorithm" in saved:
        return AsTrained(str(saved["algorithm"]), dict(saved["options"]))
    return Effort(
        steps=int(saved["steps"]),
        lr=float(saved["lr"]),
        head_lr=float(saved["head_lr"]),
        batch_size=int(saved["batch_size"]),
        freeze=tuple(saved["freeze"]),
        head=saved["head"],
        names=bool(saved["names"]),
        kept=float(saved.get("kept", 0.0)),  # absent in earlier versions, as the next
        contrast=float(saved.get("contrast", 0.0)),
    )
