"""A model ready to adapt: a backbone, the meta-parameters that stand over it, and what they came from."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from metaglot.adaptation.arguments import check_seconds
from metaglot.adaptation.checks import check_examples, check_texts
from metaglot.adaptation.effort import AS_TRAINED, AUTO, AsTrained, Effort, check_effort, effort_called
from metaglot.algorithms.build import prototype_metric
from metaglot.data.arguments import check_text, check_whole, check_words
from metaglot.data.encode import check_room, filler
from metaglot.data.labels import Label, label_text
from metaglot.data.trained import trained_by
from metaglot.errors import MetaglotError
from metaglot.families.classification import Classification
from metaglot.families.contrast import WithContrast
from metaglot.models import Backbone
from metaglot.models.learner import HfLearner
from metaglot.models.learnt import BESIDE
from metaglot.models.trainable import check_trains
from metaglot.models.turns import turn
from metaglot.types import Batch, Fast, Params, Problem, TaskInfo

if TYPE_CHECKING:
    from metaglot.adaptation.adapted import Adapted
    from metaglot.adaptation.pair_choice import PairChoice

LENGTH = 128  # tokens of a text, unless a run or the backbone's folder says otherwise or it takes fewer
BATCH = 64  # texts at a time in inference
Names = bool | Mapping[str, str] | Mapping[Label, str]
"""Whether names of classes help to learn them, where they say something; or words for labels that say nothing."""


@dataclass(frozen=True, repr=False)
class Model:
    """What `load` returns: it embeds texts and adapts to labelled ones."""

    name: str
    backbone: Backbone
    meta: Params  # meta-parameters; names absent come from the backbone
    max_length: int = LENGTH  # tokens; longer texts are cut
    provenance: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""  # what `load_model` was given; absolute for a folder
    reads: "PairChoice | None" = None  # which part of pairs, once an adaptation has chosen it; both before

    def __repr__(self) -> str:
        """Return what it is, on one line: its tensors would fill pages."""
        learnt = f", {len(self.meta)} meta-learnt parameters" if self.meta else ""
        reads = f", reads={self.reads!r}" if self.reads else ""
        return f"Model({self.name!r}, over {self.backbone.name!r}{learnt}, max_length={self.max_length}{reads})"

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
    def family(self) -> Classification:
        """How texts become batches."""
        return Classification(pad_token_id=int(self.backbone.tokenizer.pad_token_id or 0))

    @property
    def metric(self) -> str:
        """How prototypes compare: cosine, unless it was meta-trained with another metric."""
        algorithm = _inner(self.provenance, "algorithm")
        return prototype_metric(str(algorithm.get("name")), _inner(algorithm, "options"))

    def base(self) -> "Model":
        """Return the untouched backbone; the model itself if nothing was meta-learnt."""
        return replace(self, name=self.backbone.name, meta={}, provenance={}) if self.meta else self

    def problem(self, labels: Sequence[Label]) -> Problem:
        """Return the classification problem with these label names."""
        info = TaskInfo("adapted", "adapted", tuple(map(label_text, labels)), tuple(range(len(labels))))
        return Problem(self.backbone.learner, self.family, info)

    def collate(self, texts: Sequence[str], pairs: Sequence[str] | None, numbers: Sequence[int]) -> Batch:
        """Return the texts as a batch with labels, on the model's device."""
        encoded = self._encoded(texts, pairs)
        nothing = {"input_ids": [filler(self.backbone.tokenizer)]}  # a decoder's tokenizer: no token for an empty text
        rows = [
            ({name: encoded[name][i] for name in ("input_ids", "token_type_ids") if name in encoded})
            if encoded["input_ids"][i]
            else nothing
            for i in range(len(texts))
        ]
        rows = [{**row, "label": label} for row, label in zip(rows, numbers, strict=True)]
        batch = self.family.collate(rows)
        return {name: value.to(self.backbone.learner.device) for name, value in batch.items()}

    def cut(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> int:
        """Return how many of the texts (or pairs) are longer than `max_length` tokens, so that their rest is unread."""
        texts, pairs = self._read(*check_texts(texts, pairs))
        # A token has one ASCII character or more, but for the few that stand around a text; others may be many tokens.
        most = self.max_length // 2 - len(self.backbone.prompt)
        whole = [t + pairs[i] if pairs else t for i, t in enumerate(texts)]
        long = [i for i, text in enumerate(whole) if len(text) > most or not text.isascii()]
        if not long:
            return 0
        encoded = self._encoded([texts[i] for i in long], [pairs[i] for i in long] if pairs else None)
        beyond = [max(len(texts[i]), len(pairs[i]) if pairs else 0) > self._letters for i in long]
        return sum(far or bool(one.overflowing) for far, one in zip(beyond, encoded.encodings or (), strict=True))

    @property
    def _letters(self) -> int:
        # A text of many pages is cut before tokenising: 16 characters a token is more than any script needs.
        return 16 * self.max_length

    @property
    def reads_both(self) -> bool:
        """Whether both texts of a pair are read."""
        return self.reads in (None, "both")

    def _read(self, texts: Sequence[str], pairs: Sequence[str] | None) -> tuple[Sequence[str], Sequence[str] | None]:
        if pairs is None or self.reads_both:
            return texts, pairs
        return (texts if self.reads == "first" else pairs), None

    def _encoded(self, texts: Sequence[str], pairs: Sequence[str] | None) -> Any:
        texts, pairs = self._read(texts, pairs)
        prompt = self.backbone.prompt
        if pairs is not None:
            check_room(self.backbone.tokenizer, self.max_length, prompt=prompt, where=self.name, pair=True)
        with turn(self.backbone.tokenizer):  # which keeps how texts are cut
            return self.backbone.tokenizer(
                [prompt + text[: self._letters] for text in texts],
                None if pairs is None else [pair[: self._letters] for pair in pairs],
                truncation=True,
                max_length=self.max_length,
                return_attention_mask=False,
            )

    def embed(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> np.ndarray:
        """Return the pooled features [n, D], float32, with the meta-learnt parameters.

        They have length one, unless the model is a sentence-transformers folder that says otherwise: then they are
        what that library gives.  Raises MetaglotError for anything but a list of texts.
        """
        own = self.backbone.learner, self.backbone.unit
        return self._features(replace(own[0], normalise=own[1]), self.meta, texts, pairs).cpu().numpy()

    def features(self, params: Params, texts: Sequence[str], pairs: Sequence[str] | None = None) -> Tensor:  # [n, D]
        """Return pooled features of length one under `params`; texts of like length share a batch."""
        return self._features(self.backbone.learner, params, texts, pairs)

    def _features(
        self, learner: HfLearner, params: Params, texts: Sequence[str], pairs: Sequence[str] | None
    ) -> Tensor:  # [n, D]
        texts, pairs = check_texts(texts, pairs)
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
        labels: Sequence[Label],
        *,
        pairs: Sequence[str] | None = None,
        effort: str | Effort | AsTrained = "fast",
        seed: int = 0,
        names: Names = True,
        seconds: float | None = None,
        reads: "PairChoice | None" = None,
    ) -> "Adapted":
        """Return the model adapted to these examples; the model itself stays as it is.

        A label is a string, a whole number or a truth value, and predictions are of the same kind.  Scalars of numpy
        and torch count as Python's, the member of an enum as its value, 1.0 as 1, and strings that differ in white
        space, marks without width or the encoding of accents as one.

        The name of each class is one more example of it, if all names are words (`card_arrival` is, `3` is not) and
        texts are no pairs: it is what helps most with one example or two.  `names` may give words for labels, as
        {"1": "positive"}; False leaves names out.  `seconds` is what the effort auto may spend, about 20 if absent:
        counted in work, so that the same examples and seed give the same bytes.  `reads` says which part of pairs the
        task is about: "both", "first" or "second"; found on examples set aside if absent.

        Raises MetaglotError for arguments of another type, unknown efforts, as-trained for a model that no algorithm
        trained, fewer than two classes, labels that are other objects, texts that are all empty, lists of unlike
        length, or `reads` where there are no pairs.
        """
        from metaglot.adaptation.auto import SECONDS, adapt_auto
        from metaglot.adaptation.fit import adapt_model  # these build on this module
        from metaglot.adaptation.pair_choice import check_reads, with_pair_choice

        texts, labels, pairs = check_examples(texts, labels, pairs)
        effort, seed, seconds = check_effort(effort), check_whole("seed", seed), check_seconds("seconds", seconds)
        check_words("names", names, switch=True)
        if reads is not None:
            check_reads(reads)
        if pairs is None and reads is not None:
            raise MetaglotError(f"reads={reads!r} has no use without second texts; give `pairs`, or leave reads out")
        own = effort == AS_TRAINED or isinstance(effort, AsTrained)  # reads what it was trained to
        if pairs is not None and (reads or not (own or self.reads)):
            chosen = with_pair_choice(self, texts, labels, pairs, reads=reads)
            return chosen.adapt(texts, labels, pairs=pairs, effort=effort, seed=seed, names=names, seconds=seconds)
        if effort == AUTO:
            budget = SECONDS if seconds is None else seconds
            return adapt_auto(self, texts, labels, pairs, seed=seed, names=names, seconds=budget)
        chosen = effort if isinstance(effort, Effort | AsTrained) else self.effort(effort)
        return adapt_model(self, texts, labels, pairs, chosen, seed=seed, names=names)

    def zero_shot(
        self, labels: Sequence[Label], *, names: Mapping[str, str] | Mapping[Label, str] | None = None
    ) -> "Adapted":
        """Return a classifier of these labels from their names alone; `add_examples` goes on from there.

        `names` has words for labels that say nothing by themselves, as {"1": "positive"}.  Raises MetaglotError for
        fewer than two labels, for one given twice, and for one without words of its own.
        """
        from metaglot.adaptation.fit import from_names

        names = {} if names is None else names
        check_words("names", names, switch=False)
        return from_names(self, labels, names)

    def effort(self, name: str) -> Effort | AsTrained:
        """Return the effort of that name; raise MetaglotError for another, and where as-trained has no algorithm."""
        if check_text("effort", name) == AS_TRAINED:
            return AsTrained(*trained_by(self.provenance, self.name))
        return effort_called(name)

    def fit(self, batch: Batch, problem: Problem, effort: Effort | AsTrained, *, seed: int) -> Fast:
        """Return what an effort makes of a support batch."""
        if isinstance(effort, AsTrained):  # what was frozen in meta-training does not stand in `meta`, and stays
            return effort.strategy().adapt(problem, self.meta, batch, seed=seed)
        if effort.steps:
            check_trains(self.backbone.learner, self.name, dropout=False)
        body = self.params
        strategy = effort.strategy(body, self.metric)
        if effort.contrast:
            problem = replace(problem, objective=WithContrast(self.family, effort.contrast))
        return strategy.adapt(problem, {**self.meta, **body}, batch, seed=seed, budget=effort.budget())


def _inner(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = values.get(key)
    return found if isinstance(found, Mapping) else {}
