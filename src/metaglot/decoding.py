"""How a network writes: the settings of one decoding, and what comes of it."""

from dataclasses import dataclass
from typing import NamedTuple

from metaglot.errors import MetaglotError


@dataclass(frozen=True)
class Decoding:
    """How the tokens of a text are chosen.

    Without a seed the likeliest text is looked for, greedily with one beam or by a beam search with several.  With a
    seed, tokens are drawn: the draw is a function of the seed and of the whole batch.

    Raises MetaglotError for a setting that has no meaning.
    """

    max_new_tokens: int = 64
    min_new_tokens: int = 0  # no end is written before so many tokens
    beams: int = 1
    length_penalty: float = 1.0  # of a beam search: log-probabilities are divided by length to this power
    seed: int | None = None
    temperature: float = 1.0  # logits are divided by it; for draws alone
    top_p: float = 1.0  # the fewest tokens with so much probability are drawn from
    top_k: int = 0  # as many of the likeliest tokens are drawn from; 0 is all
    no_repeat_ngram: int = 0  # no sequence of so many tokens comes twice, prompts included; 0 allows all
    stop: tuple[str, ...] = ()  # a text ends with the first of these strings
    ends: tuple[int, ...] = ()  # tokens that end a text, beside those that the network's own settings name

    def __post_init__(self) -> None:
        checks = {
            "max_new_tokens": (self.max_new_tokens, self.max_new_tokens >= 1, "at least 1"),
            "min_new_tokens": (self.min_new_tokens, 0 <= self.min_new_tokens <= self.max_new_tokens, _MIN),
            "beams": (self.beams, self.beams >= 1, "at least 1"),
            "temperature": (self.temperature, self.temperature > 0, "above 0; without a seed nothing is drawn"),
            "top_p": (self.top_p, 0 < self.top_p <= 1, "above 0 and at most 1"),
            "top_k": (self.top_k, self.top_k >= 0, "0 or more"),
            "no_repeat_ngram": (self.no_repeat_ngram, self.no_repeat_ngram >= 0, "0 or more"),
            "stop": (self.stop, all(self.stop), "strings with a character or more"),
        }
        for name, (value, holds, wanted) in checks.items():
            if not holds:
                raise MetaglotError(f"decoding: {name} is {value!r}; it must be {wanted}")
        if self.beams > 1 and self.seed is not None:
            raise MetaglotError("decoding: a beam search draws nothing; leave the seed out, or take one beam")


_MIN = "0 or more and at most max_new_tokens"


class Continuations(NamedTuple):
    """What a network wrote behind each prompt of a batch."""

    tokens: tuple[tuple[int, ...], ...]  # of each row the new tokens, with the token that ends it, without padding
    seconds: float  # of the whole batch, prompts included
    likelihoods: tuple[
        tuple[float, ...], ...
    ] = ()  # of greedy decoding: the log-probability of each new token, in nats

    @property
    def speed(self) -> float:
        """New tokens a second."""
        return sum(map(len, self.tokens)) / self.seconds if self.seconds > 0 else 0.0
