"""The kinds of tasks that a recipe names, as one distribution over episodes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from metaglot.assembly.comparing import simcse, simcse_held_out
from metaglot.assembly.detecting import replaced_tokens, replaced_tokens_held_out
from metaglot.assembly.kinds import LANGUAGE, PLAIN
from metaglot.assembly.recurring import recurring_sources
from metaglot.assembly.text import TextSource
from metaglot.choices import FAMILIES
from metaglot.config import EpisodeSettings, Recipe
from metaglot.config import tasks as kinds
from metaglot.errors import MetaglotError
from metaglot.families.classification import Classification
from metaglot.seeds import fold
from metaglot.tasks import MixtureOf, Shape, SupervisedTasks
from metaglot.tasks.clusters import SentenceClustering, WordClustering, cluster_sentences, cluster_words
from metaglot.tasks.documents import document_sources
from metaglot.tasks.domain_lm import DomainText, Passages
from metaglot.tasks.domains import domain_source
from metaglot.tasks.joining import joining_of
from metaglot.tasks.mixture import Bound
from metaglot.tasks.pairs import Closeness, SentencePairs
from metaglot.tasks.plain import HeldOut, PlainText
from metaglot.tasks.smlmt import MaskedWords
from metaglot.tasks.words import Clusters, Curriculum, LogFrequency, Uniform, WordSampler
from metaglot.types import TaskDistribution


class Tasks(NamedTuple):
    """The distributions that episodes come from."""

    all: TaskDistribution
    episodic: TaskDistribution | None  # those with a support set
    held_out: HeldOut | None  # text for the loss of the first objective without a support set


def shape_of(settings: EpisodeSettings) -> Shape:
    """Return the size of episodes."""
    sizes = (settings.ways, settings.shots, settings.queries, settings.max_support, settings.max_query)
    return Shape(*sizes, named=settings.named)


def has_plain(recipe: Recipe) -> bool:
    """Whether any of the tasks has no support set."""
    return any(task.kind in PLAIN for task in recipe.tasks)


def needs_language(recipe: Recipe) -> bool:
    """Whether any task is scored by the language-model head, or by the decoder behind an encoder."""
    written = any(FAMILIES.over_vocabulary(one.task or "") for one in recipe.data.train)
    return written or any(task.kind in LANGUAGE for task in recipe.tasks)


def tasks_of(
    recipe: Recipe, supervised: SupervisedTasks | None, text_source: TextSource | None, *, dropout: bool = True
) -> Tasks:
    """Return the tasks that a recipe lists; those of its labelled sets alone where it lists none.

    `dropout` says whether the algorithm trains with it.
    """
    if not recipe.tasks:
        assert supervised is not None
        return Tasks(supervised, supervised, None)
    distributions = [
        _distribution(recipe, task, supervised, text_source, n, dropout) for n, task in enumerate(recipe.tasks)
    ]
    with_support = [i for i, task in enumerate(recipe.tasks) if task.kind not in PLAIN and (task.weight or task.until)]
    episodic = (
        MixtureOf(tuple(distributions[i] for i in with_support), (1.0,) * len(with_support)) if with_support else None
    )
    plain = next((task for task in recipe.tasks if task.kind in PLAIN), None)
    held_out = _held_out(recipe, plain, text_source) if plain is not None and text_source is not None else None
    return Tasks(distributions[0] if len(distributions) == 1 else _mixture(recipe, distributions), episodic, held_out)


def _mixture(recipe: Recipe, parts: Sequence[TaskDistribution]) -> MixtureOf:
    weights = tuple(task.weight for task in recipe.tasks)
    until = tuple(task.weight if task.until is None else task.until for task in recipe.tasks)
    bounds = [
        Bound(n, task.bound)
        for n, task in enumerate(recipe.tasks)
        if isinstance(task, kinds.Plain) and task.bound is not None
    ]
    duration = recipe.training.steps * recipe.training.meta_batch if until != weights else 0
    if len(bounds) > 1:
        raise MetaglotError(f"tasks.{bounds[1].part}.bound: one task can have a bound, and tasks.{bounds[0].part} has")
    mixture = MixtureOf(tuple(parts), weights, until, duration, bounds[0] if bounds else None)
    try:
        mixture.shares(0, {})  # weights and bound are checked now, before anything is written
    except MetaglotError as error:
        raise MetaglotError(f"tasks: {error}") from error
    return mixture


def _held_out(recipe: Recipe, task: kinds.TaskSettings, text_source: TextSource) -> HeldOut | None:
    try:
        return HELD_OUT[task.kind](text_source, task, recipe.validation.batches)
    except MetaglotError as error:  # the training documents have been read without an error
        text_source.progress.say(f"nothing is measured on the held-out documents (text.held_out): {error}")
        return None


def _plain_held_out(text_source: TextSource, plain: kinds.Plain, batches: int) -> HeldOut | None:
    blocks = text_source.held_out
    if blocks is None:
        return None
    objective = text_source.objective(masked=plain.masked, whole_words=plain.whole_words, span=plain.span)
    return HeldOut(blocks, objective, plain.batch, batches)


def _distribution(
    recipe: Recipe,
    task: kinds.TaskSettings,
    supervised: SupervisedTasks | None,
    text_source: TextSource | None,
    number: int,
    dropout: bool,
) -> TaskDistribution:
    if isinstance(task, kinds.Supervised):
        assert supervised is not None
        return supervised
    assert text_source is not None
    try:
        return MAKERS[task.kind](_Context(recipe, text_source, number, dropout), task)
    except MetaglotError as error:
        raise MetaglotError(f"tasks.{number} ({task.kind}): {error}") from error


class _Context(NamedTuple):
    recipe: Recipe
    text_source: TextSource
    number: int
    dropout: bool  # whether the algorithm trains with it

    @property
    def seed(self) -> int:
        return fold(self.recipe.seed, "tasks", self.number)

    @property
    def objective(self) -> Classification:
        return Classification(pad_token_id=int(self.text_source.backbone.tokenizer.pad_token_id or 0))

    def shape(self, own: EpisodeSettings | None) -> Shape:
        return shape_of(own or self.recipe.episodes)


def _masked_words(context: _Context, task: kinds.MaskedWords) -> TaskDistribution:
    index = context.text_source.index(min_count=task.min_count, max_words=task.max_words)
    words, mask = _words(context, task, index), context.text_source.mask if task.hide == "mask" else None
    first = next(n for n, other in enumerate(context.recipe.tasks) if other.kind == "smlmt") == context.number
    name = "smlmt" if first else f"smlmt-{context.number}"
    return MaskedWords(
        context.text_source.sentences, index, context.objective, context.shape(task.episodes), words, mask, name
    )


def _words(context: _Context, task: kinds.MaskedWords, index: Any) -> WordSampler:
    options = WordClustering(task.clusters, task.clustered, task.sentences)
    if task.words == "clusters":
        learner = context.text_source.backbone.learner
        context.text_source.progress.say(f"clustering {min(task.clustered, len(index.words)):,} words")
        assignment = cluster_words(
            context.text_source.masked_text(index),
            context.objective,
            learner,
            learner.body(),
            options,
            seed=fold(context.seed, "words"),
        )
        return Clusters(assignment, task.within)
    if task.words == "curriculum":
        return Curriculum(options, task.within, task.every, context.seed)
    return Uniform() if task.words == "uniform" else LogFrequency()


def _sentence_clusters(context: _Context, task: kinds.SentenceClusters) -> TaskDistribution:
    learner, examples = context.text_source.backbone.learner, context.text_source.sentences.examples
    options = SentenceClustering(task.clusters, task.sentences)
    context.text_source.progress.say(f"clustering {min(task.sentences, len(examples)):,} sentences")
    sources = cluster_sentences(examples, context.objective, learner, learner.body(), options, seed=context.seed)
    return SupervisedTasks(tuple(sources), context.objective, context.shape(task.episodes), "uniform")


def _documents(context: _Context, task: kinds.Documents) -> TaskDistribution:
    sources = document_sources(context.text_source.sentences, per_domain=task.within_domain)
    return SupervisedTasks(tuple(sources), context.objective, context.shape(task.episodes), "size")


def _domains(context: _Context, task: kinds.Domains) -> TaskDistribution:
    source = domain_source(context.text_source.sentences)
    return SupervisedTasks((source,), context.objective, context.shape(task.episodes), "uniform")


def _pairs(context: _Context, task: kinds.Pairs) -> TaskDistribution:
    joining = joining_of(context.text_source.backbone.tokenizer, max_length=context.recipe.model.max_length)
    closeness = Closeness(hard=task.hard)
    return SentencePairs(
        context.text_source.sentences, context.objective, context.shape(task.episodes), joining, closeness
    )


def _recurring_spans(context: _Context, task: kinds.RecurringSpans) -> TaskDistribution:
    sources = recurring_sources(context.text_source, task, seed=context.seed)
    return SupervisedTasks(tuple(sources), context.objective, context.shape(task.episodes), "sqrt")


def _domain_text(context: _Context, task: kinds.DomainText) -> TaskDistribution:
    return DomainText(context.text_source.blocks, context.text_source.objective(), Passages(task.support, task.query))


def _plain(context: _Context, task: kinds.Plain) -> TaskDistribution:
    objective = context.text_source.objective(masked=task.masked, whole_words=task.whole_words, span=task.span)
    return PlainText(context.text_source.blocks, objective, task.batch)


def _simcse(context: _Context, task: kinds.SimCse) -> TaskDistribution:
    return simcse(context.text_source, task, dropout=context.dropout)


def _replaced_tokens(context: _Context, task: kinds.ReplacedTokens) -> TaskDistribution:
    return replaced_tokens(context.text_source, task)


MAKERS: Mapping[str, Callable[..., TaskDistribution]] = {
    "smlmt": _masked_words,
    "sentence-clusters": _sentence_clusters,
    "documents": _documents,
    "domains": _domains,
    "pairs": _pairs,
    "recurring-spans": _recurring_spans,
    "domain-lm": _domain_text,
    "plain": _plain,
    "replaced-tokens": _replaced_tokens,
    "simcse": _simcse,
}

HELD_OUT: Mapping[str, Callable[..., HeldOut | None]] = {
    "plain": _plain_held_out,
    "replaced-tokens": replaced_tokens_held_out,
    "simcse": simcse_held_out,
}
