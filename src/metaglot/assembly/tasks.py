"""The kinds of tasks that a recipe names, as one distribution over episodes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from metaglot.assembly.text import TextSource
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

LANGUAGE = ("plain", "domain-lm")  # kinds that the language-model head scores


class Tasks(NamedTuple):
    """What episodes come from."""

    all: TaskDistribution
    episodic: TaskDistribution | None  # those with a support set
    held_out: HeldOut | None  # text for the loss of the plain objective


def shape_of(settings: EpisodeSettings) -> Shape:
    """Return the size of episodes."""
    sizes = (settings.ways, settings.shots, settings.queries, settings.max_support, settings.max_query)
    return Shape(*sizes, named=settings.named)


def has_plain(recipe: Recipe) -> bool:
    """Whether the plain objective is among the tasks."""
    return any(task.kind == "plain" for task in recipe.tasks)


def needs_language(recipe: Recipe) -> bool:
    """Whether any task is scored by the language-model head."""
    return any(task.kind in LANGUAGE for task in recipe.tasks)


def tasks_of(recipe: Recipe, supervised: SupervisedTasks | None, text_source: TextSource | None) -> Tasks:
    """Return the distribution that a recipe's `tasks` describe; the labelled sets alone where it lists none."""
    if not recipe.tasks:
        assert supervised is not None
        return Tasks(supervised, supervised, None)
    made = [_made(recipe, task, supervised, text_source, n) for n, task in enumerate(recipe.tasks)]
    with_support = [i for i, task in enumerate(recipe.tasks) if task.kind != "plain" and (task.weight or task.until)]
    episodic = MixtureOf(tuple(made[i] for i in with_support), (1.0,) * len(with_support)) if with_support else None
    plain = next((task for task in recipe.tasks if isinstance(task, kinds.Plain)), None)
    held_out = _held_out(recipe, plain, text_source) if plain is not None and text_source is not None else None
    return Tasks(made[0] if len(made) == 1 else _mixed(recipe, made), episodic, held_out)


def _mixed(recipe: Recipe, parts: Sequence[TaskDistribution]) -> MixtureOf:
    weights = tuple(task.weight for task in recipe.tasks)
    until = tuple(task.weight if task.until is None else task.until for task in recipe.tasks)
    bounds = [
        Bound(n, task.bound)
        for n, task in enumerate(recipe.tasks)
        if isinstance(task, kinds.Plain) and task.bound is not None
    ]
    over = recipe.training.steps * recipe.training.meta_batch if until != weights else 0
    if len(bounds) > 1:
        raise MetaglotError(f"tasks.{bounds[1].part}.bound: one task can have a bound, and tasks.{bounds[0].part} has")
    made = MixtureOf(tuple(parts), weights, until, over, bounds[0] if bounds else None)
    try:
        made.shares(0, {})  # weights and bound are checked now, before anything is written
    except MetaglotError as error:
        raise MetaglotError(f"tasks: {error}") from error
    return made


def _held_out(recipe: Recipe, plain: kinds.Plain, text_source: TextSource) -> HeldOut | None:
    try:
        blocks = text_source.held_out
    except MetaglotError as error:  # those to train on were packed before
        text_source.progress.say(f"perplexity is not measured: of the documents kept aside (text.held_out), {error}")
        return None
    if blocks is None:
        return None
    objective = text_source.objective(masked=plain.masked, whole_words=plain.whole_words)
    return HeldOut(blocks, objective, plain.batch, recipe.validation.batches)


def _made(
    recipe: Recipe,
    task: kinds.TaskSettings,
    supervised: SupervisedTasks | None,
    text_source: TextSource | None,
    number: int,
) -> TaskDistribution:
    if isinstance(task, kinds.Supervised):
        assert supervised is not None
        return supervised
    assert text_source is not None
    try:
        return MAKERS[task.kind](_Of(recipe, text_source, number), task)
    except MetaglotError as error:
        raise MetaglotError(f"tasks.{number} ({task.kind}): {error}") from error


class _Of(NamedTuple):
    recipe: Recipe
    text_source: TextSource
    number: int

    @property
    def seed(self) -> int:
        return fold(self.recipe.seed, "tasks", self.number)

    @property
    def objective(self) -> Classification:
        return Classification(pad_token_id=int(self.text_source.backbone.tokenizer.pad_token_id or 0))

    def shape(self, own: EpisodeSettings | None) -> Shape:
        return shape_of(own or self.recipe.episodes)


def _masked_words(of: _Of, task: kinds.MaskedWords) -> TaskDistribution:
    index = of.text_source.index(min_count=task.min_count, max_words=task.max_words)
    words, mask = _words(of, task, index), of.text_source.mask if task.hide == "mask" else None
    first = next(n for n, other in enumerate(of.recipe.tasks) if other.kind == "smlmt") == of.number
    name = "smlmt" if first else f"smlmt-{of.number}"
    return MaskedWords(of.text_source.sentences, index, of.objective, of.shape(task.episodes), words, mask, name)


def _words(of: _Of, task: kinds.MaskedWords, index: Any) -> WordSampler:
    options = WordClustering(task.clusters, task.clustered, task.sentences)
    if task.words == "clusters":
        learner = of.text_source.backbone.learner
        of.text_source.progress.say(f"clustering {min(task.clustered, len(index.words)):,} words")
        found = cluster_words(
            of.text_source.masked(index), of.objective, learner, learner.body(), options, seed=fold(of.seed, "words")
        )
        return Clusters(found, task.within)
    if task.words == "curriculum":
        return Curriculum(options, task.within, task.every, of.seed)
    return Uniform() if task.words == "uniform" else LogFrequency()


def _sentence_clusters(of: _Of, task: kinds.SentenceClusters) -> TaskDistribution:
    learner, examples = of.text_source.backbone.learner, of.text_source.sentences.examples
    options = SentenceClustering(task.clusters, task.sentences)
    of.text_source.progress.say(f"clustering {min(task.sentences, len(examples)):,} sentences")
    found = cluster_sentences(examples, of.objective, learner, learner.body(), options, seed=of.seed)
    return SupervisedTasks(tuple(found), of.objective, of.shape(task.episodes), "uniform")


def _documents(of: _Of, task: kinds.Documents) -> TaskDistribution:
    found = document_sources(of.text_source.sentences, per_domain=task.within_domain)
    return SupervisedTasks(tuple(found), of.objective, of.shape(task.episodes), "size")


def _domains(of: _Of, task: kinds.Domains) -> TaskDistribution:
    found = domain_source(of.text_source.sentences)
    return SupervisedTasks((found,), of.objective, of.shape(task.episodes), "uniform")


def _pairs(of: _Of, task: kinds.Pairs) -> TaskDistribution:
    joining = joining_of(of.text_source.backbone.tokenizer, max_length=of.recipe.model.max_length)
    close = Closeness(hard=task.hard)
    return SentencePairs(of.text_source.sentences, of.objective, of.shape(task.episodes), joining, close)


def _domain_text(of: _Of, task: kinds.DomainText) -> TaskDistribution:
    return DomainText(of.text_source.blocks, of.text_source.objective(), Passages(task.support, task.query))


def _plain(of: _Of, task: kinds.Plain) -> TaskDistribution:
    objective = of.text_source.objective(masked=task.masked, whole_words=task.whole_words)
    return PlainText(of.text_source.blocks, objective, task.batch)


MAKERS: Mapping[str, Callable[..., TaskDistribution]] = {
    "smlmt": _masked_words,
    "sentence-clusters": _sentence_clusters,
    "documents": _documents,
    "domains": _domains,
    "pairs": _pairs,
    "domain-lm": _domain_text,
    "plain": _plain,
}
