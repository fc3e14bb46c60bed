"""Any Hugging Face backbone as a function of its parameters."""

import inspect
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.stateless import (
    _reparametrize_module,  # pyright: ignore[reportPrivateUsage]  # what functional_call itself uses
)

from metaglot.decoding import Continuations, Decoding
from metaglot.errors import MetaglotError
from metaglot.models.alike import by_length, widened
from metaglot.models.checkpointing import checkpointed
from metaglot.models.context import in_context
from metaglot.models.generation import rounded, write
from metaglot.models.language import LM, own_parameters, scores, substituted
from metaglot.models.lora import apply_lora
from metaglot.models.mode import draws_of, in_mode
from metaglot.models.packing import packed
from metaglot.models.pooling import pool, width_of
from metaglot.models.prefix import read_prefix, with_prefix
from metaglot.models.seq2seq import judged, logits_of
from metaglot.models.several import of_several
from metaglot.models.steady import pooled_steadily, steady_states
from metaglot.models.tail import tail_of
from metaglot.models.turns import turn
from metaglot.models.two_streams import ORDER, query_states
from metaglot.models.warp import apply_warp
from metaglot.types import Batch, Embedding, Outputs, Params

BODY = "body."
TAKEN = ("input_ids", "attention_mask", "token_type_ids", "position_ids")  # of a batch, where it has them
OUTPUT = LM + "weight"
"""The output embedding of a decoder where an inner loop moves it apart from the input embedding."""


@dataclass(frozen=True)
class HfLearner:
    """A Learner around an encoder (`AutoModel`), a decoder (`AutoModelForCausalLM`) or both (`models/seq2seq.py`).

    `module` holds the frozen weights and is never changed by `forward`: parameters given are substituted for the
    length of the call only, in which other threads wait (`models/turns.py`).
    """

    module: nn.Module
    pooling: str = "mean"  # see `models/pooling.py`
    normalise: bool = True  # pooled features of length one
    bf16: bool = False  # autocast to bfloat16
    decoder: bool = False
    seq2seq: bool = False  # an encoder reads a text, a decoder writes another one
    checkpointing: bool = False  # layers are recomputed on the way back: less memory, a third more time
    language: nn.Module | None = None  # an encoder's language-model head (`models/language.py`)
    packs: bool = True  # on a CPU, short texts share a row (`models/packing.py`)
    width: int | None = None  # of the pooled features, where it is not what config and pooling say
    pads: bool = True  # texts of different lengths share a batch; if not, see `models/alike.py`
    renumbers: bool = True  # the network reads the vectors of tokens, not their numbers
    least: int = 1  # tokens that the network takes; shorter texts are widened
    steady: bool = False  # without gradients, a text has the same bits whatever is beside it (`models/steady.py`)

    @property
    def hidden_size(self) -> int:
        """D, the width of the pooled features."""
        config = cast("Any", self.module).config
        return self.width or int(config.hidden_size) * width_of(self.pooling)

    @property
    def embedding(self) -> Embedding | None:
        """The module that looks tokens up."""
        with turn(self.module):
            layer = cast("Any", self.module).get_input_embeddings()
            for name, value in self.module.named_parameters():
                if value is layer.weight:
                    return Embedding(name, layer.padding_idx, self.renumbers)
        return None

    @property
    def device(self) -> torch.device:
        """Where the parameters live."""
        with turn(self.module):
            return next(self.module.parameters()).device

    def precise(self) -> "HfLearner":
        """Return the learner in fp32: the same module and parameters, without autocast."""
        return replace(self, bf16=False) if self.bf16 else self

    def body(self) -> Params:
        """Return the module's parameters as `body.*`, detached; they share memory with the module."""
        with turn(self.module):
            return {BODY + name: value.detach() for name, value in self.module.named_parameters()}

    def language_head(self) -> Params:
        """Return an encoder's language-model head as `lm.*`, detached; nothing of a decoder, whose head is in the body.

        A weight that is tied to the input embedding is not among them.
        """
        if self.language is None:
            return {}
        with turn(self.module):
            own = own_parameters(self.language, dict(self.module.named_parameters()))
            return {LM + name: value.detach() for name, value in own.items()}

    def scoring(self, params: Params) -> Params:
        """Return the head as an inner loop moves it alone: `lm.*`, or a decoder's output embedding as `lm.weight`.

        The latter is then untied: tokens are still looked up in the embedding of the body.
        """
        self._check_head()
        if not (self.decoder or self.seq2seq):
            return {name: params.get(name, value) for name, value in self.language_head().items()}
        with turn(self.module):
            weight = cast("Any", self.module).get_output_embeddings().weight
            name = next(BODY + name for name, value in self.module.named_parameters() if value is weight)
            return {OUTPUT: params.get(name, weight.detach())}

    def forward(self, params: Params, batch: Batch, *, seed: int | None = None, logits: bool = False) -> Outputs:
        """Return hidden [B, T, D] and pooled [B, D] in the parameters' precision; see `types.Learner`.

        Where the batch is padded, `hidden` holds nothing of use.  A row of several texts [B, P, T] has the features of
        each as `hidden` [B, P, D] (`models/several.py`).

        Raises MetaglotError where `logits` are asked of a backbone without a language-model head.
        """
        if logits:
            self._check_head()
        if batch["input_ids"].ndim == 3:
            return of_several(lambda texts: self.forward(params, texts, seed=seed), batch)
        inputs = {name: batch[name] for name in TAKEN if name in batch}
        ordered = logits and ORDER in batch  # tokens are predicted in an order of the batch
        steady = self.steady and seed is None and not (logits or torch.is_grad_enabled())
        packs = self.packs and not (ordered or steady) and self.device.type == "cpu"
        rows = packed(self._base(), batch) if packs else None
        with (
            turn(self.module),
            self._substituted(params, training=seed is not None, logits=logits),
            self._autocast(),
            draws_of(seed, self.device),
            checkpointed(self._base(), self.module, training=seed is not None) if self.checkpointing else nullcontext(),
        ):
            if ordered:
                states = query_states(self._base(), batch)
            elif steady:
                states = steady_states(self._base(), self._states, inputs)
            elif rows is not None:
                states = rows.unpacked(self._states(rows.inputs))
            else:
                states = self._states(inputs) if self.pads else by_length(self._states, inputs)
            scored = self._scored(params, states, batch) if logits else None
            hidden = _at_least_fp32(states)
            mask = batch["attention_mask"]
            pooled = pooled_steadily(self._pooled, hidden, mask) if steady else self._pooled(hidden, mask)
        return Outputs(
            hidden=hidden,
            pooled=pooled,
            mask=mask,
            logits=scored if scored is None else _at_least_fp32(scored),
        )

    def score(self, params: Params, hidden: Tensor, batch: Batch, *, seed: int | None = None) -> Tensor:
        """Return the logits of `forward`, from the hidden states [B, T, D] that it gave."""
        self._check_head()
        with (
            turn(self.module),
            self._substituted(params, training=seed is not None, logits=True),
            self._autocast(),
            draws_of(seed, self.device),
        ):
            return _at_least_fp32(self._scored(params, hidden, batch))

    def generate(
        self,
        params: Params,
        batch: Batch,
        decoding: Decoding,
        *,
        tokenizer: Any = None,
        heard: Callable[[Sequence[int]], None] | None = None,
        at_once: int | None = None,
        done: Callable[[int], None] = lambda _: None,
    ) -> Continuations:
        """Return what is written behind each prompt (`input_ids`, `attention_mask` [B, T]), padded on either side.

        See `Decoding`, and `models.generation.write` for the last three.  Stop strings need the tokenizer.  In bf16
        the weights are rounded once for the whole text.  `models.generation.texts_of` gives the texts.

        Raises MetaglotError where the backbone cannot write, a prompt is empty, or prompt and text have no room.
        """
        if not (self.decoder or self.seq2seq):
            raise MetaglotError("only a decoder generates text; this backbone is an encoder")
        more: dict[str, Any] = {"heard": heard, "at_once": at_once, "done": done}
        run = partial(write, self.module, batch, decoding, tokenizer, pads=self.pads, **more)
        run_in = partial(self._written, params, decoding.seed, run)
        return rounded(run_in) if self.bf16 else run_in(None)

    def _written(
        self, params: Params, seed: int | None, run: Callable[[], Continuations], dtype: torch.dtype | None
    ) -> Continuations:
        with (
            turn(self.module),
            self._substituted(params, training=False, dtype=dtype),
            self._output_of(params, dtype),
            self._autocast() if dtype is None else nullcontext(),
            draws_of(seed, self.device),
        ):
            return run()

    def read(self, params: Params, batch: Batch) -> Params:
        """Return the keys and values that each attention has of the first row, as `prefix.*`."""
        with turn(self.module):
            return read_prefix(self.module, self.body(), batch, partial(self.forward, params, logits=True))

    def _pooled(self, hidden: Tensor, mask: Tensor) -> Tensor:  # [B, D]
        """Return the features of texts; layers on the pooled vector run in full precision, as they cost little."""
        tail = tail_of(self.module)
        with torch.autocast(self.device.type, enabled=False):
            pooled = pool(hidden, mask, self.pooling)
            pooled = pooled if tail is None else tail(pooled)
        return nn.functional.normalize(pooled, dim=-1) if self.normalise else pooled

    def _states(self, inputs: Mapping[str, Tensor]) -> Tensor:  # [B, T] -> [B, T, D]
        return widened(self._run, inputs, self.least)

    def _run(self, inputs: Mapping[str, Tensor]) -> Tensor:  # [B, T] -> [B, T, D]
        return self._base()(**inputs, **self._uncached()).last_hidden_state

    def _check_head(self) -> None:
        if self.language is None and not (self.decoder or self.seq2seq):
            raise MetaglotError(
                "this backbone has no language-model head; load it with one (Runtime(language=True)), or load a decoder"
            )

    def _scored(self, params: Params, states: Tensor, batch: Batch) -> Tensor:  # [B, T, D] -> [M, V] or [B, T, V]
        if self.seq2seq:
            with self._output_of(params, None):
                return logits_of(self.module, states, batch)
        hidden = judged(states, batch)
        if self.language is not None:
            return scores(self.language, hidden)
        layer = cast("Any", self.module).get_output_embeddings()
        return nn.functional.linear(hidden, params[OUTPUT], layer.bias) if OUTPUT in params else layer(hidden)

    def _base(self) -> nn.Module:
        module = cast("Any", self.module)
        return module.get_encoder() if self.seq2seq else module.base_model

    def _uncached(self) -> dict[str, bool]:
        """Return what keeps a decoder from filling a cache, which a recomputation would fill twice."""
        takes = self.decoder and "use_cache" in inspect.signature(self._base().forward).parameters
        return {"use_cache": False} if takes else {}

    @contextmanager
    def _substituted(
        self, params: Params, *, training: bool, logits: bool = False, dtype: torch.dtype | None = None
    ) -> Generator[None]:
        """Within the block the module has the parameters; with `dtype`, all of its parameters are of that type."""
        body = {name.removeprefix(BODY): value for name, value in params.items() if name.startswith(BODY)}
        frozen = dict(self.module.named_parameters())
        given = apply_warp(apply_lora(body, params, frozen), params, frozen, self.module)
        unknown = sorted(given.keys() - frozen.keys())
        if unknown:
            raise MetaglotError(
                f"{type(self.module).__name__} has no parameter {BODY}{unknown[0]}; load the backbone that the "
                "parameters were made for"
            )
        if dtype is not None:
            given = {name: given.get(name, value).to(dtype) for name, value in frozen.items()}
        with (
            in_mode(self.module, training=training),
            _reparametrize_module(self.module, given, tie_weights=True),
            in_context(self.module, params),
            with_prefix(self.module, params),
            substituted(self.language, params, given, frozen, training=training)
            if logits and self.language is not None
            else nullcontext(),
        ):
            yield

    @contextmanager
    def _output_of(self, params: Params, dtype: torch.dtype | None) -> Generator[None]:
        """Within the block a decoder has the output embedding that an inner loop moved apart, if there is one."""
        if OUTPUT not in params:
            yield
            return
        layer = cast("nn.Module", cast("Any", self.module).get_output_embeddings())
        with _reparametrize_module(layer, {"weight": params[OUTPUT].to(dtype or params[OUTPUT].dtype)}):
            yield

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.bf16)


def _at_least_fp32(value: Tensor) -> Tensor:
    return value.float() if value.dtype == torch.bfloat16 else value
