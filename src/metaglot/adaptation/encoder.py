"""What reads texts for an adaptation: a backbone, and the meta-parameters that stand over it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from metaglot.adaptation.effort import AS_TRAINED, AsTrained, Effort, effort_called, efforts_of
from metaglot.adaptation.pair_features import features_apart, shared_tokens, width_apart
from metaglot.algorithms.build import prototype_metric
from metaglot.data.encode import check_room, filler
from metaglot.data.examples import Inputs
from metaglot.data.labels import label_text
from metaglot.data.trained import Named, required
from metaglot.families.batches import pad_rows
from metaglot.families.family import AnyFamily
from metaglot.families.records import Schema
from metaglot.models import Backbone
from metaglot.models.learner import HfLearner
from metaglot.models.learnt import BESIDE
from metaglot.models.turns import turn
from metaglot.types import Batch, Objective, Params, Problem, Row, TaskInfo

LENGTH = 128  # tokens of a text, unless a run or the backbone's folder says otherwise or it takes fewer
BATCH = 64  # inputs at a time in inference
PairChoice = Literal["both", "first", "second", "apart"]
"""What of a pair of texts is read: both in one pass, one alone, or both in one pass and apart (`pair_features.py`)."""


@dataclass(frozen=True, repr=False)
class Encoder:
    """A model without its methods for users: it turns inputs into batches and features."""

    name: str
    backbone: Backbone
    meta: Params  # meta-parameters; names absent come from the backbone
    max_length: int = LENGTH  # tokens; longer texts are cut
    provenance: Mapping[str, Any] = field(default_factory=dict)  # for people: what the model came from
    source: str = ""  # what `load_encoder` was given; absolute for a folder
    trained: Named | None = None  # the algorithm that meta-trained it, if one did
    reads: PairChoice | None = None  # what of pairs, once an adaptation has chosen it; both before
    kept: dict[str, "Encoder"] = field(default_factory=dict[str, "Encoder"], compare=False)  # see `load.writer_of`

    def __repr__(self) -> str:
        """Return what it is, on one line: its tensors would fill pages."""
        learnt = f", {len(self.meta)} meta-learnt parameters" if self.meta else ""
        reads = f", reads={self.reads!r}" if self.reads else ""
        return f"Encoder({self.name!r}, over {self.backbone.name!r}{learnt}, max_length={self.max_length}{reads})"

    def fingerprint(self, *, beside: bool = True) -> str:
        """Return a SHA-256 of the weights: those of the backbone, then what was meta-learnt.

        A built-in backbone stands for its weights by its name, since they are pinned; where the folder of any other
        lies does not matter.  Earlier versions left the LoRA and warps of a run out of its features, and the
        fingerprint of such a run was the one without `beside`.
        """
        pinned = self.backbone.name.startswith("builtin:")
        digest = hashlib.sha256(self.backbone.name.encode() if pinned else b"")
        body = {} if pinned else self.backbone.learner.body()
        for name, value in (*sorted(body.items()), *sorted(self.meta.items())):
            digest.update(name.encode())
            digest.update(value.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data)
        if beside and self.learnt_beside:
            digest.update(b"LoRA and warps are in use")
        return digest.hexdigest()

    @property
    def learnt_beside(self) -> bool:
        """Whether LoRA or warps were meta-learnt, which act in the weights of the body."""
        return any(name.startswith(BESIDE) for name in self.meta)

    @property
    def precision(self) -> Literal["bf16", "fp32"]:
        """What the backbone runs in."""
        return "bf16" if self.backbone.learner.bf16 else "fp32"

    @property
    def params(self) -> Params:
        """The body's parameters in use, `body.*`."""
        body = {n: v for n, v in self.backbone.learner.body().items() if v.is_floating_point()}
        return body | {name: value for name, value in self.meta.items() if name.startswith("body.")}

    @property
    def pad_token_id(self) -> int:
        """The token that fills up a row."""
        return int(self.backbone.tokenizer.pad_token_id or 0)

    @property
    def metric(self) -> str:
        """How prototypes compare: cosine, unless it was meta-trained with another metric."""
        return "cosine" if self.trained is None else prototype_metric(*self.trained)

    def base(self) -> "Encoder":
        """Return the untouched backbone; the model itself if nothing was meta-learnt."""
        return replace(self, name=self.backbone.name, meta={}, provenance={}, trained=None) if self.meta else self

    def problem(self, family: AnyFamily, schema: Schema) -> Problem:
        """Return the problem of learning a task of this kind."""
        outputs = tuple(map(label_text, schema.outputs))
        info = TaskInfo("adapted", "adapted", outputs, tuple(range(len(outputs))), family.name)
        return Problem(self.backbone.learner, family.objective(schema, self.pad_token_id), info)

    def effort(self, name: str, family: AnyFamily | None = None) -> Effort | AsTrained:
        """Return the effort of that name, for classes unless a kind of task is given.

        Raises MetaglotError for another name, and where as-trained has no algorithm.
        """
        if name == AS_TRAINED:
            return AsTrained(*required(self.trained, self.name))
        return effort_called(name) if family is None else effort_called(name, efforts_of(family))

    def collate(self, inputs: Inputs) -> Batch:
        """Return the inputs as a batch, on the device of the backbone."""
        return self._on_device(pad_rows(self.rows(inputs), pad_token_id=self.pad_token_id))

    def batch(self, objective: Objective, inputs: Inputs, targets: Sequence[Row]) -> Batch:
        """Return the inputs as a batch with what an objective needs of their targets (`Family.row`)."""
        rows = [{**row, **target} for row, target in zip(self.rows(inputs), targets, strict=True)]
        return self._on_device(objective.collate(rows))

    def _on_device(self, batch: Batch) -> Batch:
        return {name: value.to(self.backbone.learner.device) for name, value in batch.items()}

    def rows(self, inputs: Inputs) -> list[dict[str, Any]]:
        """Return the tokens of each input: input_ids and, of some tokenizers for pairs, token_type_ids."""
        encoded = self._encoded(inputs)
        nothing = {"input_ids": [filler(self.backbone.tokenizer)]}  # a decoder's tokenizer: no token for an empty text
        return [
            ({name: encoded[name][i] for name in ("input_ids", "token_type_ids") if name in encoded})
            if encoded["input_ids"][i]
            else nothing
            for i in range(len(inputs))
        ]

    def cut(self, inputs: Inputs) -> int:
        """Return how many of the inputs are longer than `max_length` tokens, so that their rest is unread.

        Of pairs that are read apart, either text has so many tokens to itself.
        """
        if self.reads == "apart" and inputs.pairs is not None:
            return len(set[int]().union(*(part.cut_rows(inputs) for part in self._parts())))
        return len(self.cut_rows(inputs))

    def cut_of(self, family: AnyFamily, inputs: Inputs) -> int:
        """Return how many inputs of a kind are longer than what is read of them; of candidates, one is enough."""
        if family.tokens is None:
            return self.cut(inputs)
        apart = family.tokens.apart(inputs)
        return len({apart[row][0] for row in self.cut_rows(Inputs.of(text for _, text in apart))})

    def cut_rows(self, inputs: Inputs) -> set[int]:
        """Return the numbers of the inputs that are cut."""
        read = self._read(inputs)
        # A token has one ASCII character or more, but for the few that stand around a text; others may be many tokens.
        most = self.max_length // 2 - len(self.backbone.prompt)
        whole = [text + (pair or "") for text, pair in read.rows()]
        rows = [i for i, text in enumerate(whole) if len(text) > most or not text.isascii()]
        if not rows:
            return set()
        long = read.at(rows)
        encoded = self._encoded(long)
        beyond = [max(len(text), len(pair or "")) > self._letters for text, pair in long.rows()]
        found = zip(rows, beyond, encoded.encodings or (), strict=True)
        return {row for row, far, one in found if far or bool(one.overflowing)}

    @property
    def _letters(self) -> int:
        # A text of many pages is cut before tokenising: 16 characters a token is more than any script needs.
        return 16 * self.max_length

    @property
    def reads_both(self) -> bool:
        """Whether both texts of a pair are read in one pass."""
        return self.reads in (None, "both")

    @property
    def width(self) -> int:
        """How many numbers a feature of a pair has, or of a text where a pair is read in one pass or in part."""
        size = self.backbone.learner.hidden_size
        return width_apart(size) if self.reads == "apart" else size

    def _read(self, inputs: Inputs) -> Inputs:
        if inputs.pairs is None or self.reads not in ("first", "second"):
            return inputs  # gradient steps read in one pass what features read apart
        return Inputs(inputs.texts if self.reads == "first" else inputs.pairs)

    def readers(self, inputs: Inputs) -> "tuple[Encoder, ...]":
        """Return what reads the inputs in one pass each: the encoder, or, of pairs that are read apart, three."""
        apart = self.reads == "apart" and inputs.pairs is not None and len(inputs) > 0
        return (replace(self, reads="both"), *self._parts()) if apart else (self,)

    def joined(self, inputs: Inputs, parts: Sequence[Tensor]) -> Tensor:  # [n, D] each -> [n, D] or [n, width]
        """Return the features of inputs from those of each of `readers`."""
        return self.apart(inputs, *parts) if len(parts) > 1 else parts[0]

    def _parts(self) -> "tuple[Encoder, Encoder]":
        """Return what reads either text of a pair alone."""
        return replace(self, reads="first"), replace(self, reads="second")

    def _encoded(self, inputs: Inputs) -> Any:
        read, prompt = self._read(inputs), self.backbone.prompt
        if read.pairs is not None:
            check_room(self.backbone.tokenizer, self.max_length, prompt=prompt, where=self.name, pair=True)
        with turn(self.backbone.tokenizer):  # which keeps how texts are cut
            return self.backbone.tokenizer(
                [prompt + text[: self._letters] for text in read.texts],
                None if read.pairs is None else [pair[: self._letters] for pair in read.pairs],
                truncation=True,
                max_length=self.max_length,
                return_attention_mask=False,
            )

    def apart(self, inputs: Inputs, whole: Tensor, first: Tensor, second: Tensor) -> Tensor:  # [n, width_apart(D)]
        """Return the features of pairs that are read apart, from those of one pass and of either text."""
        return features_apart(whole, first, second, shared_tokens(*(part._tokens(inputs) for part in self._parts())))

    def _tokens(self, inputs: Inputs) -> list[set[int]]:
        """Return the tokens of each input, without the prompt and those that stand around every text."""
        tokenizer, prompt = self.backbone.tokenizer, self.backbone.prompt
        around = {*tokenizer.all_special_ids, *(tokenizer(prompt)["input_ids"] if prompt else ())}
        return [set(row) - around for row in self._encoded(inputs)["input_ids"]]

    def embed(self, inputs: Inputs) -> np.ndarray:  # [n, D]
        """Return the pooled features, float32, with the meta-learnt parameters.

        They have length one, unless the model is a sentence-transformers folder that says otherwise: then they are
        what that library gives.
        """
        own = self.backbone.learner, self.backbone.unit
        return self._features(replace(own[0], normalise=own[1]), self.meta, inputs).cpu().numpy()

    def features(self, params: Params, inputs: Inputs) -> Tensor:  # [n, D]
        """Return pooled features of length one under `params`; inputs of like length share a batch."""
        return self._features(self.backbone.learner, params, inputs)

    def _features(self, learner: HfLearner, params: Params, inputs: Inputs) -> Tensor:  # [n, D] or [n, width]
        readers = self.readers(inputs)
        if len(readers) > 1:
            return self.joined(inputs, [reader._features(learner, params, inputs) for reader in readers])
        features = torch.zeros(len(inputs), learner.hidden_size, device=learner.device)
        order = np.argsort(inputs.lengths(), kind="stable")
        with torch.no_grad():
            for rows in (order[at : at + BATCH] for at in range(0, len(order), BATCH)):
                chosen = [int(i) for i in rows]
                batch = self.collate(inputs.at(chosen))
                features[torch.as_tensor(chosen, device=features.device)] = learner.forward(
                    params, batch
                ).pooled.float()
        return features
