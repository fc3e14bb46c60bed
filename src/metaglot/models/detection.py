"""An encoder with a small generator beside it: it tells which tokens of a text the generator has replaced.

    x̂_t ~ p_G(· | x̃) where x̃ is masked, x̂_t = x_t elsewhere;   s_t = w · gelu(W h_t(x̂) + b) + c

The generator is an ELECTRA of the width of choice; its token embedding is that of the encoder, which both learn.  What
both have for themselves are the parameters `detection.*`.  A batch says by `draws` [B, T], uniform numbers, which token
is taken at each masked place, so that the corruption is a function of parameters and batch; it carries no gradient.

Clark et al. 2020 (ELECTRA), https://arxiv.org/abs/2003.10555.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, gelu, linear

from metaglot.decoding import Continuations, Decoding
from metaglot.models.language import take_head
from metaglot.models.learner import BODY, HfLearner
from metaglot.models.seq2seq import UNJUDGED
from metaglot.seeds import fold, seeded
from metaglot.types import Batch, Embedding, Outputs, Params

DRAWS = "draws"
DETECTION = "detection."
GENERATOR, DETECTOR = DETECTION + "generator.", DETECTION + "detector."
EMBEDDING = "body.embeddings.word_embeddings.weight"  # of a generator
HEAD_SIZE = 32  # of the generator's attention
SCORE, REPLACED, LOSS = range(3)  # columns of the logits


@dataclass(frozen=True)
class Detecting:
    """A learner whose batches with `draws` have as logits [B, T, 3] what detection is judged by.

    These are the score that a token was replaced, whether it was (1 or 0), and the generator's loss of the token in
    nats (0 where it was not masked).  All other batches are those of the encoder.
    """

    encoder: HfLearner
    generator: HfLearner
    detector: Mapping[str, Tensor]  # dense.weight [D, D], dense.bias [D], score.weight [1, D], score.bias [1]

    @property
    def embedding(self) -> Embedding | None:
        """The input embedding of the encoder."""
        return self.encoder.embedding

    @property
    def hidden_size(self) -> int:
        """D of the encoder."""
        return self.encoder.hidden_size

    @property
    def device(self) -> torch.device:
        """Where the parameters live."""
        return self.encoder.device

    def precise(self) -> "Detecting":
        """Return the learner in full precision."""
        return replace(self, encoder=self.encoder.precise(), generator=self.generator.precise())

    def body(self) -> Params:
        """Return the parameters of the encoder as `body.*`."""
        return self.encoder.body()

    def language_head(self) -> Params:
        """Return the encoder's own language-model head, and generator and detector as `detection.*`."""
        own = {**self.generator.body(), **self.generator.language_head()}
        generator = {GENERATOR + name: value for name, value in own.items() if name != EMBEDDING}
        detector = {DETECTOR + name: value.detach() for name, value in self.detector.items()}
        return {**self.encoder.language_head(), **generator, **detector}

    def scoring(self, params: Params) -> Params:
        """Return what an inner loop may move of the encoder's language-model head."""
        return self.encoder.scoring(params)

    def forward(self, params: Params, batch: Batch, *, seed: int | None = None, logits: bool = False) -> Outputs:
        """Return the outputs of the encoder; of a batch with `draws`, on the text as the generator changed it."""
        if not (logits and DRAWS in batch):
            return self.encoder.forward(params, batch, seed=seed, logits=logits)
        masked = batch["labels"] != UNJUDGED
        guesses = self._generated(params, batch, seed)  # [M, V]
        labels = batch["labels"][masked]
        taken = drawn(guesses.detach(), batch[DRAWS][masked])
        changed = {name: batch[name] for name in ("attention_mask", "token_type_ids") if name in batch}
        changed["input_ids"] = batch["input_ids"].masked_scatter(masked, taken)
        inner = None if seed is None else fold(seed, "detector")
        outputs = self.encoder.forward(params, changed, seed=inner)
        scores = self._scores(params, outputs.hidden)
        replaced = torch.zeros_like(scores).masked_scatter(masked, (taken != labels).to(scores.dtype))
        losses = cross_entropy(guesses, labels, reduction="none").to(scores.dtype)
        judged = torch.zeros_like(scores).masked_scatter(masked, losses)
        return outputs._replace(logits=torch.stack([scores, replaced, judged], dim=-1))

    def score(self, params: Params, hidden: Tensor, batch: Batch, *, seed: int | None = None) -> Tensor:
        """Return the logits of the encoder's own head."""
        return self.encoder.score(params, hidden, batch, seed=seed)

    def generate(self, params: Params, batch: Batch, decoding: Decoding, *, tokenizer: Any = None) -> Continuations:
        """Raise MetaglotError: an encoder does not write."""
        return self.encoder.generate(params, batch, decoding, tokenizer=tokenizer)

    def _generated(self, params: Params, batch: Batch, seed: int | None) -> Tensor:  # [M, V]
        own = {n.removeprefix(GENERATOR): value for n, value in params.items() if n.startswith(GENERATOR)}
        found = self.generator.forward(
            {**own, EMBEDDING: self._embedding(params)}, batch, seed=seed, logits=True
        ).logits
        assert found is not None
        return found

    def _embedding(self, params: Params) -> Tensor:  # [V, E]
        name = BODY + cast("Embedding", self.encoder.embedding).name
        return params[name] if name in params else self.encoder.body()[name]

    def _scores(self, params: Params, hidden: Tensor) -> Tensor:  # [B, T, D] -> [B, T]
        w = {name: params.get(DETECTOR + name, value) for name, value in self.detector.items()}
        inner = gelu(linear(hidden, w["dense.weight"], w["dense.bias"]))
        return linear(inner, w["score.weight"], w["score.bias"]).squeeze(-1)


def drawn(logits: Tensor, uniform: Tensor) -> Tensor:  # [M, V], [M] -> [M]
    """Return a token for each row, by the inverse of the cumulated probabilities at a number in 0 to 1."""
    edges = logits.double().softmax(-1).cumsum(-1)
    found = torch.searchsorted(edges, uniform.double()[:, None], right=True)[:, 0]
    return found.clamp(max=logits.shape[1] - 1)


def detecting(encoder: HfLearner, *, width: float, length: int, pad: int, seed: int) -> Detecting:
    """Return the encoder with a generator of a share `width` of its width, and a detector, of random weights.

    The generator reads up to `length` tokens.  The same arguments give the same weights.
    """
    device = encoder.device
    with seeded(fold(seed, "generator"), torch.device("cpu")):
        generator = _generator(encoder, width, length, pad)
        size = encoder.hidden_size
        weights = {"dense.weight": torch.randn(size, size) * 0.02, "score.weight": torch.randn(1, size) * 0.02}
    detector = {**weights, "dense.bias": torch.zeros(size), "score.bias": torch.zeros(1)}
    return Detecting(encoder, generator, {name: value.to(device) for name, value in detector.items()})


def _generator(encoder: HfLearner, width: float, length: int, pad: int) -> HfLearner:
    from transformers import ElectraConfig, ElectraForMaskedLM

    config: Any = cast("Any", encoder.module).config
    embedding = cast("Embedding", encoder.embedding)
    rows, columns = encoder.body()[BODY + embedding.name].shape
    heads = max(1, round(width * encoder.hidden_size / HEAD_SIZE))
    own: Any = ElectraConfig(
        vocab_size=rows,
        embedding_size=columns,
        hidden_size=heads * HEAD_SIZE,
        num_hidden_layers=int(getattr(config, "num_hidden_layers", 4)),
        num_attention_heads=heads,
        intermediate_size=4 * heads * HEAD_SIZE,
        max_position_embeddings=length,
        pad_token_id=pad,
    )
    own._attn_implementation = config._attn_implementation
    whole = cast("torch.nn.Module", ElectraForMaskedLM(own)).requires_grad_(requires_grad=False).eval()
    base, head = take_head(whole.to(encoder.device))
    return HfLearner(base, bf16=encoder.bf16, language=head)
