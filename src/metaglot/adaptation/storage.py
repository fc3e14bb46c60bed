"""An adaptation on disk: a small folder beside a base model.

`adapted.json` (labels, effort, provenance), `weights.safetensors` (head and changed parameters), `README.md` (the
model card) and, only if asked, `examples.jsonl`.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file

from metaglot.adaptation.card import model_card
from metaglot.adaptation.effort import WORDS, AsTrained, effort_record
from metaglot.adaptation.encoder import Encoder
from metaglot.adaptation.fit import Fit
from metaglot.adaptation.kept import check_kept, read_examples, to_keep, write_examples
from metaglot.adaptation.load import load_encoder, writer_of
from metaglot.adaptation.pair_features import width_apart
from metaglot.adaptation.stored import FORMAT, StoredAdaptation, read_adaptation, scale_of
from metaglot.data.checked import sealed
from metaglot.data.examples import Examples
from metaglot.data.flushing import flush, flush_all
from metaglot.data.folders import ADAPTED, check_adapted, check_target, is_dir
from metaglot.data.labels import KINDS
from metaglot.data.locks import writing
from metaglot.data.manifest import sha256_of
from metaglot.data.modes import usual_mode
from metaglot.data.naming import name_in_record, name_record
from metaglot.data.parts import part_beside
from metaglot.data.replacing import replace_folder
from metaglot.errors import MetaglotError
from metaglot.families.choose import family_called
from metaglot.families.family import AnyFamily
from metaglot.families.support_units import SupportUnits
from metaglot.models import Runtime
from metaglot.models.finite import check_finite
from metaglot.models.heads import head_size
from metaglot.types import HeadSpec

UNITS = {"features": "known.features", "targets": "known.numbers", "is_class_name": "known.spoken"}  # in the file
WEIGHTS = "weights.safetensors"
OWNER = "known.owner"  # of units, where a text has many
KNOWN = frozenset((*UNITS.values(), OWNER))
DAMAGE = (OSError, SafetensorError, ValueError, LookupError)


def save_fit(fit: Fit, folder: Path, *, keep_examples: bool | None, force: bool) -> Path:
    """Write the folder under another name and rename it, so that it is never half-written."""
    check_target(folder, force=force)
    keep_examples = to_keep(fit.family, fit.examples, folder, wish=_needed(fit, keep_examples), kept=fit.kept)
    folder = folder.resolve()  # "." has no name of its own
    with writing(folder):
        check_target(folder, force=force)
        _put(fit, folder, keep_examples=keep_examples)
    return folder


def _needed(fit: Fit, wish: bool | None) -> bool | None:
    """Return the wish for the examples: where texts are written they are kept unless it says no.

    Raises MetaglotError where they are shown before each text, so that nothing could be written without them.
    """
    if fit.family.writes is None or not len(fit.examples):
        return wish
    if (fit.effort.shown or fit.effort.head == WORDS) and wish is False:
        raise MetaglotError(
            "this adaptation writes each text by its examples, so that they must be kept: save with "
            "keep_examples=True, or adapt by gradient steps (effort fast)"
        )
    return True if wish is None else wish


def _put(fit: Fit, folder: Path, *, keep_examples: bool) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with part_beside(folder, folder=True) as part:
            _write(fit, part, keep_examples=keep_examples)
            flush_all(part)
            replace_folder(part, folder)
            flush(folder.parent)
    except (OSError, SafetensorError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise MetaglotError(f"{folder}: cannot be written: {reason}; what was there before is untouched") from error


def load_fit(
    folder: Path,
    *,
    encoder: Encoder | None = None,
    runtime: Runtime = Runtime(),
    whole: bool = True,
    fingerprint: str | None = None,
) -> Fit:
    """Return the adaptation in `folder`, in the precision that it was made in unless `runtime` names one.

    Without `whole` it has what predictions need alone: no examples, and none of their features.  The `fingerprint` of
    the encoder spares reading all of its weights.

    Raises MetaglotError where it is absent, damaged or does not fit its base.
    """
    check_adapted(folder)
    saved = _read(folder, whole=whole)
    stated = saved.stated
    check_finite(saved.weights, str(folder))
    precision = stated.precision if runtime.precision == "auto" else runtime.precision
    reads_model = saved.family.writes is not None and stated.effort.effort().head != WORDS
    over = encoder or load_encoder(saved.source, runtime._replace(precision=precision, writes=reads_model))
    if reads_model and (writer := writer_of(over)) is not over:
        over, fingerprint = writer, None  # the fingerprint is that of the model without its decoder
    _check(folder, saved, over, fingerprint, whole=whole)
    device, effort = over.backbone.learner.device, stated.effort.effort()
    # A copy is aligned as a fresh tensor is, which a view into the file is not: sums may depend on it.
    weights = {name: value.clone().to(device) for name, value in saved.weights.items()}
    params = {name: value for name, value in weights.items() if name not in KNOWN}
    return Fit(
        encoder=replace(over, reads=stated.reads),
        family=saved.family,
        schema=stated.as_schema(),
        params=params,
        effort=effort,
        seed=stated.seed,
        units=_units(weights, over.problem(saved.family, stated.as_schema()).head_spec),
        solver=stated.solver,
        class_names=stated.class_names,
        choice=stated.choice and stated.choice.choice(effort),
        paired=stated.paired,
        examples=saved.examples,
        kept=len(saved.examples) > 0,
        longest=stated.longest,
        provenance=saved.provenance if whole else {},
    )


def _units(weights: Mapping[str, torch.Tensor], spec: HeadSpec) -> SupportUnits | None:
    """Return the units that were kept; None where there are none, or none of what stands beside their features now."""
    parts = [weights[name] for name in UNITS.values() if name in weights]
    if not parts or (spec.beside and parts[0].shape[1] != spec.inputs + spec.beside):
        return None
    each = torch.arange(len(parts[0]), device=parts[0].device)
    return SupportUnits(*parts, owner=weights.get(OWNER, each))


class _Saved(NamedTuple):
    """What a folder holds."""

    stated: StoredAdaptation
    family: AnyFamily
    source: str  # of the model
    provenance: dict[str, Any]
    weights: dict[str, torch.Tensor]
    examples: Examples[Any]


def _read(folder: Path, *, whole: bool) -> _Saved:
    stated, plain = read_adaptation(folder / ADAPTED)
    labels = stated.labels
    try:
        family = family_called(stated.family)
    except MetaglotError as error:
        raise MetaglotError(f"{folder / ADAPTED}: family: {error}") from error
    try:
        if stated.weights_sha256 and sha256_of(folder / WEIGHTS) != stated.weights_sha256:
            raise ValueError(f"{WEIGHTS} is not what was written with the adaptation: its SHA-256 does not fit")
        weights = _weights(folder / WEIGHTS, whole=whole)
        if missing := sorted(set(stated.tensors).difference(weights, () if whole else KNOWN)):
            raise ValueError(f"weights.safetensors has no {', '.join(missing)}")
        if len({KINDS[type(label)] for label in labels}) > 1 or len(set(labels)) < len(labels):
            raise ValueError("labels that are not distinct and of one kind")
        schema = stated.as_schema()
        columns = len(family.columns(schema))
        rows = columns if family.writes is not None else head_size(weights)[0]
        if len(labels) != len(stated.counts) or columns != rows:
            raise ValueError(f"{len(labels)} labels, {len(stated.counts)} counts, a head of {rows}")
        if not family.fits(weights, schema):
            raise ValueError(f"labels or a head that are none of a task of {family.name}")
        _check_known(weights, columns)
    except DAMAGE as error:
        why = str(error) if type(error) is ValueError else repr(error)
        raise MetaglotError(f"{folder}: damaged ({why:.200}); adapt again") from error
    source = name_in_record("model_source", plain, folder)
    examples = read_examples(folder, family) if whole or family.writes is not None else Examples[Any]()
    return _Saved(stated, family, source, plain["provenance"], weights, examples)


def _weights(file: Path, *, whole: bool) -> dict[str, torch.Tensor]:
    if whole:
        return load_file(file)
    with safe_open(file, "pt") as tensors:
        return {name: tensors.get_tensor(name) for name in tensors.keys() if name not in KNOWN}  # noqa: SIM118


def _check_known(weights: Mapping[str, torch.Tensor], outputs: int) -> None:
    shapes = [weights[name].shape for name in UNITS.values() if name in weights]
    owned = OWNER not in weights or (shapes and weights[OWNER].shape == shapes[0][:1])
    fits = len(shapes) == 3 and owned and len(shapes[0]) == 2 and shapes[2] == shapes[1][:1] == shapes[0][:1]
    if shapes and not (fits and tuple(shapes[1][1:]) in ((), (outputs,))):
        raise ValueError(f"features of examples that do not fit: {[tuple(shape) for shape in shapes]}")


def _write(fit: Fit, part: Path, *, keep_examples: bool) -> None:
    weights = {name: value.detach().cpu().contiguous() for name, value in sorted(fit.params.items())}
    if fit.units is not None:
        weights |= {name: getattr(fit.units, part).cpu().contiguous() for part, name in UNITS.items()}
        weights |= {OWNER: fit.units.owner.cpu().contiguous()} if fit.family.tokens is not None else {}
    with usual_mode(part / WEIGHTS) as file:
        save_file(weights, file)
    plain = {
        "format": FORMAT,
        "family": fit.family.name,
        "labels": list(fit.labels),
        "counts": list(fit.schema.counts),
        **scale_of(fit.schema),
        "effort": effort_record(fit.effort),
        "seed": fit.seed,
        "precision": fit.encoder.precision,
        "reads": fit.encoder.reads,
        "paired": fit.paired,
        "class_names": fit.class_names if isinstance(fit.class_names, bool) else dict(fit.class_names),
        "choice": fit.choice and fit.choice.record(),
        "solver": fit.solver,
        **({"longest": longest} if (longest := fit.longest_tokens()) else {}),
        **name_record("model_source", _source(fit.encoder), part),
        "model_sha256": fit.encoder.fingerprint(),
        "tensors": sorted(weights),
        "weights_sha256": sha256_of(part / WEIGHTS),
        "provenance": dict(fit.provenance),
        "examples_sha256": fit.examples.sha256() if keep_examples else "",
    }
    (part / ADAPTED).write_text(json.dumps(sealed(plain), indent=1, ensure_ascii=False) + "\n", "utf-8")
    (part / "README.md").write_text(model_card(fit), "utf-8")
    if keep_examples:
        write_examples(fit.family, fit.examples, part)


def _check(folder: Path, saved: _Saved, encoder: Encoder, fingerprint: str | None, *, whole: bool) -> None:
    if whole or len(saved.examples):
        check_kept(folder, saved.examples, saved.stated.hash())
    if not _fits(saved, encoder):
        raise MetaglotError(f"{folder}: its head does not fit the model {encoder.name}")
    earlier = encoder.learnt_beside and saved.stated.model_sha256 == encoder.fingerprint(beside=False)
    if earlier and not isinstance(saved.stated.effort.effort(), AsTrained):  # the algorithm itself has always used them
        raise MetaglotError(
            f"{folder}: its head was made on features without the LoRA or warps that {saved.source} learnt, as earlier "
            "versions read them, and they are in use now; adapt again from the examples"
        )
    if not earlier and saved.stated.model_sha256 != (fingerprint or encoder.fingerprint()):
        raise MetaglotError(
            f"{folder}: it was made over other weights of {saved.source} than are there now "
            "(was the run trained further?); adapt again"
        )


def _fits(saved: _Saved, encoder: Encoder) -> bool:
    if saved.family.writes is not None:
        return encoder.backbone.learner.decoder or encoder.backbone.learner.seq2seq or not saved.weights
    inputs = encoder.problem(saved.family, saved.stated.as_schema()).head_spec.inputs
    return head_size(saved.weights)[1] == (width_apart(inputs) if saved.stated.reads == "apart" else inputs)


def _source(encoder: Encoder) -> str:
    """Return what `load_model` needs to find the model from anywhere."""
    if encoder.meta or not is_dir(Path(encoder.backbone.name)):
        return encoder.source if encoder.meta else encoder.backbone.name
    return str(Path(encoder.backbone.name).resolve())
