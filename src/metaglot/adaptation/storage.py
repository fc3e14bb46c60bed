"""An adaptation on disk: a small folder beside a base model.

`adapted.json` (labels, effort, provenance), `weights.safetensors` (head and changed parameters), `README.md` (the
model card) and, only if asked, `examples.jsonl`.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from metaglot.adaptation.adapted import Adapted, Examples
from metaglot.adaptation.card import model_card
from metaglot.adaptation.effort import Effort
from metaglot.adaptation.model import Model, load_model
from metaglot.errors import MetaglotError
from metaglot.version import __version__

FORMAT = 1
FILE = "adapted.json"
SUMS = "closed_form.sums"


def data_hash(texts: Sequence[str], labels: Sequence[str], pairs: Sequence[str] | None) -> str:
    """Return a hash of labelled texts, in their order."""
    rows = [list(texts), [str(label) for label in labels], None if pairs is None else list(pairs)]
    return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()


def provenance_of(
    model: Model,
    texts: Sequence[str],
    labels: Sequence[str],
    pairs: Sequence[str] | None,
    *,
    effort: Effort,
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
        "effort": asdict(effort),
        "seed": seed,
        "versions": {"metaglot": __version__, "torch": torch.__version__, "transformers": transformers.__version__},
    }


def save_adapted(adapted: Adapted, folder: Path, *, keep_examples: bool, force: bool) -> Path:
    """Write the folder under another name and rename it, so that it is never half-written."""
    if folder.exists() and not (force or _ours(folder) or (folder.is_dir() and not any(folder.iterdir()))):
        raise MetaglotError(f"{folder} exists and holds something else; choose another folder, or use force (--force)")
    part = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        part.mkdir(parents=True)
        _write(adapted, part, keep_examples=keep_examples)
        if folder.exists():
            shutil.rmtree(folder)
        part.rename(folder)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise MetaglotError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return folder


def load_adapted(folder: Path, *, model: Model | None = None) -> Adapted:
    """Return the adaptation in `folder`; raise MetaglotError where it is absent, damaged or does not fit its base."""
    if not (folder / FILE).is_file():
        raise MetaglotError(f"{folder}: no {FILE} there, so it is no adapted model; `metaglot adapt` makes one")
    try:
        plain = json.loads((folder / FILE).read_text("utf-8"))
        weights = load_file(folder / "weights.safetensors")
        source, effort = str(plain["model_source"]), _effort(plain["effort"])
        labels, counts = tuple(plain["labels"]), tuple(plain["counts"])
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise MetaglotError(f"{folder}: damaged ({error}); adapt again") from error
    over = model or load_model(source)
    _check(folder, plain, weights, over)
    device = over.backbone.learner.device
    params = {name: value.to(device) for name, value in weights.items() if name != SUMS}
    sums = weights[SUMS].to(device) if SUMS in weights else None
    examples = _read_examples(folder / "examples.jsonl")
    return Adapted(over, labels, params, effort, int(plain["seed"]), sums, counts, examples, plain["provenance"])


def _write(adapted: Adapted, part: Path, *, keep_examples: bool) -> None:
    weights = {name: value.detach().cpu().contiguous() for name, value in sorted(adapted.params.items())}
    if adapted.sums is not None:
        weights[SUMS] = adapted.sums.cpu().contiguous()
    save_file(weights, part / "weights.safetensors")
    plain = {
        "format": FORMAT,
        "labels": list(adapted.labels),
        "counts": list(adapted.counts),
        "effort": asdict(adapted.effort),
        "seed": adapted.seed,
        "model_source": adapted.model.source,
        "model_sha256": adapted.model.fingerprint(),
        "provenance": dict(adapted.provenance),
    }
    (part / FILE).write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (part / "README.md").write_text(model_card(adapted), "utf-8")
    if keep_examples:
        _write_examples(adapted.examples, part / "examples.jsonl")


def _check(folder: Path, plain: dict[str, Any], weights: dict[str, torch.Tensor], model: Model) -> None:
    if plain.get("format") != FORMAT:
        raise MetaglotError(f"{folder}: written in format {plain.get('format')}, this version reads {FORMAT}")
    if weights["head.weight"].shape != (len(plain["labels"]), model.backbone.learner.hidden_size):
        raise MetaglotError(f"{folder}: its head does not fit the model {model.name}")
    if plain["model_sha256"] != model.fingerprint():
        raise MetaglotError(
            f"{folder}: it was made over other weights of {plain['model_source']} than are there now "
            "(was the run trained further?); adapt again"
        )


def _effort(saved: dict[str, Any]) -> Effort:
    return Effort(
        steps=int(saved["steps"]),
        lr=float(saved["lr"]),
        head_lr=float(saved["head_lr"]),
        batch_size=int(saved["batch_size"]),
        freeze=tuple(saved["freeze"]),
    )


def _ours(folder: Path) -> bool:
    return (folder / FILE).is_file()


def _write_examples(examples: Examples, file: Path) -> None:
    pairs = examples.pairs or (None,) * len(examples.texts)
    lines = [
        json.dumps({"text": text, **({} if pair is None else {"text_pair": pair}), "label": label}, ensure_ascii=False)
        for text, label, pair in zip(examples.texts, examples.labels, pairs, strict=True)
    ]
    file.write_text("".join(line + "\n" for line in lines), "utf-8")


def _read_examples(file: Path) -> Examples:
    if not file.is_file():
        return Examples()
    rows = [json.loads(line) for line in file.read_text("utf-8").split("\n") if line]
    pairs = tuple(str(row["text_pair"]) for row in rows) if rows and "text_pair" in rows[0] else None
    return Examples(tuple(row["text"] for row in rows), tuple(row["label"] for row in rows), pairs)
