"""How a network writes: the settings of one decoding, and what comes of it."""

from dataclasses import dataclass
from math import inf
from typing import NamedTuple, cast

from metaglot.errors import MetaglotError


@dataclass(frozen=True)
class Decoding:
    """How the tokens of a text that is written are chosen.

    Without a seed the likeliest text is looked for, greedily with one beam or by a beam search with several.  With a
    seed, tokens are drawn: the draw is a function of the seed and of all texts that are written together.

    Parameters
    ----------
    max_new_tokens : int, optional
        Tokens of a text at most; by default half as many again as the longest example of an adaptation has.
    min_new_tokens : int, default=0
        No end is written before so many tokens.
    beams : int, default=1
        How many beginnings are kept at each step, at most 64: each takes a row of the batch, and with very many the
        texts get worse (Koehn and Knowles 2017, https://aclanthology.org/W17-3204).
    length_penalty : float, default=1.0
        Of a beam search: log-probabilities are divided by the length to this power.
    seed : int, optional
        Draw tokens, with this seed.
    temperature : float, default=1.0
        Logits are divided by it before a draw.
    top_p : float, default=1.0
        Tokens are drawn from the fewest that have so much probability together
        (Holtzman et al. 2020, https://arxiv.org/abs/1904.09751).
    top_k : int, default=0
        Tokens are drawn from as many of the likeliest; 0 is all.
    no_repeat_ngram : int, default=0
        No sequence of so many tokens comes twice, prompts included; 0 allows all.
    stop : tuple of str, default=()
        A text ends before the first of these strings.
    ends : tuple of int, default=()
        Tokens that end a text, beside those that the network's own settings name.

    Raises
    ------
    MetaglotError
        For a setting that has no meaning, and for one of draws without a seed.

    Examples
    --------
    >>> import metaglot as mg
    >>> mg.Decoding(beams=4).most
    64
    >>> drawn = mg.Decoding(seed=1, temperature=0.7, top_p=0.9, stop=(".",))
    """

    max_new_tokens: int | None = None
    min_new_tokens: int = 0
    beams: int = 1
    length_penalty: float = 1.0
    seed: int | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    no_repeat_ngram: int = 0
    stop: tuple[str, ...] = ()
    ends: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not _is_of_kind(name, value):
                raise MetaglotError(
                    f"decoding: {name} is {value!r:.60}; it must be {_KINDS.get(name, 'a whole number')}"
                )
        object.__setattr__(self, "stop", tuple(self.stop))
        object.__setattr__(self, "ends", tuple(self.ends))
        checks = {
            "max_new_tokens": (self.max_new_tokens, self.most >= 1, "at least 1"),
            "min_new_tokens": (self.min_new_tokens, 0 <= self.min_new_tokens <= self.most, _MIN),
            "beams": (self.beams, 1 <= self.beams <= MOST_BEAMS, f"at least 1 and at most {MOST_BEAMS}"),
            "length_penalty": (self.length_penalty, abs(self.length_penalty) < inf, "finite"),
            "seed": (self.seed, self.seed is None or abs(self.seed) < 1 << 63, "a number of 64 bits"),
            "temperature": (self.temperature, 0 < self.temperature < inf, "above 0; without a seed nothing is drawn"),
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
        idle = [name for name, usual in _OF_DRAWS.items() if getattr(self, name) != usual]
        if self.seed is None and idle:
            raise MetaglotError(f"decoding: {idle[0]} has no use without draws; give a seed, or leave it out")
        if self.beams == 1 and self.length_penalty != 1:
            raise MetaglotError(
                "decoding: length_penalty has no use without a beam search; give beams, or leave it out"
            )

    @property
    def most(self) -> int:
        """How many new tokens a text has at most."""
        return USUAL_TOKENS if self.max_new_tokens is None else self.max_new_tokens


USUAL_TOKENS = 64
MOST_BEAMS = 64
_FRACTIONS = ("length_penalty", "temperature", "top_p")
_KINDS = {**dict.fromkeys(_FRACTIONS, "a number"), "stop": "a list of strings", "ends": "a list of whole numbers"}
_OF_DRAWS = {"temperature": 1.0, "top_p": 1.0, "top_k": 0}
_MIN = "0 or more and at most max_new_tokens"


class Continuations(NamedTuple):
    """What a network wrote behind each prompt of a batch."""

    tokens: tuple[tuple[int, ...], ...]  # of each row the new tokens, with the token that ends it, without padding
    seconds: float  # of the whole batch, prompts included
    likelihoods: tuple[tuple[float, ...], ...] = ()  # the log-probability of each new token, in nats; not of beams

    @property
    def speed(self) -> float:
        """New tokens a second."""
        return sum(map(len, self.tokens)) / self.seconds if self.seconds > 0 else 0.0


def _is_of_kind(name: str, value: object) -> bool:
    """Return whether a setting is of the type that it is declared with."""
    if name in ("stop", "ends"):
        kind = str if name == "stop" else int
        return isinstance(value, tuple | list) and all(isinstance(one, kind) for one in cast("list[object]", value))
    optional = value is None and name in ("max_new_tokens", "seed")
    number = isinstance(value, int | float if name in _FRACTIONS else int) and not isinstance(value, bool)
    return optional or number
