"""A model ready to adapt: a backbone, the meta-parameters that stand over it, and what they came from."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from metaglot.adaptation.checks import check_examples, check_texts
from metaglot.adaptation.effort import Effort, effort_called
from metaglot.errors import MetaglotError
from metaglot.models import Backbone, Runtime, load_backbone
from metaglot.tasks import Classification
from metaglot.training.checkpoint import latest, load_params
from metaglot.types import Batch, Fast, Params, Problem, TaskInfo

if TYPE_CHECKING:
    from metaglot.adaptation.adapted import Adapted

DESCRIPTION = "model.json"  # in a run directory: what its parameters stand over
BATCH = 64  # texts at a time in inference


@dataclass(frozen=True)
class Model:
    """What `load` returns: it embeds texts and adapts to labelled ones."""

    name: str
    backbone: Backbone
    meta: Params  # meta-parameters; names absent come from the backbone
    max_length: int = 128  # tokens; longer texts are cut
    provenance: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""  # what `load_model` was given; absolute for a folder

    def fingerprint(self) -> str:
        """Return a SHA-256 of what was meta-learnt (or, for an untouched backbone, of its name)."""
        digest = hashlib.sha256(self.backbone.name.encode())
        for name, value in sorted(self.meta.items()):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    @property
    def params(self) -> Params:
        """The body's parameters in use, `body.*`."""
        body = {n: v for n, v in self.backbone.learner.body().items() if v.is_floating_point()}
        return body | {name: value for name, value in self.meta.items() if name.startswith("body.")}

    @property
    def family(self) -> Classification:
        """How texts become batches."""
        return Classification(pad_token_id=int(self.backbone.tokenizer.pad_token_id or 0))

    @property
    def metric(self) -> str:
        """How prototypes compare: cosine, unless it was meta-trained with another metric."""
        return str(self.provenance.get("algorithm", {}).get("options", {}).get("metric", "cosine"))

    def base(self) -> "Model":
        """Return the untouched backbone; the model itself if nothing was meta-learnt."""
        return replace(self, name=self.backbone.name, meta={}, provenance={}) if self.meta else self

    def problem(self, labels: Sequence[str]) -> Problem:
        """Return the classification problem with these label names."""
        info = TaskInfo("adapted", "adapted", tuple(labels), tuple(range(len(labels))))
        return Problem(self.backbone.learner, self.family, info)

    def collate(self, texts: Sequence[str], pairs: Sequence[str] | None, numbers: Sequence[int]) -> Batch:
        """Return the texts as a batch with labels, on the model's device."""
        # A text of many pages is cut before tokenising: 16 characters a token is more than any script needs.
        limit = 16 * self.max_length
        cut = [text[:limit] for text in texts]
        encoded = self.backbone.tokenizer(
            cut,
            None if pairs is None else [pair[:limit] for pair in pairs],
            truncation=True,
            max_length=self.max_length,
            return_attention_mask=False,
        )
        rows = [
            {name: encoded[name][i] for name in ("input_ids", "token_type_ids") if name in encoded} | {"label": label}
            for i, label in enumerate(numbers)
        ]
        batch = self.family.collate(rows)
        return {name: value.to(self.backbone.learner.device) for name, value in batch.items()}

    def embed(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> np.ndarray:
        """Return the pooled features [n, D], float32, with the meta-learnt parameters.

        Raises MetaglotError for anything but a list of texts.
        """
        return self.features(self.meta, texts, pairs).cpu().numpy()

    def features(self, params: Params, texts: Sequence[str], pairs: Sequence[str] | None = None) -> Tensor:  # [n, D]
        """Return pooled features under `params`; texts of like length share a batch."""
        check_texts(texts, pairs)
        learner = self.backbone.learner
        found = torch.zeros(len(texts), learner.hidden_size, device=learner.device)
        length = [len(text) + (len(pairs[i]) if pairs else 0) for i, text in enumerate(texts)]
        order = np.argsort(length, kind="stable")
        with torch.no_grad():
            for rows in (order[at : at + BATCH] for at in range(0, len(order), BATCH)):
                chosen = [int(i) for i in rows]
                batch = self.collate(
                    [texts[i] for i in chosen], None if pairs is None else [pairs[i] for i in chosen], [0] * len(rows)
                )
                found[torch.as_tensor(chosen, device=found.device)] = learner.forward(params, batch).pooled.float()
        return found

    def adapt(
        self,
        texts: Sequence[str],
        labels: Sequence[str],
        *,
        pairs: Sequence[str] | None = None,
        effort: str | Effort = "fast",
        seed: int = 0,
    ) -> "Adapted":
        """Return the model adapted to these examples; the model itself stays as it is.

        Raises MetaglotError for unknown efforts, fewer than two classes, or lists of unlike length.
        """
        from metaglot.adaptation.adapted import adapt_model  # adapted builds on this module

        texts, labels, pairs = check_examples(texts, labels, pairs)
        chosen = effort_called(effort) if isinstance(effort, str) else effort
        return adapt_model(self, texts, labels, pairs, chosen, seed=seed)

    def fit(self, batch: Batch, problem: Problem, effort: Effort, *, seed: int) -> Fast:
        """Return what an effort makes of a support batch."""
        body = self.params
        strategy = effort.strategy(body, self.metric)
        return strategy.adapt(problem, {**self.meta, **body}, batch, seed=seed, budget=effort.budget())


def load_model(name: str | Path, runtime: Runtime = Runtime()) -> Model:
    """Return the model called `name`: `builtin:minilm`, `builtin:tiny`, a folder, a hub id, or a run directory.

    Raises MetaglotError where it is absent or damaged.
    """
    folder = Path(name).expanduser()
    if not (folder / DESCRIPTION).is_file():
        source = str(folder.resolve()) if folder.is_dir() else str(name)
        return Model(str(name), load_backbone(str(name), runtime), {}, source=source)
    checkpoint = latest(folder)
    if checkpoint is None:
        raise MetaglotError(f"{folder}: the run has no checkpoint yet; let it train further, or resume it")
    try:
        described = json.loads((folder / DESCRIPTION).read_text("utf-8"))
        base, max_length = str(described["base"]), int(described["max_length"])
    except (ValueError, KeyError) as error:
        raise MetaglotError(f"{folder / DESCRIPTION}: damaged ({error}); resume the run to write it anew") from error
    backbone = load_backbone(base, runtime)
    meta = load_params(checkpoint, device=backbone.learner.device)
    _check_fits(meta, backbone, checkpoint)
    kept = {name: value for name, value in meta.items() if not name.startswith("heads.")}
    provenance = {**described, "run": folder.name, "step": checkpoint.name}
    return Model(folder.name, backbone, kept, max_length, provenance, source=str(folder.resolve()))


def _check_fits(meta: Params, backbone: Backbone, checkpoint: Path) -> None:
    body = backbone.learner.body()
    for name, value in meta.items():
        if name.startswith("body.") and (name not in body or body[name].shape != value.shape):
            raise MetaglotError(f"{checkpoint}: its {name} does not fit the base model {backbone.name}")
