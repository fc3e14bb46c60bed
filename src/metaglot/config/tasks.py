"""The sources of episodes: labelled sets, tasks made from raw text, the plain objective; each with its weight."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from metaglot.config.strict import MOST, Range, Strict, check_range


class EpisodeSettings(Strict):
    """The size of an episode."""

    ways: Range = Field(default=(2, 8), strict=False)
    shots: Range = Field(default=(1, 8), strict=False)
    queries: int = Field(default=4, ge=1, le=MOST)  # of a class or label, as shots; of numbers, of the task in all
    max_support: int = Field(default=64, ge=2, le=MOST)
    max_query: int = Field(default=64, ge=2, le=MOST)
    named: float = Field(default=0.0, ge=0, le=1)  # share of episodes whose support has each class's name as an example

    @model_validator(mode="after")
    def _sizes_in_order(self) -> "EpisodeSettings":
        check_range("ways", self.ways, least=2)
        check_range("shots", self.shots, least=0 if self.named else 1)  # a name can stand for examples
        for key, most in (("max_support", self.max_support), ("max_query", self.max_query)):
            if most < self.ways[0]:
                raise ValueError(f"{key}: {most} examples cannot hold one of each of {self.ways[0]} classes (ways)")
        return self


class Weighted(Strict):
    """How often episodes of a kind come."""

    weight: float = Field(default=1.0, ge=0)  # share of the episodes, relative to the other kinds
    until: float | None = Field(default=None, ge=0)  # the weight at the end of training, reached linearly


class Supervised(Weighted):
    """Tasks from the labelled sets in `data`."""

    kind: Literal["supervised"] = "supervised"


class MaskedWords(Weighted):
    """SMLMT: which of N words is missing from a sentence (Bansal et al. 2020)."""

    kind: Literal["smlmt"] = "smlmt"
    words: Literal["uniform", "log-frequency", "clusters", "curriculum"] = "log-frequency"
    hide: Literal["mask", "remove"] = "mask"  # remove: no token marks its place, as in the texts of users
    min_count: int = Field(default=20, ge=2, le=MOST)  # sentences that must hold the word
    max_words: int = Field(default=20_000, ge=2, le=MOST)  # the most frequent ones
    clusters: int = Field(default=100, ge=1, le=MOST)  # of words, by the model's view of their sentences
    within: float = Field(default=0.8, ge=0, le=1)  # share of episodes whose words come from one cluster
    clustered: int = Field(default=2000, ge=2, le=MOST)  # words that are clustered, the most frequent ones
    sentences: int = Field(default=4, ge=1, le=MOST)  # of each word, for its place among the clusters
    every: int = Field(default=200, ge=1, le=MOST)  # steps between two clusterings of the curriculum
    episodes: EpisodeSettings | None = None  # the recipe's own if absent

    @model_validator(mode="after")
    def _options_in_use(self) -> "MaskedWords":
        """Refuse options that have no effect with the given choice of words."""
        clustered = ("clusters", "within", "clustered", "sentences")
        unread = {"clusters": ("every",), "curriculum": ()}.get(self.words, (*clustered, "every"))
        for name in unread:
            if getattr(self, name) != type(self).model_fields[name].default:
                needed = "curriculum" if name == "every" else "clusters or curriculum"
                raise ValueError(
                    f"{name}: it has no effect with words: {self.words}; give words: {needed}, or leave it out"
                )
        return self


Partitions = tuple[Annotated[int, Field(ge=2, le=MOST)], ...]


class SentenceClusters(Weighted):
    """Classes are clusters of sentences, found by the model before training."""

    kind: Literal["sentence-clusters"] = "sentence-clusters"
    clusters: Partitions = Field(default=(20, 50, 100), strict=False)  # a partition for each number
    sentences: int = Field(default=20_000, ge=100, le=MOST)  # at most so many are clustered
    episodes: EpisodeSettings | None = None


class Documents(Weighted):
    """Which document does a sentence come from."""

    kind: Literal["documents"] = "documents"
    within_domain: bool = False  # all documents of an episode are of one domain, which is harder
    episodes: EpisodeSettings | None = None


class Domains(Weighted):
    """Which author or domain does a sentence come from."""

    kind: Literal["domains"] = "domains"
    episodes: EpisodeSettings | None = None


class Pairs(Weighted):
    """Do two sentences come from the same passage."""

    kind: Literal["pairs"] = "pairs"
    hard: float = Field(default=0.5, ge=0, le=1)  # share of the other pairs that are of one domain
    episodes: EpisodeSettings | None = None


class RecurringSpans(Weighted):
    """Questions whose answer is a span that stands twice in a passage (Ram et al. 2021)."""

    kind: Literal["recurring-spans"] = "recurring-spans"
    passages: int = Field(default=20_000, ge=1, le=MOST)  # at most so many, drawn from all
    length: int = Field(default=160, ge=8, le=MOST)  # words of a passage, about
    each: int = Field(default=4, ge=1, le=MOST)  # questions of a passage, at most
    longest: int = Field(default=8, ge=1, le=MOST)  # words of an answer
    rare: float = Field(default=0.002, ge=0, le=1)  # a word in no larger share of passages may be an answer alone
    common: float = Field(default=0.1, ge=0, le=1)  # a word in a larger share neither begins nor ends an answer
    unanswerable: float = Field(default=0.1, ge=0, lt=1)  # share of questions put to a passage without their answer
    gap: str = Field(default="what", min_length=1)  # stands in the question where the answer is hidden
    episodes: EpisodeSettings | None = None


class DomainText(Weighted):
    """Adapt to some passages of a domain, then predict the tokens of others."""

    kind: Literal["domain-lm"] = "domain-lm"
    support: int = Field(default=4, ge=1, le=MOST)  # blocks of text
    query: int = Field(default=4, ge=1, le=MOST)


class Plain(Weighted):
    """The plain objective, without any adaptation: masked language modelling of an encoder, causal of a decoder.

    An encoder with a decoder (T5, BART) learns by span denoising.
    """

    kind: Literal["plain"] = "plain"
    batch: int = Field(default=16, ge=1, le=MOST)  # blocks of text
    masked: float = Field(default=0.15, gt=0, lt=1)  # share of the tokens that a masked LM must find, or a T5 write
    span: float | None = Field(default=None, ge=1, le=MOST)  # tokens of a hidden part, on average (T5): 3 if absent
    whole_words: bool = True  # mask all tokens of a word, or none
    bound: float | None = Field(default=None, gt=0)  # nats; more of these episodes come while the loss is above it


class ReplacedTokens(Weighted):
    """Which tokens of a text are guesses of a small generator (Clark et al. 2020)."""

    kind: Literal["replaced-tokens"] = "replaced-tokens"
    batch: int = Field(default=16, ge=1, le=MOST)  # blocks of text
    masked: float = Field(default=0.15, gt=0, lt=1)  # share of the tokens that the generator guesses
    generator: float = Field(default=0.25, gt=0, le=1)  # its width, as a share of the model's
    detection: float = Field(default=50.0, gt=0)  # the weight of detection beside the generator's loss


class SimCse(Weighted):
    """A text is nearer to its twin than to the other texts of a batch (Gao et al. 2021)."""

    kind: Literal["simcse"] = "simcse"
    batch: int = Field(default=64, ge=2, le=MOST)  # texts, each with its twin
    temperature: float = Field(default=0.05, gt=0)  # that cosines are divided by
    positives: Literal["dropout", "neighbours", "pairs"] = "dropout"  # pairs: of a corpus with a column text_pair


def _kind_alone(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


TaskSettings = Annotated[
    Supervised
    | MaskedWords
    | SentenceClusters
    | Documents
    | Domains
    | Pairs
    | RecurringSpans
    | DomainText
    | Plain
    | ReplacedTokens
    | SimCse,
    Field(discriminator="kind"),
    BeforeValidator(_kind_alone),
]
