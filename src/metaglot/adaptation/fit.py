"""The result of adapting: all that a prediction depends on is a typed field of `Fit`.

`provenance` is a record for people, written into the saved file; nothing reads it to decide what is done.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metaglot.adaptation.by_words import written_by_words
from metaglot.adaptation.checks import numbered
from metaglot.adaptation.choice import Choice
from metaglot.adaptation.continuing import Reading, Request, Texts, cut_rows, reading_of, written
from metaglot.adaptation.effort import WORDS, AsTrained, Effort, effort_record
from metaglot.adaptation.encoder import Encoder, PairChoice
from metaglot.adaptation.token_units import token_units
from metaglot.adaptation.writing import form_of, longest_target, loss_of, shown_examples
from metaglot.data.examples import Examples, Inputs
from metaglot.data.labels import Label
from metaglot.decoding import Decoding
from metaglot.errors import MetaglotError
from metaglot.families.family import AnyFamily
from metaglot.families.language import perplexity
from metaglot.families.records import Places, Predictions, Schema
from metaglot.families.support_units import SupportUnits
from metaglot.models.heads import head_size, scores
from metaglot.types import Params
from metaglot.version import __version__


@dataclass(frozen=True, repr=False)
class Fit:
    """A kind of task, its schema, a head, and the parameters that adaptation changed, over an encoder."""

    encoder: Encoder
    family: AnyFamily
    schema: Schema
    params: Params  # changed parameters and head.*
    effort: Effort | AsTrained
    seed: int = 0
    units: SupportUnits | None = None  # what a head in closed form was made of
    solver: str = "ridge"  # and how
    class_names: bool | Mapping[str, str] = True  # words by label; False: names are not used; True: no name has words
    choice: Choice | None = None  # what the effort auto chose, and why
    paired: bool | None = None  # whether the examples were pairs of texts; None where it is not known
    examples: Examples[Any] = field(default_factory=Examples[Any])
    kept: bool = False  # whether the examples come from a folder that holds them
    longest: int = 0  # tokens of the longest target, where a text is written and there are no examples to ask
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def labels(self) -> tuple[Label, ...]:
        """The labels, in the order of the probabilities; of a number, its one name."""
        return self.schema.outputs

    @property
    def count(self) -> int:
        """How many examples it learnt from."""
        if self.units is not None:
            return self.units.example_count
        return len(self.examples) or sum(self.schema.counts)

    @property
    def head_only(self) -> bool:
        """Whether the body is the encoder's own, so that features can be shared between tasks."""
        return all(name.startswith("head.") for name in self.params)

    @property
    def pair_choice(self) -> PairChoice | None:
        """What is read of pairs, where the examples were pairs and a part was chosen."""
        return self.encoder.reads if self.paired else None

    def features(self, inputs: Inputs) -> Tensor:  # [n, D]
        """Return the pooled features of the adapted body; raise MetaglotError as `check_inputs`."""
        self.check_inputs(inputs)
        return self.encoder.features({**self.encoder.meta, **self.params}, inputs)

    def predict(
        self, inputs: Inputs, *, decoding: Decoding | None = None, heard: Callable[[str], None] | None = None
    ) -> Predictions:
        """Return what is predicted for inputs; raise MetaglotError as `check_inputs`.  See `write` for texts."""
        if self.family.writes is not None:
            return self.write(inputs, decoding=decoding, heard=heard).predictions(self.schema)
        tools = self.family.tokens
        if tools is None:
            return self.predictions(self.features(inputs).cpu().numpy())
        self.check_inputs(inputs)
        found = token_units(self.encoder, self.params, self.family, tools, self.schema, inputs)
        return self.predictions(found.units.features.cpu().numpy(), found.places)

    def write(
        self,
        inputs: Inputs,
        *,
        decoding: Decoding | None = None,
        heard: Callable[[str], None] | None = None,
        done: Callable[[int], None] = lambda _: None,
    ) -> Texts:
        """Return the texts that are written for inputs, by `decoding`; raise MetaglotError as `check_inputs`.

        Where it names no number of tokens, a text has half as many again as the longest example at most.  `heard` gets
        the text of a lone input as far as it is written, `done` how many more inputs have theirs.
        """
        tools, by_words = self.family.writes, self.effort.head == WORDS
        if tools is None:
            raise MetaglotError(f"a task of {self.family.name} writes no texts; use predict")
        self.check_inputs(inputs)
        if (self.effort.shown or by_words) and not len(self.examples):
            raise MetaglotError(
                "texts are written by the examples, and this adaptation was loaded without them; adapt again"
            )
        if by_words and decoding is not None:
            what = "max_new_tokens" if decoding == Decoding(decoding.max_new_tokens) else "decoding"
            raise MetaglotError(f"{what} has no use: the effort words writes a word for each word of a text")
        if by_words:
            found = written_by_words(self.examples, self.schema, inputs)
            done(len(inputs))
            return Texts(list(found.targets), found.values[:, 0].tolist())
        request = self._request(inputs, decoding)
        return written(self.encoder, self.params, tools, self.schema, request, heard=heard, done=done)

    def _request(self, inputs: Inputs, decoding: Decoding | None) -> Request:
        return Request(inputs, self.examples, self.effort.shown, self.longest_tokens(), decoding)

    def longest_tokens(self) -> int:
        """Return how many tokens the longest target has that was learnt from; 0 where that is not known."""
        tools = self.family.writes
        if tools is None or self.effort.head == WORDS or not len(self.examples):
            return self.longest
        return longest_target(form_of(self.encoder, tools), self.examples.targets)

    def reading(self, decoding: Decoding | None = None) -> Reading | None:
        """Return how sources are read before a model writes; None where none does."""
        tools = self.family.writes
        if tools is None or self.effort.head == WORDS:
            return None
        return reading_of(self.encoder, tools, self.schema, self._request(Inputs(()), decoding))

    def score(self, examples: Examples[Any]) -> dict[str, float]:
        """Return how good predictions for other examples are, by the name of each metric.

        Raises MetaglotError for targets of another kind than those that were learnt, and as `check_inputs`.
        """
        truth = self.family.like(examples.targets, self.schema, numbered)
        found = dict(self.family.score(self.predict(examples.inputs), truth).metrics)
        perplexity = self.perplexity(examples)
        return found if perplexity is None else {**found, "perplexity": perplexity}

    def perplexity(self, examples: Examples[str]) -> float | None:
        """Return exp of the loss a token of the targets of other examples; None where no model writes."""
        tools = self.family.writes
        if tools is None or self.effort.head == WORDS:
            return None
        before = shown_examples(examples.inputs, self.examples, self.effort.shown)
        return perplexity(loss_of(self.encoder, self.params, self.family, tools, self.schema, examples, before))

    def check_inputs(self, inputs: Inputs) -> None:
        """Raise MetaglotError for pairs where single texts were learnt, and for texts alone where it reads pairs."""
        if inputs.pairs is not None and self.paired is False:
            raise MetaglotError(
                "this was adapted to single texts, and second texts were given, which it never learnt to read; leave "
                "`pairs` out (in a file: the column text_pair), or adapt to examples that are pairs"
            )
        if inputs.pairs is None and len(inputs) and self.pair_choice in ("both", "second", "apart"):
            if self.family.shared is not None:
                return  # such a kind says itself which second texts are missing
            what = "the second text" if self.pair_choice == "second" else "both texts"
            raise MetaglotError(
                f"this was adapted to pairs, of which it reads {what}; give `pairs` too (in a file: text_pair)"
            )

    def cut(self, inputs: Inputs, decoding: Decoding | None = None) -> int:
        """Return how many inputs are longer than what is read of them."""
        if self.effort.head == WORDS:
            return 0
        if self.family.writes is not None:
            request = self._request(inputs, decoding)
            return cut_rows(self.encoder, self.family.writes, self.schema, request)
        return self.encoder.cut_of(self.family, inputs)

    def read_length(self, decoding: Decoding | None = None) -> int:
        """Return how many tokens of a text are read."""
        reading = self.reading(decoding)
        return self.encoder.max_length if reading is None else reading.length

    def values(self, features: np.ndarray) -> np.ndarray:  # [n, D] -> [n, K]
        """Return the probabilities of the outputs, or numbers, for features of the adapted body."""
        head = self.head()
        return self.family.link(scores(head, torch.as_tensor(features).double()), self.schema, head).numpy()

    def predictions(self, features: np.ndarray, places: Places | None = None) -> Predictions:  # [n, D]
        """Return what is predicted for features of the adapted body; `places` where a text has many units."""
        values = self.values(features)
        decided = self.family.decode(values, self.schema, self.params, places)
        return Predictions(self.family.columns(self.schema), values, decided)

    def head(self) -> dict[str, Tensor]:
        """Return the parameters of the head, float64, on the CPU."""
        # Contiguous, as they are after saving: a product of the same numbers may round otherwise where they are not.
        own = {name: value for name, value in self.params.items() if name.startswith("head.")}
        return {name: value.double().cpu().contiguous() for name, value in own.items()}

    @property
    def width(self) -> int:
        """How many numbers a feature of the head has."""
        return head_size(self.params)[1]


def record_of(encoder: Encoder, examples: Examples[Any], *, effort: Effort | AsTrained, seed: int) -> dict[str, Any]:
    """Return what an adaptation came from, for people."""
    import transformers

    return {
        "model": encoder.name,
        "base": encoder.backbone.name,
        "meta_training": dict(encoder.provenance),
        "data_sha256": examples.sha256(),
        "examples": len(examples),
        "max_length": encoder.max_length,
        "precision": encoder.precision,
        "effort": effort_record(effort),
        "seed": seed,
        "versions": {"metaglot": __version__, "torch": torch.__version__, "transformers": transformers.__version__},
    }
