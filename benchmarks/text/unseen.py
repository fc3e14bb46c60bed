"""Adapting a language model to authors it never met: the query loss along the way, for rules and their rates."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from metaglot.algorithms import GradientBased, build_algorithm
from metaglot.assembly.text import read_text
from metaglot.config import CorpusSettings, TextSettings
from metaglot.data.blocks import pack
from metaglot.data.folders import read_run
from metaglot.inner import Adam, Rule, Sgd, first_order
from metaglot.models import All, Backbone, Runtime, Zeros, load_backbone
from metaglot.tasks.domain_lm import DomainText, Passages
from metaglot.tasks.objectives import objective_of
from metaglot.training.checkpoint import load_params
from metaglot.types import Episode, Params, Problem

EPISODES = 77_000  # seed of the passages: the same for every model


class Trained(NamedTuple):
    """A run as it stands, with the rule that it learnt, if it learnt any."""

    backbone: Backbone
    meta: Params
    learnt: Rule | None


class Unseen(NamedTuple):
    """Episodes of authors kept from training."""

    distributions: Mapping[str, DomainText]  # by author
    count: int  # episodes of each

    def __iter__(self) -> Iterator[tuple[str, int, Episode]]:  # type: ignore[override]
        """Yield author, number and episode."""
        for author, distribution in self.distributions.items():
            for n in range(self.count):
                yield author, n, distribution(EPISODES, n, {})


def candidates(trained: Trained) -> dict[str, Rule]:
    """Return the rules that adaptation may take, by name: the one of the run, if it learns any, and usual ones."""
    own = {} if trained.learnt is None else {"as trained": trained.learnt}
    descent = {f"SGD {lr:g}": Sgd(lr=lr) for lr in (0.03, 0.1, 0.3, 1.0)}
    return {**own, **descent, **{f"Adam {lr:g}": Adam(lr=lr) for lr in (1e-4, 3e-4, 1e-3)}}


def load_trained(run: Path) -> Trained:
    """Return the model of a run; the rule is that of its algorithm where it learns one (`algorithm.rule.*`)."""
    said = read_run(run)
    backbone = load_backbone(str(run), Runtime(language=True))
    learnt = load_params(said.checkpoint, device=backbone.learner.device)
    body = backbone.learner.body()
    chosen = said.described["algorithm"]
    algorithm = build_algorithm(chosen["name"], chosen["options"])
    rule = algorithm.rule if isinstance(algorithm, GradientBased) else None
    named = any(name.startswith("algorithm.rule.") for name in learnt)
    return Trained(backbone, {**body, **learnt}, rule if named or chosen["name"] != "joint" else None)


def unseen(
    backbone: Backbone, root: str, authors: Sequence[str], *, shape: Passages, count: int, length: int
) -> Unseen:
    """Return the episodes of authors; the text of each is packed by itself."""
    found = {}
    for author in authors:
        corpus = CorpusSettings(path="books", name=author, domains=(author,))
        text = read_text(TextSettings(root=root, corpora=(corpus,), length=length, held_out=0.0)).train
        blocks = pack(text, backbone.tokenizer, length=length)
        found[author] = DomainText(blocks, objective_of(backbone), shape)
    return Unseen(found, count)


def losses(trained: Trained, rule: Rule, episode: Episode, marks: Sequence[int]) -> dict[int, float]:
    """Return the query loss in nats a token after each of `marks` steps of a rule on the support set."""
    learner = trained.backbone.learner
    problem = Problem(learner, episode.family, episode.task)
    algorithm = GradientBased(All(), Zeros(), rule, max(marks), first_order, dropout=False)
    inner = algorithm.inner_of(problem)
    episode = episode.to(learner.device)
    start = inner.start(problem, trained.meta, episode.support, seed=None)
    walk = inner.loop.walk(problem, trained.meta, start, episode.support, seed=None, create_graph=False)
    found = {}
    for step, fast in enumerate(walk):
        if step in marks:
            with torch.no_grad():
                found[step] = float(problem.loss({**trained.meta, **fast.params}, episode.query))
    return found
